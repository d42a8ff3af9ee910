"""The 8890 hotline: session, windows, list and detail; the store equals the truth; one order field by field."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr
from written import code_table, incident_of, leaks, told, wire_codes

from connectors.hotline import Hotline, HotlineConfig, flat_order
from hub.errors import Outcome
from hub.incident import Attachment, Flag, Status, Step
from hub.source import RestTransport, Stream
from hub.store.raw import raw_of
from hub.sync.reading import begin, following, window_of
from hub.sync.reconcile import reconcile
from hub.sync.result import RunResult
from hub.sync.sample import take_sample
from hub.testing.comparison import assert_store_equals_truth
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
NAME, STREAM = "hotline_8890", "work_orders"
DAY_MS = 86_400_000
#: A city's records are at most 80 days old; an earlier start only makes empty windows.
START = {"HUB_SOURCES__HOTLINE_8890__START": "2026-08-25"}
SMALL = START | {"HUB_SOURCES__HOTLINE_8890__PAGE_SIZE": "9"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed=7, scale=120, until=UNTIL, directory=tmp_path / "city", systems=[NAME]) as sandbox:
        yield sandbox


@pytest.fixture
def on_sqlite(tmp_path: Path, sandbox: Sandbox) -> Iterator[HubProject]:
    with hub_project(tmp_path / "hub", sandbox, environment=SMALL) as project:
        yield project


def sync(project: HubProject, outcome: Outcome = Outcome.OK, **options: Any) -> RunResult:
    (result,) = project.sync(NAME, **options)
    assert result.outcome is outcome, str(result.error)
    return result


def logins(sandbox: Sandbox) -> int:
    return sum(served.path == "/login.php" for served in sandbox.requests(NAME))


# -- the store equals the truth -------------------------------------------------------------------------------------


def test_first_sync_moves_and_withdrawals(tmp_path: Path, sandbox: Sandbox, store_url: str) -> None:
    with hub_project(tmp_path / "hub", sandbox, store_url, START) as project:
        first = sync(project)
        assert_store_equals_truth(project, sandbox, NAME)
        assert first.counts.new > 100
        tombstoned = 0
        for _ in range(4):
            sandbox.tick(4)
            tombstoned += sync(project).counts.tombstoned
            # A window of receipt that was read to its end proves itself: withdrawals show without a full refresh.
            assert_store_equals_truth(project, sandbox, NAME)
        assert tombstoned
        sync(project, full_refresh=True)
        assert_store_equals_truth(project, sandbox, NAME)
        assert not leaks(project, NAME, STREAM)


def test_details_are_fetched_for_what_the_list_shows_as_new_or_changed(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    first = sync(on_sqlite)
    assert first.requests == first.pages + first.counts.fetched
    assert first.counts.fetched == first.counts.new
    assert len(sandbox.requests(NAME)) == first.requests + logins(sandbox)

    again = sync(on_sqlite)
    assert again.counts.unchanged == again.counts.fetched
    assert again.requests == again.pages

    sandbox.tick(2)
    moved = sync(on_sqlite)
    details = moved.counts.new + moved.counts.changed
    assert 0 < details < moved.counts.fetched / 2
    assert moved.requests == moved.pages + details


def test_the_raw_record_is_the_detail_byte_for_byte(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    sync(on_sqlite)
    with on_sqlite.hub.open(NAME) as source, httpx.Client(base_url=sandbox.url(NAME)) as http:
        login = {"username": "wucheng_hub", "password": source.settings.options["password"]}
        assert http.post("/login.php", data=login).json()["status"] == "success"
        window = {"search_start_time": "2026-11-10 00:00:00", "search_end_time": "2026-11-20 12:00:00"}
        listed = http.post(
            "/payroll_sub_list_act_doris.php", data={"act": "search_payroll_list", **window, "pagesize": 50}
        ).json()["res"]
        stored = {row["native_id"]: row["id"] for row in on_sqlite.incidents(NAME, STREAM)}
        for row in listed:
            answer = http.post("/payroll_sub_list_act_doris.php", data={"act": "payroll_view_module", "id": row["id"]})
            raw = raw_of(on_sqlite.hub.store, stored[f'"{row["roll_number"]}"'])
            assert raw is not None
            assert raw.raw == answer.content
    assert len(listed) == 50


@pytest.mark.parametrize("fault", ["shifting_pages", "duplicate_page", "truncated", "http_503", "login_page"])
def test_a_troubled_source_loses_nothing(on_sqlite: HubProject, sandbox: Sandbox, fault: str) -> None:
    sandbox.fault(NAME, fault, skip=3, times=12 if fault.endswith("pages") else 1)
    on_sqlite.sync(NAME)
    sandbox.clear()
    sync(on_sqlite)
    assert_store_equals_truth(on_sqlite, sandbox, NAME)
    assert not [row for row in on_sqlite.incidents(NAME, STREAM) if row["revision"] > 1]


def test_nonsense_is_set_aside_and_the_rest_arrives(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    sandbox.fault(NAME, "absurd")
    result = sync(on_sqlite, Outcome.PARTIAL)
    assert 4 <= result.counts.new_quarantined <= 9
    assert_store_equals_truth(on_sqlite, sandbox, NAME)
    again = sync(on_sqlite)
    assert again.counts.new_quarantined == 0


# -- session --------------------------------------------------------------------------------------------------------


def test_a_lost_session_is_opened_again(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    sync(on_sqlite)
    assert logins(sandbox) == 1
    sync(on_sqlite)
    assert logins(sandbox) == 1  # the session is shared through the store
    sandbox.advance(31 * 60)
    sync(on_sqlite)
    assert logins(sandbox) == 2
    sandbox.fault(NAME, "expired_token")
    sandbox.tick()
    sync(on_sqlite)
    assert logins(sandbox) == 3
    assert_store_equals_truth(on_sqlite, sandbox, NAME)


def test_a_session_lost_between_list_and_detail(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    sandbox.fault(NAME, "login_page", skip=5)
    sync(on_sqlite)
    assert logins(sandbox) == 2
    assert_store_equals_truth(on_sqlite, sandbox, NAME)


def test_a_wrong_password_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    wrong = {"HUB_SOURCES__HOTLINE_8890__PASSWORD": "wrong"}
    with hub_project(tmp_path / "hub", sandbox, environment=wrong) as project:
        result = sync(project, Outcome.REFUSED)
        assert "用户名或密码错误" in str(result.error)
        assert "password" in result.error.remedy if result.error else False


# -- what the platform says -----------------------------------------------------------------------------------------


def test_an_error_of_the_list_is_never_no_data(tmp_path: Path, sandbox: Sandbox) -> None:
    with hub_project(tmp_path / "hub", sandbox, environment=START | {"HUB_DEFAULTS__RETRIES": "0"}) as project:
        sandbox.fault(NAME, "error_envelope")
        result = sync(project, Outcome.UNAVAILABLE)
        assert "系统繁忙" in str(result.error)


def test_an_error_of_one_detail_costs_that_order_only_and_is_made_good(tmp_path: Path, sandbox: Sandbox) -> None:
    # The oldest windows come first: this is an order of the last thirty days, which the next sync lists again. One page a
    # window, so that no list is fetched ahead and the fault meets a detail.
    sandbox.fault(NAME, "error_envelope", skip=110, code="工单不存在")
    with hub_project(tmp_path / "hub", sandbox, environment=START) as project:
        assert sync(project, Outcome.PARTIAL).counts.new_quarantined == 1
        after = sync(project)
        assert (after.counts.new, after.counts.quarantined, after.requests - after.pages) == (1, 0, 1)
        assert_store_equals_truth(project, sandbox, NAME)


def test_the_detail_of_another_order_is_set_aside(
    on_sqlite: HubProject, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, given = RestTransport.detail, list[bytes]()

    def confused(self: RestTransport, stream: Stream, row: bytes) -> bytes:
        """Two sessions mixed up: one order's detail is the one before's."""
        given.append(ask(self, stream, row))
        return given[-2 if len(given) == 100 else -1]

    monkeypatch.setattr(RestTransport, "detail", confused)
    assert sync(on_sqlite, Outcome.PARTIAL).counts.new_quarantined == 1
    monkeypatch.undo()
    sync(on_sqlite)
    assert_store_equals_truth(on_sqlite, sandbox, NAME)


# -- windows --------------------------------------------------------------------------------------------------------


def test_windows_are_never_wider_than_the_list_answers() -> None:
    config = HotlineConfig(base_url="http://hotline.example", username="u", password=SecretStr("p"))
    (stream,) = Hotline().streams(config)
    now = 1_795_147_200_123
    reading = begin(stream, "incremental", cursor=None, start=now - 90 * DAY_MS - 456, enumeration="")
    asked = []
    while True:
        window = window_of(reading, "")
        params = stream.endpoint.window.params(window.since, window.until)
        low, high = (
            datetime.strptime(str(params[name]), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
            for name in ("search_start_time", "search_end_time")
        )
        asked.append((low, high))
        if not following(stream, reading, now):
            break
    assert len(asked) == 4
    assert all(timedelta(0) < high - low <= timedelta(days=30) for low, high in asked)
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(asked))
    assert asked[-1][1].timestamp() * 1000 + 8 * 3_600_000 >= now


def test_a_sync_after_a_long_silence_reads_everything_between(tmp_path: Path) -> None:
    # Well before today: an upstream clock ahead of our own is not believed.
    until = "2026-06-01T12:00:00"
    start = {"HUB_SOURCES__HOTLINE_8890__START": "2026-03-01"}
    with (
        Sandbox(seed=7, scale=60, until=until, directory=tmp_path / "city", systems=[NAME]) as sandbox,
        hub_project(tmp_path / "hub", sandbox, environment=start) as project,
    ):
        sync(project)
        sandbox.tick(2)
        sandbox.advance(40 * 86_400)
        sandbox.tick(2)
        assert sync(project).pages == 3
        assert_store_equals_truth(project, sandbox, NAME)


# -- code tables ----------------------------------------------------------------------------------------------------


def test_the_status_table_is_total() -> None:
    there = {code: words[-1] for code, words in wire_codes("`payroll_result`").items()}
    assert {code: rows[0].hub_code for code, rows in code_table("hotline_8890_status").entries.items()} == there
    assert set(there.values()) <= set(Status)


def test_regions_and_event_types_agree_with_the_shared_tables() -> None:
    towns = {f"婺城区-{name}": rows[0].hub_code for name, rows in code_table("wucheng_towns").entries.items()}
    regions = {name: rows[0].hub_code for name, rows in code_table("hotline_8890_regions").entries.items()}
    assert regions == towns | {"婺城区": "330702"}
    classes = code_table("event_classes").entries
    types = {rows[0].hub_code for name, rows in code_table("hotline_8890_event_types").entries.items() if "/" in name}
    assert types == set(classes)


# -- written by hand ------------------------------------------------------------------------------------------------

VALUES: dict[str, Any] = {
    "roll_number": "261119171327424509",
    "receive_time": "2026-11-19 17:13:27",
    "update_time": "2026-11-20 07:02:11",
    "payroll_result": "待回访",
    "handle_rel_expire_time": "2026-11-24 17:13:27",
    "src_way": "电话",
    "payroll_name": "陈测试",
    "company_tel": "13800000001",
    "addr": "城西街道虚构小区2幢301室",
    "region_district_id": "婺城区-城西街道",
    "distribute_way": "虚构餐饮有限公司",
    "payroll_type": "投诉",
    "event_type2_id": ["街面秩序", "店外经营"],
    "roll_content": "店家在门口摆摊",
    "note": "已责令整改",
    "note10": "您反映的问题已处理",
    "note14": "回访",
    "handling_quality": "",
    "order_number": "解决",
    "attachments": ["现场照片.jpg"],
    "urgency": "紧急",
    "confidential": "是",
}
STEPS = [
    {
        "ps_caption": "受理",
        "pss_caption_start": "待受理",
        "pss_caption_end": "已受理",
        "opper": "话务员甲",
        "pso_caption": "确定",
        "date": "2026-11-19 17:20:00",
        "di_title": "热线中心",
        "payroll_resulttmp": "已受理",
    },
    {
        "ps_caption": "处置",
        "pss_caption_start": "待处置",
        "pss_caption_end": "已处置",
        "opper": "队员乙",
        "pso_caption": "确定",
        "date": "2026-11-20 07:02:11",
        "di_title": "婺城区综合行政执法局",
        "payroll_resulttmp": "已处置",
    },
]


def detail(**changes: Any) -> bytes:
    """A detail as it is sent: descriptors, and the steps beside them."""
    kinds = {"event_type2_id": "checkbox", "attachments": "file"}
    fields = [
        {"fd_name": name, "type": kinds.get(name, "text"), "name": "…", "choice_value": value}
        for name, value in (VALUES | changes).items()
    ]
    return msgspec.json.encode({"status": "success", "des": "", "res": fields, "steps": STEPS})


def test_an_order() -> None:
    flat = flat_order(detail())
    incident, people, gaps = incident_of("hotline_8890/work_orders", STREAM, '"261119171327424509"', flat)
    received = datetime(2026, 11, 19, 9, 13, 27, tzinfo=UTC)
    updated = datetime(2026, 11, 19, 23, 2, 11, tzinfo=UTC)
    assert incident.kind == "work_order"
    assert told(incident) == {
        "title": "投诉街面秩序/店外经营",
        "description": "店家在门口摆摊",
        "status": Status.AWAITING_REVIEW,
        "source_status": "待回访",
        "source_status_text": "待回访",
        "category": "0504",
        "source_category": "街面秩序/店外经营",
        "source_category_text": "店外经营",
        "channel": "电话",
        "occurred_at": received,
        "reported_at": received,
        "source_updated_at": updated,
        "due_at": datetime(2026, 11, 24, 9, 13, 27, tzinfo=UTC),
        "region": "330702003",
        "town": "330702003",
        "result": "已责令整改",
        "answer": "您反映的问题已处理",
        "subject_kind": "organization",
        "subject_name": "虚构餐饮有限公司",
        "flags": [Flag.URGENT],
        "steps": [
            Step(
                at=datetime(2026, 11, 19, 9, 20, tzinfo=UTC),
                name="受理",
                status=Status.ACCEPTED,
                unit="热线中心",
                actor="话务员甲",
                note="确定",
            ),
            Step(
                at=updated,
                name="处置",
                status=Status.AWAITING_REVIEW,
                unit="婺城区综合行政执法局",
                actor="队员乙",
                note="确定",
            ),
        ],
        "attachments": [Attachment(url="现场照片.jpg", title="现场照片.jpg")],
    }
    assert people == [
        {"role": "reporter", "name": "陈测试", "phone": "13800000001", "address": "城西街道虚构小区2幢301室"}
    ]
    assert not gaps


def test_without_an_event_type_the_kind_of_business_is_the_category() -> None:
    flat = flat_order(detail(event_type2_id=[], distribute_way="", region_district_id="金东区", attachments=[]))
    incident, _, gaps = incident_of("hotline_8890/work_orders", STREAM, '"1"', flat)
    assert (incident.category, incident.source_category) == ("complaint", "投诉")
    assert (incident.region, gaps) == (None, ["金东区"])
    assert (incident.subject_kind, incident.attachments) == (None, [])


def test_list_rows_stay_and_what_is_neither_is_refused() -> None:
    row = b'{"id":"700123", "roll_number":"261119171327424509"}'
    assert flat_order(row) == row
    twice = msgspec.json.encode({"res": [{"fd_name": "note", "choice_value": "a"}] * 2})
    for wrong in (b"[]", b"7", b'{"res":{"fd_name":"a"}}', b'{"res":[{"name":"a"}]}', twice):
        with pytest.raises(ValueError, match=r"\S"):
            flat_order(wrong)


# -- other ways to look ---------------------------------------------------------------------------------------------


def test_reconcile_sees_changes_in_the_list(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    sync(on_sqlite)
    sandbox.tick(2)
    since = datetime(2026, 8, 25, tzinfo=UTC)
    with on_sqlite.hub.open(NAME) as source:
        job = on_sqlite.hub.job(source, source.stream(STREAM))
        before = reconcile(on_sqlite.hub.store, job, since=since, until=None)
        assert before.outcome is Outcome.BREACHED
        assert before.missing_count
        assert before.outdated_count
        sync(on_sqlite)
        after = reconcile(on_sqlite.hub.store, job, since=since, until=None)
        assert (after.outcome, after.upstream) == (Outcome.OK, after.stored)


@pytest.mark.parametrize("broken", ["unmappable", "unshapeable"])
def test_a_sample_shows_no_caller(on_sqlite: HubProject, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Personal paths are those of the flat order; a detail that does not become one must not be shown as it is."""
    order = detail(receive_time="gestern") if broken == "unmappable" else detail().replace(b'"note14"', b'"note"')
    monkeypatch.setattr(RestTransport, "detail", lambda self, stream, row: order)
    monkeypatch.setenv("HUB_LANG", "en")
    with on_sqlite.hub.open(NAME) as source:
        job = replace(on_sqlite.hub.job(source, source.stream(STREAM)), start=datetime(2026, 11, 1, tzinfo=UTC))
        sample = take_sample(job)
        (record,) = sample.records
        assert record.problem
        assert not [one for one in ("陈测试", "13800000001", "虚构小区") if one in repr(record)]
        assert "陈测试" in repr(take_sample(job, unmask=True).records[0].raw)
