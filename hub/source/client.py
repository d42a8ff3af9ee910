"""One request to a source: budget, deadline, byte limit, sign-in, redirects on the same host, and errors in the hub's
words."""

import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import msgspec

from hub import clock
from hub.errors import (
    ConfigError,
    DeadlineError,
    EnvelopeError,
    FailedError,
    InterruptedByOperatorError,
    LoginPageError,
    RateLimitedError,
    RefusedError,
    TokenExpiredError,
    UnavailableError,
)
from hub.source.connector import SourceContext
from hub.source.deadline import deadline, deadline_transport, remaining
from hub.source.document import PARSE_ERRORS
from hub.source.foreign import translated
from hub.source.instants import http_date
from hub.source.said import quiet, quiet_code

__all__ = ["Answer", "Client", "answer_of", "judge", "retry_after_s", "same_host"]

# httpx's INFO line prints the full URL, query string and all.
logging.getLogger("httpx").setLevel(logging.WARNING)

#: No zstd or brotli: only zlib lets us stop in the middle of a bomb.
_HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "User-Agent": "supervision-hub",
}
_MAX_REDIRECTS = 5
_PORTS = {"https": 443, "socks5": 1080, "socks5h": 1080}
#: How each member of a gzip file begins.
_GZIP = b"\x1f\x8b"
_SAID = ("message", "msg", "errorMsg", "error_description", "description", "des", "error")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `clock` is its Date header (UTC), the source's own clock. `url` has no query."""

    body: bytes
    status: int
    clock: datetime | None
    headers: httpx.Headers
    url: str


class Client:
    """Sends requests of one source. Safe for the threads of several streams: it keeps nothing but connections and the cookies
    that the source gives.

    `auth` is an httpx.Auth; the token requests it yields go the same way as any other: budget, deadline, limits.
    """

    def __init__(self, context: SourceContext, auth: httpx.Auth | None = None) -> None:
        self._context = context
        self._auth = auth or httpx.Auth()
        # The transport itself: redirects, sign-in and cookies are ours to handle, so httpx.Client would only cost time.
        self._transport = context.transport or deadline_transport(context.http)
        self._timeout = httpx.Timeout(context.deadline_s, connect=min(10.0, context.deadline_s)).as_dict()
        self._cookies = httpx.Cookies()
        self._closed = False

    def close(self) -> None:
        self._closed = True
        self._transport.close()

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, **parts: Any
    ) -> httpx.Request:
        """Build a request; `parts` as in httpx (params, data, json, content)."""
        own = headers or {}
        given = {name.lower() for name in own}
        merged = {**{name: value for name, value in _HEADERS.items() if name.lower() not in given}, **own}
        try:
            request = httpx.Request(method, url, headers=merged, **parts)
        except httpx.InvalidURL as exc:
            raise translated(exc, url.partition("?")[0]) from exc
        if self._cookies:
            self._cookies.set_cookie_header(request)
        return request

    def send(
        self, request: httpx.Request, *, expired_on: tuple[int, ...] = (), empty_on: tuple[int, ...] = ()
    ) -> Answer:
        """The answer with a status of 200 to 203, or one of `empty_on`.

        `expired_on`: statuses that mean "sign in again". Raises RefusedError, TokenExpiredError, RateLimitedError,
        UnavailableError, DeadlineError, EnvelopeError or FailedError otherwise.
        """
        flow = self._auth.sync_auth_flow(request)
        try:
            response = self._follow(next(flow))
            while True:
                try:
                    following = flow.send(response)
                except StopIteration:
                    break
                response = self._follow(following)
        finally:
            flow.close()
        answer = answer_of(response)
        judge(answer, expired_on=expired_on, empty_on=empty_on)
        _check_asked_whole(response)
        return answer

    def _follow(self, request: httpx.Request) -> httpx.Response:
        """Follow redirects that stay on the host, with the cookies they give; they are the answer's `history`."""
        cookies, own = httpx.Cookies(), "Cookie" in request.headers
        history: list[httpx.Response] = []
        for _ in range(_MAX_REDIRECTS):
            response = self._exchange(request)
            if not response.has_redirect_location:
                response.history = history
                return response
            cookies.extract_cookies(response)
            history.append(response)
            target = request.url.join(response.headers["Location"])
            if not same_host(request.url, target):
                raise RefusedError(
                    "{url} sends us on to another host, {host}",
                    url=_plain(request.url),
                    host=target.host,
                    remedy="set base_url to the address the source has now, if its owner confirms it",
                )
            request = _redirected(request, response.status_code, target)
            if not own:
                request.headers.pop("Cookie", None)
                cookies.set_cookie_header(request)
        raise RefusedError("{url} sends us in circles", url=_plain(request.url))

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        """One request on the wire, the whole body read."""
        if self._closed:
            # A call that was left behind comes back to it: the transport would open connections that nobody closes.
            raise InterruptedByOperatorError("nobody waits for this page any more")
        self._context.acquire(request.url.host)
        url = _plain(request.url)
        # Here, because a scheme of sign-in makes requests of its own.
        request.extensions.setdefault("timeout", self._timeout)
        if request.url.userinfo and "Authorization" not in request.headers:
            next(httpx.BasicAuth(request.url.username, request.url.password).auth_flow(request))
        try:
            if not request.url.host:
                raise httpx.UnsupportedProtocol("an address without a host", request=request)
            with deadline(self._context.deadline_s):
                response = self._transport.handle_request(request)
                response.request = request
                try:
                    body = self._body(response, url)
                finally:
                    response.close()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as exc:
            raise translated(exc, url, self._peer(request.url)) from exc
        if "Set-Cookie" in response.headers:
            self._cookies.extract_cookies(response)
        headers = [
            (name, value)
            for name, value in response.headers.raw
            if name.lower() not in (b"content-encoding", b"content-length")
        ]
        return httpx.Response(response.status_code, headers=headers, content=body, request=request)

    def _peer(self, url: httpx.URL) -> str:
        """Host and port that the connection goes to."""
        to = httpx.URL(self._context.http.get("proxy") or url)
        return to.netloc.decode() if to.port else f"{to.netloc.decode()}:{_PORTS.get(to.scheme, 80)}"

    def _body(self, response: httpx.Response, url: str) -> bytes:
        limit = self._context.max_bytes
        parts, size = [], 0
        for part in _decoded(response, limit, url):
            size += len(part)
            if size > limit:
                raise FailedError(
                    "the answer of {url} is larger than {limit} bytes",
                    url=url,
                    limit=limit,
                    remedy="ask for smaller pages",
                )
            if remaining() <= 0:
                raise DeadlineError(
                    "{url} did not finish its answer in time",
                    url=url,
                    remedy="the source is slow; it is asked again later",
                )
            parts.append(part)
        return b"".join(parts)


def judge(answer: Answer, *, expired_on: tuple[int, ...] = (), empty_on: tuple[int, ...] = ()) -> None:
    """Raise what the status means. Only 200 to 203 are answers, unless the stream declares more."""
    status = answer.status
    if 200 <= status <= 203 or status in empty_on:
        return
    values: dict[str, Any] = {"status": status, "url": answer.url, "said": _said(answer.body) or "-"}
    if status in expired_on:
        raise TokenExpiredError("{url} wants a fresh token ({status}: {said})", **values)
    if status in (401, 403, 407):
        raise RefusedError(
            "{url} refuses ({status}: {said})", remedy="check the key and what the source's owner granted", **values
        )
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        wait = retry_after_s(answer.headers.get("Retry-After"), answer.clock or clock.now())
        if wait is None:
            raise RateLimitedError("{url} asks for a pause ({status}: {said})", **values)
        raise RateLimitedError(
            "{url} asks for a pause of {seconds} s ({status}: {said})", retry_after=wait, seconds=f"{wait:.0f}", **values
        )  # fmt: skip
    if status == 408 or status >= 500:
        raise UnavailableError("{url} has trouble ({status}: {said})", remedy="it is asked again later", **values)
    if status == 404:
        raise FailedError(
            "{url} does not exist there (404: {said})", remedy="check the path of this stream in hub.toml", **values
        )
    if status in (204, 205, 304):
        raise EnvelopeError("{url} answered {status} without a body, which this stream does not declare", **values)
    raise FailedError(
        "{url} does not accept the request ({status}: {said})", remedy="check the settings of this stream", **values
    )


def same_host(one: httpx.URL, other: httpx.URL) -> bool:
    """Scheme, host and port alike; plain http going on as https on the same host is let through."""
    upgraded = one.scheme == "http" and other.scheme == "https" and one.port is None and other.port is None
    return one.host == other.host and (upgraded or (one.scheme, one.port) == (other.scheme, other.port))


def retry_after_s(text: str | None, now: datetime) -> float | None:
    """Seconds a Retry-After header asks for: a number of seconds or an HTTP date seen from `now`; None if it says
    nothing."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    moment = http_date(text)
    return max(0.0, (moment - now).total_seconds()) if moment else None


def _decoded(response: httpx.Response, limit: int, url: str) -> Iterator[bytes]:
    """The body's parts, decompressed in pieces of at most `limit` bytes, so that a bomb never unfolds in memory."""
    if response.is_stream_consumed:
        # Made with `content=`, as httpx.MockTransport and respx do: httpx has read and decoded it already.
        yield response.content
        return
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        yield from response.iter_raw()
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise EnvelopeError(
            "{url} compresses with {encoding}, which was not offered", url=url, encoding=quiet_code(encoding, 20)
        )
    wbits = zlib.MAX_WBITS | 32 if encoding != "deflate" else zlib.MAX_WBITS
    unpack = zlib.decompressobj(wbits=wbits)
    try:
        for raw in response.iter_raw():
            left = raw
            while left:
                part = unpack.decompress(left, limit + 1)
                if part:
                    yield part
                left = b""
                # RFC 1952 §2.2: a gzip file is one member or several. Anything else behind it is padding.
                if unpack.unused_data.startswith(_GZIP):
                    left, unpack = unpack.unused_data, zlib.decompressobj(wbits=wbits)
                elif len(unpack.unused_data) >= len(_GZIP):
                    return
    except zlib.error as exc:
        raise EnvelopeError("the compressed answer of {url} is damaged", url=url) from exc
    if not unpack.eof:
        raise UnavailableError("the compressed answer of {url} is cut off", url=url, remedy="it is asked again later")


def _redirected(request: httpx.Request, status: int, target: httpx.URL) -> httpx.Request:
    """307 and 308 repeat the request; the others go on with GET (RFC 9110 §15.4)."""
    headers = {
        name: value for name, value in request.headers.items() if name not in ("host", "content-length", "content-type")
    }
    if status in (307, 308):
        if "content-type" in request.headers:
            headers["content-type"] = request.headers["content-type"]
        return httpx.Request(
            request.method, target, headers=headers, content=request.read(), extensions=request.extensions
        )
    return httpx.Request("GET", target, headers=headers, extensions=request.extensions)


def _check_asked_whole(response: httpx.Response) -> None:
    """Raise if a redirect took the body off the request, and with it the window and the page: what came answers another
    question. Sign-in asks nothing, and is not looked at."""
    asked = response.history[0].request if response.history else response.request
    if not asked.read() or response.request.read():
        return
    values = {"url": _plain(asked.url), "target": _plain(response.request.url)}
    if response.content[:256].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise LoginPageError(
            "{url} sends us on to a page, {target}",
            remedy="most likely the session or key is not valid any more; check the source's credentials",
            **values,
        )
    raise ConfigError(
        "{url} sends us on to {target} without what we ask for",
        remedy="set base_url, or the path of this stream, to the address the source has now",
        **values,
    )


def answer_of(response: httpx.Response) -> Answer:
    """A response that was read whole."""
    return Answer(
        response.content,
        response.status_code,
        http_date(response.headers.get("Date")),
        response.headers,
        _plain(response.request.url),
    )


def _plain(url: httpx.URL) -> str:
    """The address without query, fragment and user: they may hold keys."""
    return f"{url.scheme}://{url.netloc.decode()}{url.raw_path.partition(b'?')[0].decode()}"


def _said(body: bytes) -> str:
    """The message of a refusing answer if it is JSON and has one."""
    try:
        value = msgspec.json.decode(body[:20_000])
    except PARSE_ERRORS:
        return ""
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, dict):
        return ""
    return next((quiet(value[key]) for key in _SAID if isinstance(value.get(key), str) and value[key]), "")
