"""Backfill has a position of its own; reconcile names what is missing, outdated and extra."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rig import START, Clock, Hurry, Mortal, Rig, Sudden
from upstream import Upstream

from hub.errors import MisconfiguredError, Outcome
from hub.store.known import changed_within
from hub.store.state import list_states
from hub.sync.reconcile import reconcile
from hub.sync.result import RunResult
from hub.sync.run import Backfill, RunOptions, StreamRun

DAY = 86_400_000


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def backfill(rig: Rig, since: int, until: int, step: timedelta = timedelta(days=2)) -> RunResult:
    window = Backfill(moment(since), moment(until), step)
    return StreamRun(rig.store, rig.job, owner="one", options=RunOptions(backfill=window), stop=Hurry()).execute()


def fill(upstream: Upstream, days: int) -> None:
    for number in range(days):
        upstream.put(f"r{number:02}", START - (days - number) * DAY)


def test_a_window_is_read_and_the_live_cursor_stays(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 10)
    rig.start = moment(START - 3 * DAY)
    rig.run()
    assert len(rig.living()) == 3
    cursor = rig.state()
    result = backfill(rig, START - 8 * DAY, START - 4 * DAY)
    assert (result.outcome, result.mode, result.counts.new) == (Outcome.OK, "backfill", 4)
    assert rig.state() == cursor
    assert len(rig.living()) == 7
    assert len(list_states(rig.store)) == 1, "what it was at is of no use to anybody any more"
    rig.check()


@pytest.mark.parametrize("number", range(2, 9))
def test_killed_it_goes_on_where_it_stood(rig: Rig, upstream: Upstream, clock: Clock, number: int) -> None:
    upstream.size = 1
    fill(upstream, 10)
    store = rig.store
    assert isinstance(store, Mortal)
    store.live(number, committed=True)
    with pytest.raises(Sudden):
        backfill(rig, START - 8 * DAY, START - 4 * DAY)
    clock.now += 91_000
    store.live()
    assert [row.partition[:8] for row in list_states(rig.store) if row.body.get("reading")] in ([], ["backfill"])
    assert backfill(rig, START - 8 * DAY, START - 4 * DAY).outcome is Outcome.OK
    assert list_states(rig.store) == []
    assert sorted(rig.living()) == [f'"r{number:02}"' for number in range(2, 6)]
    rig.check()


def test_a_stream_without_cursor_has_no_windows(rig: Rig, upstream: Upstream) -> None:
    rig.stream = replace(rig.stream, cursor=None)
    assert backfill(rig, START - DAY, START).outcome is Outcome.MISCONFIGURED


def test_reconcile_agrees_after_a_sync(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    fill(upstream, 5)
    rig.run()
    clock.now += 1
    found = reconcile(rig.store, rig.job, since=moment(START - 9 * DAY), until=None)
    assert (found.outcome, found.upstream, found.stored) == (Outcome.OK, 5, 5)


def test_reconcile_names_every_difference_and_writes_nothing(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    fill(upstream, 5)
    rig.run()
    clock.now += 1
    upstream.put("late", START - 4 * DAY)
    upstream.put("r01", START - 4 * DAY, title="other")
    upstream.drop("r03")
    before = rig.changes()
    found = reconcile(rig.store, rig.job, since=moment(START - 9 * DAY), until=None)
    assert found.outcome is Outcome.BREACHED
    assert (found.missing, found.outdated) == (['"late"'], ['"r01"'])
    [(gone,)] = rig.all("SELECT id FROM incident WHERE native_id = '\"r03\"'")
    assert found.extra == [gone]
    assert rig.changes() == before


def test_only_instants_of_the_incident_are_compared(rig: Rig) -> None:
    with rig.store.read() as transaction, pytest.raises(MisconfiguredError):
        changed_within(transaction, "a", "b", "title; DROP TABLE incident", None, None, 0)
