"""Another run of the same stream stores something between this run's look at a page and its write."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from rig import START, Rig
from upstream import Upstream

from hub.errors import Outcome
from hub.store.page import Lease, PageWrite
from hub.store.store import Store
from hub.sync import run
from hub.sync.run import RunOptions, StreamRun


class Listed(Upstream):
    """Two steps; a list row shows the record's state, which is not mapped, but no title."""

    @staticmethod
    def _listed(row: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"id": row["id"], "at": row["at"], "state": row["state"]})


@pytest.mark.parametrize("meanwhile", ["withdrawn", "changed"])
def test_a_list_row_never_stands_for_its_record(rig: Rig, monkeypatch: pytest.MonkeyPatch, meanwhile: str) -> None:
    """One record of the page changes, the other's list row is known, so its detail is not asked for. A full refresh beside stores
    something about both: the page is decided again, with details of what its list rows no longer vouch for."""
    upstream, other = Listed(details=True), Listed(details=True)
    for name in ("r0", "r1"):
        upstream.put(name, START - 1000, state="a")
    rig.shape(two_step=True)
    rig.transport = upstream
    assert rig.run(full=True).counts.new == 2
    upstream.records[0].update(title="new", state="b")
    later = [{**row, "state": "c", "title": f"later {row['id']}"} for row in upstream.records]
    other.records = later if meanwhile == "changed" else later[:1]
    write, raced = run.write_page, list[int]()

    def racing(store: Store, lease: Lease, page: PageWrite) -> int:
        if not raced:
            raced.append(1)
            beside = StreamRun(
                store,
                replace(rig.job, transport=other),
                owner="two",
                options=RunOptions(full_refresh=True, beside=True),
            )
            assert beside.execute().outcome is Outcome.OK
        return write(store, lease, page)

    monkeypatch.setattr(run, "write_page", racing)
    assert rig.run(full=True).outcome is Outcome.OK
    assert {key: title for key, (title, _) in rig.living().items()} == {'"r0"': "new", '"r1"': "title of r1"}
    rig.check()
    rig.check_raw()
    asked = upstream.detailed
    assert rig.run(full=True).counts.unchanged == 2
    assert upstream.detailed == asked, "each is known by its list row"
