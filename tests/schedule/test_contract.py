"""What every engine promises: one contract, run on each of them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from hub.clock import now
from hub.config import EngineSettings
from hub.errors import Outcome, UnavailableError
from hub.schedule.inprocess import InProcessEngine
from hub.schedule.procrastinate import ProcrastinateEngine
from hub.schedule.ticket import Busy, Engine, Ticket
from hub.store.migrate import upgrade
from hub.store.queue_schema import upgrade_queue
from hub.store.store import Store

QUICK = EngineSettings(
    kind="procrastinate",
    heartbeat=timedelta(seconds=1), dead_after=timedelta(seconds=3), reap=timedelta(seconds=1),
    poll=timedelta(milliseconds=100),
)  # fmt: skip


@pytest.fixture(params=["inprocess", "procrastinate"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "inprocess":
        yield InProcessEngine()
        return
    store = Store(request.getfixturevalue("postgres_url"))
    upgrade(store)
    upgrade_queue(store)
    yield ProcrastinateEngine(store, QUICK, "host:1:test")
    store.close()


@dataclass
class Work:
    """Notes what is executed; `gate` closed holds every run until it opens or its halt is set."""

    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    answer: Callable[[Ticket], Outcome | Busy] = lambda ticket: Outcome.OK
    together: int = 0
    most: int = 0

    def __call__(self, ticket: Ticket, stop: threading.Event) -> Outcome | Busy:
        self.begun.append(ticket.key)
        self.together += 1
        self.most = max(self.most, self.together)
        while not self.gate.is_set() and not stop.wait(0.02):
            pass
        self.together -= 1
        self.ended.append(ticket.key)
        return Outcome.INTERRUPTED if stop.is_set() else self.answer(ticket)


@contextmanager
def serving(engine: Engine, work: Work, slots: int = 1, **lanes: object) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=engine.serve, args=(work,), kwargs={"slots": slots, "stop": stop, **lanes})
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def test_a_key_waits_once(engine: Engine) -> None:
    assert engine.submit([Ticket("a/s")]) == 1
    assert engine.submit([Ticket("a/s"), Ticket("b/s")]) == 1
    assert sorted(engine.snapshot().waiting) == ["a/s", "b/s"]


def test_the_higher_priority_goes_first_then_the_older(engine: Engine) -> None:
    engine.submit([Ticket("low/s"), Ticket("older/s", 5), Ticket("high/s", 9), Ticket("newer/s", 5)])
    work = Work()
    work.gate.set()
    with serving(engine, work, lanes=("live",)):
        until(lambda: len(work.ended) == 4)
    assert work.begun == ["high/s", "older/s", "newer/s", "low/s"]


def test_a_waiting_key_can_be_taken_back(engine: Engine) -> None:
    engine.submit([Ticket("a/s")])
    assert engine.cancel("a/s")
    assert not engine.cancel("a/s")
    assert engine.snapshot().waiting == ()


def test_a_running_key_can_be_asked_to_stop(engine: Engine) -> None:
    engine.submit([Ticket("a/s")])
    work = Work()
    with serving(engine, work):
        until(lambda: work.begun == ["a/s"])
        assert engine.cancel("a/s")
        until(lambda: work.ended == ["a/s"])
        until(lambda: not engine.snapshot().running)
        assert engine.snapshot().waiting == ()


def test_not_before_is_kept(engine: Engine) -> None:
    begin = now() + timedelta(seconds=1)
    engine.submit([Ticket("later/s", not_before=begin), Ticket("now/s")])
    work = Work()
    work.gate.set()
    with serving(engine, work):
        until(lambda: work.begun == ["now/s"])
        assert engine.snapshot().waiting == ("later/s",)
        until(lambda: len(work.begun) == 2)
    assert now() >= begin


def test_a_more_urgent_ticket_hurries_the_one_that_waits(engine: Engine) -> None:
    engine.submit([Ticket("a/s", not_before=now() + timedelta(hours=1))])
    assert engine.submit([Ticket("a/s", not_before=now() + timedelta(hours=2))]) == 0
    assert engine.submit([Ticket("a/s", 10, reason="person")]) == 1
    work = Work()
    work.gate.set()
    with serving(engine, work):
        until(lambda: work.ended == ["a/s"])


def test_a_sooner_ticket_brings_the_one_that_waits_forward(engine: Engine) -> None:
    """Else the slots of a minute are lost to a ticket that came back from a lease which has ended long ago."""
    carried: list[Ticket] = []
    work = Work(answer=lambda ticket: carried.append(ticket) or Outcome.OK)  # type: ignore[func-returns-value]
    work.gate.set()
    engine.submit([Ticket("a/s", 10, now() + timedelta(hours=1), "person", mark="asked", lane="bulk")])
    assert engine.submit([Ticket("a/s")]) == 1
    assert engine.submit([Ticket("a/s")]) == 0
    with serving(engine, work):
        until(lambda: work.ended == ["a/s"])
    assert carried == [Ticket("a/s", 10, None, "person", mark="asked", lane="bulk")], "it is still the one asked for"


def test_busy_comes_back_later(engine: Engine) -> None:
    answers = [Busy(now() - timedelta(seconds=1)), Outcome.OK]
    work = Work(answer=lambda ticket: answers.pop(0))
    work.gate.set()
    engine.submit([Ticket("a/s")])
    with serving(engine, work):
        until(lambda: len(work.ended) == 2)
    assert answers == []


def test_a_store_that_goes_away_under_pruning_is_told_in_a_line(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(ticket: Ticket) -> Outcome:
        if ticket.key == "prune":
            raise UnavailableError("the store cannot be reached")
        return Outcome.OK

    engine.submit([Ticket("prune", 1), Ticket("a/s")])
    work = Work(answer=answer)
    work.gate.set()
    with serving(engine, work):
        until(lambda: work.ended == ["prune", "a/s"])
    told = [record for record in caplog.records if record.name == "hub.schedule"]
    assert [(one.levelname, one.getMessage(), one.exc_info) for one in told] == [
        ("WARNING", "the store cannot be reached", None)
    ]


def test_stopping_lets_the_page_in_hand_finish(engine: Engine) -> None:
    engine.submit([Ticket("a/s"), Ticket("b/s")])
    work = Work()
    with serving(engine, work, lanes=("live",)) as stop:
        until(lambda: len(work.begun) == 1)
        stop.set()
    assert work.ended == work.begun == ["a/s"]
    assert "b/s" in engine.snapshot().waiting


def test_what_must_run_alone_runs_alone(engine: Engine) -> None:
    engine.submit([Ticket(f"a/{name}", alone="a") for name in "stuv"])
    work = Work()
    with serving(engine, work, slots=4):
        until(lambda: work.together == 1)
        time.sleep(0.3)
        work.gate.set()
        until(lambda: len(work.ended) == 4)
    assert work.most == 1


def test_long_runs_leave_room_for_the_others(engine: Engine) -> None:
    engine.submit([Ticket(f"long/{number}", 9, lane="bulk") for number in range(6)])
    work = Work()
    with serving(engine, work, slots=4):
        until(lambda: work.together >= 1)
        engine.submit([Ticket("minute/s")])
        until(lambda: "minute/s" in work.begun)
        assert work.begun.count("long/5") == 0
        work.gate.set()
        until(lambda: len(work.ended) == 7)


def test_a_lane_nobody_serves_waits(engine: Engine) -> None:
    engine.submit([Ticket("long/s", lane="bulk"), Ticket("minute/s")])
    work = Work()
    work.gate.set()
    with serving(engine, work, lanes=("live",)):
        until(lambda: work.ended == ["minute/s"])
    assert engine.snapshot().waiting == ("long/s",)


def test_the_snapshot_tells_who_runs_what(engine: Engine) -> None:
    assert engine.snapshot().oldest_wait is None
    engine.submit([Ticket("a/s"), Ticket("b/s")])
    oldest = engine.snapshot().oldest_wait
    assert oldest is not None
    assert abs((now() - oldest).total_seconds()) < 60
    work = Work()
    with serving(engine, work, lanes=("live",)):
        until(lambda: work.begun == ["a/s"])
        (running,) = engine.snapshot().running
        assert running.key == "a/s"
        work.gate.set()
        until(lambda: len(work.ended) == 2)
    assert engine.snapshot().running == ()
