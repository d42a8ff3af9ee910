"""What travels: requests of both gateway systems, every form of an answer, and every result code (domain.md §1)."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest

from connectors.gateway import EnforcementSupervision, InternetSupervision
from hub.errors import EXIT_CODES, EnvelopeError, HubError, Outcome, UnavailableError
from hub.source import Connector, Page, SourceContext, Stream, Token, Window
from hub.sync.run import RunOptions
from hub.testing.comparison import assert_store_equals_truth
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

LOGS, STATES = "internet_supervision", "enforcement_supervision"
CONNECTORS: dict[str, type[Connector]] = {LOGS: InternetSupervision, STATES: EnforcementSupervision}
STREAMS = {
    "inspections": LOGS,
    "penalties": LOGS,
    "coercions": LOGS,
    "other_acts": LOGS,
    "check_tasks": LOGS,
    "cases": STATES,
    "supervision_leads": STATES,
    "referrals": STATES,
}
SINCE = datetime(2026, 11, 20, 0, 30, 15, tzinfo=UTC)
UNTIL = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
KEYS = {
    "refreshSecret": "r" * 32,
    "refreshSecretEndTime": 4_000_000_000_000,
    "requestSecret": "q" * 32,
    "requestSecretEndTime": 4_000_000_000_000,
}


class Tokens:
    """Tokens in memory."""

    def __init__(self) -> None:
        self.held: dict[str, Token] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Token | None:
        return self.held.get(key)

    def put(self, key: str, token: Token) -> None:
        self.held[key] = token

    def forget(self, key: str, token: Token) -> None:
        self.held.pop(key, None)

    def mark(self, credentials: str) -> str:
        return str(hash(credentials))

    def refreshing(self, account: str) -> AbstractContextManager[None]:
        return self._lock  # type: ignore[return-value]


class NoFiles:
    def seen(self, sha256: str) -> bool:
        return False


class Gateway:
    """Answers every business call with `datas` (JSON text) in an envelope; keeps the requests."""

    def __init__(self, datas: str, code: str = "00") -> None:
        self.datas, self.code = datas, code
        self.calls: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/gateway/app/"):
            return self._answer(msgspec.json.encode(KEYS).decode())
        self.calls.append(request)
        return self._answer(self.datas, self.code)

    def _answer(self, datas: str, code: str = "00") -> httpx.Response:
        body = f'{{"code":"{code}","msg":"说明","data":"","datas":{datas},"dataCount":0,"totalDataCount":0}}'
        # A stream, because the client reads bodies in pieces.
        stream = httpx.ByteStream(body.encode())
        return httpx.Response(200, headers={"Date": "Fri, 20 Nov 2026 04:00:00 GMT"}, stream=stream)


def text(document: str) -> str:
    """A document inside a JSON string."""
    return msgspec.json.encode(document).decode()


def stream_and_config(name: str, **settings: Any) -> tuple[Stream, Any]:
    connector = CONNECTORS[STREAMS[name]]
    config = connector.Config(
        base_url="http://gateway.test",
        app_key="A330702330702202601000001",
        app_secret="demoSecret",
        apis={name: f"/gateway/api/001003001/dataSharing/{name}.htm"},
        **settings,
    )
    (stream,) = connector().streams(config)
    return stream, config


def fetch(name: str, gateway: Gateway, wanted: Window | None = None, **settings: Any) -> Page:
    stream, config = stream_and_config(name, **settings)
    context = SourceContext(
        source=STREAMS[name], tokens=Tokens(), files=NoFiles(), transport=httpx.MockTransport(gateway)
    )
    transport = CONNECTORS[STREAMS[name]]().transport(config, context)
    try:
        return transport.fetch(stream, wanted or Window(), None)
    finally:
        transport.close()


# --- answers ---------------------------------------------------------------------------------------------------------

ROWS = '[{"a": 1},{"a":2}]'
RESULT = '{"code":200,"data":{"status":"1","code":"0","errorDesc":"","result":%s,"queryId":"q"},"message":"success"}'
WITH_ROWS = {
    "inspections": text(f'{{"success":true,"data":{ROWS},"errorMsg":""}}'),
    "penalties": RESULT % ROWS,
    "coercions": ROWS,
    "other_acts": text(f'{{"flag":"1","msg":"ok","body":{ROWS}}}'),
    "check_tasks": text(ROWS),
    "cases": text(f'{{"total":2,"rows":{ROWS}}}'),
    "supervision_leads": RESULT % ROWS,
    "referrals": text(f'{{"flag":"1","msg":"ok","body":{ROWS}}}'),
}
WITHOUT_ROWS = {
    "inspections": '""',
    "penalties": RESULT % "[]",
    "coercions": "[]",
    "other_acts": text('{"flag":"1","msg":"ok","body":[]}'),
    "check_tasks": text("[]"),
    "cases": text('{"total":0,"rows":[]}'),
    "supervision_leads": RESULT % "[]",
    "referrals": text('{"flag":"1","msg":"ok","body":[]}'),
}


@pytest.mark.parametrize("name", STREAMS)
def test_rows_are_the_bytes_sent(name: str) -> None:
    page = fetch(name, Gateway(WITH_ROWS[name]))
    assert page.rows == [b'{"a": 1}', b'{"a":2}']
    assert page.clock == datetime(2026, 11, 20, 4, tzinfo=UTC)
    assert page.next is None


@pytest.mark.parametrize("name", STREAMS)
def test_no_rows(name: str) -> None:
    assert fetch(name, Gateway(WITHOUT_ROWS[name])).rows == []
    # The gateway's general forms of no rows (§1.3), whatever the stream's own is.
    for datas in ('""', text("[]"), "[]"):
        assert fetch(name, Gateway(datas)).rows == []


@pytest.mark.parametrize("datas", ["null", "{}", '"[1,"', text("{}"), "17", '{"data":null}'])
@pytest.mark.parametrize("name", STREAMS)
def test_a_missing_row_list_is_never_no_rows(name: str, datas: str) -> None:
    with pytest.raises(EnvelopeError):
        fetch(name, Gateway(datas))


FAILED = '{"success":false,"data":[],"errorMsg":"内部错误"}'
SAYS_NO = RESULT.replace('"status":"1"', '"status":"0"').replace('"errorDesc":""', '"errorDesc":"内部错误"') % "[]"


@pytest.mark.parametrize(
    ("name", "datas", "error"),
    [
        ("inspections", text(FAILED), EnvelopeError),
        ("penalties", '{"code":500,"data":null,"message":"内部错误"}', UnavailableError),
        ("penalties", '{"code":403,"data":null,"message":"内部错误"}', EnvelopeError),
        ("penalties", SAYS_NO, EnvelopeError),
        ("coercions", FAILED, EnvelopeError),
        ("other_acts", text('{"flag":"0","msg":"内部错误","body":[]}'), EnvelopeError),
        ("check_tasks", text(FAILED), EnvelopeError),
        ("cases", text('{"code":500,"message":"内部错误"}'), EnvelopeError),
        ("supervision_leads", SAYS_NO, EnvelopeError),
        ("referrals", text('{"flag":"0","msg":"内部错误","body":[]}'), EnvelopeError),
    ],
)
def test_an_inner_failure_inside_code_00(name: str, datas: str, error: type[HubError]) -> None:
    with pytest.raises(error, match="内部错误"):
        fetch(name, Gateway(datas))


# --- requests --------------------------------------------------------------------------------------------------------


def form(request: httpx.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


@pytest.mark.parametrize("name", [name for name, system in STREAMS.items() if system == LOGS])
def test_a_log_is_asked_with_a_form(name: str) -> None:
    gateway = Gateway(WITHOUT_ROWS[name])
    fetch(name, gateway, Window(SINCE, UNTIL), page_size=77)
    (request,) = gateway.calls
    assert (request.method, request.url.query) == ("POST", b"")
    values = form(request)
    assert len(values.pop("sign")) == 32
    assert values.pop("requestTime").isdigit()
    assert values == {
        "appKey": "A330702330702202601000001",
        "pageNo": "1",
        "pageSize": "77",
        "cdTimeStart": "2026-11-20 08:30:15",
        "cdTimeEnd": "2026-11-20 12:00:00",
    }


def test_a_log_is_asked_with_a_query_where_the_platform_wants_get() -> None:
    gateway = Gateway('""')
    window = {"since": "kssj", "until": "jssj"}
    fetch("inspections", gateway, Window(SINCE, None), method="GET", window=window, page_parameter="p")
    (request,) = gateway.calls
    assert request.method == "GET"
    assert {"p": "1", "kssj": "2026-11-20 08:30:15"}.items() <= dict(request.url.params).items()
    assert {"appKey", "sign", "requestTime"} <= dict(request.url.params).keys()


@pytest.mark.parametrize(
    ("name", "bounds", "size"),
    [
        ("cases", {"gxsjq": "2026-11-20 08:30:15", "gxsjz": "2026-11-20 12:00:00"}, 1000),
        ("supervision_leads", {"updateTimeStart": 1795134615000, "updateTimeEnd": 1795147200000}, 500),
        ("referrals", {"updateDateStart": "2026-11-20 08:30:15", "updateDateEnd": "2026-11-20 12:00:00"}, 500),
    ],
)
def test_states_are_asked_with_a_json_body(name: str, bounds: dict[str, Any], size: int) -> None:
    """And a page is never asked larger than the interface serves: it would look like the last one."""
    gateway = Gateway(WITHOUT_ROWS[name])
    fetch(name, gateway, Window(SINCE, UNTIL), page_size=5000)
    (request,) = gateway.calls
    assert request.method == "POST"
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert {"appkey", "sign", "requesttime"} <= set(request.headers)
    assert msgspec.json.decode(request.content) == {"pageNo": 1, "pageSize": size, **bounds}


def test_a_stream_without_a_path_is_not_read() -> None:
    stream, config = stream_and_config("penalties")
    assert stream.name == "penalties"
    assert config.apis.inspections is None


# --- whole runs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(
        systems=[LOGS, STATES], scale=150, until="2026-11-20T12:00:00", directory=tmp_path / "city"
    ) as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox) -> Iterator[HubProject]:
    small = {f"HUB_SOURCES__{name.upper()}__PAGE_SIZE": "9" for name in sandbox.systems}
    with hub_project(tmp_path / "hub", sandbox, environment=small) as project:
        yield project


def data_calls(sandbox: Sandbox, system: str) -> int:
    return sum(not one.path.startswith("/gateway/app/") for one in sandbox.requests(system))


@pytest.mark.parametrize("system", CONNECTORS)
def test_the_secret_expires_while_reading(project: HubProject, sandbox: Sandbox, system: str) -> None:
    """Sixteen minutes pass after each page; the request secret lives fifteen."""
    results = project.hub.sync([system], RunOptions(), progress=lambda result: sandbox.advance(16 * 60))
    assert {result.outcome for result in results} == {Outcome.OK}
    assert_store_equals_truth(project, sandbox, system)
    exchanges = [one.path for one in sandbox.requests(system) if one.path.startswith("/gateway/app/")]
    assert len(exchanges) > len(results) - 1


@pytest.mark.parametrize("code", ["11", "14", "99"])
def test_codes_that_pass(project: HubProject, sandbox: Sandbox, code: str) -> None:
    sandbox.fault(LOGS, "error_envelope", code=code, times=1)
    results = project.sync(LOGS)
    assert {result.outcome for result in results} == {Outcome.OK}
    assert_store_equals_truth(project, sandbox, LOGS)


@pytest.mark.parametrize(
    ("code", "outcome", "exit_code"),
    [
        ("11", Outcome.REFUSED, 4),
        ("14", Outcome.REFUSED, 4),
        ("18", Outcome.UNAVAILABLE, 5),
        ("96", Outcome.FAILED, 1),
        ("97", Outcome.MISCONFIGURED, 2),
        ("98", Outcome.MISCONFIGURED, 2),
        ("42", Outcome.FAILED, 1),
    ],
)
def test_codes_that_stay(project: HubProject, sandbox: Sandbox, code: str, outcome: Outcome, exit_code: int) -> None:
    project.sync(STATES)
    before = data_calls(sandbox, STATES)
    sandbox.fault(STATES, "error_envelope", code=code, times=None)
    (result,) = project.sync(STATES, stream="cases", full_refresh=True)
    assert (result.outcome, EXIT_CODES[result.outcome]) == (outcome, exit_code)
    assert code in str(result.error)
    if code == "18":
        assert data_calls(sandbox, STATES) - before == 1, "a spent quota is not asked again"
    sandbox.clear(STATES)
    assert_store_equals_truth(project, sandbox, STATES)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("login_page", Outcome.REFUSED), ("empty_body", Outcome.FAILED), ("bad_encoding", Outcome.FAILED)],
)
def test_no_odd_answer_is_no_data(project: HubProject, sandbox: Sandbox, fault: str, outcome: Outcome) -> None:
    project.sync(STATES)
    sandbox.fault(STATES, fault, times=None)
    results = project.sync(STATES, full_refresh=True)
    assert {result.outcome for result in results} == {outcome}
    sandbox.clear(STATES)
    assert_store_equals_truth(project, sandbox, STATES)


def test_a_wrong_app_secret_is_refused(project: HubProject, sandbox: Sandbox) -> None:
    project.restart(HUB_SOURCES__INTERNET_SUPERVISION__APP_SECRET="not-the-secret")
    results = project.sync(LOGS)
    assert {result.outcome for result in results} == {Outcome.REFUSED}
    assert data_calls(sandbox, LOGS) == 0
    assert not any("not-the-secret" in str(result.error) for result in results)
