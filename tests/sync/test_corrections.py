"""Which version wins when runs overlap: a correction is what two readings show one after the other, not two runs."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rig import MAPPING, START, Hurry, Rig, write_mapping
from upstream import Upstream

from hub.errors import Outcome
from hub.source.stream import Cursor
from hub.store.page import Lease, PageWrite
from hub.store.store import Store
from hub.sync import remap as remapping
from hub.sync.remap import remap
from hub.sync.result import RunResult
from hub.sync.run import Backfill, RunOptions, StreamRun

HOUR = 3_600_000


def test_two_slow_readings_at_once_are_no_correction(rig: Rig, upstream: Upstream) -> None:
    """A full refresh and a backfill have both fetched the old version of x; the source changes it and a sync stores the new
    one; then both store their pages."""
    rig.shape(cursor=Cursor(path="at", format="epoch_ms", lookback=timedelta(0)))
    upstream.size = 1
    upstream.put("a", START - 3 * HOUR)
    upstream.put("x", START - 2 * HOUR, "old")
    slow = [Upstream(list(upstream.records), size=1) for _ in range(2)]
    begun: list[int] = []

    def change() -> None:
        upstream.put("x", START - HOUR, "new")
        upstream.put("y", START - HOUR // 2)
        assert rig.run().counts.new == 2

    def reading(which: int, options: RunOptions, then: Callable[[], object]) -> StreamRun:
        def progress(_: RunResult) -> None:
            if which not in begun:
                begun.append(which)
                until = time.monotonic() + 5
                while slow[which].fetches < 2 and time.monotonic() < until:
                    time.sleep(0.01)
                then()

        job = replace(rig.job, transport=slow[which])
        return StreamRun(rig.store, job, owner=f"slow {which}", options=options, stop=Hurry(), progress=progress)

    low, high = (datetime.fromtimestamp((START + hours * HOUR) / 1000, UTC) for hours in (-10, -0.25))
    backfill = reading(1, RunOptions(backfill=Backfill(low, high, timedelta(days=1))), change)
    reading(0, RunOptions(full_refresh=True, beside=True), backfill.execute).execute()
    assert begun == [0, 1]
    assert rig.living()['"x"'][0] == "new"
    rig.run()
    assert rig.living()['"x"'][0] == "new"


def test_a_reading_that_is_gone_on_with_is_one_reading(rig: Rig, upstream: Upstream) -> None:
    """The same old version on both sides of a page boundary (keyset paging overlaps), the run stopped in between."""
    rig.shape(cursor=Cursor(path="at", format="epoch_ms", lookback=timedelta(days=1)))
    upstream.put("x", START - HOUR, "new")
    rig.run()
    lagging = Upstream(size=1)
    lagging.records += [{"id": "x", "at": START - 2 * HOUR, "title": "old", "order": order} for order in "12"]
    rig.transport = lagging
    rig.run(limit=1)
    rig.run()
    assert rig.living()['"x"'][0] == "new"


def test_a_partition_that_is_empty_at_first_is_read_from_its_start(rig: Rig, upstream: Upstream) -> None:
    """What another partition has read says nothing about this one: its first records may have old times."""
    upstream.put("a", START - HOUR)
    late = Upstream()
    one, two = replace(rig, partition="one"), replace(rig, partition="two", transport=late)
    one.run()
    two.run()
    late.put("b", START - 30 * HOUR)
    two.run()
    assert '"b"' in rig.living()


def test_a_remap_does_not_undo_a_newer_raw_record(
    rig: Rig, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the mapping does not read changes meanwhile: a newer raw record without a new revision. The remap, which maps it now,
    looked at the older one."""
    upstream.put("x", START - HOUR, more="old")
    rig.run()
    write, raced = remapping.write_page, list[int]()

    def racing(store: Store, lease: Lease, page: PageWrite) -> int:
        if not raced:
            raced.append(1)
            upstream.put("x", START - HOUR, more="new")
            assert replace(rig, partition="p1").run().counts.unchanged == 1
        return write(store, lease, page)

    monkeypatch.setattr(remapping, "write_page", racing)
    newer = MAPPING.replace("version = 1", "version = 2").replace(
        "[[people]]", 'description = { path = "more", optional = true }\n[[people]]'
    )
    job = replace(rig, mappings=write_mapping(tmp_path / "newer", newer)).job
    assert remap(rig.store, job, "me").run.outcome is Outcome.OK
    assert rig.all("SELECT description FROM incident") == [("new",)]
    rig.check_raw()
