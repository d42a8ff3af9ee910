"""Remap: what a changed mapping or code table makes of records stored long ago, without a request."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rig import MAPPING, START, Clock, Mortal, Rig, Sudden, write_mapping
from upstream import Upstream

from hub.errors import Outcome
from hub.store.overview import list_gaps
from hub.store.raw import people_of
from hub.sync.remap import remap

HOUR = 3_600_000
NEWER = MAPPING.replace("version = 1", "version = 2").replace(
    'title = { path = "title", optional = true }', 'title = "made"\ndescription = "title"'
)

CODED = MAPPING.replace("[fields]", '[fields]\nstatus = { path = "state", codes = "rig_states" }')


def fill(upstream: Upstream, count: int) -> None:
    for number in range(count):
        upstream.put(f"r{number}", START - HOUR + number * 1000, made=START - 2 * HOUR, phone=f"1390000000{number}")


def test_the_same_mapping_changes_nothing(rig: Rig, upstream: Upstream) -> None:
    fill(upstream, 5)
    rig.run()
    result = remap(rig.store, rig.job, "me")
    assert (result.run.outcome, result.run.counts.fetched, result.run.counts.changed) == (Outcome.OK, 5, 0)
    assert len(rig.changes()) == 5


def test_differences_are_shown_first_and_become_revisions(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    fill(upstream, 5)
    rig.run()
    asked = upstream.fetches
    rig.mappings = write_mapping(tmp_path / "newer", NEWER)
    dry = remap(rig.store, rig.job, "me", dry_run=True)
    assert dict(dry.fields) == {"title": 5, "description": 5}
    assert len(rig.changes()) == 5
    result = remap(rig.store, rig.job, "me")
    assert (result.run.outcome, result.run.counts.changed) == (Outcome.OK, 5)
    assert [(change.op, change.revision, change.fields) for change in rig.changes()[5:]] == [
        ("update", 2, ("title", "description"))
    ] * 5
    assert upstream.fetches == asked
    assert rig.all("SELECT DISTINCT mapping_version, description IS NOT NULL FROM incident") == [(2, 1)]
    rig.check()
    rig.check_raw()
    again = rig.run(full=True)
    assert (again.counts.unchanged, again.counts.changed) == (5, 0)


def test_people_follow_the_mapping(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    fill(upstream, 2)
    rig.run()
    rig.mappings = write_mapping(tmp_path / "newer", MAPPING.replace("phone = {", "account = {"))
    remap(rig.store, rig.job, "me")
    [(identity,)] = rig.all("SELECT id FROM incident WHERE native_id = '\"r1\"'")
    assert people_of(rig.store, identity) == [{"role": "reporter", "account": "13900000001"}]


def test_what_the_mapping_refuses_keeps_its_version(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    fill(upstream, 3)
    upstream.put("r9", START - HOUR, made=None)
    rig.run()
    newer = MAPPING.replace('reported_at = { path = "made", format = "epoch_ms", optional = true }', 'fine = "title"')
    rig.mappings = write_mapping(tmp_path / "newer", newer)
    result = remap(rig.store, rig.job, "me")
    assert (result.run.outcome, result.unmappable, result.run.counts.changed) == (Outcome.PARTIAL, 4, 0)
    assert len(rig.living()) == 4
    assert rig.all("SELECT outcome FROM run WHERE mode = 'remap'") == [("partial",)]
    rig.check()


def test_a_record_that_cannot_be_reshaped_any_more_stops_no_other(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    fill(upstream, 3)
    rig.run()

    def reshape(raw: bytes) -> bytes:
        if b'"r1"' in raw:
            raise KeyError("steps")
        return raw

    rig.shape(reshape=reshape)
    rig.mappings = write_mapping(tmp_path / "newer", NEWER)
    result = remap(rig.store, rig.job, "me")
    assert (result.run.outcome, result.unmappable, result.run.counts.changed) == (Outcome.PARTIAL, 1, 2)


def test_only_what_changed_since(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    fill(upstream, 5)
    rig.run()
    rig.mappings = write_mapping(tmp_path / "newer", NEWER)
    since = datetime.fromtimestamp((START - HOUR + 3000) / 1000, UTC)
    assert remap(rig.store, rig.job, "me", since=since).run.counts.changed == 2


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("last_write", range(1, 8))
def test_a_remap_that_was_killed_leaves_the_codes_that_wait(
    rig: Rig, upstream: Upstream, tmp_path: Path, clock: Clock, last_write: int, committed: bool
) -> None:
    """`hub codes approve` goes by them: none may be missing that an incident carries, and going on sets the counts right."""
    rig.mappings = write_mapping(tmp_path / "coded", CODED, codes={"rig_states": "1,pending,待受理,,\n"})
    upstream.put("x", START - HOUR, state="7")
    upstream.put("y", START - HOUR, state="8")
    rig.run()
    rig.mappings = write_mapping(tmp_path / "decided", CODED, codes={"rig_states": "7,pending,待受理,,\n"})
    store = rig.store
    assert isinstance(store, Mortal)
    store.live(last_write, committed=committed)
    with pytest.raises(Sudden):
        remap(store, rig.job, "me")
    store.live()
    waiting = {code for (code,) in rig.all("SELECT source_status FROM incident WHERE status = 'unmapped'")}
    assert {"8"} <= waiting <= {gap.code for gap in list_gaps(store)}
    clock.now += 90_000
    assert remap(store, rig.job, "me").run.outcome is Outcome.OK
    assert [(gap.code, gap.count) for gap in list_gaps(store)] == [("8", 1)]
