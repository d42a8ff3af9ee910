"""Ways to sign in, as generators of requests without I/O of their own: httpx's auth flow, driven by our client.

Token requests are yielded like any other, so that client, deadline, budget and sandbox see them. The clock is an
argument.
"""

import base64
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Literal

import httpx
from pydantic import SecretStr

from hub import clock
from hub.config.redact import redactor
from hub.errors import EnvelopeError, RefusedError
from hub.source.client import answer_of, judge
from hub.source.connector import Token, TokenStore
from hub.source.document import Document, utf8_body
from hub.source.envelope import Check, Envelope

__all__ = [
    "ApiKey",
    "Auth",
    "Basic",
    "Bearer",
    "Flow",
    "OAuth2ClientCredentials",
    "SessionCookie",
    "TokenAuth",
    "TokenLogin",
    "clear",
    "token_document",
]

Flow = Generator[httpx.Request, httpx.Response, None]
Secret = SecretStr | str


class Auth(httpx.Auth):
    """No sign-in. `renewable`: signing in again can help. `expired_on`: HTTP statuses that ask for it."""

    renewable: ClassVar[bool] = False
    expired_on: tuple[int, ...] = ()

    def renew(self) -> None:
        """Forget the token this thread used last, because the source said that it expired."""


class ApiKey(Auth):
    """A key in a header or a query parameter. `prefix` stands before it ("Token ")."""

    def __init__(
        self, name: str, key: Secret, *, place: Literal["header", "query"] = "header", prefix: str = ""
    ) -> None:
        self._name, self._value, self._place = name, prefix + clear(key), place

    def auth_flow(self, request: httpx.Request) -> Flow:
        yield _carrying(request, self._place, self._name, self._value)


class Basic(Auth):
    """User name and password in each request (RFC 7617, UTF-8)."""

    def __init__(self, username: str, password: Secret) -> None:
        self._value = "Basic " + base64.b64encode(f"{username}:{clear(password)}".encode()).decode()

    def auth_flow(self, request: httpx.Request) -> Flow:
        request.headers["Authorization"] = self._value
        yield request


class Bearer(ApiKey):
    """A fixed token in the Authorization header."""

    def __init__(self, token: Secret) -> None:
        super().__init__("Authorization", token, prefix="Bearer ")


class TokenAuth(Auth, ABC):
    """A token fetched with a request, kept in the shared store, used until `margin` before its end.

    `account` is who signs in where: one client at a time fetches its token. `credentials` are what it is fetched with: a
    token fetched with others is not ours to use, so that a changed password is tried at once, not when a session ends.
    Subclasses say how to fetch one and how to put it into a request. The lease of the store holds while it is
    fetched, and no transaction is open then.
    """

    renewable = True
    margin = timedelta(minutes=3)

    def __init__(
        self,
        account: str,
        credentials: Iterable[Secret],
        tokens: TokenStore,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._account = account
        self._credentials = "\0".join(map(clear, credentials))
        self._tokens = tokens
        self._now = now
        # Streams run in threads of their own: one must not forget the newer token another has just fetched.
        self._used = threading.local()

    @abstractmethod
    def fetch_token(self, old: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        """Yield the token request(s), return the token. `old` is the one that is running out."""

    @abstractmethod
    def apply(self, request: httpx.Request, token: Token) -> httpx.Request:
        """The request with the token in it."""

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        token = yield from self._token()
        self._used.token = token
        yield self.apply(request, token)

    def renew(self) -> None:
        token = getattr(self._used, "token", None)
        if token is not None:
            self._tokens.forget(self._key, token)
            self._used.token = None

    @cached_property
    def _key(self) -> str:
        return f"{self._account}/{self._tokens.mark(self._credentials)}"

    def _token(self) -> Generator[httpx.Request, httpx.Response, Token]:
        token = self._tokens.get(self._key)
        if token is not None and self._fresh(token):
            return self._known(token)
        with self._tokens.refreshing(self._account):
            token = self._tokens.get(self._key)
            if token is None or not self._fresh(token):
                token = yield from self.fetch_token(token)
                self._tokens.put(self._key, token)
                # As the store gives it back, so that `forget` recognises it.
                token = self._tokens.get(self._key) or token
        return self._known(token)

    def _fresh(self, token: Token) -> bool:
        return token.expires_at is None or token.expires_at - self._now() > self.margin

    def _known(self, token: Token) -> Token:
        """Make sure that what the source handed out is redacted wherever it turns up."""
        if getattr(self._used, "token", None) != token:
            secrets = [value for name, value in token.values.items() if not name.endswith("_end")]
            redactor.add_token(self._key, secrets)
        return token

    def _in(self, seconds: float) -> datetime:
        """An instant `seconds` from now, whole seconds: every store keeps those."""
        return (self._now() + timedelta(seconds=seconds)).replace(microsecond=0)


class OAuth2ClientCredentials(TokenAuth):
    """RFC 6749 §4.4. `style`: where client id and secret go in the token request. A 401 means: fetch a new token."""

    expired_on = (401,)

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: Secret,
        tokens: TokenStore,
        *,
        scope: str = "",
        style: Literal["basic", "form"] = "basic",
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        account = f"{httpx.URL(token_url).host}/{client_id}"
        super().__init__(account, (token_url, client_secret, scope), tokens, now)
        self._url, self._id, self._secret, self._scope, self._style = (
            token_url,
            client_id,
            clear(client_secret),
            scope,
            style,
        )

    margin = timedelta(seconds=60)

    def fetch_token(self, old: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        headers = {}
        if self._style == "basic":
            headers["Authorization"] = "Basic " + base64.b64encode(f"{self._id}:{self._secret}".encode()).decode()
        else:
            form |= {"client_id": self._id, "client_secret": self._secret}
        document = token_document((yield httpx.Request("POST", self._url, data=form, headers=headers)))
        value, life = document.value("access_token"), document.value("expires_in")
        if not isinstance(value, str) or not value:
            raise EnvelopeError("the token answer has no access_token", remedy="check token_url")
        seconds = _seconds(life)
        return Token({"access_token": value}, None if seconds is None else self._in(seconds))

    def apply(self, request: httpx.Request, token: Token) -> httpx.Request:
        request.headers["Authorization"] = "Bearer " + token.values["access_token"]
        return request


class _Login(TokenAuth):
    """A sign-in by posting a form. `checks` tell a refusal answered with HTTP 200, `message` where it says why."""

    def __init__(
        self,
        login_url: str,
        form: Mapping[str, Secret],
        tokens: TokenStore,
        *,
        key: str,
        checks: tuple[Check, ...],
        message: tuple[str, ...] | str,
        now: Callable[[], datetime],
    ) -> None:
        self._url, self._form = login_url, {field: clear(value) for field, value in form.items()}
        credentials = (login_url, *(text for pair in self._form.items() for text in pair))
        super().__init__(f"{httpx.URL(login_url).host}/{key}", credentials, tokens, now)
        self._envelope = Envelope(checks=checks, message=message)

    def _check(self, document: Document) -> None:
        """RefusedError, in the source's words, unless the answer of a sign-in passes its checks."""
        try:
            self._envelope.check_values(document)
        except EnvelopeError as exc:
            raise RefusedError(
                "the source refuses to sign us in: {said}",
                said=self._envelope.said(document) or "-",
                remedy="check user name and password",
            ) from exc


class SessionCookie(_Login):
    """A login form that answers with a cookie. A login page in place of data means: sign in again.

    `checks` tell a refused sign-in answered with HTTP 200; `name` the cookie to wait for (any, if empty).
    """

    def __init__(
        self,
        login_url: str,
        form: Mapping[str, Secret],
        tokens: TokenStore,
        *,
        key: str,
        name: str = "",
        checks: tuple[Check, ...] = (),
        message: tuple[str, ...] | str = ("message", "msg"),
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        super().__init__(login_url, form, tokens, key=key, checks=checks, message=message, now=now)
        self._name = name

    def fetch_token(self, old: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        response = yield httpx.Request("POST", self._url, data=self._form)
        response.read()
        answer = answer_of(response)
        judge(answer, empty_on=(204,))
        if self._envelope.checks:
            self._check(Document(utf8_body(answer.body)))
        # A login form often answers with a redirect to the first page, and the cookie comes with the redirect.
        texts = [text for one in (*response.history, response) for text in one.headers.get_list("set-cookie")]
        cookies = {
            name.strip(): value.strip() for name, _, value in (text.partition(";")[0].partition("=") for text in texts)
        }
        wanted = [f"{name}={value}" for name, value in cookies.items() if not self._name or name == self._name]
        if not wanted:
            raise RefusedError("the source gave no session at sign-in", remedy="check user name and password")
        return Token({"cookie": "; ".join(wanted)})

    def apply(self, request: httpx.Request, token: Token) -> httpx.Request:
        request.headers["Cookie"] = token.values["cookie"]
        return request


class TokenLogin(_Login):
    """User name and password posted as `form` (`carry`: as JSON or as a form), answered with a token in JSON.

    `token` is the dotted path of the token; `life` that of the seconds it lives, if the answer says so, else it is used
    until the source refuses it. It travels in the header or parameter `name`, behind `prefix`. `checks` tell a
    refused sign-in answered with HTTP 200. A 401 in place of data means: sign in again.
    """

    expired_on = (401,)
    #: Already taken off the life: a fixed one would leave nothing of a token that lives for a minute.
    margin = timedelta(0)

    def __init__(
        self,
        login_url: str,
        form: Mapping[str, Secret],
        tokens: TokenStore,
        *,
        key: str,
        token: str = "token",
        life: str = "",
        carry: Literal["json", "form"] = "json",
        name: str = "Authorization",
        prefix: str = "",
        place: Literal["header", "query"] = "header",
        checks: tuple[Check, ...] = (),
        message: tuple[str, ...] | str = ("message", "msg"),
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        super().__init__(login_url, form, tokens, key=key, checks=checks, message=message, now=now)
        self._path, self._life, self._carry = token, life, carry
        self._name, self._prefix, self._place = name, prefix, place

    def fetch_token(self, old: Token | None) -> Generator[httpx.Request, httpx.Response, Token]:
        body: dict[str, Any] = {"json": self._form} if self._carry == "json" else {"data": self._form}
        document = token_document((yield httpx.Request("POST", self._url, **body)))
        self._check(document)
        value = document.value(self._path)
        if not isinstance(value, str) or not value:
            raise RefusedError(
                "the sign-in answer has no token at {path}: {said}",
                path=self._path,
                said=self._envelope.said(document) or "-",
                remedy="check user name and password, then the path",
            )
        seconds = _seconds(document.value(self._life)) if self._life else None
        return Token({"token": value}, None if seconds is None else self._in(seconds * 0.9))

    def apply(self, request: httpx.Request, token: Token) -> httpx.Request:
        return _carrying(request, self._place, self._name, self._prefix + token.values["token"])


def _carrying(request: httpx.Request, place: Literal["header", "query"], name: str, value: str) -> httpx.Request:
    """The request with a key or token in a header or parameter."""
    if place == "header":
        request.headers[name] = value
    else:
        request.url = request.url.copy_set_param(name, value)
    return request


def _seconds(life: Any) -> float | None:
    """How long a token lives, where the answer says it in a way that can be read."""
    return float(life) if isinstance(life, int | float | str) and str(life).replace(".", "", 1).isdigit() else None


def clear(secret: Secret) -> str:
    """A secret's text."""
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret


def token_document(response: httpx.Response, checks: tuple[Check, ...] = ()) -> Document:
    """The JSON of a token answer, its status and checks judged."""
    response.read()
    answer = answer_of(response)
    judge(answer)
    document = Document(utf8_body(answer.body))
    Envelope(checks=checks).check_values(document)
    return document
