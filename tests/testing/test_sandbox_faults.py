"""Control plane, expiry and faults, as a client on the other end of the line meets them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.absurd import JSON_KINDS, KINDS

UNTIL = "2026-11-20T08:00:00+08:00"
SERVED = ["internet_supervision", "hotline_8890", "road_patrol", "open311", "csv_drop"]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed=1, scale=200, until=UNTIL, directory=tmp_path, systems=SERVED) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as client:
        yield client


def requests(sandbox: Sandbox, http: httpx.Client, **query: Any) -> httpx.Response:
    common = {"jurisdiction_id": "wucheng.example", "updated_after": "2026-01-01T00:00:00Z", "page_size": 5}
    return http.get(sandbox.url("open311") + "/open311/v2/requests.json", params={**common, **query})


def gateway(sandbox: Sandbox, http: httpx.Client, path: str, secret: str, **business: Any) -> dict[str, Any]:
    key, at = "A330702330702202601000001", str(sandbox.now * 1000)
    sign = hashlib.md5(f"{key}{secret}{at}".encode()).hexdigest()
    url = sandbox.url("internet_supervision") + path
    return dict(http.get(url, params={"appKey": key, "sign": sign, "requestTime": at, **business}).json())


def first_secrets(sandbox: Sandbox, http: httpx.Client) -> dict[str, Any]:
    secret = sandbox.secret_files["internet_supervision.app_secret"].read_text("utf-8")
    return dict(gateway(sandbox, http, "/gateway/app/refreshTokenByKey.htm", secret)["datas"])


BY_SECRET = "/gateway/app/refreshTokenBySec.htm"
CHECKS = "/gateway/api/001003001/dataSharing/getCheckResultList.htm"


# -- expiry by the city's clock -----------------------------------------------------------------------------------


def test_request_secret_lives_a_quarter_of_an_hour_and_refresh_secret_two_days(
    sandbox: Sandbox, http: httpx.Client
) -> None:
    secrets = first_secrets(sandbox, http)
    assert secrets["requestSecretEndTime"] == (sandbox.now + 900) * 1000
    sandbox.advance(899)
    assert gateway(sandbox, http, CHECKS, secrets["requestSecret"])["code"] == "00"
    sandbox.advance(1)
    assert gateway(sandbox, http, CHECKS, secrets["requestSecret"])["code"] == "11"
    renewed = gateway(sandbox, http, BY_SECRET, secrets["refreshSecret"])["datas"]
    assert gateway(sandbox, http, CHECKS, renewed["requestSecret"])["code"] == "00"
    sandbox.advance(48 * 3600)
    assert gateway(sandbox, http, BY_SECRET, renewed["refreshSecret"])["code"] == "11"


def test_new_secrets_replace_the_old_ones_at_once(sandbox: Sandbox, http: httpx.Client) -> None:
    old = first_secrets(sandbox, http)
    first_secrets(sandbox, http)
    assert gateway(sandbox, http, CHECKS, old["requestSecret"])["code"] == "14"
    assert gateway(sandbox, http, BY_SECRET, old["refreshSecret"])["code"] == "14"


def test_expired_token_fault_ends_secrets_and_sessions(sandbox: Sandbox, http: httpx.Client) -> None:
    secrets = first_secrets(sandbox, http)
    sandbox.fault("internet_supervision", "expired_token")
    assert gateway(sandbox, http, CHECKS, secrets["requestSecret"])["code"] == "11"
    password = sandbox.secret_files["hotline_8890.password"].read_text("utf-8")
    url = sandbox.url("hotline_8890")
    form = {"username": "wucheng_hub", "password": password}
    http.post(url + "/login.php", data=form)
    listing = {"act": "payroll_view_module", "id": "0"}
    assert "工单不存在" in http.post(url + "/payroll_sub_list_act_doris.php", data=listing).text
    sandbox.advance(1800)
    assert "<form" in http.post(url + "/payroll_sub_list_act_doris.php", data=listing).text


# -- faults of the line -------------------------------------------------------------------------------------------


def test_a_fault_hits_as_often_as_told_and_is_counted(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.fault("open311", "http_503", times=2, skip=1)
    assert [requests(sandbox, http).status_code for _ in range(4)] == [200, 503, 503, 200]
    assert [one.fault for one in sandbox.requests("open311")] == [None, "http_503", "http_503", None]


def test_rate_limit_says_when_to_come_back(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.fault("open311", "rate_limited", retry_after=7)
    sandbox.fault("open311", "rate_limited", retry_after=7, as_date=True)
    first, second = requests(sandbox, http), requests(sandbox, http)
    assert (first.status_code, first.headers["retry-after"]) == (429, "7")
    assert parsedate_to_datetime(second.headers["retry-after"]).timestamp() == sandbox.now + 7


def test_torn_and_missing_answers(sandbox: Sandbox, http: httpx.Client) -> None:
    for name in ("truncated", "reset"):
        sandbox.fault("open311", name)
        with pytest.raises(httpx.RemoteProtocolError):
            requests(sandbox, http)
    assert requests(sandbox, http).status_code == 200


def test_slow_answers_take_their_time(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.fault("open311", "slow", seconds=0.2)
    sandbox.fault("open311", "drip", seconds=0.2)
    for _ in range(2):
        started = time.monotonic()
        assert requests(sandbox, http).status_code == 200
        assert time.monotonic() - started >= 0.15


def test_spoiled_bodies(sandbox: Sandbox, http: httpx.Client) -> None:
    for name in ("bad_encoding", "login_page", "empty_body", "error_envelope"):
        sandbox.fault("open311", name)
    with pytest.raises(UnicodeDecodeError):
        requests(sandbox, http).content.decode("utf-8")
    assert "<form" in requests(sandbox, http).text
    assert requests(sandbox, http).content == b""
    failed = requests(sandbox, http)
    assert (failed.status_code, failed.json()[0]["code"]) == (200, 500)


def test_gateway_says_its_own_codes(sandbox: Sandbox, http: httpx.Client) -> None:
    secrets = first_secrets(sandbox, http)
    sandbox.fault("internet_supervision", "error_envelope", code=18)
    answer = gateway(sandbox, http, CHECKS, secrets["requestSecret"])
    assert (answer["code"], answer["datas"]) == ("18", "")


def test_duplicate_page_repeats_and_shifting_pages_skip(sandbox: Sandbox, http: httpx.Client) -> None:
    first = requests(sandbox, http, page=1, page_size=2).json()
    sandbox.fault("open311", "duplicate_page")
    assert requests(sandbox, http, page=2, page_size=2).json() == first
    honest = requests(sandbox, http, page=2, page_size=2).json()
    sandbox.fault("open311", "shifting_pages")
    assert requests(sandbox, http, page=2, page_size=2).json() != honest


# -- nonsense -----------------------------------------------------------------------------------------------------


def test_absurd_records_are_planted_and_listed_apart(sandbox: Sandbox, http: httpx.Client) -> None:
    before = sandbox.truth("open311")["streams"]["requests"]
    sandbox.fault("open311", "absurd")
    after = sandbox.truth("open311")["streams"]["requests"]
    assert after["records"] == before["records"]
    assert {one["kind"] for one in after["absurd"]} == set(KINDS)
    assert "NaN" in requests(sandbox, http, page_size=200).text


@pytest.mark.parametrize("kind", [kind for kind in JSON_KINDS if kind not in ("wrong_type", "nul")])
def test_one_such_record_spoils_the_page_for_strict_parsers(sandbox: Sandbox, http: httpx.Client, kind: str) -> None:
    sandbox.fault("open311", "absurd", kinds=[kind])
    text = requests(sandbox, http, page_size=200).text

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    def read() -> None:
        json.dumps(json.loads(text, parse_constant=refuse), ensure_ascii=False, allow_nan=False).encode()

    with pytest.raises((ValueError, RecursionError)):
        read()


def test_nonsense_reaches_tables_and_files(sandbox: Sandbox, tmp_path: Path) -> None:
    for system in ("road_patrol", "csv_drop"):
        sandbox.fault(system, "absurd")
    connection = sqlite3.connect(tmp_path / "exchange" / "road_patrol.db")
    dates = {row[0] for row in connection.execute("SELECT find_time FROM lm_event_exchange")}
    connection.close()
    assert "2026-02-30 25:61:00" in dates
    newest = [path for path in (tmp_path / "drop").iterdir() if "_002." in path.name]
    assert any(b"2026-02-30" in path.read_bytes() for path in newest if path.suffix == ".csv")


def test_tables_go_and_come_back_with_what_happened_meanwhile(sandbox: Sandbox, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "exchange" / "road_patrol.db")
    count = "SELECT count(*) FROM lm_event_exchange"
    before = connection.execute(count).fetchone()[0]
    sandbox.fault("road_patrol", "table_missing")
    with pytest.raises(sqlite3.OperationalError):
        connection.execute(count)
    sandbox.tick()
    sandbox.clear("road_patrol")
    assert connection.execute(count).fetchone()[0] > before
    connection.close()


def test_broken_files_arrive(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fault("csv_drop", "broken_file")
    path = max((tmp_path / "drop").glob("street_events_east_*.csv"))
    with pytest.raises(UnicodeDecodeError):
        path.read_text("utf-8")


# -- control plane ------------------------------------------------------------------------------------------------


def test_control_plane_moves_and_tells(sandbox: Sandbox, http: httpx.Client) -> None:
    base = sandbox.url("csv_drop") + "/__control/"
    before = http.get(base + "truth").json()
    assert http.post(base + "tick", json={"steps": 2}).json()["clock"] == sandbox.now
    assert http.post(base + "clock", json={"advance_s": 60}).json()["clock"] == sandbox.now
    after = http.get(base + "truth").json()
    assert after == sandbox.truth("csv_drop")
    assert after["streams"]["street_events"]["count"] > before["streams"]["street_events"]["count"]
    assert http.post(base + "fault", json={"fault": "slow", "seconds": 0, "times": None}).json()["faults"] == ["slow"]
    assert http.post(base + "clear").json()["faults"] == []
    assert http.get(base + "requests").json() == {"count": 0, "requests": []}


@pytest.mark.parametrize(
    "body", [{"fault": "nonsense"}, {"fault": "absurd", "kinds": ["x"]}, {"fault": "table_missing"}]
)
def test_control_plane_refuses_what_it_does_not_know(
    sandbox: Sandbox, http: httpx.Client, body: dict[str, Any]
) -> None:
    answer = http.post(sandbox.url("open311") + "/__control/fault", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_program_prints_one_line_and_stops_on_sigterm(tmp_path: Path) -> None:
    code = f"from hub.testing.sandbox import serve_forever; serve_forever(scale=60, directory={str(tmp_path)!r})"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert httpx.get(line["addresses"]["snapshot"] + "/__control/truth").json()["streams"]["reports"]["count"]
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == b""
        assert process.wait(5) == 0
    assert Path(line["config"]).exists()
    assert not any(Path(path).read_text("utf-8") in json.dumps(line) for path in line["credentials"].values())
