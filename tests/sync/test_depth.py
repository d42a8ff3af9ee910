"""What a run says of a reading that the source cut short or sent in disorder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from rig import START, Rig

from hub.errors import Outcome
from hub.source import Endpoint, Envelope, Keyset, PageNumber, RestTransport, SourceContext, WindowParams
from hub.store.tokens import StoredFiles, StoredTokens
from hub.sync.result import RunResult
from hub.sync.told import unsteady

MINUTE = 60_000
Rows = list[dict[str, Any]]


def read(
    rig: Rig,
    folder: Path,
    endpoint: Endpoint,
    serve: Callable[[httpx.QueryParams], tuple[int, Rows]],
    full: bool = False,
) -> RunResult:
    """One run over a source that serves a total and rows for what it is asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        total, rows = serve(request.url.params)
        return httpx.Response(200, text=json.dumps({"total": total, "rows": rows}))

    context = SourceContext(
        source=rig.source, tokens=StoredTokens(rig.store, rig.owner), files=StoredFiles(rig.store, lambda: rig.key),
        transport=httpx.MockTransport(answer), base_folder=folder,
    )  # fmt: skip
    rig.transport = RestTransport("http://upstream", context)
    rig.shape(endpoint=endpoint, complete=full)
    try:
        return rig.run(full=full)
    finally:
        rig.transport.close()


def row(number: int, minutes: int) -> dict[str, Any]:
    return {"id": number, "at": START - 100 * MINUTE + minutes * MINUTE, "title": str(number)}


def test_a_source_that_serves_only_to_a_depth_is_not_read_with_ok(rig: Rig, tmp_path: Path) -> None:
    """75 rows, the newest first; behind page 3 every page is empty."""

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        page = int(asked["page"])
        return 75, [row(75 - at, 75 - at) for at in range((page - 1) * 10, page * 10)] if page <= 3 else []

    endpoint = Endpoint(path="/l", paging=PageNumber(per_page=10), envelope=Envelope(rows="rows", total="total"))
    result = read(rig, tmp_path, endpoint, serve)
    assert result.outcome is Outcome.FAILED
    assert "ends after 30 rows although it counts 75" in str(result.error)
    assert len(rig.living()) == 30
    assert result.cursor is None


def test_a_reading_of_which_more_is_counted_than_came_says_so_and_buries_nothing(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """25 rows of 75, and no more: a total that is too high, or a result that is cut."""
    end = 35

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        since, page = int(asked.get("since", 0)), int(asked["page"])
        found = [one for one in (row(number, number) for number in range(end)) if one["at"] >= since]
        return 75 - end + len(found), found[(page - 1) * 10 : page * 10]

    endpoint = Endpoint(
        path="/l", paging=Keyset(per_page=10), envelope=Envelope(rows="rows", total="total"),
        window=WindowParams(since="since", format="epoch_ms"),
    )  # fmt: skip
    read(rig, tmp_path, endpoint, serve)
    end, caplog.records[:] = 25, []
    result = read(rig, tmp_path, endpoint, serve, full=True)
    assert (result.outcome, result.counts.tombstoned, len(rig.living())) == (Outcome.OK, 0, 35)
    assert "total_not_met" in [getattr(one, "action", "") for one in caplog.records]
    kept = rig.all("SELECT error FROM run ORDER BY token DESC LIMIT 1")
    assert kept == [(unsteady().render(),)]


def test_a_source_that_ignores_the_order_is_read_whole(rig: Rig, tmp_path: Path) -> None:
    """It filters by time of change, but sends rows by id; changes of old records lie between."""
    rows = [row(number, at) for number, at in enumerate([1, 9, 2, 12, 3, 14, 4, 16, 20], 1)]

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        since, page = int(asked.get("since", 0)), int(asked["page"])
        found = [one for one in rows if one["at"] >= since]
        return len(found), found[(page - 1) * 3 : page * 3]

    endpoint = Endpoint(
        path="/l", paging=Keyset(per_page=3), envelope=Envelope(rows="rows", total="total"),
        window=WindowParams(since="since", format="epoch_ms"),
    )  # fmt: skip
    result = read(rig, tmp_path, endpoint, serve)
    assert (result.outcome, len(rig.living())) == (Outcome.OK, len(rows))


@pytest.mark.parametrize("full", [False, True], ids=["incremental", "full refresh"])
def test_a_reading_begins_anew_where_its_pages_became_larger(rig: Rig, tmp_path: Path, full: bool) -> None:
    """Interrupted behind two pages of five and gone on with in pages of ten, page 3 would lie behind ten unread rows."""
    rows, down = [row(number, number) for number in range(30)], True

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        page, size = int(asked["page"]), int(asked["size"])
        if page == 3 and down:
            raise httpx.ConnectError("down")
        return 0, rows[(page - 1) * size : page * size]

    def listing(size: int) -> Endpoint:
        return Endpoint(path="/l", paging=PageNumber(per_page=size), envelope=Envelope(rows="rows"))

    rig.set(retries=0)
    assert read(rig, tmp_path, listing(5), serve, full).outcome is Outcome.UNAVAILABLE
    assert len(rig.living()) == 10
    down = False
    result = read(rig, tmp_path, listing(10), serve, full)
    assert (result.outcome, len(rig.living()), result.counts.tombstoned) == (Outcome.OK, 30, 0)


def test_a_reading_goes_on_where_nothing_was_declared_anew(rig: Rig, tmp_path: Path) -> None:
    rows, down, asked_for = [row(number, number) for number in range(30)], True, []

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        page = int(asked["page"])
        asked_for.append(page)
        if page == 3 and down:
            raise httpx.ConnectError("down")
        return len(rows), rows[(page - 1) * 10 : page * 10]

    endpoint = Endpoint(path="/l", paging=PageNumber(per_page=10), envelope=Envelope(rows="rows", total="total"))
    rig.set(retries=0)
    read(rig, tmp_path, endpoint, serve)
    down = False
    read(rig, tmp_path, endpoint, serve)
    assert (asked_for, len(rig.living())) == ([1, 2, 3, 3], 30)


@pytest.mark.parametrize("counted", [False, True], ids=["without a total", "with a total"])
@pytest.mark.parametrize("known", [False, True], ids=["first reading", "full refresh"])
def test_a_row_that_slips_past_is_neither_lost_nor_buried(rig: Rig, tmp_path: Path, counted: bool, known: bool) -> None:
    """One row goes after the first page and moves the others up; another comes at the end, so that the total is right again."""
    rows, asked_for, meanwhile = [row(number, number) for number in range(30)], [0], not known

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        page = int(asked["page"])
        asked_for[0] += meanwhile
        if asked_for[0] == 2:
            rows.pop(3)
        if asked_for[0] == 3:
            rows.append(row(99, 99))
        return len(rows), rows[(page - 1) * 10 : page * 10]

    envelope = Envelope(rows="rows", total="total" if counted else None)
    endpoint = Endpoint(path="/l", paging=PageNumber(per_page=10), envelope=envelope)
    if known:
        read(rig, tmp_path, endpoint, serve, full=True)
        meanwhile = True
    read(rig, tmp_path, endpoint, serve, full=True)
    assert "10" in rig.living()


def test_nothing_at_all_behind_a_full_page_proves_no_deletion(rig: Rig, tmp_path: Path) -> None:
    """A gateway that is out of breath says "no rows" in the middle; the window begins at a row that was there just now."""
    rows, fails = [row(number, number) for number in range(25)], False

    def serve(asked: httpx.QueryParams) -> tuple[int, Rows]:
        since, page = int(asked.get("since", 0)), int(asked["page"])
        found = [one for one in rows if one["at"] >= since]
        return 0, [] if fails and since else found[(page - 1) * 10 : page * 10]

    endpoint = Endpoint(
        path="/l", paging=Keyset(per_page=10), envelope=Envelope(rows="rows"),
        window=WindowParams(since="since", format="epoch_ms"),
    )  # fmt: skip
    read(rig, tmp_path, endpoint, serve, full=True)
    fails = True
    result = read(rig, tmp_path, endpoint, serve, full=True)
    assert (result.counts.tombstoned, len(rig.living())) == (0, 25)
