"""Paging: where each way goes on, where it ends, and that none goes in circles. A source is a list of rows here."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.errors import EnvelopeError
from hub.source import CursorToken, Envelope, Keyset, NextLink, Offset, OnePage, PageNumber, Paging, Position, Split
from hub.source.instants import read_instant
from hub.source.paging import Turned

START = datetime(2026, 1, 1, tzinfo=UTC)
Row = tuple[int, int]  #: id, seconds after START


def cursor(row: bytes) -> datetime | None:
    return read_instant(json.loads(row).get("at"), "iso", "UTC")


def raw(row: Row) -> bytes:
    return json.dumps({"id": row[0], "at": (START + timedelta(seconds=row[1])).isoformat()}).encode()


class Source:
    """Serves `rows` sorted by time, in pages of at most `cut`; `before` runs before each answer and may change them."""

    def __init__(
        self, rows: list[Row], *, cut: int = 1000, total: bool = False, before: Callable[["Source"], None] | None = None
    ) -> None:
        self.rows, self.cut, self.total = rows, cut, total
        self.before = before
        self.requests = 0

    def read(self, paging: Paging, limit: int = 200) -> list[int]:
        seen: list[int] = []
        position: Position | None = {}
        while position is not None:
            position = json.loads(json.dumps(position))
            assert isinstance(position, dict)
            page = self._page(paging, position)
            if paging.repeats(position, page):
                raise EnvelopeError("repeated")
            seen += [json.loads(row)["id"] for row in page.split.rows]
            position = paging.after(position, page)
            assert self.requests < limit
        return seen

    def _page(self, paging: Paging, position: Position) -> Turned:
        self.requests += 1
        if self.before is not None:
            self.before(self)
        ask = paging.ask(position)
        low = int((ask.since - START).total_seconds()) if ask.since else -(10**9)
        window = sorted((row for row in self.rows if row[1] >= low), key=lambda row: (row[1], row[0]))
        size = min(int(ask.params.get("size", ask.params.get("limit", 1000))), self.cut)
        start = int(ask.params["offset"]) if "offset" in ask.params else (int(ask.params.get("page", 1)) - 1) * size
        split = Split([raw(row) for row in window[start : start + size]], len(window) if self.total else None)
        return Turned(split, clock=START + timedelta(days=30), since=ask.since, cursor=cursor)


def times(*seconds: int) -> list[Row]:
    return list(enumerate(seconds, 1))


WAYS: dict[str, Paging] = {
    "page number": PageNumber(per_page=3),
    "page number until empty": PageNumber(per_page=3, ends="empty"),
    "offset": Offset(per_page=3),
    "keyset": Keyset(per_page=3),
    "keyset until empty": Keyset(per_page=3, ends="empty"),
}
SHAPES = {
    "none": times(),
    "one": times(5),
    "a full page": times(1, 2, 3),
    "more": times(*range(10)),
    "all at once": times(*[7] * 10),
    "runs of equal times": times(1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 5),
    "a run at the end": times(1, 2, 3, 3, 3, 3, 3),
    "two full runs": times(1, 1, 1, 2, 2, 2),
}


@pytest.mark.parametrize("total", [False, True], ids=["", "with total"])
@pytest.mark.parametrize("rows", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("paging", WAYS.values(), ids=WAYS)
def test_every_way_reads_everything(paging: Paging, rows: list[Row], total: bool) -> None:
    assert set(Source(rows, total=total).read(paging)) == {number for number, _ in rows}


@pytest.mark.parametrize(
    "paging",
    [PageNumber(per_page=10, ends="empty"), Offset(per_page=10, ends="empty"), Keyset(per_page=10, ends="empty")],
)
def test_a_source_that_cuts_pages_silently_is_read_to_its_end(paging: Paging) -> None:
    assert set(Source(times(*range(9)), cut=4).read(paging)) == set(range(1, 10))


@pytest.mark.parametrize("paging", [PageNumber(per_page=10), Offset(per_page=10), Keyset(per_page=10)])
def test_a_total_unmasks_cut_pages(paging: Paging) -> None:
    assert set(Source(times(*range(9)), cut=4, total=True).read(paging)) == set(range(1, 10))


@pytest.mark.parametrize("paging", [PageNumber(per_page=3), Offset(per_page=3), Keyset(per_page=3)])
def test_an_empty_first_page_beside_a_total_is_an_error(paging: Paging) -> None:
    with pytest.raises(EnvelopeError, match="counts 7 rows"):
        paging.after({}, Turned(Split([], 7)))


def moves(row: int, to: int, at_request: int) -> Callable[[Source], None]:
    """Row `row` changes just before a request and so moves to the end."""

    def change(source: Source) -> None:
        if source.requests == at_request:
            source.rows = [(number, to if number == row else second) for number, second in source.rows]

    return change


def test_keyset_loses_nothing_when_rows_move() -> None:
    source = Source(times(*range(10)), before=moves(1, 50, 2))
    assert set(source.read(Keyset(per_page=3))) == set(range(1, 11))


def test_keyset_reads_a_run_of_equal_times_again_when_a_row_left_it() -> None:
    rows = times(*[7] * 8, 9)
    for moved in range(1, 9):
        for request in range(1, 5):
            source = Source(rows, before=moves(moved, 50, request))
            assert set(source.read(Keyset(per_page=3))) == set(range(1, 10)), (moved, request)
    once = Source(rows, before=moves(1, 50, 2)).read(Keyset(per_page=3, rereads=0))
    assert 4 not in once


def test_page_numbers_begin_once_more_when_the_total_moved() -> None:
    def leaves(source: Source) -> None:
        if source.requests == 2:
            source.rows = source.rows[1:]

    rows = times(*range(10))
    assert 4 in Source(rows, total=True, before=leaves).read(PageNumber(per_page=3))
    assert 4 not in Source(rows, total=True, before=leaves).read(PageNumber(per_page=3, restarts=0))
    assert 4 in Source(rows, total=True, before=leaves).read(Offset(per_page=3))


def test_beginning_once_more_is_bounded() -> None:
    def grows(source: Source) -> None:
        source.rows = [*source.rows, (len(source.rows) + 1, 99)]

    source = Source(times(*range(10)), total=True, before=grows)
    source.read(PageNumber(per_page=5, restarts=2), limit=60)


def test_keyset_needs_ascending_rows() -> None:
    page = Turned(Split([raw(row) for row in times(9, 8, 7)]), cursor=cursor)
    with pytest.raises(EnvelopeError, match="ascending"):
        Keyset(per_page=3).after({}, page)


@pytest.mark.parametrize(
    "odd", [{"id": 9}, {"id": 9, "at": "2199-01-01"}, {"id": 9, "at": "1970-01-01"}, {"id": 9, "at": 5}], ids=repr
)
def test_keyset_does_not_trust_an_odd_last_row(odd: dict[str, Any]) -> None:
    rows = [*map(raw, times(1, 2, 3)), json.dumps(odd).encode()]
    following = Keyset(per_page=4).after({}, Turned(Split(rows), clock=START + timedelta(days=1), cursor=cursor))
    assert following is not None
    assert following.get("since", START.isoformat()) <= (START + timedelta(seconds=3)).isoformat()


class ById(Source):
    """Filters by time as asked, but sends its rows by id."""

    def _page(self, paging: Paging, position: Position) -> Turned:
        page, ask = super()._page(paging, position), paging.ask(position)
        low = int((ask.since - START).total_seconds()) if ask.since else -(10**9)
        found = [row for row in sorted(self.rows) if row[1] >= low]
        start = (int(ask.params["page"]) - 1) * int(ask.params["size"])
        return replace(page, split=Split([*map(raw, found[start : start + int(ask.params["size"])])]))


def test_keyset_counts_pages_from_a_page_on_that_falls() -> None:
    """Behind a page that ascends by chance, rows are still to come that are older than its last one."""
    seconds = (1, 9, 2, 12, 3, 14, 4, 16, 20, 5, 6, 30, 7)
    assert set(ById(times(*seconds)).read(Keyset(per_page=3))) == set(range(1, len(seconds) + 1))


@pytest.mark.parametrize("seconds", [(1, 9, 2, 10), (1, 0, 2, 3), (5, 1, 2, 5)], ids=str)
def test_keyset_does_not_jump_over_a_page_that_falls_somewhere(seconds: tuple[int, ...]) -> None:
    following = Keyset(per_page=4).after({}, Turned(Split([*map(raw, times(*seconds))]), cursor=cursor))
    assert following is not None
    assert (following["page"], following.get("since")) == (2, None)


def test_keyset_counts_pages_when_no_row_has_a_time() -> None:
    page = Turned(Split([b"{}", b"{}", b"{}"]), cursor=cursor)
    following = Keyset(per_page=3).after({}, page)
    assert following is not None
    assert following["page"] == 2


def test_a_repeated_page_is_noticed() -> None:
    page = Turned(Split([raw(row) for row in times(1, 2, 3)]), cursor=cursor)
    for paging in (PageNumber(per_page=3), Offset(per_page=3), Keyset(per_page=3)):
        position = paging.after({}, page)
        assert position is not None
        assert paging.repeats(position, page)
        assert not paging.repeats({}, page)
        assert not paging.repeats(position, Turned(Split([])))


def test_one_page() -> None:
    assert OnePage().ask({}).params == {}
    assert OnePage().after({}, Turned(Split([b"1"]))) is None


def answer(**values: Any) -> Split:
    return Envelope(rows="rows").split(json.dumps({"rows": [], **values}).encode())


def test_tokens_are_followed_to_their_end() -> None:
    paging = CursorToken(path="meta.next", param="after", size="n", per_page=5)
    assert paging.ask({}).params == {"n": 5}
    position = paging.after({}, Turned(answer(meta={"next": "abc"})))
    assert position is not None
    assert paging.ask(position).params == {"n": 5, "after": "abc"}
    for end in (None, ""):
        assert paging.after(position, Turned(answer(meta={"next": end}))) is None
    assert paging.after(position, Turned(answer())) is None
    with pytest.raises(EnvelopeError, match=r"meta\.next"):
        paging.after(position, Turned(answer(meta={"next": {}})))


COUNTED = [CursorToken(path="next"), NextLink(path="next")]


@pytest.mark.parametrize("paging", [OnePage(), *COUNTED])
def test_an_answer_that_counts_more_than_it_sends_is_not_whole(paging: Paging) -> None:
    """A cap without paging, or a token under another name."""
    with pytest.raises(EnvelopeError, match="ends after 2 rows although it counts 500"):
        paging.after({}, Turned(Split([b"1", b"2"], 500)))
    assert paging.after({}, Turned(Split([b"1", b"2"], 1))) is None


@pytest.mark.parametrize(
    ("first", "last", "whole"),
    [(3, 3, True), (3, 5, True), (5, 3, True), (2, 2, True), (None, None, True), (0, 9, True), (4, 4, False)],
    ids=str,
)
@pytest.mark.parametrize("paging", COUNTED)
def test_the_end_of_a_way_is_held_against_the_lowest_total(
    paging: Paging, first: int | None, last: int | None, whole: bool
) -> None:
    """Rows that came or went while it was read are not missing."""
    position = paging.after({}, Turned(replace(answer(next="a"), rows=[b"1", b"2"], total=first), url=URL))
    assert position is not None
    end = Turned(Split([b"3"], last), url=URL)
    if whole:
        assert paging.after(position, end) is None
        return
    with pytest.raises(EnvelopeError, match="counts 4"):
        paging.after(position, end)


@pytest.mark.parametrize("paging", COUNTED)
def test_a_reading_that_an_earlier_version_began_is_not_counted(paging: Paging) -> None:
    assert paging.after({"token": "a", "url": URL, "mark": None, "step": 1}, Turned(Split([b"1"], 500))) is None


@pytest.mark.parametrize("circle", [1, 2, 3, 7, 20])
def test_a_circle_of_tokens_is_noticed(circle: int) -> None:
    def walk() -> None:
        position: Position = {"token": "begin"}
        for step in range(10 * circle + 10):
            position = CursorToken(path="next").after(position, Turned(answer(next=f"t{step % circle}"))) or {}

    with pytest.raises(EnvelopeError, match="circles"):
        walk()


def test_a_long_way_without_circles() -> None:
    paging: Paging = CursorToken(path="next")
    position: Position | None = {}
    for step in range(500):
        assert position is not None
        position = paging.after(position, Turned(answer(next=step)))


URL = "https://a.example/v1/list?page=1"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://a.example/v1/list?page=2&key=s", "https://a.example/v1/list?page=2"),
        ("?page=2", "https://a.example/v1/list?page=2"),
        ("/v1/other#x", "https://a.example/v1/other"),
        (
            "?town=%B3%C7%B6%AB&page=2&k%65y=s&fields=a,b",
            "https://a.example/v1/list?town=%B3%C7%B6%AB&page=2&fields=a,b",
        ),
    ],
)
def test_links_on_the_same_host_are_followed(link: str, expected: str) -> None:
    paging = NextLink(path="links.next", drop=("key",))
    position = paging.after({}, Turned(answer(links={"next": link}), url=URL))
    assert position is not None
    assert paging.ask(position).url == expected


@pytest.mark.parametrize(
    "link", ["https://b.example/v1", "http://a.example/v1", "https://a.example:8443/v1", "//b.example/x"]
)
def test_links_elsewhere_are_refused(link: str) -> None:
    with pytest.raises(EnvelopeError, match="another host"):
        NextLink(path="next").after({}, Turned(answer(next=link), url=URL))


def test_link_headers() -> None:
    links = '<https://a.example/v1/list?page=9>; rel="last", <https://a.example/v1/list?page=2>; rel="next"'
    position = NextLink().after({}, Turned(answer(), url=URL, links=links))
    assert position is not None
    assert position["url"] == "https://a.example/v1/list?page=2"
    assert NextLink().after(position, Turned(answer(), url=URL, links='<https://a.example/>; rel="prev"')) is None
    with pytest.raises(EnvelopeError, match="circles"):
        NextLink().after(position, Turned(answer(), url=URL, links=links))


@pytest.mark.parametrize(
    "links",
    [
        '<https://a.example/v1?fields=id,name&page=2>; rel="next"',
        '<https://a.example/v1?page=1>; rel="prev",<https://a.example/v1?fields=id,name&page=2>;rel=next',
        '<https://a.example/v1?page=9>; rel="last"; title="9, the end",'
        ' <https://a.example/v1?fields=id,name&page=2>; title="2, not 9"; rel="next"',
        '<https://a.example/v1?fields=id,name&page=2>; rel="next last"',
        '<https://a.example/v1?fields=id,name&page=2>; REL = "Next"',
    ],
)
def test_a_link_header_is_read_however_it_is_written(links: str) -> None:
    """A next page that is not recognised ends the reading, and what lies behind it is taken for withdrawn."""
    position = NextLink().after({}, Turned(answer(), url=URL, links=links))
    assert position is not None
    assert position["url"] == "https://a.example/v1?fields=id,name&page=2"


def test_a_link_that_is_no_text() -> None:
    with pytest.raises(EnvelopeError, match="no text"):
        NextLink(path="next").after({}, Turned(answer(next=5), url=URL))


@pytest.mark.parametrize(
    ("paging", "position", "steady"),
    [
        (PageNumber(), {"page": 2, "read": 100, "total": 103}, True),
        (PageNumber(), {"page": 2, "read": 100, "total": 102}, False),
        (Offset(), {"offset": 100, "total": 103}, True),
        (Offset(), {"offset": 100, "total": 104}, False),
    ],
    ids=["number steady", "number moved", "offset steady", "offset moved"],
)
def test_a_window_that_never_held_still_says_so(paging, position, steady):
    page = Turned(Split([b"{}"] * 3, 103))
    assert paging.steady(position, page) is steady
    assert paging.after(position | {"restarts": 1}, page) is None


class CountsThePage(Source):
    """Its total is the number of rows it shows."""

    def _page(self, paging: Paging, position: Position) -> Turned:
        page = super()._page(paging, position)
        return replace(page, split=replace(page.split, total=page.count))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", range(1, 8))
def test_a_total_of_the_page_hides_nothing(way: str, count: int) -> None:
    source = CountsThePage(times(*range(count)))
    assert set(source.read(WAYS[way])) == set(range(1, count + 1))


@pytest.mark.parametrize(
    "paging",
    [PageNumber(per_page=10, ends="empty"), Offset(per_page=10, ends="empty"), Keyset(per_page=10, ends="empty")],
)
@pytest.mark.parametrize("count", range(1, 10))
def test_until_empty_is_safe_whatever_the_total_counts(paging: Paging, count: int) -> None:
    """It grants fewer rows than asked for, and its total counts them only."""
    assert set(CountsThePage(times(*range(count)), cut=4).read(paging)) == set(range(1, count + 1))


@pytest.mark.parametrize("way", [way for way in WAYS if "empty" not in way])
@pytest.mark.parametrize(("count", "requests"), [(2, 1), (3, 2)])
def test_a_true_total_ends_a_first_page_that_is_not_full(way: str, count: int, requests: int) -> None:
    source = Source(times(*range(count)), total=True)
    assert len(set(source.read(WAYS[way]))) == count
    assert source.requests <= requests


class ServesToADepth(Source):
    """Nothing comes from behind page `depth`, whatever it counts."""

    depth = 3

    def _page(self, paging: Paging, position: Position) -> Turned:
        page, ask = super()._page(paging, position), paging.ask(position)
        number = ask.params["page"] if "page" in ask.params else ask.params["offset"] // ask.params["limit"] + 1
        return page if number <= self.depth else replace(page, split=Split([], page.split.total))


@pytest.mark.parametrize("paging", [PageNumber(per_page=10), Offset(per_page=10), Keyset(per_page=10)])
def test_a_source_that_serves_only_to_a_depth_is_not_taken_for_read(paging: Paging) -> None:
    with pytest.raises(EnvelopeError, match="ends after 30 rows although it counts 75"):
        ServesToADepth(times(*[7] * 75), total=True).read(paging)


def test_a_depth_is_noticed_where_nothing_is_counted_behind_it() -> None:
    for paging in (PageNumber(per_page=2, restarts=0), Offset(per_page=2, restarts=0), Keyset(per_page=2, rereads=0)):
        position = paging.after({}, Turned(Split([b"1", b"2"], 9), cursor=lambda row: None))
        assert position is not None
        with pytest.raises(EnvelopeError, match="counts 9"):
            paging.after(position, Turned(Split([], 0)))


@pytest.mark.parametrize(
    ("paging", "counted", "steady"),
    [
        (PageNumber(per_page=10, restarts=0), 3, False),
        (Offset(per_page=10, restarts=0), 3, False),
        (Keyset(per_page=10, rereads=0), 3, False),
        (Keyset(per_page=10, rereads=0), 2, True),
    ],
    ids=["page number", "offset", "keyset", "keyset, of what was left"],
)
def test_a_window_of_which_more_is_counted_than_came_proves_nothing(paging: Paging, counted: int, steady: bool) -> None:
    """The source stops within a page: nothing tells whether its total is too high or its window cut."""
    rows = [b'{"id": 1}', b'{"id": 2}']
    following = paging.after({}, Turned(Split(rows, 3), cursor=lambda row: datetime(2026, 1, 1, tzinfo=UTC)))
    assert following is not None
    end = Turned(Split([], counted))
    assert (paging.after(following, end), paging.steady(following, end)) == (None, steady)


def test_keyset_notices_a_page_within_that_was_cut() -> None:
    """By its number the second page is the last one; of the first two rows did not come."""
    paging, rows = Keyset(per_page=10, rereads=0), [b'{"id": %d}' % number for number in range(8)]
    following = paging.after({}, Turned(Split(rows, 15), cursor=lambda row: datetime(2026, 1, 1, tzinfo=UTC)))
    assert following is not None
    end = Turned(Split(rows[:5], 15))
    assert (paging.after(following, end), paging.steady(following, end)) == (None, False)


@pytest.mark.parametrize("counted", [0, None])
@pytest.mark.parametrize(
    "paging", [PageNumber(per_page=10, restarts=0), Offset(per_page=10, restarts=0), Keyset(per_page=10, rereads=0)]
)
def test_what_was_counted_before_stands_where_the_empty_page_counts_nothing(
    paging: Paging, counted: int | None
) -> None:
    same = datetime(2026, 1, 1, tzinfo=UTC)
    following = paging.after({}, Turned(Split([b'{"id": 1}', b'{"id": 2}'], 3), cursor=lambda row: same))
    assert following is not None
    end = Turned(Split([], counted))
    assert (paging.after(following, end), paging.steady(following, end)) == (None, False)


@pytest.mark.parametrize("paging", [PageNumber(per_page=10), Offset(per_page=10), Keyset(per_page=10)])
def test_a_total_that_is_too_high_behind_a_short_page_ends_the_reading(paging: Paging) -> None:
    class CountsTooMany(Source):
        def _page(self, paging: Paging, position: Position) -> Turned:
            page = super()._page(paging, position)
            return replace(page, split=replace(page.split, total=75))

    assert set(CountsTooMany(times(*[7] * 23)).read(paging)) == set(range(1, 24))
