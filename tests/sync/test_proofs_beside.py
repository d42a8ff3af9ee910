"""Proofs of deletion while something else goes on: another run, clocks that differ, a source that comes back."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rig import START, Clock, Hurry, Rig
from upstream import Upstream

from hub.errors import Outcome
from hub.source.stream import Cursor
from hub.store import deletions
from hub.store.quarantine import list_quarantine
from hub.sync.result import RunResult
from hub.sync.run import RunOptions, StreamRun

HOUR = 3_600_000
YEARS = 10 * 365 * 24 * HOUR
HELD = {"deletion_rows": 2, "deletion_share": 0.1}


def fill(upstream: Upstream, count: int) -> None:
    for number in range(count):
        upstream.put(f"r{number:03}", START - HOUR + number * 1000)


def beside(rig: Rig, transport: Upstream) -> StreamRun:
    """A full refresh beside the stream's own runs."""
    job, options = replace(rig.job, transport=transport), RunOptions(full_refresh=True, beside=True)
    return StreamRun(rig.store, job, owner="two", options=options, stop=Hurry())


@pytest.fixture
def newer(rig: Rig, upstream: Upstream, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Between a proof and what is done with it a sync stores a new version of r003."""
    for name in ("tombstone", "hold"):
        monkeypatch.setattr(deletions, name, _after_a_newer_version(getattr(deletions, name), rig, upstream, clock))
    return


def _after_a_newer_version(carry_out: Any, rig: Rig, upstream: Upstream, clock: Clock) -> Any:
    def racing(*arguments: Any) -> Any:
        clock.now += 1000
        upstream.put("r003", START + 500, "newer")
        upstream.clock = clock.now
        assert rig.run().counts.changed == 1
        clock.now += 1000
        return carry_out(*arguments)

    return racing


@pytest.mark.usefixtures("newer")
def test_a_record_that_changes_between_proof_and_burial_lives(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    fill(upstream, 5)
    rig.run()
    without = Upstream([row for row in upstream.records if row["id"] != "r003"])
    clock.now += 1000
    assert beside(rig, without).execute().outcome is Outcome.OK
    assert rig.living()['"r003"'][0] == "newer"
    rig.check()


@pytest.mark.usefixtures("newer")
def test_a_record_that_changes_before_its_deletion_is_held_is_not_approved(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    fill(upstream, 10)
    rig.set(**HELD).run()
    clock.now += 1000
    assert beside(rig, Upstream(upstream.records[5:])).execute().outcome is Outcome.PARTIAL
    [held] = deletions.list_held(rig.store)
    clock.now += 1000
    deletions.decide(rig.store, held.id, approve=True, actor="wang", now=clock.now)
    assert '"r003"' in rig.living()


def test_what_the_source_shows_again_unchanged_leaves_a_held_deletion(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    fill(upstream, 10)
    rig.set(**HELD).shape(cursor=Cursor(path="at", format="epoch_ms", lookback=timedelta(days=1))).run()
    records = list(upstream.records)
    del upstream.records[:5]
    rig.run(full=True)
    [held] = deletions.list_held(rig.store)
    upstream.records[:] = records[1:]
    assert rig.run().counts.unchanged == 9
    [left] = deletions.list_held(rig.store)
    assert (held.records, left.records) == (5, 1)
    assert deletions.decide(rig.store, held.id, approve=True, actor="wang", now=clock.now) == 1


def test_nobody_is_asked_about_a_held_deletion_of_which_all_came_back(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 10)
    rig.set(**HELD).shape(cursor=Cursor(path="at", format="epoch_ms", lookback=timedelta(days=1))).run()
    records = list(upstream.records)
    del upstream.records[:5]
    rig.run(full=True)
    upstream.records[:] = records
    rig.run()
    assert deletions.list_held(rig.store) == []
    assert [one.status for one in deletions.list_held(rig.store, all_of_them=True)] == ["replaced"]


@pytest.mark.parametrize("behind", [2_000, 20_000])
def test_a_sync_beside_whose_clock_is_behind_loses_nothing(
    rig: Rig, upstream: Upstream, clock: Clock, behind: int
) -> None:
    """A record is born behind the enumeration's back and stored under a clock that lags."""
    fill(upstream, 6)
    rig.run()
    other, born = Upstream(list(upstream.records)), list[int]()
    clock.now += 10_000

    def bear(_: Upstream) -> None:
        if other.fetches == 2 and not born:
            born.append(1)
            clock.now -= behind
            upstream.put("born", START - 1)
            assert rig.run().counts.new == 1
            clock.now += behind

    other.before_fetch = bear
    assert beside(rig, other).execute().outcome is Outcome.OK
    assert '"born"' in rig.living()


def test_a_bad_record_that_a_sync_beside_sets_aside_is_not_gone(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """It is born behind the enumeration's back, and set aside under a clock that lags."""
    fill(upstream, 6)
    rig.run()
    other = Upstream(list(upstream.records))
    clock.now += 10_000

    def bear(_: Upstream) -> None:
        if other.fetches == 2:
            clock.now -= 2_000
            upstream.put("born", START - 1, made="soon")
            assert rig.run().counts.new_quarantined == 1
            clock.now += 2_000

    other.before_fetch = bear
    assert beside(rig, other).execute().outcome is Outcome.OK
    assert [row.native_id for row in list_quarantine(rig.store)] == ['"born"']


def test_a_bad_record_that_was_shown_is_not_gone_because_the_clock_stepped_back(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    def step_back(_: Upstream) -> None:
        clock.now -= 1000

    upstream.put("x", START - HOUR, made="soon")
    upstream.before_fetch = step_back
    for known in (False, True):
        assert rig.run(full=True).counts.new_quarantined == (not known)
        assert [row.native_id for row in list_quarantine(rig.store)] == ['"x"']


def test_records_stored_under_a_clock_far_ahead_can_still_be_found_missing(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    fill(upstream, 4)
    clock.now += YEARS
    rig.run()
    clock.now -= YEARS
    upstream.drop("r001")
    assert rig.run(full=True).counts.tombstoned == 1


def test_as_many_as_there_are_in_a_window_may_be_others(rig: Rig, upstream: Upstream) -> None:
    """One record of the window is gone, and one that was born after the first page's clock is shown."""
    upstream.filtered = "made"
    rig.shape(window_field="reported_at")
    for number in range(3):
        at = START - 300_000 + number * 1000
        upstream.put(f"r{number}", at, made=at)
    rig.run()
    upstream.drop("r0")
    upstream.put("r9", START + 10, made=START + 10)
    result = rig.run()
    assert (result.counts.new, result.counts.tombstoned) == (1, 1)


def test_a_run_that_began_before_a_deletion_was_held_takes_out_what_it_shows(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    """A refresh beside it meets the source in a bad moment; the pages that follow show the records, unchanged."""
    rig.set(**HELD)
    upstream.size = 2
    fill(upstream, 8)
    rig.run()

    def refresh(result: RunResult) -> None:
        if result.pages == 1:
            assert beside(rig, Upstream(upstream.records[:2])).execute().outcome is Outcome.PARTIAL

    assert rig.run(progress=refresh).counts.unchanged == 8
    for held in deletions.list_held(rig.store):
        deletions.decide(rig.store, held.id, approve=True, actor="wang", now=clock.now)
    assert len(rig.living()) == 8
