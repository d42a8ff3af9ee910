"""What a complete reading proves, and what an incomplete one must not (promise 6)."""

import pytest
from rig import START, Clock, Hurry, Mortal, Rig, Sudden
from upstream import Upstream

from hub.errors import Outcome
from hub.store import deletions

HOUR = 3_600_000


def fill(upstream: Upstream, count: int) -> None:
    for number in range(count):
        upstream.put(f"r{number:03}", START - HOUR + number * 1000)


def test_gone_is_tombstoned_only_by_a_complete_reading(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 10)
    rig.run()
    upstream.drop("r004")
    assert rig.run().counts.tombstoned == 0
    assert '"r004"' in rig.living()
    result = rig.run(full=True)
    assert (result.outcome, result.counts.tombstoned) == (Outcome.OK, 1)
    assert '"r004"' not in rig.living()
    rig.check()


def test_one_that_dies_while_it_is_enumerated_hides_no_other(rig: Rig, upstream: Upstream) -> None:
    """As many are seen as live in the end, but not the same ones."""
    fill(upstream, 10)
    rig.run()
    upstream.drop("r008")

    def die(_: object) -> None:
        with rig.store.write() as transaction:
            transaction.run("UPDATE incident SET deleted_at = 1, deletion = 'source' WHERE native_id = '\"r000\"'")

    assert rig.run(full=True, progress=die).counts.tombstoned == 1
    assert len(rig.living()) == 8
    assert '"r008"' not in rig.living()


def test_returning_record_is_restored(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 4)
    rig.run()
    kept = next(row for row in upstream.records if row["id"] == "r002")
    upstream.drop("r002")
    rig.run(full=True)
    upstream.records.append(kept)
    result = rig.run()
    assert (result.counts.changed, result.counts.new) == (1, 0)
    assert [change.op for change in rig.changes()][-2:] == ["delete", "restore"]
    assert len(rig.living()) == 4
    rig.check()


@pytest.mark.parametrize("committed", [False, True], ids=["before commit", "after commit"])
@pytest.mark.parametrize("number", range(1, 13))
def test_killed_anywhere_it_proves_only_with_all_its_pages(
    rig: Rig, upstream: Upstream, clock: Clock, number: int, committed: bool
) -> None:
    fill(upstream, 10)
    rig.run()
    upstream.drop("r001")
    upstream.drop("r008")
    store = rig.store
    assert isinstance(store, Mortal)
    store.live(number, committed=committed)
    try:
        rig.run(full=True)
    except Sudden:
        clock.now += 91_000
    store.live()
    assert rig.run(full=True).outcome is Outcome.OK
    assert sorted(rig.living()) == [f'"r{place:03}"' for place in (0, 2, 3, 4, 5, 6, 7, 9)]
    assert rig.all("SELECT count(*) FROM seen_page")[0][0] == 0
    rig.check()


def test_another_reading_in_between_forges_no_proof(rig: Rig, upstream: Upstream) -> None:
    """A full refresh stops half-way, an incremental run fails at its first page, the full refresh goes on."""
    fill(upstream, 12)
    rig.run()
    assert rig.run(full=True, limit=3).outcome is Outcome.OK
    upstream.before_fetch = lambda _: (_ for _ in ()).throw(_unavailable())
    assert rig.set(retries=0).run().outcome is Outcome.UNAVAILABLE
    upstream.before_fetch = lambda _: None
    result = rig.run(full=True)
    assert (result.outcome, result.counts.tombstoned) == (Outcome.OK, 0)
    assert len(rig.living()) == 12
    rig.check()


def _unavailable() -> Exception:
    from hub.errors import UnavailableError

    return UnavailableError("down")


def test_partial_reading_buries_nothing(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 12)
    rig.run()
    upstream.drop("r000")
    stop = Hurry()
    upstream.before_fetch = lambda up: stop.set() if up.fetches > 6 else None
    result = rig.run(full=True, stop=stop)
    assert result.outcome is Outcome.INTERRUPTED
    assert len(rig.living()) == 12
    upstream.before_fetch = lambda _: None
    assert rig.run(full=True).counts.tombstoned == 1


def test_a_page_of_which_nothing_is_known_breaks_the_proof(rig: Rig, upstream: Upstream) -> None:
    """What a page has shown is lost, whatever lost it: its records must not be taken for gone."""
    fill(upstream, 12)
    rig.run()
    upstream.drop("r000")

    def lose(up: Upstream) -> None:
        with rig.store.write() as transaction:
            transaction.run("DELETE FROM seen_page WHERE number = (SELECT max(number) FROM seen_page)")

    upstream.before_fetch = lambda up: lose(up) if up.windows[-1][1] and up.windows[-1][1]["id"] == "r010" else None
    assert rig.run(full=True).counts.tombstoned == 0
    assert len(rig.living()) == 12
    upstream.before_fetch = lambda up: None
    assert rig.run(full=True).counts.tombstoned == 1


def test_record_without_identity_breaks_the_proof(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 6)
    rig.run()
    upstream.drop("r003")
    upstream.records.append({"at": START - HOUR, "id": None, "raw": b'{"at": 1, "title": "nobody"}'})
    result = rig.run(full=True)
    assert (result.outcome, result.counts.tombstoned, result.counts.quarantined) == (Outcome.PARTIAL, 0, 1)
    assert len(rig.living()) == 6
    upstream.records.pop()
    assert rig.run(full=True).counts.tombstoned == 1


def test_bad_record_with_identity_still_counts_as_seen(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 6)
    rig.run()
    upstream.put("r003", START, raw=b'{"id": "r003", "at": "never", "title": "x"}')
    result = rig.run(full=True)
    assert (result.outcome, result.counts.tombstoned, result.counts.quarantined) == (Outcome.PARTIAL, 0, 1)
    assert '"r003"' in rig.living()


def test_suspicious_emptiness_is_breached_and_heals_by_itself(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 3)
    rig.run()
    records, upstream.records = upstream.records, []
    result = rig.run(full=True)
    assert (result.outcome, result.counts.tombstoned) == (Outcome.BREACHED, 0)
    assert len(rig.living()) == 3
    assert rig.run(full=True).outcome is Outcome.BREACHED, "asked again, and still empty"
    upstream.records = records
    upstream.put("r009", START - 1000)
    result = rig.run(full=True)
    assert (result.outcome, result.counts.new) == (Outcome.OK, 1)
    rig.check()


def test_emptiness_may_be_declared(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 3)
    rig.shape(may_be_empty=True).run()
    upstream.records.clear()
    assert rig.run(full=True).counts.tombstoned == 3


HELD = {"deletion_rows": 2, "deletion_share": 0.05}


def test_many_deletions_are_held_for_a_person(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    fill(upstream, 30)
    rig.set(**HELD).run()
    for number in range(5):
        upstream.drop(f"r{number:03}")
    result = rig.run(full=True)
    assert (result.outcome, result.counts.tombstoned, len(rig.living())) == (Outcome.PARTIAL, 0, 30)
    [held] = deletions.list_held(rig.store)
    assert (held.records, held.living) == (5, 30)
    clock.now += 1000
    assert deletions.decide(rig.store, held.id, approve=True, actor="wang", now=clock.now) == 5
    assert len(rig.living()) == 25
    assert deletions.list_held(rig.store) == []
    rig.check()


def test_rejected_deletions_leave_everything(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    fill(upstream, 10)
    rig.set(**HELD).run()
    del upstream.records[:5]
    rig.run(full=True)
    [held] = deletions.list_held(rig.store)
    assert deletions.decide(rig.store, held.id, approve=False, actor="wang", now=clock.now) == 0
    assert len(rig.living()) == 10
    rig.check()


@pytest.mark.parametrize(("missing", "held"), [(3, False), (4, True)], ids=["at the threshold", "above it"])
def test_threshold_needs_both_share_and_rows(rig: Rig, upstream: Upstream, missing: int, held: bool) -> None:
    fill(upstream, 30)
    rig.set(deletion_rows=2, deletion_share=0.1).run()
    del upstream.records[:missing]
    rig.run(full=True)
    assert bool(deletions.list_held(rig.store)) is held
    assert len(rig.living()) == (30 if held else 27)


def test_share_alone_holds_nothing_below_the_rows(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 5)
    rig.run()
    del upstream.records[:4]
    assert rig.run(full=True).counts.tombstoned == 4


def test_newer_reading_withdraws_what_was_held(rig: Rig, upstream: Upstream) -> None:
    """The source had an outage; what it shows since is the truth: an approval of the old list must not delete it."""
    fill(upstream, 10)
    rig.set(**HELD).run()
    records = list(upstream.records)
    del upstream.records[:5]
    rig.run(full=True)
    assert len(deletions.list_held(rig.store)) == 1
    upstream.records[:] = records
    assert rig.run(full=True).outcome is Outcome.OK
    assert deletions.list_held(rig.store) == []


def test_approval_spares_what_came_back_meanwhile(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    fill(upstream, 10)
    rig.set(**HELD).run()
    del upstream.records[:5]
    rig.run(full=True)
    [held] = deletions.list_held(rig.store)
    clock.now += 5000
    upstream.put("r000", clock.now, "back, and changed")
    upstream.clock = clock.now
    rig.run()
    clock.now += 5000
    assert deletions.decide(rig.store, held.id, approve=True, actor="wang", now=clock.now) == 4
    assert '"r000"' in rig.living()
    rig.check()


def test_window_field_proves_only_its_window(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """Windows filter on the time of receipt: what is older than the window was not asked for."""
    upstream.filtered = "made"
    rig.shape(window_field="reported_at")
    for number in range(6):
        upstream.put(f"r{number}", START - 7200_000 + number * 1200_000, made=START - 7200_000 + number * 1200_000)
    rig.run()
    assert len(rig.living()) == 6
    upstream.put("r6", START - 1000_000, made=START - 1000_000)
    upstream.drop("r0")
    upstream.drop("r5")
    result = rig.run()
    assert (result.counts.new, result.counts.tombstoned) == (1, 1)
    assert '"r0"' in rig.living(), "outside the window: nothing is known of it"
    assert '"r5"' not in rig.living()
    rig.check()


def test_clock_that_steps_back_while_reading_proves_less(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """Spans end at the clock of the last page; what lies between it and the first page's clock was never asked for."""
    from datetime import timedelta

    from hub.source.stream import Cursor

    upstream.filtered = "made"
    cursor = Cursor(path="at", format="epoch_ms", max_span=timedelta(minutes=20))
    rig.shape(window_field="reported_at", cursor=cursor)
    rig.start = rig.start.fromtimestamp((START - HOUR) / 1000, rig.start.tzinfo)
    for number in range(6):
        upstream.put(f"r{number}", START - HOUR + number * 600_000 + 1, made=START - HOUR + number * 600_000 + 1)
    rig.run()
    assert len(rig.living()) == 6
    rig.store.engine.dispose()
    with rig.store.write() as transaction:
        transaction.run("DELETE FROM state")
    readings = 0

    def step(up: Upstream) -> None:
        nonlocal readings
        readings += 1
        up.clock = START if readings == 1 else START - HOUR + 1_200_000

    upstream.before_fetch = step
    result = rig.run()
    assert (result.outcome, result.counts.tombstoned) == (Outcome.OK, 0)
    assert len(rig.living()) == 6


def test_partition_proves_nothing_about_the_others(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 6)
    rig.run()
    del upstream.records[3:]
    rig.partition = "east"
    assert rig.run(full=True).counts.tombstoned == 0
    assert len(rig.living()) == 6


def test_same_ids_in_two_streams_are_different_records(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 3)
    rig.run()
    rig.shape(name="others").run()
    rig.check()
    upstream.drop("r001")
    rig.run(full=True)
    assert len(rig.living()) == 2
    rig.shape(name="records")
    assert len(rig.living()) == 3


def test_a_reading_that_never_held_still_proves_nothing(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 5)
    rig.run()
    upstream.drop("r002")
    upstream.steady = False
    assert rig.run(full=True).counts.tombstoned == 0
    upstream.steady = True
    assert rig.run(full=True).counts.tombstoned == 1
    rig.check()
