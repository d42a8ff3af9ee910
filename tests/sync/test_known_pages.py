"""Pages that come again byte for byte: counted without a look at their records, and only while nothing of them changed."""

from typing import Any

import pytest
from rig import START, Rig
from upstream import Upstream

from hub.errors import Outcome
from hub.source.stream import Page
from hub.store.known_pages import page_digest
from hub.sync.prepare import Preparer


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records of each page were looked at one by one; pages that were recalled are not in it."""
    sizes: list[int] = []
    look = Preparer.records

    def counted(self: Preparer, page: Page, hashes: list[bytes]) -> list[Any]:
        sizes.append(len(page.rows))
        return look(self, page, hashes)

    monkeypatch.setattr(Preparer, "records", counted)
    return sizes


@pytest.fixture
def read(rig: Rig, upstream: Upstream) -> Rig:
    """A stream of eight records on three pages that was read whole."""
    for number in range(8):
        upstream.put(f"r{number}", START - 1000 + number)
    assert rig.run(full=True).counts.new == 8
    return rig


def test_what_did_not_change_is_recalled_page_by_page(read: Rig, looked_at: list[int]) -> None:
    again = read.run(full=True)
    assert looked_at == []
    assert (again.counts.fetched, again.counts.unchanged, again.pages) == (8, 8, 3)
    assert again.outcome is Outcome.OK
    read.check()


def test_a_recalled_page_still_proves_who_is_gone(read: Rig, upstream: Upstream, looked_at: list[int]) -> None:
    upstream.drop("r7")
    assert read.run(full=True).counts.tombstoned == 1
    assert looked_at == [1], "only the last page is another one"
    assert sorted(read.living()) == [f'"r{number}"' for number in range(7)]


def test_only_the_page_with_a_change_is_looked_at(read: Rig, upstream: Upstream, looked_at: list[int]) -> None:
    upstream.records[4]["title"] = "another"
    assert read.run(full=True).counts.changed == 1
    assert looked_at == [3]
    looked_at.clear()
    assert read.run(full=True).counts.unchanged == 8
    assert looked_at == []


def test_a_page_is_not_recalled_once_one_of_its_records_has_another_version(rig: Rig, upstream: Upstream) -> None:
    """A lookback window is read again and again; a record of it changes, and changes back to the very same bytes."""
    for number in range(3):
        upstream.put(f"r{number}", START - 1000)
    rig.run()
    upstream.records[1]["title"] = "another"
    assert rig.run().counts.changed == 1
    upstream.records[1]["title"] = "title of r1"
    assert rig.run().counts.changed == 1, "the page of the first reading is not the state of the store any more"
    assert rig.living()['"r1"'][0] == "title of r1"
    rig.check()


def test_a_page_with_a_stale_version_is_looked_at_again(read: Rig, upstream: Upstream, looked_at: list[int]) -> None:
    upstream.put("r4", START - 5000, "older")
    assert read.run(full=True).counts.stale == 1
    looked_at.clear()
    assert read.run(full=True).counts.changed == 1, "shown twice, it is a correction"
    assert looked_at


def test_a_page_with_a_record_deleted_here_is_looked_at(read: Rig, upstream: Upstream, looked_at: list[int]) -> None:
    kept = upstream.records.copy()
    del upstream.records[7]
    read.run(full=True)
    upstream.records[:] = kept
    looked_at.clear()
    assert read.run(full=True).counts.changed == 1, "it is back"
    assert looked_at == [2]
    assert len(read.living()) == 8


def test_a_page_with_a_bad_version_is_looked_at_each_time(read: Rig, upstream: Upstream, looked_at: list[int]) -> None:
    """The store still has the good version that came before, so nothing of the page's records changed here."""
    upstream.records[4]["made"] = "never"
    for _ in range(2):
        assert read.run(full=True).counts.quarantined == 1
    assert looked_at == [3, 3]


def test_a_whole_reading_forgets_pages_that_are_cut_elsewhere_now(read: Rig, upstream: Upstream) -> None:
    upstream.size = 4
    read.run(full=True)
    assert len(read.all("SELECT 1 FROM known_page")) == 2


@pytest.mark.parametrize("changes", [{"mapping": "other"}, {"zone": "UTC"}, {"rows": [b'{"id":2}']}])
def test_what_tells_pages_apart(changes: dict[str, Any]) -> None:
    plain = {"rows": [b'{"id":1}'], "next": None}
    before, after = Page(**plain), Page(**{**plain, **changes})
    assert page_digest(before, Preparer.hashes(before)) == page_digest(before, Preparer.hashes(before))
    assert page_digest(before, Preparer.hashes(before)) != page_digest(after, Preparer.hashes(after))
