"""A REST system in memory that speaks as the streams declare: windows, paging, envelopes and sign-in, with faults.

It knows nothing of the real system: that a declaration is true shows only `hub check` against the source. What it
shows is that the hub's promises hold over this connector, whatever goes wrong on the way.
"""

import threading
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import httpx
import msgspec

from hub.source.auth import Auth, OAuth2ClientCredentials, SessionCookie, TokenAuth, TokenLogin
from hub.source.envelope import Check, Envelope
from hub.source.gateways import GatewayMd5
from hub.source.instants import read_instant
from hub.source.keyset import Keyset
from hub.source.paging import CursorToken, NextLink, Offset, PageNumber
from hub.source.rest import Endpoint
from hub.source.signers import zj_md5
from hub.source.xml import XmlEnvelope
from hub.testing.sandbox.faults import LOGIN_PAGE, Fault, Faults, instead
from hub.testing.upstream import Refusal, Worlds
from hub.testing.world import Kept, World, encoded, put_path

__all__ = ["SimulatedApi"]

_YEAR_S = 365 * 86400
#: What counts as a page of a source that sends everything at once, and the most rows a test needs to fill one.
_FEW, _MOST = 10, 200


class SimulatedApi(httpx.BaseTransport):
    """Answers the requests of one source. `worlds`: its streams; `auth`: how its transport signs in, if it does."""

    refusals: tuple[Refusal, ...] = (
        *(Refusal("http_status", {"status": status}) for status in (401, 403, 404)),
        *(Refusal(name) for name in ("login_page", "empty_body", "error_envelope")),
    )
    tells_time = True

    def __init__(self, worlds: Worlds, auth: Auth | None) -> None:
        self.worlds = dict(worlds)
        self.auth = auth or Auth()
        self.page_rows = max(
            min(getattr(world.stream.endpoint.paging, "per_page", _FEW), _MOST) for world in worlds.values()
        )
        self._faults = Faults()
        self._session = 0
        self._lock = threading.Lock()

    @property
    def now(self) -> datetime:
        return next(iter(self.worlds.values())).now

    def write(self) -> None:
        """What is asked for next is answered from the worlds as they are."""

    def late(self) -> None:
        """A list has no order of its own that could show what came late."""

    def shift(self) -> None:
        for world in self.worlds.values():
            world.touch(world.living[0], self.now)

    def fault(self, name: str, **options: Any) -> None:
        """A fault of the sandbox (`FAULTS`) that has to do with HTTP."""
        if name == "expired_token":
            self._session += 1
            return
        common = {key: options.pop(key) for key in ("times", "skip", "on") if key in options}
        self._faults.add(Fault(name, **common, options=options))

    def clear(self) -> None:
        self._faults.clear()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self._lock:
            world = self._asked(request)
            fault = self._faults.take(credentials=world is None)
            response = self._sign_in(request) if world is None else self._data(request, world, fault)
            if fault is not None and (given := instead(fault, int(self.now.timestamp()))) is not None:
                if given.reset:
                    raise httpx.RemoteProtocolError("the connection was closed")
                response = httpx.Response(given.status, content=given.body, headers=given.headers)
        if fault is not None and fault.name == "truncated":
            raise httpx.RemoteProtocolError("the answer broke off")
        response.headers["Date"] = format_datetime(self.now, usegmt=True)
        # A response made of content counts as read; the client wants to read it itself.
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(response.content))

    # --- which stream, and may they -----------------------------------------------------------------------------------

    def _asked(self, request: httpx.Request) -> World | None:
        path, params = request.url.path, _params(request)
        found = [
            (len(endpoint.params), world)
            for world in self.worlds.values()
            for endpoint in [world.stream.endpoint]
            if (path.endswith(endpoint.path) or (endpoint.detail and _fits(endpoint.detail.path, path)))
            and all(params.get(name, str(value)) == str(value) for name, value in endpoint.params.items())
        ]
        return max(found, key=lambda one: one[0])[1] if found else None

    def _sign_in(self, request: httpx.Request) -> httpx.Response:
        self._session += 1
        auth = self.auth
        if isinstance(auth, OAuth2ClientCredentials):
            return _json({"access_token": self._token, "expires_in": 3600})
        if isinstance(auth, GatewayMd5):
            end = str(int((self.now.timestamp() + _YEAR_S) * 1000))
            names = ("refreshSecret", "requestSecret")
            secrets = dict.fromkeys(names, self._token) | {f"{name}EndTime": end for name in names}
            return _json({"code": "00", "msg": "ok", "datas": secrets})
        if isinstance(auth, SessionCookie):
            cookie = f"{auth._name or 'SID'}={self._token}; Path=/"
            return httpx.Response(200, json=_checked({}, auth._envelope.checks), headers={"Set-Cookie": cookie})
        if isinstance(auth, TokenLogin):
            body = _checked({}, auth._envelope.checks)
            put_path(body, auth._path, self._token)
            if auth._life:
                put_path(body, auth._life, 3600)
            return _json(body)
        return httpx.Response(404, text="no such path")

    @property
    def _token(self) -> str:
        return f"session-{self._session}-of-the-simulation"

    def _stale(self, request: httpx.Request) -> bool:
        """Whether the request was signed with a token that is not the latest."""
        if not isinstance(self.auth, TokenAuth):
            return False
        if isinstance(self.auth, GatewayMd5):
            values = {**dict(request.headers), **_params(request)}
            values = {name.lower(): value for name, value in values.items()}
            sign = zj_md5(values.get("appkey", ""), self._token, values.get("requesttime", ""))
            return values.get("sign") != sign
        told = str(request.url) + str(request.headers.raw) + request.content.decode("utf-8", "replace")
        return self._token not in told

    # --- data ---------------------------------------------------------------------------------------------------------

    def _data(self, request: httpx.Request, world: World, fault: Fault | None) -> httpx.Response:
        endpoint: Endpoint = world.stream.endpoint
        if self._stale(request):
            return self._expired(endpoint)
        if fault is not None and fault.name == "error_envelope":
            return _refusal(endpoint.envelope)
        params = _params(request)
        detail = endpoint.detail
        if detail is not None and not (request.url.path.endswith(endpoint.path) and _listing(params, endpoint)):
            return self._detail(world, request, params)
        return self._page(world, endpoint, request, params, fault)

    def _expired(self, endpoint: Endpoint) -> httpx.Response:
        statuses = (*endpoint.expired_on, *self.auth.expired_on)
        if statuses:
            return httpx.Response(statuses[0], json={"message": "token expired"})
        checks = endpoint.envelope.checks if isinstance(endpoint.envelope, Envelope) else ()
        for check in checks:
            for code, kind in check.errors.items():
                if kind == "expired":
                    return _json(_checked({}, (Check(check.path, (_like(check, code),)),)))
        return httpx.Response(200, text=LOGIN_PAGE, headers={"Content-Type": "text/html"})

    def _detail(self, world: World, request: httpx.Request, params: dict[str, str]) -> httpx.Response:
        detail = world.stream.endpoint.detail
        told = [request.url.path, *(params.get(name, "") for name in detail.row_params)]
        for one in world.living:
            if any(str(part) == text or text.endswith(f"/{part}") for part in one.native for text in told):
                return _json(_wrapped(detail.envelope, [encoded(one)], None, one_record=True))
        return httpx.Response(404, json={"message": "not found"})

    def _page(
        self, world: World, endpoint: Endpoint, request: httpx.Request, params: dict[str, str], fault: Fault | None
    ) -> httpx.Response:
        paging = endpoint.paging
        size = int(params.get(getattr(paging, "size", "") or getattr(paging, "limit", "-"), _size(paging)))
        offset = _offset(paging, params, size)
        found = self._window(world, endpoint, params)
        if not isinstance(paging, Keyset) and not endpoint.sort:
            # A source that does not sort by its cursor shows the newest first, as most web lists do.
            found.reverse()
        if fault is not None and fault.name == "duplicate_page" and offset >= size:
            offset -= size
        shown = found[offset : offset + size]
        more = offset + size < len(found)
        body = _wrapped(endpoint.envelope, [encoded(one) for one in shown], len(found))
        headers = {}
        if isinstance(paging, CursorToken):
            put_path(body, paging.path, str(offset + size) if more else None)
        if isinstance(paging, NextLink):
            link = str(request.url.copy_set_param("_offset", offset + size)) if more else None
            if paging.path:
                put_path(body, paging.path, link)
            elif link:
                headers["Link"] = f'<{link}>; rel="next"'
        if isinstance(endpoint.envelope, XmlEnvelope):
            return httpx.Response(200, text=_xml(endpoint.envelope, shown), headers=headers)
        return httpx.Response(200, json=body, headers=headers)

    def _window(self, world: World, endpoint: Endpoint, params: dict[str, str]) -> list[Kept]:
        window = endpoint.window
        since, until = (
            read_instant(params[name], window.format, window.zone) if name and name in params else None
            for name in (window.since, window.until)
        )
        inclusive = window.since_inclusive
        found = world.living
        if since is not None:
            found = [one for one in found if one.at > since or (inclusive and one.at == since)]
        return found if until is None else [one for one in found if one.at <= until]


def _params(request: httpx.Request) -> dict[str, str]:
    params = dict(request.url.params)
    kind = request.headers.get("content-type", "")
    if "json" in kind and request.content:
        body = msgspec.json.decode(request.content)
        params |= {name: value if isinstance(value, str) else str(value) for name, value in body.items()}
    elif "form" in kind:
        params |= dict(parse_qsl(request.content.decode("utf-8", "replace"), keep_blank_values=True))
    return params


def _fits(pattern: str, path: str) -> bool:
    """Whether a detail path with places could have made this path."""
    return path.rpartition("/")[0].endswith(pattern.rpartition("/")[0]) if "{" in pattern else path.endswith(pattern)


def _listing(params: dict[str, str], endpoint: Endpoint) -> bool:
    return all(params.get(name) == str(value) for name, value in endpoint.params.items())


def _size(paging: object) -> int:
    return int(getattr(paging, "per_page", 10_000))


def _offset(paging: object, params: dict[str, str], size: int) -> int:
    if isinstance(paging, PageNumber | Keyset):
        return (int(params.get(paging.page, paging.first)) - paging.first) * size
    if isinstance(paging, Offset):
        return int(params.get(paging.offset, 0))
    if isinstance(paging, CursorToken):
        return int(params.get(paging.param, 0))
    return int(params.get("_offset", 0))


def _json(body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def _wrapped(envelope: Any, rows: list[bytes], total: int | None, *, one_record: bool = False) -> Any:
    if not isinstance(envelope, Envelope):
        return {}
    values: Any = [msgspec.json.decode(row) for row in rows]
    values = values[0] if one_record else values
    if not envelope.rows:
        return values if not envelope.checks or not isinstance(values, dict) else _checked(values, envelope.checks)
    body: dict[str, Any] = {}
    put_path(body, envelope.rows, values)
    if envelope.total and total is not None:
        put_path(body, envelope.total, total)
    return _checked(body, envelope.checks)


def _checked(body: dict[str, Any], checks: tuple[Check, ...]) -> dict[str, Any]:
    for check in checks:
        put_path(body, check.path, check.ok[0])
    return body


def _refusal(envelope: Any) -> httpx.Response:
    """The envelope's own way to say that it failed, or (without checks) an object where rows should be."""
    if isinstance(envelope, XmlEnvelope):
        root, code, said = envelope.error_root, envelope.code, envelope.message
        return httpx.Response(200, text=f"<{root}><error><{code}>500</{code}><{said}>down</{said}></error></{root}>")
    if envelope.error_row is not None:
        return _json([{envelope.error_row[0]: "500", envelope.error_row[1]: "down"}])
    body: dict[str, Any] = {}
    for check in envelope.checks:
        bad = next((code for code, kind in check.errors.items() if kind in ("unavailable", "failed")), "-77")
        put_path(body, check.path, _like(check, bad))
    return _json(body or {"message": "down"})


def _like(check: Check, code: str) -> Any:
    """A code in the type the check expects, and never one that it lets pass."""
    value: Any = code
    if isinstance(check.ok[0], bool):
        value = not check.ok[0]
    elif isinstance(check.ok[0], int):
        value = int(code) if code.lstrip("-").isdigit() else -77
    return value


def _xml(envelope: XmlEnvelope, shown: list[Kept]) -> str:
    rows = "".join(
        f"<{envelope.row}>{''.join(f'<{key}>{escape(str(value))}</{key}>' for key, value in one.record.items())}"
        f"</{envelope.row}>"
        for one in shown
    )
    return f"<?xml version='1.0' encoding='utf-8'?><{envelope.root}>{rows}</{envelope.root}>"
