"""Systems asked over HTTP: an Endpoint says how, RestTransport does it. Only what a real system does oddly needs
code."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from urllib.parse import quote

import httpx
import msgspec

from hub import clock
from hub.errors import ConfigError, EnvelopeError, FailedError, LoginPageError, TokenExpiredError, UnreadablePageError
from hub.source.auth import Auth
from hub.source.client import Answer, Client
from hub.source.connector import SourceContext
from hub.source.document import PARSE_ERRORS, Document, leaf_reader
from hub.source.envelope import Envelope, Opened, Split
from hub.source.instants import read_instant, resolution, write_instant
from hub.source.paging import OnePage, Paging, Turned
from hub.source.rows import Known
from hub.source.stream import Page, Position, Stream, Window

__all__ = ["Carry", "Detail", "Endpoint", "RestTransport", "WindowParams"]

Carry = Literal["query", "form", "json"]
"""How parameters travel: in the URL, as a form body, or as a JSON object."""

_PLACE = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowParams:
    """The parameters that narrow a request to records changed in [since, until).

    `format`: "local" (yyyy-MM-dd HH:mm:ss), "iso" (with offset), "epoch_ms", "epoch_s" or a strftime pattern, in
    `zone`. Ends are rounded outward; for a start the source reads as exclusive, one step earlier is asked.
    `earliest` is sent when everything is wanted, for sources that otherwise answer with a part. `span` is the widest
    window a source answers: both ends are then always sent, and a wider window is read in several parts.
    """

    since: str = ""
    until: str = ""
    format: str = "local"
    zone: str = "Asia/Shanghai"
    since_inclusive: bool = True
    earliest: datetime | None = None
    span: timedelta | None = None

    def params(self, since: datetime | None, until: datetime | None) -> dict[str, str | int]:
        values: dict[str, str | int] = {}
        start = since or self.earliest
        if self.since and start is not None:
            edge = start if self.since_inclusive else start - resolution(self.format)
            values[self.since] = write_instant(edge, self.format, self.zone)
        if self.until and until is not None:
            values[self.until] = write_instant(until, self.format, self.zone, up=True)
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """The second step of a two-step stream: the full record behind one list row.

    `row_params`: parameter ← dotted path in the list row as sent. `{path}` in `path` is filled from the row as well.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    carry: Carry = "query"
    params: Mapping[str, Any] = field(default_factory=dict)
    row_params: Mapping[str, str] = field(default_factory=dict)
    envelope: Opened = field(default_factory=Envelope)
    expired_on: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How one stream is asked for. `path` is appended to the source's base URL.

    `params` are sent always, `sort` too (kept apart because keyset paging rests on it). `partition`: the parameter that
    narrows a request to one of the stream's partitions. `expired_on`: statuses that
    mean "sign in again"; `empty_on`: statuses without body that mean "no rows" (204).
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    carry: Carry = "query"
    params: Mapping[str, Any] = field(default_factory=dict)
    sort: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    window: WindowParams = field(default_factory=WindowParams)
    partition: str = ""
    paging: Paging = field(default_factory=OnePage)
    envelope: Opened = field(default_factory=Envelope)
    detail: Detail | None = None
    expired_on: tuple[int, ...] = ()
    empty_on: tuple[int, ...] = ()


@dataclass(slots=True)
class _Asked:
    """One answer opened, and how many requests it took."""

    split: Split
    answer: Answer
    requests: int


class RestTransport:
    """The transport of REST sources (hub.source.stream.Transport). Keeps nothing but the connection pool and the auth.

    A page no strict parser takes is fetched once more and then split tolerantly; an expired session or token is renewed
    once, and a page the source sent twice is asked for once more. `Page.requests` counts them all, sign-in aside.
    """

    def __init__(self, base_url: str, context: SourceContext, auth: Auth | None = None) -> None:
        self._base = base_url.rstrip("/")
        self._auth = auth or Auth()
        self._client = Client(context, self._auth)
        self._known = context.known

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        endpoint = _endpoint(stream)
        part = _Part.at(endpoint.window, window, position)
        turned, asked = self._turn(stream, endpoint, part)
        requests = asked.requests
        if endpoint.paging.repeats(part.turn, turned):
            turned, asked = self._turn(stream, endpoint, part)
            requests += asked.requests
            if endpoint.paging.repeats(part.turn, turned):
                raise EnvelopeError(
                    "the source sends the same page again and again",
                    remedy="check the paging parameters of this stream",
                )
        after = endpoint.paging.after(part.turn, turned)
        steady = after is not None or endpoint.paging.steady(part.turn, turned)
        following = part.following(after, asked.answer.clock)
        split = asked.split
        return Page(split.rows, following, asked.answer.clock, split.total, requests, split.bad, steady=steady)

    def detail(self, stream: Stream, row: bytes) -> bytes:
        detail = _endpoint(stream).detail
        if detail is None:
            raise ConfigError("stream {stream} has no detail endpoint", stream=stream.name)
        values = Document(row)
        path = _PLACE.sub(lambda place: quote(_text_at(values, place.group(1)), safe=""), detail.path)
        params = {**detail.params, **{name: _text_at(values, where) for name, where in detail.row_params.items()}}

        def build() -> httpx.Request:
            return self._request(detail.method, self._base + path, detail.carry, params, {})

        def open_(answer: Answer) -> Split:
            return Split([detail.envelope.record(answer.body)])

        try:
            return self._renewing(build, open_, detail).split.rows[0]
        except UnreadablePageError:
            return self._renewing(build, open_, detail).split.rows[0]
        except FailedError as exc:
            if exc.values.get("status") in (404, 410):
                # One record that is gone is not the stream's failure.
                raise EnvelopeError(
                    "the record's detail does not exist any more ({status})", status=exc.values["status"]
                ) from exc
            raise

    def renew(self) -> None:
        self._auth.renew()

    def close(self) -> None:
        self._client.close()

    def _turn(self, stream: Stream, endpoint: Endpoint, part: "_Part") -> tuple[Turned, _Asked]:
        ask = endpoint.paging.ask(part.turn)
        since = max((moment for moment in (part.since, ask.since) if moment), default=None)
        url = ask.url or self._base + endpoint.path
        params = (
            {}
            if ask.url
            else {
                **endpoint.params, **endpoint.sort, **endpoint.window.params(since, part.until),
                **_partition_params(endpoint, part.window), **ask.params,
            }
        )  # fmt: skip

        def build() -> httpx.Request:
            return self._request(endpoint.method, url, endpoint.carry, params, endpoint.headers)

        asked = self._open(build, endpoint, partial(self._known, stream) if stream.recalls else None)
        turned = Turned(
            asked.split,
            url,
            asked.answer.headers.get("Link", ""),
            asked.answer.clock,
            since,
            _cursor_reader(stream, endpoint.window),
        )
        return turned, asked

    def _open(self, build: Callable[[], httpx.Request], endpoint: Endpoint, known: Known | None) -> _Asked:
        """Ask, open the envelope; if the page cannot be read, ask once more and then read it tolerantly."""
        envelope = endpoint.envelope

        def strict(answer: Answer) -> Split:
            if answer.status in endpoint.empty_on and not answer.body:
                return Split([])
            # Not of a subclass, which may do more to its rows than split them.
            if known is not None and envelope.__class__ is Envelope:
                return envelope.split_known(answer.body, known)
            return envelope.split(answer.body)

        def tolerant(answer: Answer) -> Split:
            try:
                return strict(answer)
            except UnreadablePageError:
                return envelope.scan(answer.body)

        try:
            return self._renewing(build, strict, endpoint)
        except UnreadablePageError:
            asked = self._renewing(build, tolerant, endpoint)
            asked.requests += 1
            return asked

    def _renewing(
        self, build: Callable[[], httpx.Request], open_: Callable[[Answer], Split], endpoint: Endpoint | Detail
    ) -> _Asked:
        """Send and open. If the source wants a fresh token, or shows its login page where signing in helps: renew,
        once more."""
        expired_on = (*endpoint.expired_on, *self._auth.expired_on)
        empty_on = endpoint.empty_on if isinstance(endpoint, Endpoint) else ()
        requests = 0
        while True:
            requests += 1
            try:
                answer = self._client.send(build(), expired_on=expired_on, empty_on=empty_on)
                return _Asked(open_(answer), answer, requests)
            except (TokenExpiredError, LoginPageError):
                self._auth.renew()
                if requests == 2 or not self._auth.renewable:
                    raise

    def _request(
        self, method: str, url: str, carry: Carry, params: Mapping[str, Any], headers: Mapping[str, str]
    ) -> httpx.Request:
        parts: dict[str, Any] = {"headers": dict(headers)}
        if carry == "query":
            if params:
                parts["params"] = dict(params)
        elif carry == "form":
            parts["data"] = {name: str(value) for name, value in params.items()}
        else:
            parts["content"] = msgspec.json.encode(dict(params))
            parts["headers"]["Content-Type"] = "application/json; charset=UTF-8"
        return self._client.request(method, url, **parts)


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of the window a position stands in, and the position of the paging inside it.

    A position is {"turn": paging's own, "from": start of the part} (the latter only where the source limits the span).
    """

    params: WindowParams
    window: Window
    since: datetime | None
    until: datetime | None
    turn: Position

    @classmethod
    def at(cls, params: WindowParams, window: Window, position: Position | None) -> "_Part":
        turn = (position or {}).get("turn", {})
        if params.span is None:
            return cls(params, window, window.since, window.until, turn)
        start = (
            datetime.fromisoformat(position["from"])
            if position and "from" in position
            else window.since or params.earliest
        )
        if start is None:
            raise ConfigError(
                "this stream cannot be read from the beginning of time",
                remedy="set start in hub.toml, or backfill it in parts",
            )
        end = start + params.span
        return cls(params, window, start, end if window.until is None else min(end, window.until), turn)

    def following(self, turn: Position | None, source_clock: datetime | None) -> Position | None:
        """The next position: inside this part, or the beginning of the next part, or None."""
        start = {"from": self.since.isoformat()} if self.params.span and self.since else {}
        if turn is not None:
            return {"turn": turn, **start}
        if self.params.span is None or self.until is None:
            return None
        ends = self.window.until or source_clock or clock.now()
        return {"from": self.until.astimezone(UTC).isoformat()} if self.until < ends else None


def _endpoint(stream: Stream) -> Endpoint:
    if not isinstance(stream.endpoint, Endpoint):
        raise ConfigError(
            "stream {stream} has no endpoint", stream=stream.name, remedy="give it an hub.source.Endpoint"
        )
    return stream.endpoint


def _partition_params(endpoint: Endpoint, window: Window) -> dict[str, str]:
    if window.partition and not endpoint.partition:
        raise ConfigError(
            "a partition was asked for, but the endpoint names no parameter for it",
            remedy="give the stream's Endpoint a partition",
        )
    return {endpoint.partition: window.partition} if window.partition else {}


def _text_at(row: Document, path: str) -> str:
    value = row.value(path)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise EnvelopeError("the list row has no {path} to ask the detail with", path=path)
    return str(value)


def _cursor_reader(stream: Stream, params: WindowParams) -> Callable[[bytes], datetime | None]:
    """Reads a row's cursor, rounded down to what the window parameters can tell: rows closer than that share one
    time."""
    cursor = stream.cursor
    if cursor is None:
        return lambda row: None
    step, leaf = resolution(params.format), leaf_reader(cursor.path)

    def read(row: bytes) -> datetime | None:
        try:
            flat = stream.reshape(row) if stream.reshape else row
            moment = read_instant(leaf(flat), cursor.format, cursor.zone)
        except (*PARSE_ERRORS, ValueError, UnreadablePageError):
            return None
        if moment is None:
            return None
        return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % step

    return read
