"""Signing in: driven by hand as generators, and once over the wire."""

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hub.config.redact import redactor
from hub.errors import EnvelopeError, LoginPageError, QuotaSpentError, RefusedError, UnavailableError
from hub.source import (
    ApiKey,
    Auth,
    Basic,
    Bearer,
    BgHmac,
    Check,
    Client,
    GatewayMd5,
    OAuth2ClientCredentials,
    SessionCookie,
    SourceContext,
    TokenAuth,
    TokenLogin,
)
from hub.source.signers import bg_hmac, zj_md5

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
URL = "https://a.example/v1/list?x=1"


def signed(auth: Auth, request: httpx.Request | None = None) -> httpx.Request:
    return next(auth.sync_auth_flow(request or httpx.Request("GET", URL)))


def test_keys() -> None:
    assert signed(ApiKey("X-Key", SecretStr("k"))).headers["X-Key"] == "k"
    assert str(signed(ApiKey("api_key", "k&1", place="query")).url) == URL + "&api_key=k%261"
    assert signed(ApiKey("Authorization", "k", prefix="Token ")).headers["Authorization"] == "Token k"
    assert signed(Bearer("t")).headers["Authorization"] == "Bearer t"
    assert signed(Basic("用户", SecretStr("p"))).headers["Authorization"] == "Basic 55So5oi3OnA="


def test_a_fixed_key_cannot_be_renewed() -> None:
    assert not Bearer("t").renewable
    Bearer("t").renew()


def test_irs_gateway_signs_what_is_sent() -> None:
    request = signed(
        BgHmac("AK", SecretStr("SK"), now=lambda: NOW), httpx.Request("POST", "https://a.example/r/p%20q?b=2&a=中")
    )
    headers = request.headers
    assert headers["X-BG-DATE-TIME"] == "Fri, 20 Nov 2026 08:00:00 GMT"
    assert (headers["X-BG-HMAC-ACCESS-KEY"], headers["X-BG-HMAC-ALGORITHM"]) == ("AK", "hmac-sha256")
    expected = bg_hmac("SK", "POST", "/r/p%20q", "a=%E4%B8%AD&b=2", "AK", "Fri, 20 Nov 2026 08:00:00 GMT")
    assert headers["X-BG-HMAC-SIGNATURE"] == expected


class Gateway:
    """The key exchange from its other side; `now` is its own clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.paths: list[str] = []
        self.refuse: dict[str, str] = {}
        self.issued = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        form = dict(pair.split("=") for pair in request.read().decode().split("&"))
        code = self.refuse.get(request.url.path, "00")
        secret = {
            "/gateway/app/refreshTokenByKey.htm": "top",
            "/gateway/app/refreshTokenBySec.htm": f"refresh{self.issued}",
        }
        if form["sign"] != zj_md5("app", secret[request.url.path], form["requestTime"]):
            code = "14"
        self.issued += code == "00"
        ends = {
            "refreshSecretEndTime": self.now + timedelta(hours=48),
            "requestSecretEndTime": self.now + timedelta(minutes=15),
        }
        datas = {name: int(end.timestamp() * 1000) for name, end in ends.items()}
        datas |= {"refreshSecret": f"refresh{self.issued}", "requestSecret": f"request{self.issued}"}  # type: ignore[dict-item]
        answer = {"code": code, "msg": "x", "datas": datas if code == "00" else ""}
        return httpx.Response(
            200, json=answer, headers={"Date": format_datetime(self.now, usegmt=True)}, request=request
        )


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


def drive(auth: Auth, other_side: Any, request: httpx.Request | None = None) -> httpx.Request:
    """Answer token requests until the business request comes out."""
    flow = auth.sync_auth_flow(request or httpx.Request("GET", URL))
    yielded = next(flow)
    while yielded.url.path.startswith(("/gateway/app", "/token", "/login")):
        yielded = flow.send(other_side(yielded))
    flow.close()
    return yielded


A, B = "/gateway/app/refreshTokenByKey.htm", "/gateway/app/refreshTokenBySec.htm"


def gateway_auth(context: SourceContext, clock: Clock, **more: Any) -> GatewayMd5:
    return GatewayMd5("https://a.example/", "app", SecretStr("top"), context.tokens, now=clock, **more)


def test_key_exchange_then_signed_calls_until_three_minutes_before_the_end(
    context: SourceContext, gateway: Gateway
) -> None:
    clock = Clock()
    auth = gateway_auth(context, clock)
    request = drive(auth, gateway)
    assert request.url.params["appKey"] == "app"
    assert request.url.params["sign"] == zj_md5("app", "request1", request.url.params["requestTime"])
    assert request.url.params["requestTime"] == str(int(NOW.timestamp() * 1000))
    clock.at += timedelta(minutes=11, seconds=59)
    drive(auth, gateway)
    assert gateway.paths == [A]
    clock.at += timedelta(seconds=2)
    gateway.now = clock.at
    drive(auth, gateway)
    assert gateway.paths == [A, B]
    clock.at += timedelta(hours=48)
    gateway.now = clock.at
    drive(auth, gateway)
    assert gateway.paths == [A, B, A]


def test_life_is_measured_by_the_clock_of_the_gateway(context: SourceContext, gateway: Gateway) -> None:
    clock, gateway.now = Clock(), NOW - timedelta(days=400)
    auth = gateway_auth(context, clock)
    drive(auth, gateway)
    drive(auth, gateway)
    assert gateway.paths == [A]
    (token,) = context.tokens.held.values()  # type: ignore[attr-defined]
    assert token.expires_at == NOW + timedelta(minutes=15)


def test_a_refresh_secret_somebody_else_replaced_falls_back_to_the_app_secret(
    context: SourceContext, gateway: Gateway
) -> None:
    clock = Clock()
    auth = gateway_auth(context, clock)
    drive(auth, gateway)
    clock.at += timedelta(minutes=14)
    gateway.issued = 5
    drive(auth, gateway)
    assert gateway.paths == [A, B, A]


def test_two_clients_share_what_one_fetched(context: SourceContext, gateway: Gateway) -> None:
    clock = Clock()
    drive(gateway_auth(context, clock), gateway)
    drive(gateway_auth(context, clock), gateway)
    assert gateway.paths == [A]


def test_renewing_forgets_the_token_in_hand_but_never_a_newer_one(context: SourceContext, gateway: Gateway) -> None:
    clock = Clock()
    mine, theirs = gateway_auth(context, clock), gateway_auth(context, clock)
    drive(mine, gateway)
    drive(theirs, gateway)
    mine.renew()
    drive(mine, gateway)
    theirs.renew()
    request = drive(theirs, gateway)
    assert gateway.paths == [A, A]
    assert request.url.params["sign"] == zj_md5("app", "request2", request.url.params["requestTime"])


def test_renewing_belongs_to_the_thread_that_met_the_refusal(context: SourceContext, gateway: Gateway) -> None:
    auth = gateway_auth(context, Clock())
    drive(auth, gateway)
    other = threading.Thread(target=auth.renew)
    other.start()
    other.join()
    drive(auth, gateway)
    assert gateway.paths == [A]


def test_values_as_headers_form_or_query(context: SourceContext, gateway: Gateway) -> None:
    request = drive(
        gateway_auth(context, Clock(), carry="headers"), gateway, httpx.Request("POST", URL, json={"pageNo": 1})
    )
    assert request.headers["appKey"] == "app"
    assert json.loads(request.read()) == {"pageNo": 1}
    form = drive(
        gateway_auth(context, Clock()),
        gateway,
        httpx.Request("POST", URL, data={"pageNo": "1"}, extensions={"timeout": {}}),
    )
    assert form.read().decode().startswith("pageNo=1&appKey=app&sign=")
    assert form.headers["content-length"] == str(len(form.read()))
    body = drive(gateway_auth(context, Clock()), gateway, httpx.Request("POST", URL, json={}))
    assert body.url.params["appKey"] == "app"


@pytest.mark.parametrize(
    ("code", "error"), [("14", RefusedError), ("11", RefusedError), ("18", QuotaSpentError), ("99", UnavailableError)]
)
def test_a_refused_exchange(context: SourceContext, gateway: Gateway, code: str, error: type[Exception]) -> None:
    gateway.refuse[A] = code
    with pytest.raises(error):
        drive(gateway_auth(context, Clock()), gateway)


@pytest.mark.parametrize(
    "datas", ["", {}, {"refreshSecret": "", "requestSecret": "x"}, {"refreshSecret": "r", "requestSecret": "q"}]
)
def test_an_exchange_without_secrets(context: SourceContext, datas: Any) -> None:
    with pytest.raises(EnvelopeError):
        drive(
            gateway_auth(context, Clock()),
            lambda request: httpx.Response(200, json={"code": "00", "datas": datas}, request=request),
        )


def test_secrets_a_source_hands_out_are_redacted(context: SourceContext, gateway: Gateway) -> None:
    gateway.issued = 4200
    drive(gateway_auth(context, Clock()), gateway)
    assert "request4201" not in redactor.text("found request4201 in a log")


def test_client_credentials(context: SourceContext) -> None:
    clock, asked = Clock(), []

    def other_side(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": f"t{len(asked)}", "expires_in": 3600}, request=request)

    auth = OAuth2ClientCredentials(
        "https://a.example/token", "me", SecretStr("s"), context.tokens, scope="read", now=clock
    )
    assert drive(auth, other_side).headers["Authorization"] == "Bearer t1"
    assert asked[0].headers["Authorization"] == "Basic bWU6cw=="
    assert asked[0].read() == b"grant_type=client_credentials&scope=read"
    clock.at += timedelta(minutes=58)
    drive(auth, other_side)
    clock.at += timedelta(minutes=2)
    assert drive(auth, other_side).headers["Authorization"] == "Bearer t2"
    form = OAuth2ClientCredentials("https://a.example/token", "you", "s", context.tokens, style="form", now=clock)
    drive(form, other_side)
    assert asked[2].read() == b"grant_type=client_credentials&client_id=you&client_secret=s"


@pytest.mark.parametrize("answer", [{"token": "x"}, {"access_token": ""}, {"access_token": 5}])
def test_a_token_answer_without_token(context: SourceContext, answer: Any) -> None:
    auth = OAuth2ClientCredentials("https://a.example/token", "me", "s", context.tokens)
    with pytest.raises(EnvelopeError, match="access_token"):
        drive(auth, lambda request: httpx.Response(200, json=answer, request=request))


def session(context: SourceContext, **more: Any) -> SessionCookie:
    form = {"username": "hub", "password": SecretStr("pw")}
    checks = (Check("status", ("success",)),)
    return SessionCookie(
        "https://a.example/login",
        form,
        context.tokens,
        key="hub",
        name="PHPSESSID",
        checks=checks,
        message="des",
        **more,
    )


def test_a_session(context: SourceContext) -> None:
    def other_side(request: httpx.Request) -> httpx.Response:
        assert request.read() == b"username=hub&password=pw"
        cookies = [("Set-Cookie", "lang=zh; path=/"), ("Set-Cookie", "PHPSESSID=abc; path=/; HttpOnly")]
        return httpx.Response(200, headers=cookies, content=b'{"status":"success"}', request=request)

    assert drive(session(context), other_side).headers["Cookie"] == "PHPSESSID=abc"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"status":"error","des":"wrong"}', RefusedError),
        (b'{"status":"success"}', RefusedError),
        (b"<html>", LoginPageError),
    ],
    ids=["refused", "no cookie", "login page"],
)
def test_a_refused_session(context: SourceContext, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        drive(session(context), lambda request: httpx.Response(200, content=body, request=request))


def answers_of_every_scheme(request: httpx.Request) -> httpx.Response:
    end = int((NOW + timedelta(hours=48)).timestamp() * 1000)
    names = ("refreshSecret", "requestSecret")
    datas = dict.fromkeys(names, "given") | {f"{name}EndTime": end for name in names}
    answer = {"access_token": "given", "token": "given", "code": "00", "datas": datas}
    return httpx.Response(
        200,
        json=answer,
        headers={"Set-Cookie": "SID=given", "Date": format_datetime(NOW, usegmt=True)},
        request=request,
    )


@pytest.mark.parametrize(
    "scheme",
    [
        lambda secret, tokens: OAuth2ClientCredentials("https://a.example/token", "me", secret, tokens),
        lambda secret, tokens: SessionCookie("https://a.example/login", {"password": secret}, tokens, key="me"),
        lambda secret, tokens: TokenLogin("https://a.example/login", {"password": secret}, tokens, key="me"),
        lambda secret, tokens: GatewayMd5("https://a.example", "me", secret, tokens, now=Clock()),
    ],
    ids=["oauth2", "session", "login", "gateway_md5"],
)
def test_what_was_given_for_other_credentials_is_not_used(context: SourceContext, scheme: Any) -> None:
    asked: list[httpx.Request] = []

    def other_side(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers_of_every_scheme(request)

    drive(scheme("right", context.tokens), other_side)
    drive(scheme(SecretStr("right"), context.tokens), other_side)
    assert len(asked) == 1, "the same credentials, in another process"

    def refuses(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, request=request)

    with pytest.raises(RefusedError):
        drive(scheme("wrong", context.tokens), refuses)
    drive(scheme("right", context.tokens), refuses)
    assert len(asked) == 1, "who tried others has cost the session nothing"
    assert not any("right" in key for key in context.tokens.held)  # type: ignore[attr-defined]


def test_a_token_for_another_scope_is_not_used(context: SourceContext) -> None:
    given = [
        OAuth2ClientCredentials("https://a.example/token", "me", "s", context.tokens, scope=scope)
        for scope in ("read", "list")
    ]
    for auth in given:
        drive(auth, answers_of_every_scheme)
    assert len(context.tokens.held) == 2  # type: ignore[attr-defined]


def login(context: SourceContext, **more: Any) -> TokenLogin:
    form = {"user": "hub", "pass": SecretStr("pw")}
    return TokenLogin("https://a.example/login", form, context.tokens, key="hub", **more)


def test_a_token_from_a_login(context: SourceContext) -> None:
    """Nine tenths of its life are used, however short that is; then another one is fetched."""
    clock = Clock()
    asked: list[httpx.Request] = []

    def other_side(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        body = {"ret": 0, "data": {"token": f"token-{len(asked)}", "ttl": "60"}}
        return httpx.Response(200, json=body, request=request)

    checks = (Check("ret", (0,)),)
    auth = login(context, token="data.token", life="data.ttl", name="X-Token", checks=checks, now=clock)
    assert drive(auth, other_side).headers["X-Token"] == "token-1"
    assert json.loads(asked[0].read()) == {"user": "hub", "pass": "pw"}
    clock.at += timedelta(seconds=53)
    assert drive(auth, other_side).headers["X-Token"] == "token-1"
    clock.at += timedelta(seconds=2)
    assert drive(auth, other_side).headers["X-Token"] == "token-2"
    assert redactor.text("sent token-2") == "sent ***"


def test_a_token_without_an_end_is_kept_until_it_is_refused(context: SourceContext) -> None:
    asked: list[httpx.Request] = []

    def other_side(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"token": f"token-{len(asked)}"}, request=request)

    auth = login(context, carry="form", name="access", place="query")
    assert drive(auth, other_side).url.params["access"] == "token-1"
    assert asked[0].read() == b"user=hub&pass=pw"
    assert drive(auth, other_side).url.params["access"] == "token-1"
    assert (auth.renewable, auth.expired_on) == (True, (401,))
    auth.renew()
    assert drive(auth, other_side).url.params["access"] == "token-2"
    bearer = login(context, prefix="Bearer ")
    assert drive(bearer, other_side).headers["Authorization"] == "Bearer token-2"


@pytest.mark.parametrize(
    ("more", "body", "said"),
    [
        ({"checks": (Check("ret", (0,)),)}, {"ret": 13, "msg": "密码错误"}, "refuses to sign us in: 密码错误"),
        ({}, {"msg": "密码错误"}, "no token at token: 密码错误"),
        ({"token": "data.token"}, {"data": {"token": ""}}, "no token at data.token: -"),
    ],
    ids=["refused by its code", "no token", "an empty token"],
)
def test_a_refused_login(context: SourceContext, more: dict[str, Any], body: Any, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        drive(login(context, **more), lambda request: httpx.Response(200, json=body, request=request))


def test_token_requests_go_through_the_client(upstream: Any, reply: Any, context: SourceContext) -> None:
    """Budget, deadline and statuses hold for them too, and the lease is free again after a failure."""
    asked: list[str] = []
    counted = replace(context, acquire=asked.append)
    auth = OAuth2ClientCredentials(upstream.url + "/token", "me", "s", context.tokens)
    client = Client(counted, auth)
    upstream.answer = [reply(status=503), reply('{"access_token":"t"}'), reply('{"rows":[]}')]
    with pytest.raises(UnavailableError):
        client.send(client.request("GET", upstream.url + "/list"))
    assert client.send(client.request("GET", upstream.url + "/list")).body == b'{"rows":[]}'
    client.close()
    assert [seen.path for seen in upstream.seen] == ["/token", "/token", "/list"]
    assert len(asked) == 3
    assert upstream.seen[-1].headers["authorization"] == "Bearer t"


def test_a_scheme_must_say_how(context: SourceContext) -> None:
    with pytest.raises(TypeError, match="apply, fetch_token"):
        TokenAuth("key", (), context.tokens)  # type: ignore[abstract]
