"""`hub serve` as a whole: schedules run until it is told to stop, then the page in hand is finished (promise 9)."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from rig import START, BenchHub, open_store, wait_until, write_mapping

from hub.clock import now_ms
from hub.commands.stopping import stopping
from hub.config import Environment, load
from hub.errors import Outcome, StoreError, UnavailableError
from hub.schedule.inprocess import InProcessEngine
from hub.schedule.serve import serve
from hub.schedule.ticket import Ticket
from hub.store.leases import acquire, release
from hub.sync.result import RunResult

sys.path.append(str(Path(__file__).parents[1] / "sync"))
from upstream import Upstream

TOML = """
[defaults]
workers = 3
schedule = "1s"
retries = 0
start = "2000-01-01"
[sources.good]
connector = "csv_drop"
[sources.down]
connector = "csv_drop"
[sources.broken]
connector = "csv_drop"
"""


@pytest.fixture
def hub(tmp_path: Path, store_url: str) -> Iterator[BenchHub]:
    (tmp_path / "hub.toml").write_text(TOML, "utf-8")
    settings = load(tmp_path / "hub.toml", environment=Environment({}))
    store = open_store(store_url)
    good, down = Upstream(size=1), Upstream()
    for number in range(8):
        good.put(f"r{number}", START + number)
    down.before_fetch = lambda _: (_ for _ in ()).throw(UnavailableError("down"))
    upstreams = {"good": good, "down": down}
    yield BenchHub.over(settings, store, upstreams, write_mapping(tmp_path / "mappings"))
    store.close()


@contextmanager
def serving(hub: BenchHub, results: list[RunResult]) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(hub, stop, results.append))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def test_each_source_runs_whatever_the_others_do(hub: BenchHub) -> None:
    """One is well, one is down, one cannot even be opened."""
    results: list[RunResult] = []
    with serving(hub, results):
        wait_until(lambda: len(results) >= 4 and {run.source for run in results} >= {"good", "down"}, 30)
    outcomes = {run.source: run.outcome for run in results}
    assert outcomes["good"] is Outcome.OK
    assert outcomes["down"] is Outcome.UNAVAILABLE
    with hub.store.read() as transaction:
        assert transaction.one("SELECT count(*) FROM incident")[0] == 8


def test_stop_finishes_the_page_in_hand(hub: BenchHub) -> None:
    results: list[RunResult] = []
    good = hub.upstreams["good"]
    reached, go_on = threading.Event(), threading.Event()

    def hold(upstream: Upstream) -> None:
        if upstream.fetches == 3:
            reached.set()
            go_on.wait(20)
        elif upstream.fetches > 3:
            time.sleep(0.3)  # the hub is told to stop by a thread of its own

    good.before_fetch = hold
    with serving(hub, results) as stop:
        assert reached.wait(20)
        stop.set()
        go_on.set()
    interrupted = [run for run in results if run.source == "good"]
    assert [run.outcome for run in interrupted] == [Outcome.INTERRUPTED]
    with hub.store.read() as transaction:
        assert transaction.one("SELECT count(*) FROM incident")[0] == interrupted[0].counts.new
        assert transaction.one("SELECT count(*) FROM run WHERE outcome = 'running'")[0] == 0
        assert transaction.one("SELECT count(*) FROM lease WHERE expires_at > 0 AND name LIKE 'good%'")[0] == 0
    assert 2 <= interrupted[0].counts.new < len(good.records)
    assert good.closed == 2, "once after planning, once at the end"


def test_a_lease_that_ends_early_costs_no_slots(hub: BenchHub) -> None:
    """Another process reads the stream, under a lease of an hour, and is done at once: the next slot is ours."""
    results: list[RunResult] = []
    lease = acquire(hub.store, "good/records", "elsewhere:1:test", 3_600_000, now_ms())
    with serving(hub, results):
        wait_until(lambda: any(run.outcome is Outcome.BUSY for run in results), 30)
        release(hub.store, lease)
        wait_until(lambda: any(run.source == "good" and run.outcome is Outcome.OK for run in results), 30)


def test_two_servers_on_one_store_never_run_a_partition_together(hub: BenchHub) -> None:
    results: list[RunResult] = []
    other = BenchHub.over(hub.settings, open_store(hub.store.url), hub.upstreams, hub.mappings)
    with serving(hub, results), serving(other, results):
        wait_until(lambda: sum(run.source == "good" for run in results) >= 4, 30)
    other.store.close()
    assert {run.outcome for run in results if run.source == "good"} <= {Outcome.OK, Outcome.BUSY, Outcome.INTERRUPTED}
    with hub.store.read() as transaction:
        assert transaction.one("SELECT count(*) FROM incident")[0] == 8
        assert transaction.one("SELECT count(*) FROM change")[0] == 8


def test_a_store_that_goes_away_is_told_once_and_its_return_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not with a traceback every second of an outage."""
    down = iter([True, True, True, False, False])

    def plan(_: datetime) -> list[Ticket]:
        if next(down):
            raise UnavailableError("the store cannot be reached: {reason}", reason="Connection refused")
        return []

    engine = InProcessEngine(plan)
    for _ in range(5):
        engine._tick()
    told = [(record.levelname, record.message) for record in caplog.records]
    assert told == [
        ("ERROR", "cannot plan: the store cannot be reached: Connection refused"),
        ("WARNING", "plans again"),
    ]


def test_a_store_that_comes_back_as_one_to_be_read_only_is_told_as_such(caplog: pytest.LogCaptureFixture) -> None:
    """A standby that took over and was not made the primary: nobody would look for that behind a refused connection."""
    troubles = iter([UnavailableError("the store cannot be reached: {reason}", reason="Connection refused")] * 2
                    + [StoreError("the store cannot be written to: {reason}", reason="read-only")] * 3)  # fmt: skip

    def plan(_: datetime) -> list[Ticket]:
        raise next(troubles)

    engine = InProcessEngine(plan)
    for _ in range(5):
        engine._tick()
    assert [record.message for record in caplog.records] == [
        "cannot plan: the store cannot be reached: Connection refused",
        "cannot plan: the store cannot be written to: read-only",
    ]


def test_a_signal_that_another_thread_takes_stops_it() -> None:
    with stopping() as stop:
        for seconds, act in ((0.3, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)), (9, stop.set)):
            timer = threading.Timer(seconds, act)
            timer.daemon = True
            timer.start()
        began = time.monotonic()
        InProcessEngine().serve(lambda ticket, halt: Outcome.OK, slots=1, stop=stop)
        assert time.monotonic() - began < 5
