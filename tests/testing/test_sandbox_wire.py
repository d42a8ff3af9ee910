"""What a user of HTTP, SQL and files finds in the sandbox, against its own ground truth. The little clients here are
written from the domain's facts alone and share nothing with the connectors."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import json
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import openpyxl
import pytest

from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.systems import gateway, irs

UNTIL = "2026-11-20T08:00:00+08:00"
ISO = "%Y-%m-%dT%H:%M:%SZ"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A city that has already moved; tests of this file only read it."""
    with Sandbox(seed=3, scale=900, until=UNTIL, directory=tmp_path_factory.mktemp("sandbox")) as sandbox:
        sandbox.tick(3)
        yield sandbox


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def section(sandbox: Sandbox, system: str) -> dict[str, Any]:
    """The system's section of the written hub.toml, secrets filled in."""
    settings: dict[str, Any] = tomllib.loads(sandbox.config_path.read_text("utf-8"))["sources"][system]
    for key, value in settings.items():
        if isinstance(value, str) and value.startswith("${file:"):
            settings[key] = Path(value[7:-1]).read_text("utf-8")
    return settings


def existing(sandbox: Sandbox, system: str, stream: str) -> list[Any]:
    return sorted((one["id"] for one in sandbox.truth(system)["streams"][stream]["records"]), key=str)


def pages(read: Callable[[int], list[Any]], size: int) -> list[Any]:
    """All rows of a paged interface whose last page is a short one."""
    rows: list[Any] = []
    for page in range(1, 200):
        found = read(page)
        rows += found
        if len(found) < size:
            return rows
    raise AssertionError("paging does not end")


# -- the provincial gateway ---------------------------------------------------------------------------------------


BY_KEY = "/gateway/app/refreshTokenByKey.htm"


class GatewayClient:
    def __init__(self, sandbox: Sandbox, http: httpx.Client, system: str) -> None:
        self.settings = section(sandbox, system)
        self.http = http
        self.base = self.settings["base_url"]
        self.time = str(sandbox.now * 1000)
        self.secret = ""

    def sign(self, secret: str) -> dict[str, str]:
        key = self.settings["app_key"]
        digest = hashlib.md5(f"{key}{secret}{self.time}".encode()).hexdigest()
        return {"appKey": key, "sign": digest, "requestTime": self.time}

    def exchange(self) -> dict[str, Any]:
        answer = self.http.get(self.base + BY_KEY, params=self.sign(self.settings["app_secret"])).json()
        self.secret = answer["datas"]["requestSecret"]
        return answer

    def call(self, stream: str, **business: Any) -> dict[str, Any]:
        path = self.base + self.settings["apis"][stream]
        if self.settings["carry"] == "params":
            return self.http.get(path, params={**self.sign(self.secret), **business}).json()
        return self.http.post(path, headers=self.sign(self.secret), json=business).json()


INNER: dict[str, Callable[[Any], list[Any]]] = {
    "inspections": lambda datas: json.loads(datas)["data"] if datas else [],
    "penalties": lambda datas: datas["data"]["result"],
    "coercions": lambda datas: datas,
    "other_acts": lambda datas: json.loads(datas)["body"],
    "check_tasks": lambda datas: json.loads(datas),
    "cases": lambda datas: json.loads(datas)["rows"],
    "supervision_leads": lambda datas: datas["data"]["result"],
    "referrals": lambda datas: json.loads(datas)["body"],
}


@pytest.mark.parametrize("stream", ["inspections", "penalties", "coercions", "other_acts", "check_tasks"])
def test_supervision_log_folds_into_what_exists(sandbox: Sandbox, http: httpx.Client, stream: str) -> None:
    client = GatewayClient(sandbox, http, "internet_supervision")
    client.exchange()
    rows = pages(lambda page: INNER[stream](client.call(stream, pageNo=page, pageSize=7)["datas"]), 7)
    assert [row["cd_time"] for row in rows] == sorted(row["cd_time"] for row in rows)
    state = {row["record_unique_identity"]: row for row in rows}
    alive = [native_id for native_id, row in state.items() if row["cd_operation"] != "d"]
    assert sorted(alive) == existing(sandbox, "internet_supervision", stream)
    truth = {one["id"]: one for one in sandbox.truth("internet_supervision")["streams"][stream]["records"]}
    versions = {native_id: sum(row["record_unique_identity"] == native_id for row in rows) for native_id in truth}
    assert versions == {native_id: one["version"] for native_id, one in truth.items()}


@pytest.mark.parametrize(("stream", "key"), [("cases", "AJBH"), ("supervision_leads", "leadId"), ("referrals", "uid")])
def test_enforcement_serves_what_exists(sandbox: Sandbox, http: httpx.Client, stream: str, key: str) -> None:
    client = GatewayClient(sandbox, http, "enforcement_supervision")
    client.exchange()
    rows = pages(lambda page: INNER[stream](client.call(stream, pageNo=page, pageSize=5)["datas"]), 5)
    assert sorted((row[key] for row in rows), key=str) == existing(sandbox, "enforcement_supervision", stream)


def test_fines_of_cases_are_ten_thousands(sandbox: Sandbox, http: httpx.Client) -> None:
    client = GatewayClient(sandbox, http, "enforcement_supervision")
    client.exchange()
    fines = {row["AJBH"]: row["CF_NR_FK"] for row in INNER["cases"](client.call("cases", pageSize=1000)["datas"])}
    truth = sandbox.truth("enforcement_supervision")["streams"]["cases"]["records"]
    assert any(one["amount_yuan"] for one in truth)
    for one in truth:
        served = fines[one["id"]]
        assert one["amount_yuan"] == (None if served is None else f"{round(served * 10000, 2):.2f}")


def test_gateway_window_bounds(sandbox: Sandbox, http: httpx.Client) -> None:
    client = GatewayClient(sandbox, http, "enforcement_supervision")
    client.exchange()
    rows = INNER["cases"](client.call("cases", pageSize=1000)["datas"])
    middle = rows[len(rows) // 2]["SJC"]
    both = INNER["cases"](client.call("cases", pageSize=1000, gxsjq=middle, gxsjz=middle)["datas"])
    assert [row["AJBH"] for row in both] == [row["AJBH"] for row in rows if row["SJC"] == middle]
    referrals = INNER["referrals"](client.call("referrals", pageSize=500)["datas"])
    first = referrals[0]["updateDate"]
    empty = client.call("referrals", updateDateStart=first, updateDateEnd=first)
    assert INNER["referrals"](empty["datas"]) == []


def test_no_rows_are_said_in_each_dialect(sandbox: Sandbox, http: httpx.Client) -> None:
    client = GatewayClient(sandbox, http, "internet_supervision")
    client.exchange()
    later = {"cdTimeStart": "2030-01-01 00:00:00"}
    answers = {stream: client.call(stream, **later) for stream in ("inspections", "coercions", "check_tasks")}
    assert {stream: answer["datas"] for stream, answer in answers.items()} == {
        "inspections": "",
        "coercions": [],
        "check_tasks": "[]",
    }
    assert {answer["code"] for answer in answers.values()} == {"00"}


def test_gateway_signature_vector() -> None:
    assert gateway.sign("demoKey330702", "demoSecret", "1700000000000") == "b76253de57e7f143a0c54dfd64d8c379"


def test_gateway_result_codes(sandbox: Sandbox, http: httpx.Client) -> None:
    client = GatewayClient(sandbox, http, "internet_supervision")
    client.exchange()
    assert client.call("penalties")["code"] == "00"
    assert client.call("penalties", pageSize="many")["code"] == "98"
    client.secret = "0" * 32
    assert client.call("penalties")["code"] == "14"
    missing = http.get(client.base + BY_KEY, params={"appKey": "x"}).json()
    assert missing["code"] == "97"
    wrong = http.post(client.base + BY_KEY, data=client.sign("no secret")).json()
    assert (wrong["code"], wrong["datas"]) == ("14", "")


# -- the IRS gateway ----------------------------------------------------------------------------------------------


def irs_headers(settings: dict[str, Any], date: str, method: str, path: str, query: str) -> dict[str, str]:
    text = f"{method}\n{path}\n{query}\n{settings['access_key']}\n{date}\n".encode()
    digest = hmac.new(settings["secret_key"].encode(), text, hashlib.sha256).digest()
    return {
        "X-BG-HMAC-ACCESS-KEY": settings["access_key"],
        "X-BG-HMAC-ALGORITHM": "hmac-sha256",
        "X-BG-DATE-TIME": date,
        "X-BG-HMAC-SIGNATURE": base64.b64encode(digest).decode(),
    }


def irs_call(
    sandbox: Sandbox, http: httpx.Client, system: str, upstream: str, parameters: dict[str, Any], post: bool
) -> Any:
    settings = section(sandbox, system)
    url = httpx.URL(settings["base_url"] + settings["path"] + upstream, params=None if post else parameters)
    query = "&".join(sorted(url.query.decode().split("&"))) if url.query else ""
    date = http.get(settings["base_url"] + "/").headers["date"]
    method = "POST" if post else "GET"
    headers = irs_headers(settings, date, method, url.path, query)
    answer = http.request(method, url, headers=headers, json=parameters if post else None)
    assert answer.status_code == 200, answer.text
    return answer.json()


PLATFORMS = [
    ("grassroots_governance", "/event/page", False, "pageNum", "pageSize", "rows", "eventId"),
    ("grassroots_market", "/event/page", True, "pageNum", "pageSize", "records", "id"),
    ("grassroots_enforcement", "/event/page", False, "page", "size", "rows", "id"),
    ("grassroots_services", "/event/page", True, "pageNo", "pageSize", "records", "sjbh"),
    ("snapshot", "/report/list", False, "page", "size", "list", "reportId"),
]


@pytest.mark.parametrize(("system", "path", "post", "page", "size", "rows", "key"), PLATFORMS, ids=lambda one: str(one))
def test_platforms_serve_what_exists(
    sandbox: Sandbox, http: httpx.Client, system: str, path: str, post: bool, page: str, size: str, rows: str, key: str
) -> None:
    def read(number: int) -> list[Any]:
        return list(irs_call(sandbox, http, system, path, {page: number, size: 40}, post)["data"][rows])

    served = [row for row in pages(read, 40) if row.get("delFlag") != "1" and not row.get("deleted")]
    stream = "reports" if system == "snapshot" else "events"
    assert sorted((row[key] for row in served), key=str) == existing(sandbox, system, stream)


def test_withdrawn_rows_carry_their_flag(sandbox: Sandbox, http: httpx.Client) -> None:
    parameters = {"pageNum": 1, "pageSize": 1000, "order": "asc"}
    data = irs_call(sandbox, http, "grassroots_governance", "/event/page", parameters, False)["data"]
    gone = sorted(row["eventId"] for row in data["rows"] if row["delFlag"] == "1")
    assert gone
    assert gone == sorted(sandbox.truth("grassroots_governance")["streams"]["events"]["deleted"])
    assert [row["updateTime"] for row in data["rows"]] == sorted(row["updateTime"] for row in data["rows"])


def test_exclusive_start_of_the_enforcement_platform(sandbox: Sandbox, http: httpx.Client) -> None:
    parameters = {"page": 1, "size": 500, "order": "asc"}
    rows = irs_call(sandbox, http, "grassroots_enforcement", "/event/page", parameters, False)["data"]["rows"]
    edge = rows[5]["updatedAt"]
    later = {**parameters, "updatedAfter": edge}
    after = irs_call(sandbox, http, "grassroots_enforcement", "/event/page", later, False)["data"]["rows"]
    assert [row["id"] for row in after] == [row["id"] for row in rows if row["updatedAt"] > edge]


def test_irs_signature_vector() -> None:
    path, date = "/restapi/prod/IC33000020990101000001/post", "Tue, 09 Nov 2021 08:49:20 GMT"
    text = irs.signature("demoSK", "POST", path, "a=1&b=2", "demoAK", date)
    assert text == "Lr8QsthYJxl3ar/4q+Ruk7nDtlxY9OtbAj3+eCIfUNw="


def test_irs_refusals(sandbox: Sandbox, http: httpx.Client) -> None:
    settings = section(sandbox, "snapshot")
    path = settings["path"] + "/report/list"
    date = http.get(settings["base_url"] + "/").headers["date"]

    def message(path: str, date: str, **changes: str) -> str:
        headers = irs_headers(settings, date, "GET", path, "")
        answer = http.get(settings["base_url"] + path, headers={**headers, **changes})
        assert answer.status_code == 401
        return str(answer.json()["message"])

    old = format_datetime(parsedate_to_datetime("Tue, 09 Nov 2021 08:49:20 GMT"), usegmt=True)
    assert message(path, date, **{"X-BG-HMAC-SIGNATURE": "AAAA"}) == "Invalid signature"
    assert message(path, date, **{"X-BG-HMAC-ACCESS-KEY": "other"}) == "Invalid access key"
    assert message(path, old) == "Clock skew exceeded"
    assert message("/restapi/prod/IC99/report/list", date) == "The route_id is forbidden."


# -- the hotline --------------------------------------------------------------------------------------------------

ORDERS = "/payroll_sub_list_act_doris.php"
WINDOWS = [
    ("2026-10-21 08:40:01", "2026-11-20 08:40:00"),
    ("2026-09-21 08:40:01", "2026-10-21 08:40:00"),
    ("2026-08-22 08:40:01", "2026-09-21 08:40:00"),
]


@pytest.fixture
def hotline(sandbox: Sandbox) -> Iterator[httpx.Client]:
    settings = section(sandbox, "hotline_8890")
    with httpx.Client(base_url=settings["base_url"]) as client:
        client.post("/login.php", data={"username": settings["username"], "password": settings["password"]})
        yield client


def orders(client: httpx.Client, window: tuple[str, str], page: int, size: int) -> dict[str, Any]:
    form = {"act": "search_payroll_list", "page": page, "pagesize": size}
    return client.post(ORDERS, data={**form, "search_start_time": window[0], "search_end_time": window[1]}).json()


def test_hotline_windows_hold_what_exists(sandbox: Sandbox, hotline: httpx.Client) -> None:
    rows: list[Any] = []
    for window in WINDOWS:

        def read(page: int, window: tuple[str, str] = window) -> list[Any]:
            return list(orders(hotline, window, page, 20)["res"])

        rows += pages(read, 20)
    assert sorted(row["roll_number"] for row in rows) == existing(sandbox, "hotline_8890", "work_orders")
    assert [row["receive_time"] for row in rows] == sorted((row["receive_time"] for row in rows), reverse=True)


def test_hotline_detail_is_an_array_of_descriptors_under_text_html(sandbox: Sandbox, hotline: httpx.Client) -> None:
    row = orders(hotline, WINDOWS[0], 1, 1)["res"][0]
    answer = hotline.post(ORDERS, data={"act": "payroll_view_module", "id": row["id"]})
    assert answer.headers["content-type"].startswith("text/html")
    values = {one["fd_name"]: one["choice_value"] for one in answer.json()["res"]}
    assert values["roll_number"] == row["roll_number"]
    assert values["order_number"] != row["roll_number"]
    assert answer.json()["steps"][-1]["pss_caption_end"] == row["payroll_result"]


def test_hotline_refuses_long_windows_and_strangers(
    sandbox: Sandbox, http: httpx.Client, hotline: httpx.Client
) -> None:
    wide = orders(hotline, ("2026-08-01 00:00:00", "2026-11-20 08:00:00"), 1, 20)
    assert (wide["status"], wide["res"]) == ("error", [])
    stranger = http.post(sandbox.url("hotline_8890") + ORDERS, data={"act": "search_payroll_list"})
    assert (stranger.status_code, "/login.php" in stranger.text) == (200, True)


# -- Open311, tables, files ---------------------------------------------------------------------------------------


def test_open311_says_the_same_in_json_and_xml(sandbox: Sandbox, http: httpx.Client) -> None:
    settings = section(sandbox, "open311")
    query = {"jurisdiction_id": settings["jurisdiction_id"], "updated_after": "2026-01-01T00:00:00Z", "page_size": 200}
    rows = http.get(settings["base_url"] + "/requests.json", params=query).json()
    root = ElementTree.fromstring(http.get(settings["base_url"] + "/requests.xml", params=query).content)
    told = [{child.tag: child.text for child in element} for element in root]
    assert told == [{key: None if value is None else str(value) for key, value in row.items()} for row in rows]
    assert sorted(row["service_request_id"] for row in rows) == existing(sandbox, "open311", "requests")


def test_open311_updated_after_is_exclusive_and_errors_are_listed(sandbox: Sandbox, http: httpx.Client) -> None:
    url = section(sandbox, "open311")["base_url"]
    query: dict[str, Any] = {"jurisdiction_id": "wucheng.example", "updated_after": "2026-01-01T00:00:00Z"}
    rows = http.get(url + "/requests.json", params={**query, "page_size": 200}).json()
    edge = rows[3]["updated_datetime"]
    after = http.get(url + "/requests.json", params={**query, "updated_after": edge, "page_size": 200}).json()
    assert after == [row for row in rows if row["updated_datetime"] > edge]
    refused = http.get(url + "/requests.json", params={"jurisdiction_id": "elsewhere"})
    assert (refused.status_code, refused.json()[0]["code"]) == (404, 404)


TABLES = [
    ("case_handling", "cases", "aj_case_exchange", ["case_id"]),
    ("road_patrol", "findings", "lm_event_exchange", ["event_code"]),
    ("integrated_management", "checks", "zg_check_exchange", ["check_uid"]),
    ("integrated_management", "rectifications", "zg_rectification_exchange", ["order_no", "item_no"]),
    ("dispatch_desk", "alarms", "jc_alarm_exchange", ["alarm_no"]),
]


@pytest.mark.parametrize(("system", "stream", "table", "keys"), TABLES, ids=lambda one: str(one))
def test_exchange_log_folds_into_what_exists(
    sandbox: Sandbox, system: str, stream: str, table: str, keys: list[str]
) -> None:
    settings = section(sandbox, system)
    assert settings["tables"][stream] == table
    connection = sqlite3.connect(settings["url"].removeprefix("sqlite:///"))
    connection.row_factory = sqlite3.Row
    state: dict[str, Any] = {}
    for row in connection.execute(f"SELECT * FROM {table} ORDER BY cd_seq"):
        native_id = [row[key] for key in keys]
        state[json.dumps(native_id)] = None if row["cd_operation"] == "d" else native_id
        if row["cd_operation"] == "d":
            assert {value for name, value in dict(row).items() if name[:3] != "cd_" and name not in keys} == {None}
    connection.close()
    alive = [one if len(keys) > 1 else one[0] for one in state.values() if one is not None]
    assert sorted(alive, key=str) == existing(sandbox, system, stream)


def test_dropped_files_hold_what_exists(sandbox: Sandbox) -> None:
    folder = Path(section(sandbox, "csv_drop")["folder"])
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("street_events_*")):
        if path.name.startswith("street_events_zone"):
            lines = [[cell.value or "" for cell in line] for line in openpyxl.load_workbook(path).active.rows]
            rows += [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
        elif path.suffix == ".csv":
            encoding = "utf-8-sig" if "_east_" in path.name else "gbk"
            rows += csv.DictReader(io.StringIO(path.read_bytes().decode(encoding)))
    assert sorted({row["事件编号"] for row in rows}) == existing(sandbox, "csv_drop", "street_events")
    assert all(Path(f"{path}.done").exists() for path in folder.glob("street_events_east_*.csv"))


def test_secrets_stand_in_private_files_only(sandbox: Sandbox) -> None:
    text = sandbox.config_path.read_text("utf-8")
    for path in sandbox.secret_files.values():
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_text("utf-8") not in text


def test_every_answer_is_dated_by_the_city(sandbox: Sandbox, http: httpx.Client) -> None:
    for system in sandbox.systems:
        date = http.get(sandbox.url(system) + "/").headers["date"]
        assert parsedate_to_datetime(date).timestamp() == sandbox.now
