"""When an entry of the quarantine is settled, when it is open again, and what a replay must not take for a record."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rig import MAPPING, START, Rig, write_mapping
from upstream import Upstream

from hub.config import RetentionSettings
from hub.errors import EnvelopeError, Outcome
from hub.source.stream import Stream
from hub.store.page import Lease, PageWrite
from hub.store.quarantine import list_quarantine, quarantined_raw
from hub.store.retention import prune
from hub.store.store import Store
from hub.sync import run

HOUR = 3_600_000


@pytest.fixture
def rig(rig: Rig, tmp_path: Path) -> Rig:
    """A mapping that wants a number of yuan."""
    strict = MAPPING.replace("[[people]]", 'fine = { path = "fine", optional = true }\n[[people]]', 1)
    rig.mappings = write_mapping(tmp_path / "strict", strict)
    return rig


def relaxed(rig: Rig, tmp_path: Path) -> Rig:
    """The next version of the mapping, which does not read it: what waits in quarantine is tried again."""
    rig.mappings = write_mapping(tmp_path / "relaxed", MAPPING.replace("version = 1", "version = 2"))
    return rig


def test_a_record_that_was_withdrawn_does_not_come_back_from_quarantine(
    rig: Rig, upstream: Upstream, tmp_path: Path
) -> None:
    """A log: neither the row that brings the record nor the one that ends it can be mapped."""
    rig.shape(log=True, complete=False, operation="op", deletes=("d",))
    upstream.records.append({"id": "x", "at": START - HOUR, "op": "i", "fine": "much", "order": "1"})
    rig.run()
    upstream.records.append({"id": "x", "at": START - HOUR + 5, "op": "d", "fine": "much", "order": "2"})
    rig.run()
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert rig.living() == {}


@pytest.mark.parametrize("more", [0, 3])
def test_a_good_version_that_is_shown_again_unchanged_settles_a_bad_one(
    rig: Rig, upstream: Upstream, tmp_path: Path, more: int
) -> None:
    """Even on a page that was read before."""
    good = upstream.put("x", START - HOUR, "good")
    others = [upstream.put(f"y{number}", START - HOUR + 1) for number in range(more)]
    rig.run()
    upstream.put("x", START - HOUR, "bad", fine="much")
    rig.run(full=True)
    assert len(list_quarantine(rig.store)) == 1
    upstream.records[:] = [good, *others]
    rig.run(full=True)
    assert list_quarantine(rig.store) == []
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert rig.living()['"x"'] == ("good", START - HOUR)


def test_the_same_bad_bytes_are_open_again_when_they_come_again(rig: Rig, upstream: Upstream) -> None:
    upstream.put("x", START - HOUR, "one")
    rig.run()
    bad = upstream.put("x", START - HOUR, "two", fine="much")
    rig.run()
    upstream.put("x", START - HOUR, "three")
    rig.run(full=True)
    assert list_quarantine(rig.store) == []
    upstream.records[:] = [bad]
    result = rig.run(full=True)
    assert (result.outcome, result.counts.new_quarantined) == (Outcome.PARTIAL, 1)
    assert [row.times for row in list_quarantine(rig.store)] == [2]


def test_an_entry_that_is_pruned_between_look_and_write_has_its_own_raw_record(
    rig: Rig, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = upstream.put("x", START - HOUR, "bad", fine="much")
    rig.run()
    with rig.store.write() as transaction:
        transaction.run("UPDATE quarantine SET status = 'dropped'")
    upstream.records[:] = [bad]
    upstream.put("z", START - HOUR, "another record")
    write = run.write_page

    def racing(store: Store, lease: Lease, page: PageWrite) -> int:
        later = datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=3)
        prune(store, RetentionSettings(quarantine=timedelta(days=1)), later)
        return write(store, lease, page)

    monkeypatch.setattr(run, "write_page", racing)
    assert rig.run(full=True).outcome is Outcome.PARTIAL
    [row] = list_quarantine(rig.store)
    assert b'"x"' in quarantined_raw(rig.store, row.id).raw


def test_an_entry_whose_raw_record_is_gone_stops_no_other(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    upstream.size = 1
    upstream.put("x", START - HOUR, fine="much")
    upstream.put("y", START - HOUR, fine="many")
    rig.run()
    with rig.store.write() as transaction:
        transaction.run("DELETE FROM raw_page WHERE id = (SELECT min(raw_page) FROM quarantine)")
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert list(rig.living()) == ['"y"']


class Detailed(Upstream):
    """Two steps; `answer` is what it says when it is asked for the detail of x."""

    answer: bytes | Exception | None = None

    def detail(self, stream: Stream, row: bytes) -> bytes:
        if self.answer is None or b'"x"' not in row:
            return super().detail(stream, row)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("trouble", ["refused", "of another record"])
def test_a_list_row_in_quarantine_is_not_taken_for_its_record(rig: Rig, tmp_path: Path, trouble: str) -> None:
    rig.shape(two_step=True)
    rig.transport = upstream = Detailed(details=True)
    upstream.put("x", START - HOUR, "title of x")
    other = upstream.put("y", START - HOUR, "title of y")
    assert rig.run().counts.new == 2
    upstream.put("x", START - HOUR + 1, "newer title of x")
    upstream.answer = EnvelopeError("not now") if trouble == "refused" else upstream.bytes_of(other)
    rig.run()
    assert [row.native_id for row in list_quarantine(rig.store)] == ['"x"']
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert {key: title for key, (title, _) in rig.living().items()} == {'"x"': "title of x", '"y"': "title of y"}
    assert len(list_quarantine(rig.store)) == 1
