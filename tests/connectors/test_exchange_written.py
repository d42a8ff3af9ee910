"""One row of each exchange table, written by hand from docs/wire.md section 4, field by field; every code."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from written import code_table, incident_of, told, wire_codes

from hub.incident import Flag, Reference, Status, Step
from hub.mapping.mapping import UnmappableError

#: An invented company (GB 32100) and the example number of GB 11643.
CREDIT_CODE, ID_NUMBER = "91330702MA2ABCDE1M", "11010519491231002X"


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """An instant of November 2026, told in Shanghai (UTC+8)."""
    return datetime(2026, 11, day, hour - 8, minute, second, tzinfo=UTC)


def exchange(operation: str = "u", **columns: Any) -> dict[str, Any]:
    return {
        "cd_seq": "17",
        "cd_id": "11330702002600001X-1",
        "cd_time": "2026-11-20 12:02:11",
        "cd_source": "3311330702002600001X",
        "cd_batch": "2026112000049",
        "cd_operation": operation,
        **columns,
    }


CASE = exchange(
    case_id="AJ2026000012",
    case_no="婺综执立〔2026〕00012号",
    case_name="赵测试暴露垃圾案",
    case_source="群众举报",
    case_state="JA",
    illegal_act="暴露垃圾",
    illegal_fact="赵测试在路边倾倒垃圾",
    basis="《浙江省城市市容和环境卫生管理条例》",
    procedure="简易",
    party_name="赵测试",
    party_type="1",
    party_code=ID_NUMBER,
    filing_time="2026-11-02 09:10:00",
    decision_no="婺综执罚决〔2026〕00012号",
    decision_date="2026-11-10",
    punish_type="警告,罚款",
    fine_amount="2000.00",
    close_date="2026-11-20",
    handling_dept="婺城区综合行政执法局",
    officers="陈执庚;褚执庚",
    officer_codes="33070200001;33070200002",
    town_code="330702003",
    address="城西街道虚构路1号",
    source_event_no="ZF00000123",
    is_major="否",
)


def test_case() -> None:
    incident, people, gaps = incident_of("case_handling/cases", "cases", '"AJ2026000012"', CASE)
    assert incident.kind == "case"
    assert told(incident) == {
        "status": Status.CLOSED,
        "source_status": "JA",
        "source_status_text": "已结案",
        "title": "***暴露垃圾案",
        "description": "***在路边倾倒垃圾",
        "source_category": "暴露垃圾",
        "channel": "群众举报",
        "occurred_at": at(2, 9, 10),
        "source_updated_at": at(20, 12, 2, 11),
        "closed_at": datetime(2026, 11, 19, 16, tzinfo=UTC),
        "region": "330702003",
        "town": "330702003",
        "address": "城西街道虚构路1号",
        "unit": "婺城区综合行政执法局",
        "officers": ["陈执庚", "褚执庚"],
        "document_number": "婺综执罚决〔2026〕00012号",
        "measures": ["警告", "罚款"],
        "basis": "《浙江省城市市容和环境卫生管理条例》",
        "fine": Decimal("2000.00"),
        "subject_kind": "person",
        "reference_numbers": [
            Reference(system="case_handling", number="婺综执立〔2026〕00012号"),
            Reference(system="grassroots_enforcement", number="ZF00000123"),
        ],
        "steps": [
            Step(at=at(2, 9, 10), name="立案"),
            Step(at=datetime(2026, 11, 9, 16, tzinfo=UTC), name="决定"),
            Step(at=datetime(2026, 11, 19, 16, tzinfo=UTC), name="结案"),
        ],
    }
    assert "赵测试" not in incident.model_dump_json()
    assert people == [{"role": "subject", "name": "赵测试", "id_number": ID_NUMBER}]
    assert gaps == []


def test_case_of_a_company_before_its_decision() -> None:
    row = CASE | {
        "party_name": "虚构建筑有限公司", "party_type": "2", "party_code": CREDIT_CODE, "case_state": "YS",
        "case_name": "虚构建筑有限公司暴露垃圾案", "decision_no": "", "decision_date": "", "punish_type": "",
        "fine_amount": None, "close_date": "", "source_event_no": "",
    }  # fmt: skip
    incident, people, gaps = incident_of("case_handling/cases", "cases", '"AJ2026000012"', row)
    assert (incident.subject_kind, incident.subject_name, incident.subject_code) == (
        "organization", "虚构建筑有限公司", CREDIT_CODE,
    )  # fmt: skip
    assert incident.title == "虚构建筑有限公司暴露垃圾案"
    assert (incident.status, incident.source_status, incident.source_status_text) == (Status.UNMAPPED, "YS", None)
    assert (incident.fine, incident.closed_at, incident.document_number, incident.measures) == (None, None, None, [])
    assert [step.name for step in incident.steps] == ["立案"]
    assert [one.system for one in incident.reference_numbers] == ["case_handling"]
    assert (people, gaps) == ([], ["YS"])


FINDING = exchange(
    event_code="E0501202611190003",
    event_type="0501",
    represent="城西街道虚构路1号有流动摊贩",
    condition="无照经营游商达到立案条件",
    sts="8",
    source="0",
    rec_type="日常管理",
    urgent="1",
    grid="330702003001012",
    location="城西街道虚构路1号",
    x="119.637000",
    y="29.107000",
    find_time="2026-11-19 17:10:00",
    time_limit="2026-11-22 17:10:00",
    supervisor="监督员甲",
    dept="婺城区综合行政执法局",
    petitioner_name="陈测试",
    petitioner_phone="13800000001",
    do_by_self="0",
    process_instance_id="PI00000003",
)


def test_finding() -> None:
    incident, people, gaps = incident_of("road_patrol/findings", "findings", '"E0501202611190003"', FINDING)
    assert incident.kind == "patrol_finding"
    assert told(incident) == {
        "status": Status.SUSPENDED,
        "source_status": "8",
        "source_status_text": "挂账",
        "flags": [Flag.URGENT],
        "title": "无照经营游商达到立案条件",
        "description": "城西街道虚构路1号有流动摊贩",
        "category": "0501",
        "source_category": "0501",
        "source_category_text": "无照经营游商",
        "channel": "监督员上报",
        "occurred_at": at(19, 17, 10),
        "source_updated_at": at(20, 12, 2, 11),
        "due_at": at(22, 17, 10),
        "region": "330702003001",
        "town": "330702003",
        "grid": "330702003001012",
        "address": "城西街道虚构路1号",
        "longitude": 119.637,
        "latitude": 29.107,
        "source_x": 119.637,
        "source_y": 29.107,
        "coordinate_system": "CGCS2000",
        "unit": "婺城区综合行政执法局",
        "officers": ["监督员甲"],
        "reference_numbers": [Reference(system="road_patrol_process", number="PI00000003")],
    }
    assert people == [{"role": "reporter", "name": "陈测试", "phone": "13800000001"}]
    assert gaps == []


CHECK = exchange(
    check_uid="0" * 31 + "7",
    pri_pid="3307020000000123",
    ent_name="虚构餐饮有限公司",
    uni_code=CREDIT_CODE,
    task_source="2",
    check_date="2026-11-18 10:00:00",
    check_result="2,B",
    check_dept_code="11330702002600001X",
    check_dept_name="婺城区市场监督管理局",
    check_dept_person="陈执庚;褚执庚",
    check_obj_type="1",
    check_obj="油烟污染",
    dispose_state="2",
    dispose_mss="责令改正",
    dispose_finish_date="2026-11-19 15:30:00",
    complainter="陈测试",
    complainter_tel="13800000001",
    complaint_content="油烟扰民",
    town_code="330702003",
)


def test_check() -> None:
    incident, people, gaps = incident_of("integrated_management/checks", "checks", f'"{"0" * 31}7"', CHECK)
    assert incident.kind == "inspection"
    assert told(incident) == {
        "status": Status.CLOSED,
        "source_status": "2",
        "source_status_text": "已完结",
        "title": "油烟污染",
        "description": "油烟扰民",
        "channel": "投诉举报",
        "occurred_at": at(18, 10),
        "source_updated_at": at(20, 12, 2, 11),
        "closed_at": at(19, 15, 30),
        "region": "330702003",
        "town": "330702003",
        "unit": "婺城区市场监督管理局",
        "unit_code": "11330702002600001X",
        "officers": ["陈执庚", "褚执庚"],
        "result": "违反工商相关规定；未按规定公示应公示信息",
        "subject_kind": "organization",
        "subject_name": "虚构餐饮有限公司",
        "subject_code": CREDIT_CODE,
        "steps": [
            Step(at=at(18, 10), name="检查", unit="婺城区市场监督管理局"),
            Step(at=at(19, 15, 30), name="处置完结", note="责令改正"),
        ],
    }
    assert people == [{"role": "reporter", "name": "陈测试", "phone": "13800000001"}]
    assert gaps == []


def test_check_of_somebody_without_a_licence() -> None:
    """无证无照户 is whoever trades there, a person."""
    row = CHECK | {"check_obj_type": "2", "ent_name": "赵测试", "uni_code": ""}
    row |= {"complainter": "", "complainter_tel": ""}
    incident, people, _ = incident_of("integrated_management/checks", "checks", '"7"', row)
    assert (incident.subject_kind, incident.subject_name, incident.subject_code) == ("person", None, None)
    assert people == [{"role": "subject", "name": "赵测试"}]


ORDER = exchange(
    order_no="ZG202600007",
    item_no="2",
    check_uid="0" * 31 + "7",
    problem="未公示营业执照",
    requirement="立即公示",
    state="待复查",
    issue_time="2026-11-18 11:00:00",
    limit_time="2026-11-25 11:00:00",
    finish_time="2026-11-20 12:00:00",
    review_opinion="已整改到位",
    ent_name="虚构餐饮有限公司",
    uni_code="913307020000000000",
    dept="婺城区市场监督管理局",
    officer="陈执庚",
    town_code="330702003",
)


def test_rectification() -> None:
    incident, people, gaps = incident_of(
        "integrated_management/rectifications", "rectifications", '["ZG202600007","2"]', ORDER
    )
    assert incident.kind == "rectification"
    assert told(incident) == {
        "status": Status.AWAITING_REVIEW,
        "source_status": "待复查",
        "source_status_text": "待复查",
        "flags": [Flag.BAD_CREDIT_CODE],
        "title": "立即公示",
        "description": "未公示营业执照",
        "occurred_at": at(18, 11),
        "source_updated_at": at(20, 12, 2, 11),
        "closed_at": at(20, 12),
        "due_at": at(25, 11),
        "region": "330702003",
        "town": "330702003",
        "unit": "婺城区市场监督管理局",
        "officers": ["陈执庚"],
        "result": "已整改到位",
        "subject_kind": "organization",
        "subject_name": "虚构餐饮有限公司",
        "subject_code": "913307020000000000",
        "reference_numbers": [Reference(system="integrated_management", number="0" * 31 + "7")],
        "steps": [
            Step(at=at(18, 11), name="下达", actor="陈执庚", due_at=at(25, 11)),
            Step(at=at(20, 12), name="整改完成", note="已整改到位"),
        ],
    }
    assert (people, gaps) == ([], [])


ALARM = exchange(
    alarm_no="20261119000003",
    alarm_type="03",
    rvcall_no="13800000001",
    caller_name="陈测试",
    report_mode="电话",
    alarm_time="2026-11-19 17:10:00",
    receive_time="2026-11-19 17:10:30",
    dispatch_time="2026-11-19 17:12:00",
    arrive_time="2026-11-19 17:30:00",
    feedback_time="",
    end_time="",
    receive_unit="婺城区综合指挥中心",
    receive_person="接警员甲",
    report_details="城西街道虚构路1号附近占道经营影响通行，来电人要求尽快派人到现场处理并答复",
    dispose_unit="婺城区综合行政执法局",
    dispose_person="陈执庚;褚执庚",
    dispose_details="",
    dispose_result="",
    state="3",
    if_spot_fine="2",
    if_spot_reconcile="1",
    police_num="2",
    popedom="330702003",
    lng="119.637000",
    lat="29.107000",
    address="城西街道虚构路1号",
    record_no="LY00000003",
)


def test_alarm() -> None:
    incident, people, gaps = incident_of("dispatch_desk/alarms", "alarms", '"20261119000003"', ALARM)
    assert incident.kind == "alarm"
    assert told(incident) == {
        "status": Status.IN_PROGRESS,
        "source_status": "3",
        "source_status_text": "已到达",
        "title": "城西街道虚构路1号附近占道经营影响通行，来电人要求尽快派人到",
        "description": "城西街道虚构路1号附近占道经营影响通行，来电人要求尽快派人到现场处理并答复",
        "source_category": "03",
        "source_category_text": "市容",
        "channel": "电话",
        "occurred_at": at(19, 17, 10),
        "reported_at": at(19, 17, 10, 30),
        "source_updated_at": at(20, 12, 2, 11),
        "region": "330702003",
        "town": "330702003",
        "address": "城西街道虚构路1号",
        "longitude": 119.637,
        "latitude": 29.107,
        "source_x": 119.637,
        "source_y": 29.107,
        "coordinate_system": "WGS-84",
        "unit": "婺城区综合行政执法局",
        "officers": ["陈执庚", "褚执庚"],
        "reference_numbers": [Reference(system="dispatch_desk_recording", number="LY00000003")],
        "steps": [
            Step(at=at(19, 17, 10), name="报警"),
            Step(at=at(19, 17, 10, 30), name="接警", unit="婺城区综合指挥中心", actor="接警员甲"),
            Step(at=at(19, 17, 12), name="派警"),
            Step(at=at(19, 17, 30), name="到达"),
        ],
    }
    assert people == [{"role": "reporter", "name": "陈测试", "phone": "13800000001"}]
    assert gaps == []


# -- codes ----------------------------------------------------------------------------------------------------------

STATES = {
    "case_handling_state": " `case_state`",
    "road_patrol_status": " `sts`",
    "integrated_management_dispose_state": " `dispose_state`",
}


@pytest.mark.parametrize("table", STATES)
def test_every_state_of_the_wire_is_in_the_table_and_no_other(table: str) -> None:
    entries = code_table(table).entries
    assert {code: (rows[0].title, rows[0].hub_code) for code, rows in entries.items()} == wire_codes(STATES[table])


@pytest.mark.parametrize(
    ("table", "states"),
    [
        (
            "integrated_management_rectification_state",
            {
                "整改中": "in_progress", "待复查": "awaiting_review", "已销号": "closed", "退回重改": "returned",
                "作废": "cancelled",
            },
        ),
        (
            "dispatch_desk_state",
            {
                "0": "pending", "1": "accepted", "2": "dispatched", "3": "in_progress", "4": "awaiting_review",
                "5": "closed", "9": "cancelled",
            },
        ),
    ],
)  # fmt: skip
def test_states_the_wire_calls_by_the_same_name(table: str, states: dict[str, str]) -> None:
    assert {code: rows[0].hub_code for code, rows in code_table(table).entries.items()} == states


@pytest.mark.parametrize(
    ("table", "titles"),
    [
        ("road_patrol_source", {"0": "监督员上报", "1": "热线"}),
        ("integrated_management_task_source", {"1": "交办转办", "2": "投诉举报", "3": "日常巡查", "4": "数据监测"}),
        (
            "dispatch_desk_alarm_type",
            {"01": "治安", "02": "交通", "03": "市容", "04": "噪音", "05": "求助", "99": "其他"},
        ),
    ],
)
def test_titles(table: str, titles: dict[str, str]) -> None:
    assert {code: rows[0].title for code, rows in code_table(table).entries.items()} == titles


@pytest.mark.parametrize(
    ("mapping", "row"),
    [
        ("case_handling/cases", CASE),
        ("road_patrol/findings", FINDING),
        ("integrated_management/checks", CHECK),
        ("integrated_management/rectifications", ORDER),
        ("dispatch_desk/alarms", ALARM),
    ],
)
def test_a_renamed_column_is_refused_and_a_d_row_is_not(mapping: str, row: dict[str, Any]) -> None:
    stream = mapping.partition("/")[2]
    without = {key: value for key, value in row.items() if key not in ("town_code", "grid", "popedom")}
    with pytest.raises(UnmappableError, match="missing"):
        incident_of(mapping, stream, '"1"', without)
    emptied = {key: value if key.startswith("cd_") else None for key, value in row.items()}
    incident, people, gaps = incident_of(mapping, stream, '"1"', emptied | {"cd_operation": "d"})
    assert (incident.status, people, gaps) == (None, [], [])
