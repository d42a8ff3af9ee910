"""Full refreshes and pruning by schedule, and slots that a process left behind: on both databases."""

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rig
from rig import START, BenchHub, Clock, open_store, write_mapping

from hub.clock import now_ms
from hub.config import Environment, load
from hub.errors import Outcome, UnavailableError
from hub.schedule.serve import Planner, Runner
from hub.schedule.ticket import Ticket
from hub.store import leases
from hub.store.audit import list_audit
from hub.store.due import list_schedules
from hub.store.overview import stream_overviews
from hub.sync.result import RunResult

sys.path.append(str(Path(__file__).parents[1] / "sync"))
from upstream import Upstream

TOML = """
[defaults]
schedule = "5m"
retries = 0
start = "2000-01-01"
[retention]
feed = "P30D"
schedule = "20 3 1 * *"
[sources.main]
connector = "csv_drop"
full_refresh = "0 3 * * 0"
"""
SUNDAY = datetime(2027, 1, 16, 19, 1, tzinfo=UTC)  # 03:01 in Shanghai
KEY = "main/records"
REFRESH = "main/records/full refresh"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().patch(monkeypatch)


@pytest.fixture
def hub(tmp_path: Path, store_url: str, clock: Clock) -> Iterator[BenchHub]:
    (tmp_path / "hub.toml").write_text(TOML, "utf-8")
    settings = load(tmp_path / "hub.toml", environment=Environment({}))
    store = open_store(store_url)
    upstream = Upstream(size=2)
    for number in range(8):
        upstream.put(f"r{number}", START - 1000 + number)
    yield BenchHub.over(settings, store, {"main": upstream}, write_mapping(tmp_path / "mappings"))
    store.close()


class Server:
    """Plans and executes one ticket at a time, as a living process would."""

    def __init__(self, hub: BenchHub) -> None:
        self.hub, self.planner, self.results = hub, Planner(hub), list[RunResult]()
        self.runner = Runner(hub, self.results.append)

    def due(self, moment: datetime) -> dict[str, Ticket]:
        return {ticket.key: ticket for ticket in self.planner.plan(moment)}

    def run(self, ticket: Ticket, stop: threading.Event | None = None) -> RunResult:
        self.runner.execute(ticket, stop or threading.Event())
        return self.results[-1]


def at(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now / 1000, UTC)


def refresh() -> Ticket:
    return Ticket(REFRESH, lane="bulk", full_refresh=True)


def living(hub: BenchHub) -> set[str]:
    with hub.store.read() as transaction:
        return {row[0] for row in transaction.all("SELECT native_id FROM incident WHERE deleted_at IS NULL")}


def test_a_full_refresh_has_its_own_slots_in_the_bulk_lane(hub: BenchHub, clock: Clock) -> None:
    server = Server(hub)
    assert set(server.due(at(clock))) == {KEY}, "a new full refresh waits for its slot"
    found = server.due(SUNDAY)
    assert set(found) == {KEY, REFRESH}
    ticket = found[REFRESH]
    assert (ticket.lane, ticket.full_refresh, ticket.reason) == ("bulk", True, "refresh")
    assert ticket.priority < found[KEY].priority
    (due,) = [row.next_due_at for row in list_schedules(hub.store) if row.partition]
    assert timedelta(days=6) < datetime.fromtimestamp(due / 1000, UTC) - SUNDAY < timedelta(days=8)


def test_a_restart_keeps_the_slot_of_a_full_refresh(hub: BenchHub, clock: Clock) -> None:
    Server(hub)
    before = list_schedules(hub.store)
    clock.pass_(timedelta(days=2))
    Server(hub)
    assert list_schedules(hub.store) == before
    assert REFRESH in Server(hub).due(SUNDAY + timedelta(days=3)), "a slot missed while nobody ran is one run"


def test_a_clock_that_is_put_right_under_a_living_planner_holds_up_no_stream(hub: BenchHub, clock: Clock) -> None:
    server = Server(hub)
    assert set(server.due(SUNDAY + timedelta(days=365))) == {KEY, REFRESH, "prune"}
    assert set(server.due(at(clock))) == {KEY, REFRESH, "prune"}
    assert server.due(at(clock)) == {}


def test_it_finds_what_vanished(hub: BenchHub) -> None:
    server = Server(hub)
    server.run(Ticket(KEY))
    hub.upstreams["main"].drop("r3")
    server.run(Ticket(KEY))
    assert len(living(hub)) == 8
    result = server.run(refresh())
    assert (result.outcome, result.mode, result.partition) == (Outcome.OK, "full_refresh", "full refresh")
    assert result.counts.tombstoned == 1
    assert '"r3"' not in living(hub)


def test_the_stream_goes_on_while_it_is_refreshed(hub: BenchHub, clock: Clock) -> None:
    """What the stream's own run brings in behind the refresh's back is not missing upstream."""
    server = Server(hub)
    server.run(Ticket(KEY))
    upstream = hub.upstreams["main"]
    between: list[RunResult] = []

    def meanwhile(asked: Upstream) -> None:
        if len(between) or asked.windows[-1][1] is None or asked.windows[-1][0].since is not None:
            return
        clock.pass_(timedelta(seconds=5))
        upstream.put("r9", START - 2000)
        between.append(Server(hub).run(Ticket(KEY)))

    upstream.before_fetch = meanwhile
    result = server.run(refresh())
    assert [(run.outcome, run.counts.new) for run in between] == [(Outcome.OK, 1)]
    assert (result.outcome, result.counts.tombstoned) == (Outcome.OK, 0)
    assert '"r9"' in living(hub)


def test_cut_short_it_goes_on_where_it_stood(hub: BenchHub, clock: Clock) -> None:
    server, upstream = Server(hub), hub.upstreams["main"]
    server.run(Ticket(KEY))
    stop = threading.Event()
    upstream.before_fetch = lambda asked: stop.set() if asked.windows[-1][0].since is None else None
    first = server.run(refresh(), stop)
    assert first.outcome is Outcome.INTERRUPTED
    upstream.before_fetch = lambda asked: None
    assert server.run(Ticket(KEY)).outcome is Outcome.OK
    second = server.run(refresh())
    assert second.outcome is Outcome.OK
    assert first.pages + second.pages == 4, "the stream's own run gave it up"


def test_cut_short_by_the_source_it_is_due_again_soon(hub: BenchHub, clock: Clock) -> None:
    server, upstream = Server(hub), hub.upstreams["main"]
    upstream.before_fetch = lambda asked: (_ for _ in ()).throw(UnavailableError("down"))
    assert server.run(refresh()).outcome is Outcome.UNAVAILABLE
    assert REFRESH not in server.due(at(clock) + timedelta(minutes=5))
    assert REFRESH in server.due(at(clock) + timedelta(minutes=11))


def test_it_says_nothing_about_freshness(hub: BenchHub, clock: Clock) -> None:
    server = Server(hub)
    server.run(refresh())
    assert stream_overviews(hub.store, now_ms())["main", "records"].good_at is None
    server.run(Ticket(KEY))
    began = clock.now
    clock.pass_(timedelta(days=3))
    server.run(refresh())
    overview = stream_overviews(hub.store, now_ms())["main", "records"]
    assert (overview.good_at, overview.cursor is not None) == (began, True)


@pytest.mark.parametrize(
    "changes", [{"cursor": None}, {"complete": False, "log": True}], ids=["always whole", "never whole"]
)
def test_only_streams_that_need_it_are_refreshed(
    hub: BenchHub, clock: Clock, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    monkeypatch.setattr(rig, "STREAM", replace(rig.STREAM, **changes))  # type: ignore[arg-type]
    assert set(Server(hub).due(SUNDAY)) == {KEY}, changes


def test_of_a_stream_in_partitions_the_whole_is_refreshed(
    hub: BenchHub, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that moves between parts is seen by neither of their readings, so no part proves that one is gone."""
    monkeypatch.setattr(rig, "STREAM", replace(rig.STREAM, partitions=("east", "west")))
    server = Server(hub)
    assert set(server.due(SUNDAY)) == {f"{KEY}/east", f"{KEY}/west", REFRESH}
    server.run(Ticket(f"{KEY}/east"))
    hub.upstreams["main"].drop("r3")
    assert server.run(refresh()).counts.tombstoned == 1
    assert hub.upstreams["main"].windows[-1][0].partition == ""


# --- what a process left behind --------------------------------------------------------------------------------------


def dies_before_it_begins(server: Server, ticket: Ticket) -> None:
    """Its slot was taken, no run was opened."""


def is_stopped_on_the_way(server: Server, ticket: Ticket) -> None:
    stop = threading.Event()
    server.hub.upstreams["main"].before_fetch = lambda asked: stop.set()
    assert server.run(ticket, stop).outcome is Outcome.INTERRUPTED
    server.hub.upstreams["main"].before_fetch = lambda asked: None


def is_killed_on_the_way(server: Server, ticket: Ticket) -> None:
    def die(asked: Upstream) -> None:
        raise rig.Sudden

    server.hub.upstreams["main"].before_fetch = die
    with pytest.raises(rig.Sudden):
        server.run(ticket)
    server.hub.upstreams["main"].before_fetch = lambda asked: None
    with server.hub.store.write() as transaction:
        # A killed process writes no outcome and gives no lease back.
        transaction.run("UPDATE run SET outcome = 'running', finished_at = NULL")
        owner = f"{socket.gethostname()}:{dead_pid()}:abc"
        transaction.run("UPDATE lease SET owner = ?, expires_at = ?", (owner, START + 90_000))


@pytest.mark.parametrize("dies", [dies_before_it_begins, is_stopped_on_the_way, is_killed_on_the_way])
def test_a_restart_goes_on_with_an_interrupted_slot_at_once(
    hub: BenchHub, clock: Clock, dies: Callable[[Server, Ticket], None]
) -> None:
    first = Server(hub)
    dies(first, first.due(at(clock))[KEY])
    assert first.due(at(clock)) == {}, "within one process it is not due again"
    again = Server(hub)
    ticket = again.due(at(clock))[KEY]
    assert again.run(ticket).outcome is Outcome.OK
    assert len(living(hub)) == 8
    assert Server(hub).due(at(clock)) == {}, "a slot that was done is done"


def test_a_slot_that_failed_by_itself_waits_for_the_next(hub: BenchHub, clock: Clock) -> None:
    server = Server(hub)
    hub.upstreams["main"].before_fetch = lambda asked: (_ for _ in ()).throw(UnavailableError("down"))
    assert server.run(server.due(at(clock))[KEY]).outcome is Outcome.UNAVAILABLE
    assert Server(hub).due(at(clock)) == {}


def test_only_leases_of_this_machines_dead_are_freed(hub: BenchHub, clock: Clock) -> None:
    here = socket.gethostname()
    owners = {"dead": f"{here}:{dead_pid()}:a", "alive": f"{here}:{os.getpid()}:b", "far": f"elsewhere:{dead_pid()}:c"}
    for name, owner in owners.items():
        leases.acquire(hub.store, name, owner, 90_000, clock.now)
    Server(hub)
    with hub.store.read() as transaction:
        held = {row[0] for row in transaction.all("SELECT name FROM lease WHERE expires_at > 0")}
    assert held == {"alive", "far"}


def dead_pid() -> int:
    """A process id that nobody has."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


# --- pruning -----------------------------------------------------------------------------------------------------------


def test_the_schedule_prunes_when_a_limit_is_set(hub: BenchHub, clock: Clock) -> None:
    server = Server(hub)
    server.run(Ticket(KEY))
    clock.pass_(timedelta(days=40))
    server.run(Ticket(KEY))
    assert "prune" not in Server(hub).due(datetime.fromtimestamp(START / 1000, UTC)), "not at once, but at night"
    ticket = server.due(at(clock))["prune"]
    assert ticket.lane == "bulk"
    assert server.runner.execute(ticket, threading.Event()) is Outcome.OK
    with hub.store.read() as transaction:
        assert transaction.one("SELECT count(*), min(seq) FROM change") == (1, 8)
    assert [entry.action for entry in list_audit(hub.store)] == ["prune"]
    assert "prune" not in Server(hub).due(at(clock))


def test_without_a_limit_or_with_never_nothing_is_pruned(tmp_path: Path, store_url: str, clock: Clock) -> None:
    for text in ("", '[retention]\nfeed = "P30D"\nschedule = "never"\n'):
        (tmp_path / "hub.toml").write_text(text, "utf-8")
        settings = load(tmp_path / "hub.toml", environment=Environment({}))
        store = open_store(store_url)
        hub = BenchHub.over(settings, store, {}, write_mapping(tmp_path / "mappings"))
        assert Server(hub).due(SUNDAY) == {}
        store.close()
