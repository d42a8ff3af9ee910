"""The two Zhejiang gateways (domain.md §1, §2): key exchange with MD5 signs, and HMAC per call."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal
from urllib.parse import urlencode

import httpx

from hub import clock
from hub.errors import EnvelopeError, RefusedError
from hub.source.auth import Auth, Flow, Secret, TokenAuth, clear, token_document
from hub.source.client import Answer, answer_of
from hub.source.connector import Token, TokenStore
from hub.source.envelope import Check, ErrorKind
from hub.source.instants import http_date
from hub.source.signers import bg_hmac, sorted_query, zj_md5

__all__ = ["GATEWAY_CHECK", "GATEWAY_CODES", "BgHmac", "GatewayMd5"]

GATEWAY_CODES: dict[str, ErrorKind] = {
    "11": "expired",
    "14": "expired",
    "18": "quota",
    "96": "failed",
    "97": "misconfigured",
    "98": "misconfigured",
    "99": "unavailable",
}
"""Result codes of the gateway (domain.md §1.4)."""

GATEWAY_CHECK = Check("code", ("00",), GATEWAY_CODES)
"""The outer check of every business answer."""

#: At the exchange itself a wrong sign is no matter of age: the app secret is wrong.
_EXCHANGE_CHECK = Check("code", ("00",), {**GATEWAY_CODES, "11": "refused", "14": "refused"})


class GatewayMd5(TokenAuth):
    """Key exchange A/B, signed business calls C (domain.md §1.1–1.2).

    A signs with the app secret, B with the refresh secret while it lives, C with the request secret. The three values
    travel as "params" (query, or form of a form request) or as "headers". New secrets replace the old ones at once,
    so they are shared through the token store. Life is measured from the answer's Date header, not from our clock.
    """

    def __init__(
        self,
        base_url: str,
        app_key: str,
        app_secret: Secret,
        tokens: TokenStore,
        *,
        carry: Literal["params", "headers"] = "params",
        by_key: str = "/gateway/app/refreshTokenByKey.htm",
        by_secret: str = "/gateway/app/refreshTokenBySec.htm",
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        super().__init__(f"{httpx.URL(base_url).netloc.decode()}/{app_key}", (app_secret,), tokens, now)
        self._app_key, self._app_secret, self._carry = app_key, clear(app_secret), carry
        self._by_key, self._by_secret = base_url.rstrip("/") + by_key, base_url.rstrip("/") + by_secret

    def fetch_token(self, old: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        if old is not None and int(old.values["refresh_end"]) > self._now().timestamp() + 60:
            try:
                return (yield from self._exchange(self._by_secret, old.values["refreshSecret"]))
            except RefusedError:
                pass  # another client took the refresh secret's place: begin again with the app secret
        return (yield from self._exchange(self._by_key, self._app_secret))

    def apply(self, request: httpx.Request, token: Token) -> httpx.Request:
        values = self._values(token.values["requestSecret"])
        if self._carry == "headers":
            request.headers.update(values)
            return request
        if "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
            request.url = request.url.copy_merge_params(values)
            return request
        body = request.read()
        headers = {name: value for name, value in request.headers.items() if name not in ("content-length", "host")}
        content = body + (b"&" if body else b"") + urlencode(values).encode()
        return httpx.Request(
            request.method, request.url, headers=headers, content=content, extensions=request.extensions
        )

    def _values(self, secret: str) -> dict[str, str]:
        request_time = str(int(self._now().timestamp() * 1000))
        return {
            "appKey": self._app_key,
            "sign": zj_md5(self._app_key, secret, request_time),
            "requestTime": request_time,
        }

    def _exchange(self, url: str, secret: str) -> Generator[httpx.Request, httpx.Response, Token]:
        response = yield httpx.Request("POST", url, data=self._values(secret))
        document = token_document(response, (_EXCHANGE_CHECK,))
        values = {name: document.value(f"datas.{name}") for name in ("refreshSecret", "requestSecret")}
        ends = [document.value(f"datas.{name}EndTime") for name in ("refreshSecret", "requestSecret")]
        if not all(isinstance(value, str) and value for value in values.values()) or not all(
            str(end).isdigit() for end in ends
        ):
            raise EnvelopeError("the gateway's key exchange gave no secrets at {path}", path="datas")
        source_clock = http_date(response.headers.get("Date")) or self._now()
        refresh, request = (self._in(int(end) / 1000 - source_clock.timestamp()) for end in ends)
        return Token({**values, "refresh_end": str(int(refresh.timestamp()))}, request)


class BgHmac(Auth):
    """IRS gateway (domain.md §2): every call is signed with its own time; tolerance 90 s. The body is not signed.

    The gateway's four refusals (401) become a RefusedError that says what to put right.
    """

    def __init__(self, access_key: str, secret_key: Secret, *, now: Callable[[], datetime] = clock.now) -> None:
        self._access_key, self._secret_key, self._now = access_key, clear(secret_key), now

    def auth_flow(self, request: httpx.Request) -> Flow:
        date = format_datetime(self._now().astimezone(UTC), usegmt=True)
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        request.headers["X-BG-HMAC-ACCESS-KEY"] = self._access_key
        request.headers["X-BG-HMAC-ALGORITHM"] = "hmac-sha256"
        request.headers["X-BG-DATE-TIME"] = date
        request.headers["X-BG-HMAC-SIGNATURE"] = bg_hmac(
            self._secret_key, request.method, path, sorted_query(query), self._access_key, date
        )
        response = yield request
        if response.status_code == 401:
            self._explain(answer_of(response), path)

    def _explain(self, answer: Answer, path: str) -> None:
        """Raise for a refusal whose reason is known; any other 401 is judged like everybody's."""
        said = answer.body.decode("utf-8", "replace")
        if "Clock skew exceeded" in said:
            away = abs((self._now() - answer.clock).total_seconds()) if answer.clock else None
            raise RefusedError(
                "the gateway refuses the time of our call: this machine's clock is {seconds} s away from the gateway's",
                seconds="?" if away is None else round(away),
                remedy="set this machine's clock (NTP); the gateway tolerates 90 s",
            )
        if "Invalid access key" in said:
            raise RefusedError("the gateway does not know the access key", remedy="check access_key")
        if "Invalid signature" in said:
            raise RefusedError(
                "the gateway does not accept our signature",
                remedy="check that secret_key belongs to access_key, and that no proxy rewrites path or query",
            )
        if "route_id is forbidden" in said:
            raise RefusedError(
                "the gateway does not let this access key take the route {path}",
                path=path,
                remedy="check path, and ask the gateway's owner to grant the route to this key",
            )
