"""Pages that come again byte for byte: counted without a look at their records, and only while nothing of them changed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from rig import START, STREAM, Rig
from upstream import Upstream

from hub.errors import Outcome
from hub.source import (
    CursorToken,
    Endpoint,
    Envelope,
    PageNumber,
    RestTransport,
    SourceContext,
    Split,
    Window,
    WindowParams,
)
from hub.source.stream import Page
from hub.store.known_pages import known_text, page_digest
from hub.store.page import Lease, PageWrite
from hub.store.store import Store
from hub.store.tokens import StoredFiles, StoredTokens
from hub.sync import run
from hub.sync.prepare import Preparer
from hub.sync.run import RunOptions, StreamRun

ENDPOINT = Endpoint(
    path="/records",
    window=WindowParams(since="since", until="until", format="epoch_ms"),
    paging=CursorToken(path="next"),
    envelope=Envelope(rows="data.rows", total="data.total"),
)


def served(rig: Rig, upstream: Upstream, folder: Path) -> RestTransport:
    """The same upstream, asked over HTTP."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        window = Window(
            *(
                datetime.fromtimestamp(int(asked[end]) / 1000, UTC) if end in asked else None
                for end in ("since", "until")
            )
        )
        page = upstream.fetch(rig.stream, window, json.loads(asked["cursor"]) if "cursor" in asked else None)
        rows = b",".join(page.rows).decode()
        rest = json.dumps(json.dumps(page.next)) if page.next else "null"
        return httpx.Response(
            200, text=f'{{"data":{{"total":{len(upstream.records)},"rows":[{rows}]}},"next":{rest}}}'
        )  # fmt: skip

    return over_http(rig, folder, answer)


def over_http(rig: Rig, folder: Path, answer: Callable[[httpx.Request], httpx.Response]) -> RestTransport:
    return RestTransport(
        "http://upstream",
        SourceContext(
            source=rig.source, tokens=StoredTokens(rig.store, rig.owner), files=StoredFiles(rig.store, lambda: rig.key),
            transport=httpx.MockTransport(answer), known=partial(known_text, rig.store, rig.key), base_folder=folder,
        ),
    )  # fmt: skip


@pytest.fixture(params=["rows", "text"])
def rig(rig: Rig, upstream: Upstream, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Pages are told by their rows, or by the text of an answer."""
    if request.param == "rows":
        yield rig
        return
    rig.shape(endpoint=ENDPOINT)
    rig.transport = transport = served(rig, upstream, tmp_path)
    yield rig
    transport.close()


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> list[Split]:
    """The pages that were split into their rows."""
    found: list[Split] = []
    whole = Envelope.split

    def told(envelope: Envelope, body: bytes) -> Split:
        answer = whole(envelope, body)
        if answer.rows != [b"0"]:
            found.append(answer)
        return answer

    monkeypatch.setattr(Envelope, "split", told)
    return found


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


@pytest.mark.parametrize("rig", ["text"], indirect=True)
def test_a_text_that_comes_again_is_not_even_split(
    read: Rig, upstream: Upstream, looked_at: list[int], split: list[Split]
) -> None:
    upstream.put("r8", START - 1)
    again = read.run(full=True)
    assert [len(page.rows) for page in split] == looked_at == [3], (
        "the total of every page is another one, the text of two is not"
    )
    assert (again.counts.new, again.counts.unchanged) == (1, 8)
    read.check()


@pytest.mark.parametrize("rig", ["text"], indirect=True)
@pytest.mark.parametrize("more", [{"log": True}, {"two_step": True}])
def test_pages_that_are_never_remembered_are_not_asked_for(rig: Rig, upstream: Upstream, more: dict[str, Any]) -> None:
    rig.shape(**more)
    upstream.put("r0", START - 1000)
    page = rig.transport.fetch(rig.stream, Window(), None)
    assert isinstance(page.rows, list)
    assert len(page.rows) == 1


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


def test_rows_that_a_connector_took_out_are_not_told_by_the_text(
    read: Rig, upstream: Upstream, looked_at: list[int]
) -> None:
    """A transport that somebody wrapped may hand over fewer rows than stand in the text."""
    fetch = read.transport.fetch

    class Choosy(Upstream):
        def fetch(self, *asked: Any) -> Page:
            page = fetch(*asked)
            return replace(page, rows=[row for row in page.rows if b"r1" not in row])

    read.transport = Choosy()
    assert read.run(full=True).counts.unchanged == 7
    assert looked_at[0] == 2
    looked_at.clear()
    assert read.run(full=True).counts.unchanged == 7
    assert looked_at == [], "told by the rows themselves"
    assert len(read.living()) == 7


@pytest.mark.parametrize("changes", [{"mapping": "other"}, {"zone": "UTC"}, {"rows": [b'{"id":2}']}])
def test_what_tells_pages_apart(changes: dict[str, Any]) -> None:
    plain = {"rows": [b'{"id":1}'], "next": None}
    before, after = Page(**plain), Page(**{**plain, **changes})

    def digest(page: Page) -> bytes | None:
        return page_digest(STREAM, STREAM.id_paths, page, Preparer.hashes(page))

    assert digest(before) == digest(Page(**plain))
    assert digest(before) != digest(after)


def test_a_stream_declared_otherwise_is_looked_at_anew(rig: Rig, upstream: Upstream) -> None:
    """The same bytes may say that a record is withdrawn, or that it is another one."""
    for number in range(3):
        upstream.put(f"r{number}", START - 1000 + number, flag=str(number), code=f"c{number}")
    assert rig.run(full=True).counts.new == 3
    rig.shape(operation="flag", deletes=("1",))
    assert rig.run(full=True).counts.tombstoned == 1
    rig.shape(operation=None, native_id="code")
    rig.run(full=True)
    assert sorted(rig.living()) == ['"c0"', '"c1"', '"c2"']


@pytest.mark.parametrize("rig", ["text"], indirect=True)
def test_under_another_envelope_a_text_is_split_again(rig: Rig, upstream: Upstream, split: list[Split]) -> None:
    """Declared later, an element that stands in place of rows is a refusal."""
    upstream.put("r0", START - 1000, code="1")
    rig.run(full=True)
    rig.run(full=True)
    assert len(split) == 1
    rig.shape(endpoint=replace(ENDPOINT, envelope=replace(ENDPOINT.envelope, error_row=("id", "code"))))
    rig.run(full=True)
    assert len(split) == 2


def test_a_page_is_not_remembered_over_a_version_that_another_run_stored_meanwhile(
    rig: Rig, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page with a new record is about to be written; a full refresh beside stores another version of a known one on it."""
    for number in range(2):
        upstream.put(f"r{number}", START - 1000 + number)
    assert rig.run().counts.new == 2
    upstream.put("r2", START - 998)
    later = Upstream(records=[dict(upstream.records[0]), {**upstream.records[1], "title": "another"}])
    write, raced = run.write_page, list[int]()

    def racing(store: Store, lease: Lease, page: PageWrite) -> int:
        if not raced:
            raced.append(1)
            beside = StreamRun(
                rig.store,
                replace(rig.job, transport=later),
                owner="two",
                options=RunOptions(full_refresh=True, beside=True),
            )
            assert beside.execute().counts.changed == 1
        return write(store, lease, page)

    monkeypatch.setattr(run, "write_page", racing)
    assert rig.run().outcome is Outcome.OK
    assert rig.living()['"r1"'][0] == "another"
    assert rig.run(full=True).counts.changed == 1, "the page shows the version of before again"
    assert rig.living()['"r1"'][0] == "title of r1"
    rig.check()


@pytest.mark.parametrize("odd", ["middle", "array"])
def test_a_page_sent_in_place_of_the_next_one_is_noticed(
    rig: Rig, tmp_path: Path, upstream: Upstream, odd: str
) -> None:
    """Once, page 1 comes for page 2; meanwhile a row in its middle changed, or something else stands beside the rows."""
    rows = [{"id": f"r{number}", "at": START - 1000 + number, "title": "t"} for number in range(6)]
    asked: list[int] = []
    wrong: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        asked.append(number)
        more: dict[str, Any] = {}
        if number == 2 and wrong:
            number = wrong.pop()
            if odd == "middle":
                rows[1]["title"] = "changed"
            else:
                more = {"warnings": []}
        part = rows[(number - 1) * 3 : number * 3]
        text = json.dumps({"data": {"total": 6, "rows": part}, **more}, separators=(",", ":"))
        return httpx.Response(200, text=text)

    rig.shape(endpoint=replace(ENDPOINT, paging=PageNumber(per_page=3)))
    rig.transport = transport = over_http(rig, tmp_path, answer)
    assert rig.run(full=True).counts.new == 6
    asked.clear()
    wrong.append(1)
    assert rig.run(full=True).outcome is Outcome.OK
    transport.close()
    assert asked == [1, 2, 2]
    assert len(rig.living()) == 6
