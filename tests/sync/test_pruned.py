"""Records read again after their older versions were pruned: nothing goes back to what it was."""

from datetime import UTC, datetime, timedelta

from rig import START, Clock, Rig
from upstream import Upstream

from hub.config import RetentionSettings
from hub.source.stream import Cursor
from hub.store.incidents import read_incident
from hub.store.raw import raw_of
from hub.store.retention import Pruned, prune

HOUR = 3_600_000


def prune_later(rig: Rig, clock: Clock) -> Pruned:
    clock.pass_(timedelta(days=400))
    return prune(
        rig.store, RetentionSettings(revisions=timedelta(days=365)), datetime.fromtimestamp(clock.now / 1000, UTC)
    )


def test_log_whose_history_was_pruned_does_not_go_backwards(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """Two versions of the same second, which only their order tells apart."""
    rig.shape(log=True, complete=False)
    upstream.put("x", START - HOUR, "first")
    rig.run()
    upstream.records.append({"id": "x", "at": START - HOUR, "title": "second", "order": "2"})
    rig.run()
    assert prune_later(rig, clock).revisions == 1
    rig.run(full=True)
    assert rig.living()['"x"'][0] == "second"
    assert [change.op for change in rig.changes()] == ["insert", "update"]
    assert prune_later(rig, clock).revisions == 0


def test_log_row_that_ended_a_record_ends_it_after_pruning_too(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    rig.shape(log=True, complete=False, operation="op", deletes=("d",))
    upstream.records += [
        {"id": "x", "at": START - HOUR, "op": "i", "order": "1"},
        {"id": "x", "at": START - HOUR, "op": "d", "order": "2"},
    ]
    rig.run()
    prune_later(rig, clock)
    rig.run(full=True)
    assert rig.living() == {}


def test_a_pruned_version_keeps_neither_its_words_nor_its_raw_record(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    rig.shape(cursor=Cursor(path="at", format="epoch_ms", lookback=timedelta(days=1)))
    upstream.put("x", START - HOUR, "first")
    rig.run()
    upstream.put("x", START - HOUR, "second")
    rig.run()
    done = prune_later(rig, clock)
    assert (done.revisions, done.raw_pages) == (1, 1)
    [(identity,)] = rig.all("SELECT id FROM incident")
    assert read_incident(rig.store, identity)["revisions"] == []
    assert raw_of(rig.store, identity, 1) is None
    assert rig.all("SELECT body FROM revision") == [("[]",)]


def test_a_pruned_version_that_is_older_by_its_time_leaves_nothing(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.put("x", START - 2 * HOUR, "first")
    rig.run()
    upstream.put("x", START - HOUR, "second")
    rig.run()
    assert prune_later(rig, clock).revisions == 1
    assert rig.all("SELECT * FROM revision") == []
