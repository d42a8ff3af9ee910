"""The REST transport: windows, positions, a second look at what cannot be read, renewing, two-step streams."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from hub.errors import (
    ConfigError,
    EnvelopeError,
    FailedError,
    LoginPageError,
    RefusedError,
    TokenExpiredError,
    UnreadablePageError,
)
from hub.source import (
    Auth,
    Check,
    Cursor,
    Detail,
    Endpoint,
    Envelope,
    Keyset,
    NextLink,
    OAuth2ClientCredentials,
    Page,
    PageNumber,
    RestTransport,
    SessionCookie,
    SourceContext,
    Stream,
    Window,
    WindowParams,
    XmlEnvelope,
    xml_to_flat,
)

SINCE = datetime(2026, 11, 19, 16, 0, 0, 500_000, tzinfo=UTC)
ENVELOPE = Envelope(rows="rows", total="total")


OPEN: list[RestTransport] = []


class Rest(RestTransport):
    """A transport that the end of the test closes."""

    def __init__(self, base_url: str, context: SourceContext, auth: Auth | None = None) -> None:
        super().__init__(base_url, context, auth)
        OPEN.append(self)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def stream(endpoint: Any, cursor: Cursor | None = None, **more: Any) -> Stream:
    return Stream(
        name="events", title="事件", mapping="events", native_id="id", endpoint=endpoint, cursor=cursor, **more
    )


def read(transport: RestTransport, wanted: Stream, window: Window | None = None) -> list[Page]:
    """Every page, each position through JSON as the store keeps it."""
    pages, position = [], None
    while True:
        page = transport.fetch(wanted, window or Window(), position)
        pages.append(page)
        if page.next is None:
            return pages
        position = json.loads(json.dumps(page.next))
        assert len(pages) < 50


# --- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "carry", "got"),
    [
        ("GET", "query", lambda seen: seen.params),
        ("POST", "form", lambda seen: seen.params),
        ("POST", "json", lambda seen: json.loads(seen.body)),
    ],
)
def test_how_parameters_travel(
    upstream: Any, reply: Any, context: SourceContext, method: Any, carry: Any, got: Callable[[Any], Any]
) -> None:
    upstream.answer = [reply('{"rows":[]}')]
    endpoint = Endpoint(
        path="/event/page", method=method, carry=carry, params={"kind": "中"}, sort={"order": "asc"}, envelope=ENVELOPE,
        headers={"X-Purpose": "check"}, paging=PageNumber(page="pageNum", size="pageSize", per_page=50),
        window=WindowParams(since="from", until="to", format="epoch_ms"),
    )  # fmt: skip
    (page,) = read(Rest(upstream.url + "/base/", context), stream(endpoint), Window(SINCE, SINCE + timedelta(days=1)))
    (seen,) = upstream.seen
    expected = {"kind": "中", "order": "asc", "pageNum": 1, "pageSize": 50, "from": 1795104000500, "to": 1795190400500}
    assert {name: str(value) for name, value in got(seen).items()} == {
        name: str(value) for name, value in expected.items()
    }
    assert (seen.path, seen.headers["x-purpose"]) == ("/base/event/page", "check")
    assert (page.rows, page.clock, page.requests) == ([], datetime(2026, 11, 20, 8, 0, tzinfo=UTC), 1)


@pytest.mark.parametrize(
    ("params", "since", "until"),
    [
        (WindowParams(since="a", until="b"), "2026-11-20 00:00:00", "2026-11-20 00:00:01"),
        (WindowParams(since="a", until="b", format="iso"), "2026-11-20T00:00:00+08:00", "2026-11-20T00:00:01+08:00"),
        (
            WindowParams(since="a", until="b", format="iso", since_inclusive=False),
            "2026-11-19T23:59:59+08:00",
            "2026-11-20T00:00:01+08:00",
        ),
        (WindowParams(since="a", until="b", format="epoch_s", zone="UTC"), 1795104000, 1795104001),
        (WindowParams(since="a", until="b", format="%Y%m%d"), "20261120", "20261121"),
        (
            WindowParams(since="a", until="b", format="%Y-%m-%d %H:%M", zone="UTC"),
            "2026-11-19 16:00",
            "2026-11-19 16:01",
        ),
    ],
)
def test_windows_are_rounded_outward(params: WindowParams, since: Any, until: Any) -> None:
    assert params.params(SINCE, SINCE + timedelta(milliseconds=100)) == {"a": since, "b": until}


def test_an_open_window() -> None:
    assert WindowParams(since="a", until="b").params(None, None) == {}
    assert WindowParams(since="a", earliest=SINCE, format="epoch_s").params(None, None) == {"a": 1795104000}
    assert WindowParams().params(SINCE, SINCE) == {}


# --- a second look ---------------------------------------------------------------------------------------------------

GOOD, BAD = '{"total":2,"rows":[{"id":1},{"id":2}]}', '{"total":2,"rows":[{"id":1},{"id":NaN}]}'


def test_an_unreadable_page_is_fetched_once_more(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(BAD), reply(GOOD)]
    (page,) = read(Rest(upstream.url, context), stream(Endpoint(path="/", envelope=ENVELOPE)))
    assert (page.rows, page.bad, page.requests) == ([b'{"id":1}', b'{"id":2}'], (), 2)


def test_then_it_is_split_tolerantly(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(BAD)]
    (page,) = read(Rest(upstream.url, context), stream(Endpoint(path="/", envelope=ENVELOPE)))
    assert page.rows == [b'{"id":1}']
    assert [row.raw for row in page.bad] == [b'{"id":NaN}']
    assert (page.requests, len(upstream.seen), page.total) == (2, 2, 2)


def test_without_edges_it_fails(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('{"rows":[{"id":1}')]
    with pytest.raises(UnreadablePageError):
        Rest(upstream.url, context).fetch(stream(Endpoint(path="/", envelope=ENVELOPE)), Window(), None)
    assert len(upstream.seen) == 2


def test_a_page_with_bad_rows_still_counts_as_full(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('[{"id":1},{"id":NaN}]'), reply('[{"id":1},{"id":NaN}]'), reply("[]")]
    endpoint = Endpoint(path="/", paging=PageNumber(per_page=2, restarts=0))
    assert len(read(Rest(upstream.url, context), stream(endpoint))) == 2


def test_a_page_sent_twice_is_asked_for_once_more(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply("[1,2]"), reply("[1,2]"), reply("[3]")]
    pages = read(Rest(upstream.url, context), stream(Endpoint(path="/", paging=PageNumber(per_page=2, restarts=0))))
    assert [page.rows for page in pages] == [[b"1", b"2"], [b"3"]]
    assert [page.requests for page in pages] == [1, 2]


def test_a_source_that_ignores_the_page_number_is_refused(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply("[1,2]")]
    transport = Rest(upstream.url, context)
    wanted = stream(Endpoint(path="/", paging=PageNumber(per_page=2)))
    page = transport.fetch(wanted, Window(), None)
    with pytest.raises(EnvelopeError, match="same page"):
        transport.fetch(wanted, Window(), page.next)


def test_declared_emptiness_by_status(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(status=204)]
    (page,) = read(Rest(upstream.url, context), stream(Endpoint(path="/", empty_on=(204,))))
    assert page.rows == []
    with pytest.raises(EnvelopeError):
        Rest(upstream.url, context).fetch(stream(Endpoint(path="/")), Window(), None)


# --- signing in again ------------------------------------------------------------------------------------------------


def test_an_expired_token_is_renewed_once(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('{"access_token":"t1"}'), reply(status=401), reply('{"access_token":"t2"}'), reply("[]")]
    auth = OAuth2ClientCredentials(upstream.url + "/token", "me", "s", context.tokens)
    (page,) = read(Rest(upstream.url, context, auth), stream(Endpoint(path="/list")))
    assert page.requests == 2
    assert [seen.headers.get("authorization", "")[-2:] for seen in upstream.seen if seen.path == "/list"] == [
        "t1",
        "t2",
    ]


def test_a_token_that_stays_expired_is_said(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = lambda seen: reply('{"access_token":"t"}') if seen.path == "/token" else reply('{"code":"11"}')
    auth = OAuth2ClientCredentials(upstream.url + "/token", "me", "s", context.tokens)
    endpoint = Endpoint(path="/list", envelope=Envelope(checks=(Check("code", ("00",), {"11": "expired"}),)))
    with pytest.raises(TokenExpiredError):
        Rest(upstream.url, context, auth).fetch(stream(endpoint), Window(), None)
    assert [seen.path for seen in upstream.seen] == ["/token", "/list", "/token", "/list"]


def session(upstream: Any, context: SourceContext) -> RestTransport:
    auth = SessionCookie(upstream.url + "/login", {"u": "hub"}, context.tokens, key="hub")
    return Rest(upstream.url, context, auth)


def test_a_login_page_makes_a_session_sign_in_again(upstream: Any, reply: Any, context: SourceContext) -> None:
    cookie = reply("{}", headers={"Set-Cookie": "S=1"})
    upstream.answer = [cookie, reply("<html>"), cookie, reply("[1]")]
    (page,) = read(session(upstream, context), stream(Endpoint(path="/list")))
    assert page.rows == [b"1"]


@pytest.mark.parametrize("carry", ["form", "json"])
def test_a_session_that_ended_sends_a_request_with_a_body_to_the_login_page(
    upstream: Any, reply: Any, context: SourceContext, carry: Literal["form", "json"]
) -> None:
    cookie, away = reply("{}", headers={"Set-Cookie": "S=1"}), reply(status=302, headers={"Location": "/login.html"})
    upstream.answer = [cookie, away, reply("<html>"), cookie, reply("[1]")]
    (page,) = read(
        session(upstream, context), stream(Endpoint(path="/list", method="POST", carry=carry, params={"a": 1}))
    )
    assert page.rows == [b"1"]


@pytest.mark.parametrize("carry", ["form", "json"])
def test_a_list_that_moved_is_not_read_without_what_is_asked_for(
    upstream: Any, reply: Any, context: SourceContext, carry: Literal["form", "json"]
) -> None:
    moved = reply(status=301, headers={"Location": "/list/"})
    upstream.answer = lambda seen: moved if seen.path == "/list" else reply("[1]")
    endpoint = Endpoint(path="/list", method="POST", carry=carry, paging=PageNumber(per_page=20))
    with pytest.raises(ConfigError, match="without what we ask for"):
        read(Rest(upstream.url, context), stream(endpoint))


def test_a_login_form_that_answers_with_a_redirect_gives_its_cookie(
    upstream: Any, reply: Any, context: SourceContext
) -> None:
    upstream.answer = [
        reply(status=302, headers={"Location": "/home", "Set-Cookie": "S=1; Path=/"}),
        reply("<html>", headers={"Set-Cookie": "T=2; Path=/"}),
        reply("[1]"),
    ]
    (page,) = read(session(upstream, context), stream(Endpoint(path="/list")))
    assert page.rows == [b"1"]
    assert [(seen.method, seen.path, seen.headers.get("cookie")) for seen in upstream.seen] == [
        ("POST", "/login", None),
        ("GET", "/home", "S=1"),
        ("GET", "/list", "S=1; T=2"),
    ]


def test_the_last_word_on_a_cookie_counts(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [
        reply(status=302, headers={"Location": "/home", "Set-Cookie": "S=old"}),
        reply(headers={"Set-Cookie": "S=new"}),
        reply("[1]"),
    ]
    read(session(upstream, context), stream(Endpoint(path="/list")))
    assert upstream.seen[-1].headers["cookie"] == "S=new"


def test_a_login_page_after_signing_in_is_refused(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = lambda seen: (
        reply("{}", headers={"Set-Cookie": "S=1"}) if seen.path == "/login" else reply("<html>")
    )
    with pytest.raises(LoginPageError):
        session(upstream, context).fetch(stream(Endpoint(path="/list")), Window(), None)
    assert len(upstream.seen) == 4


def test_a_login_page_for_a_fixed_key_is_refused_at_once(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply("<html>")]
    with pytest.raises(LoginPageError):
        Rest(upstream.url, context).fetch(stream(Endpoint(path="/list")), Window(), None)
    assert len(upstream.seen) == 1


def test_renew_forgets_the_session(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = lambda seen: reply("[]", headers={"Set-Cookie": "S=1"})
    transport = session(upstream, context)
    transport.fetch(stream(Endpoint(path="/list")), Window(), None)
    transport.renew()
    transport.fetch(stream(Endpoint(path="/list")), Window(), None)
    assert [seen.path for seen in upstream.seen] == ["/login", "/list", "/login", "/list"]


# --- windows in parts, keyset, links, XML ----------------------------------------------------------------------------


def parts(upstream: Any, reply: Any, context: SourceContext, window: Window, **more: Any) -> list[tuple[str, str]]:
    upstream.answer = lambda seen: reply("[]")
    endpoint = Endpoint(
        path="/",
        window=WindowParams(since="a", until="b", format="%Y-%m-%d", zone="UTC", span=timedelta(days=30), **more),
    )
    read(Rest(upstream.url, context), stream(endpoint), window)
    return [(seen.params["a"], seen.params["b"]) for seen in upstream.seen]


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


def test_a_window_wider_than_the_source_answers_is_read_in_parts(
    upstream: Any, reply: Any, context: SourceContext
) -> None:
    assert parts(upstream, reply, context, Window(day(9, 1), day(11, 1))) == [
        ("2026-09-01", "2026-10-01"),
        ("2026-10-01", "2026-10-31"),
        ("2026-10-31", "2026-11-01"),
    ]


def test_an_open_end_reaches_the_clock_of_the_source(upstream: Any, reply: Any, context: SourceContext) -> None:
    found = parts(upstream, reply, context, Window(day(10, 10)))
    assert found == [("2026-10-10", "2026-11-09"), ("2026-11-09", "2026-12-09")]


def test_an_open_start_needs_an_earliest(upstream: Any, reply: Any, context: SourceContext) -> None:
    assert len(parts(upstream, reply, context, Window(), earliest=day(11, 1))) == 1
    with pytest.raises(ConfigError):
        parts(upstream, reply, context, Window())


def test_keyset_moves_the_window_at_the_resolution_of_the_wire(
    upstream: Any, reply: Any, context: SourceContext
) -> None:
    """Rows a few milliseconds apart share one second on the wire: they are counted through in pages."""
    rows = [{"id": number, "at": 1_795_104_000_000 + number} for number in range(5)] + [
        {"id": 9, "at": 1_795_104_002_000}
    ]

    def answer(seen: Any) -> Any:
        low, start = int(seen.params["a"]) * 1000, (int(seen.params["page"]) - 1) * 2
        return reply(json.dumps([row for row in rows if row["at"] >= low][start : start + 2]))

    upstream.answer = answer
    endpoint = Endpoint(path="/", paging=Keyset(per_page=2), window=WindowParams(since="a", format="epoch_s"))
    pages = read(Rest(upstream.url, context), stream(endpoint, Cursor(path="at", format="epoch_ms")), Window(SINCE))
    assert {json.loads(row)["id"] for page in pages for row in page.rows} == {0, 1, 2, 3, 4, 9}


def test_keyset_without_a_window_parameter_is_noticed(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('[{"at":"2026-01-01"},{"at":"2026-01-02"}]')]
    transport = Rest(upstream.url, context)
    wanted = stream(Endpoint(path="/", paging=Keyset(per_page=2)), Cursor(path="at"))
    page = transport.fetch(wanted, Window(), None)
    with pytest.raises(EnvelopeError):
        transport.fetch(wanted, Window(), page.next)


def test_links_are_asked_as_they_are(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('{"rows":[1],"next":"/list?cursor=b"}'), reply('{"rows":[2],"next":null}')]
    endpoint = Endpoint(path="/list", params={"size": 1}, envelope=ENVELOPE, paging=NextLink(path="next"))
    read(Rest(upstream.url, context), stream(endpoint))
    assert [seen.target for seen in upstream.seen] == ["/list?size=1", "/list?cursor=b"]


def test_xml(upstream: Any, reply: Any, context: SourceContext) -> None:
    row = "<request><id>1</id><at>2026-01-01T00:00:00Z</at></request>"
    upstream.answer = [reply(f'<?xml version="1.0"?><service_requests>{row}</service_requests>')]
    endpoint = Endpoint(
        path="/", envelope=XmlEnvelope(row="request", root="service_requests"), paging=Keyset(per_page=1)
    )
    wanted = stream(endpoint, Cursor(path="at"), reshape=xml_to_flat)
    page = Rest(upstream.url, context).fetch(wanted, Window(), None)
    assert page.rows == [row.encode()]
    assert page.next is not None


# --- two steps -------------------------------------------------------------------------------------------------------

DETAIL = Detail(
    path="/detail/{no}", method="POST", carry="form", params={"act": "view"}, row_params={"id": "ids.main"},
    envelope=Envelope(checks=(Check("status", ("success",)),), message="des"),
)  # fmt: skip


def test_the_detail_of_a_row(upstream: Any, reply: Any, context: SourceContext) -> None:
    whole = b'{"status":"success","res":[{"fd_name":"a"}],"steps":[]}'
    upstream.answer = [reply(whole)]
    transport = Rest(upstream.url, context)
    assert transport.detail(stream(Endpoint(path="/", detail=DETAIL)), b'{"no":"N1","ids":{"main":7}}') == whole
    assert upstream.seen[0].path == "/detail/N1"
    assert upstream.seen[0].params == {"act": "view", "id": "7"}


def test_a_detail_that_is_refused(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('{"status":"error","des":"工单不存在"}')]
    transport = Rest(upstream.url, context)
    with pytest.raises(EnvelopeError, match="工单不存在"):
        transport.detail(stream(Endpoint(path="/", detail=DETAIL)), b'{"no":"N1","ids":{"main":7}}')
    upstream.answer = [reply(status=403)]
    with pytest.raises(RefusedError):
        transport.detail(stream(Endpoint(path="/", detail=DETAIL)), b'{"no":"N1","ids":{"main":7}}')


def test_a_detail_that_is_gone_or_damaged_is_one_records_matter(
    upstream: Any, reply: Any, context: SourceContext
) -> None:
    wanted, row = stream(Endpoint(path="/", detail=DETAIL)), b'{"no":"N1","ids":{"main":7}}'
    upstream.answer = [reply(status=404)]
    with pytest.raises(EnvelopeError):
        Rest(upstream.url, context).detail(wanted, row)
    upstream.answer = [reply('{"status":NaN}'), reply('{"status":"success"}')]
    assert Rest(upstream.url, context).detail(wanted, row) == b'{"status":"success"}'
    upstream.answer = [reply(status=400)]
    with pytest.raises(FailedError) as caught:
        Rest(upstream.url, context).detail(wanted, row)
    assert not isinstance(caught.value, EnvelopeError)


@pytest.mark.parametrize("row", [b"{}", b'{"no":""}', b'{"no":true}', b'{"no":"N1","ids":{}}'], ids=repr)
def test_a_row_without_what_the_detail_needs(context: SourceContext, row: bytes) -> None:
    with pytest.raises(EnvelopeError, match="list row has no"):
        Rest("http://a.example", context).detail(stream(Endpoint(path="/", detail=DETAIL)), row)


def test_an_id_cannot_leave_its_place_in_the_path(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply('{"status":"success"}')]
    transport = Rest(upstream.url, context)
    transport.detail(stream(Endpoint(path="/", detail=DETAIL)), b'{"no":"../x?y=1#z","ids":{"main":7}}')
    assert upstream.seen[0].target == "/detail/..%2Fx%3Fy%3D1%23z"


def test_a_stream_that_is_not_for_rest(context: SourceContext) -> None:
    transport = Rest("http://a.example", context)
    with pytest.raises(ConfigError, match="no endpoint"):
        transport.fetch(stream(None), Window(), None)
    with pytest.raises(ConfigError, match="no detail"):
        transport.detail(stream(Endpoint(path="/")), b"{}")
