"""The client against a real server: deadline, limits, redirects, statuses, and httpx's errors in the hub's words."""

import gzip
import logging
import time
import zlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from hub.errors import (
    ConfigError,
    DeadlineError,
    EnvelopeError,
    FailedError,
    HubError,
    InterruptedByOperatorError,
    LoginPageError,
    RateLimitedError,
    RefusedError,
    TokenExpiredError,
    UnavailableError,
)
from hub.source import Bearer, Client, SourceContext
from hub.source.client import Answer, retry_after_s, same_host


def get(context: SourceContext, url: str, **declared: Any) -> Answer:
    client = Client(context)
    try:
        return client.send(client.request("GET", url), **declared)
    finally:
        client.close()


class Pieces(httpx.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


# --- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_has_body_clock_and_plain_url(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply("占道", headers={"X-Page": "1"})]
    answer = get(context, upstream.url + "/list?key=secret")
    assert answer.body.decode() == "占道"
    assert answer.clock == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    assert answer.headers["x-page"] == "1"
    assert answer.url == upstream.url + "/list"


def test_the_budget_of_the_host_is_asked_first(upstream: Any, context: SourceContext) -> None:
    asked: list[str] = []
    get(replace(context, acquire=asked.append), upstream.url)
    assert asked == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("x-gzip", gzip.compress), ("identity", bytes)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_compressed_answers(upstream: Any, reply: Any, context: SourceContext, encoding: str, pack: Any) -> None:
    upstream.answer = [reply(pack(b"x" * 5000), headers={"Content-Encoding": encoding})]
    assert get(context, upstream.url).body == b"x" * 5000


@pytest.mark.parametrize("size", [1, 7, 10_000], ids="pieces of {}".format)
def test_gzip_in_several_members_is_read_whole(context: SourceContext, size: int) -> None:
    body = gzip.compress(b'[{"id":1},') + gzip.compress(b"") + gzip.compress(b'{"id":2}]') + b"\0" * 5

    def pieces() -> Iterator[bytes]:
        yield from (body[start : start + size] for start in range(0, len(body), size))

    mock = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Pieces(pieces()))
    )
    assert get(replace(context, transport=mock), "http://a.example/").body == b'[{"id":1},{"id":2}]'


def test_many_members_unfold_no_further_than_one(upstream: Any, reply: Any, context: SourceContext) -> None:
    body = gzip.compress(b"x" * 600) * 3
    upstream.answer = [reply(body, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(FailedError, match="larger than 1000 bytes"):
        get(replace(context, max_bytes=1000), upstream.url)
    assert len(get(replace(context, max_bytes=1800), upstream.url).body) == 1800


def test_a_gzip_bomb_never_unfolds(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(gzip.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "gzip"})]
    with pytest.raises(FailedError, match="larger than 100000 bytes"):
        get(replace(context, max_bytes=100_000), upstream.url)


def test_the_byte_limit_holds_for_plain_answers(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(b"x" * 1001)]
    with pytest.raises(FailedError):
        get(replace(context, max_bytes=1000), upstream.url)
    assert len(get(replace(context, max_bytes=1001), upstream.url).body) == 1001


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (gzip.compress(b"x" * 5000)[:-20], "gzip", UnavailableError),
        (gzip.compress(b"x" * 50) + gzip.compress(b"x" * 5000)[:-20], "gzip", UnavailableError),
        (b"no gzip at all", "gzip", EnvelopeError),
        (b"x", "br", EnvelopeError),
    ],
    ids=["cut off", "cut off in its second member", "damaged", "not offered"],
)
def test_bad_compression(
    upstream: Any, reply: Any, context: SourceContext, body: bytes, encoding: str, error: type[HubError]
) -> None:
    upstream.answer = [reply(body, headers={"Content-Encoding": encoding})]
    with pytest.raises(error):
        get(context, upstream.url)


# --- time ------------------------------------------------------------------------------------------------------------


def drip(first: bytes, every_s: float = 0.1) -> Any:
    def write(wire: Any) -> None:
        wire.write(first)
        for _ in range(80):
            wire.write(b"x")
            wire.flush()
            time.sleep(every_s)

    return write


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 80\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Long: "],
    ids=["in the body", "in the header"],
)
def test_a_slow_drip_does_not_outlive_the_deadline(
    upstream: Any, reply: Any, context: SourceContext, first: bytes
) -> None:
    upstream.answer = [reply(raw=drip(first))]
    begun = time.monotonic()
    with pytest.raises(DeadlineError):
        get(replace(context, deadline_s=0.5), upstream.url)
    assert time.monotonic() - begun < 1.5


def test_a_silent_source_ends_at_the_deadline(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(raw=lambda wire: time.sleep(1))]
    with pytest.raises(DeadlineError):
        get(replace(context, deadline_s=0.3), upstream.url)


def test_the_deadline_also_holds_over_a_foreign_transport(context: SourceContext) -> None:
    class Slow(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(50):
                time.sleep(0.05)
                yield b"x"

    mock = httpx.MockTransport(lambda request: httpx.Response(200, stream=Slow()))
    with pytest.raises(DeadlineError):
        get(replace(context, transport=mock, deadline_s=0.2), "http://a.example/")


# --- connection ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        lambda wire: wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"),
        lambda wire: None,
        lambda wire: wire.write(b"SSH-2.0-OpenSSH\r\n\r\n"),
    ],
    ids=["truncated", "closed without a word", "another protocol"],
)
def test_a_broken_answer_is_unavailable(upstream: Any, reply: Any, context: SourceContext, raw: Any) -> None:
    upstream.answer = [reply(raw=raw)]
    with pytest.raises(UnavailableError, match="broke off"):
        get(context, upstream.url + "/list?key=secret")


@pytest.mark.parametrize("url", ["http://a:port/", "ftp://a.example/", "a.example/list", "http://:80/"])
def test_an_address_that_is_none(context: SourceContext, url: str) -> None:
    with pytest.raises(ConfigError):
        get(context, url)


# --- redirects -------------------------------------------------------------------------------------------------------


def test_redirects_on_the_same_host_are_followed(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(status=302, headers={"Location": "/there"}), reply("here")]
    assert get(context, upstream.url + "/list").body == b"here"
    assert [seen.path for seen in upstream.seen] == ["/list", "/there"]


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_keeps_the_body_repeats_the_request(
    upstream: Any, reply: Any, context: SourceContext, status: int
) -> None:
    upstream.answer = [reply(status=status, headers={"Location": "/there"}), reply()]
    client = Client(context)
    client.send(client.request("POST", upstream.url, data={"a": "1"}))
    client.close()
    assert (upstream.seen[1].method, upstream.seen[1].body) == ("POST", b"a=1")


@pytest.mark.parametrize(("body", "error"), [("[]", ConfigError), ("\n<html>", LoginPageError)], ids=["rows", "page"])
@pytest.mark.parametrize("status", [301, 302, 303])
def test_what_answers_a_request_without_its_body_is_not_taken(
    upstream: Any, reply: Any, context: SourceContext, status: int, body: str, error: type[HubError]
) -> None:
    """Without the window and the page that were asked for, a source sends its first ten rows."""
    upstream.answer = [reply(status=status, headers={"Location": "/there?key=secret"}), reply(body)]
    client = Client(context)
    with pytest.raises(error, match=r"sends us on to .*/there") as caught:
        client.send(client.request("POST", upstream.url, data={"a": "1"}))
    client.close()
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)


def test_cookies_given_on_the_way_are_sent_on(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [
        reply(status=302, headers={"Location": "/there", "Set-Cookie": "S=1; Path=/"}),
        reply(status=302, headers={"Location": "/home", "Set-Cookie": "T=2; Path=/"}),
        reply(),
    ]
    get(context, upstream.url + "/list")
    assert [seen.headers.get("cookie") for seen in upstream.seen] == [None, "S=1", "S=1; T=2"]


def test_a_redirect_elsewhere_is_refused(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(status=302, headers={"Location": "http://other.example/login?ticket=secret"})]
    with pytest.raises(RefusedError, match=r"another host, other\.example") as caught:
        get(context, upstream.url)
    assert "secret" not in str(caught.value)


def test_a_circle_of_redirects_ends(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(status=302, headers={"Location": "/again"})]
    with pytest.raises(RefusedError, match="circles"):
        get(context, upstream.url)


def test_the_same_host() -> None:
    def same(one: str, other: str) -> bool:
        return same_host(httpx.URL(one), httpx.URL(other))

    assert same("http://a/x", "http://a/y")
    assert same("http://a/x", "https://a/x")
    assert not same("https://a/x", "http://a/x")
    assert not same("http://a:81/x", "https://a/x")
    assert not same("http://a/x", "http://b/x")


# --- statuses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (204, EnvelopeError),
        (304, EnvelopeError),
        (400, FailedError),
        (401, RefusedError),
        (403, RefusedError),
        (404, FailedError),
        (408, UnavailableError),
        (429, RateLimitedError),
        (500, UnavailableError),
        (502, UnavailableError),
        (503, UnavailableError),
    ],
)
def test_statuses(upstream: Any, reply: Any, context: SourceContext, status: int, error: type[HubError]) -> None:
    upstream.answer = [reply('{"message":"Invalid signature"}', status)]
    with pytest.raises(error) as caught:
        get(context, upstream.url + "/list?sign=secret")
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)
    if status not in (204, 304):
        assert caught.value.values["said"] == "Invalid signature"


def test_declared_statuses(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(status=401)]
    with pytest.raises(TokenExpiredError):
        get(context, upstream.url, expired_on=(401,))
    upstream.answer = [reply(status=204)]
    assert get(context, upstream.url, empty_on=(204,)).body == b""


@pytest.mark.parametrize("body", ["<html>", "[]", "", '{"a":1}', '{"message":5}', '[{"description":"x"}]'])
def test_a_refusal_in_any_form_is_reported(upstream: Any, reply: Any, context: SourceContext, body: str) -> None:
    upstream.answer = [reply(body, 403)]
    with pytest.raises(RefusedError):
        get(context, upstream.url)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Fri, 20 Nov 2026 08:01:30 GMT", 90.0),
        ("Fri, 20 Nov 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("²", None),
    ],
)
def test_retry_after_is_seen_from_the_clock_of_the_source(
    upstream: Any, reply: Any, context: SourceContext, status: int, header: str, seconds: float | None
) -> None:
    upstream.answer = [reply(status=status, headers={"Retry-After": header})]
    with pytest.raises(RateLimitedError) as caught:
        get(context, upstream.url)
    assert caught.value.retry_after == seconds
    assert ("asks for a pause (" if seconds is None else f"asks for a pause of {seconds:.0f} s (") in str(caught.value)


def test_a_header_that_is_not_ascii_is_no_defect(upstream: Any, reply: Any, context: SourceContext) -> None:
    name = 'attachment; filename="工单.json"'.encode().decode("latin-1")
    upstream.answer = [reply("{}", headers={"Content-Disposition": name})]
    assert get(context, upstream.url).body == b"{}"


def test_retry_after_absent() -> None:
    assert retry_after_s(None, datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_query_is_in_no_log(upstream: Any, context: SourceContext, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        get(context, upstream.url + "/list?key=secret")
    assert "secret" not in caplog.text


@pytest.mark.parametrize("encoding", [{}, {"Content-Encoding": "gzip"}], ids=["plain", "gzip"])
def test_answers_of_respx_and_mock_transport_are_read(context: SourceContext, encoding: dict[str, str]) -> None:
    """Authors of connectors test with answers built by `content=`, which httpx has read before we get them."""
    body = gzip.compress(b'{"a": 1}') if encoding else b'{"a": 1}'
    with respx.mock(base_url="https://source.invalid") as router:
        router.get("/x").respond(200, content=body, headers=encoding)
        client = Client(replace(context, transport=httpx.MockTransport(router.handler)))
        assert client.send(client.request("GET", "https://source.invalid/x")).body == b'{"a": 1}'
        client.close()


@pytest.mark.parametrize(
    ("auth", "sent"),
    [(None, "Basic bWU6cyBl"), (Bearer("t"), "Bearer t")],
    ids=["nothing else", "a scheme of its own"],
)
def test_user_and_password_of_an_address_are_sent(
    upstream: Any, context: SourceContext, auth: httpx.Auth | None, sent: str
) -> None:
    client = Client(context, auth)
    answer = client.send(client.request("GET", upstream.url.replace("://", "://me:s%20e@") + "/list"))
    client.close()
    assert upstream.seen[0].headers["authorization"] == sent
    assert answer.url == upstream.url + "/list"


class _SignsIn(httpx.Auth):
    """As a scheme of an author does: it makes a request of its own."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield httpx.Request("POST", request.url.join("/token"))
        yield request


def test_a_request_that_signs_in_has_the_same_time_outs(context: SourceContext) -> None:
    """Without one of its own a connection that a firewall drops would take as long as the slowest answer may."""
    seen: list[dict[str, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200)

    client = Client(replace(context, deadline_s=60, transport=httpx.MockTransport(answer)), _SignsIn())
    client.send(client.request("GET", "http://a.example"))
    client.close()
    assert [(limits["connect"], limits["read"]) for limits in seen] == [(10, 60), (10, 60)]


def test_nothing_is_asked_once_it_is_closed(upstream: Any, context: SourceContext) -> None:
    """A call that was left behind comes back to it: its connection would never be closed again."""
    client = Client(context)
    request = client.request("GET", upstream.url)
    client.close()
    with pytest.raises(InterruptedByOperatorError):
        client.send(request)
    assert upstream.seen == []
