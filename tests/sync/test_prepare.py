"""Pages prepared ahead: what the page before changes meanwhile counts, although this one was looked up earlier."""

from typing import Any

import pytest
from rig import START, Mortal, Rig, wait_until
from upstream import Upstream

from hub.errors import Outcome
from hub.source.stream import Page
from hub.sync.prepare import Prepared, Preparer


@pytest.fixture
def ahead(rig: Rig, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> list[Prepared]:
    """Every page as it was prepared. Each is stored only when the next one is prepared already."""
    pages: list[Prepared] = []
    prepare, store, size = Preparer.prepare, rig.store, upstream.size
    assert isinstance(store, Mortal)
    store.apart = True

    def noted(self: Preparer, page: Page) -> Prepared:
        pages.append(prepare(self, page))
        return pages[-1]

    def wait_for_the_next(_: int) -> None:
        if pages:
            wait_until(lambda: len(pages) >= -(-len(upstream.records) // size))

    monkeypatch.setattr(Preparer, "prepare", noted)
    store.before_write = wait_for_the_next
    upstream.filtered = "place"
    return pages


def show(upstream: Upstream, *rows: tuple[str, int, str]) -> None:
    """What the source shows from now on, in this order: id, time of change, title. An id may come twice."""
    upstream.records[:] = [
        {"id": identity, "at": START - 1000 + at, "title": title, "place": place}
        for place, (identity, at, title) in enumerate(rows)
    ]


def test_a_record_that_comes_again_on_the_next_page_is_found(rig: Rig, upstream: Upstream, ahead: list[Any]) -> None:
    upstream.size = 2
    show(upstream, ("a", 1, "a"), ("x", 2, "old"), ("x", 3, "new"), ("c", 4, "c"))
    result = rig.run(full=True)
    assert [page.stored for page in ahead] == [{}, {}], "neither was there when they were looked up"
    assert (result.counts.new, result.counts.changed) == (3, 1)
    assert rig.living()['"x"'][0] == "new"
    rig.check()


def test_a_version_that_the_page_before_made_old_is_stale(rig: Rig, upstream: Upstream, ahead: list[Any]) -> None:
    upstream.size = 2
    show(upstream, ("a", 1, "a"), ("b", 2, "b"), ("x", 3, "old"), ("c", 4, "c"))
    rig.run(full=True)
    ahead.clear()
    # The old version byte for byte, behind a newer one.
    old = dict(upstream.records[2])
    show(upstream, ("a", 1, "a"), ("x", 9, "new"), ("x", 3, "old"), ("c", 4, "c"))
    upstream.records[2] = old
    result = rig.run(full=True)
    assert (result.counts.changed, result.counts.stale) == (1, 1)
    assert rig.living()['"x"'][0] == "new"
    rig.check()


def test_a_page_recalled_before_its_predecessor_was_stored_is_looked_at(
    rig: Rig, upstream: Upstream, ahead: list[Any]
) -> None:
    show(upstream, *((f"r{number}", number, "first") for number in range(6)))
    rig.run(full=True)
    ahead.clear()
    last = [dict(row) for row in upstream.records[3:]]
    show(upstream, ("r0", 0, "first"), ("r1", 1, "first"), ("r4", 9, "newer"), ("", 0, ""), ("", 0, ""), ("", 0, ""))
    upstream.records[3:] = last
    result = rig.run(full=True)
    assert ahead[1].keys is not None, "the page was known when it was prepared"
    assert (result.outcome, result.counts.changed, result.counts.stale) == (Outcome.OK, 1, 1)
    assert rig.living()['"r4"'][0] == "newer"
    rig.check()
