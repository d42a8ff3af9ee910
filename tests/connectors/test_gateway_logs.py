"""互联网+监管: one hand-written record a stream, and what it must become, field by field."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import mappings
from hub.incident import Status
from hub.mapping.mapping import Mappings
from hub.testing.specimen import Specimen, map_specimen

EXCHANGE = {
    "cd_id": "11330702002600011Y8f14e45fceea167a5a36dedd4bea2543",
    "cd_time": "2026-11-19 17:20:31",
    "cd_source": "3311330702002600011Y",
    "cd_batch": "2026111900070",
    "cd_operation": "i",
}
AUTHORITY, AUTHORITY_CODE = "婺城区综合行政执法局", "113307020026000183"
COMPANY, COMPANY_CODE = "虚构甲1号餐饮有限公司", "91330702MA0000015Q"
PERSON, PERSON_CODE = "赵试甲7", "330702209101010019"


@pytest.fixture(scope="module")
def known() -> Mappings:
    return Mappings([Path(mappings.__file__ or "").parent])


def specimen(known: Mappings, stream: str, record: dict[str, Any]) -> Specimen:
    return map_specimen(known.get(f"internet_supervision/{stream}"), record)


def bj(text: str) -> datetime:
    """A local time in Asia/Shanghai as an instant."""
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def ms(text: str) -> int:
    return int(bj(text).timestamp() * 1000)


def references(*numbers: tuple[str, str]) -> list[dict[str, str]]:
    return [{"system": system, "number": number} for system, number in numbers]


INSPECTION = {
    "record_unique_identity": "8f14e45fceea167a5a36dedd4bea2543",
    "plan_id": "SSJ2026007",
    "supervise_item_implement_code": "33020000000123",
    "supervise_item_check_icode": f"{AUTHORITY_CODE}212,{AUTHORITY_CODE}199",
    "check_action_name": f"对{COMPANY}的油烟污染检查",
    "check_action_code": "JC33070200000012",
    "implement_institution": AUTHORITY,
    "implement_institution_code": AUTHORITY_CODE,
    "supervise_object": COMPANY,
    "supervise_object_type": "1",
    "administrative_cp": COMPANY,
    "administrative_cp_na": "2",
    "administrative_cp_ce_type": "001",
    "administrative_cp_ui_code": COMPANY_CODE,
    "address_registered": "婺城区注册路1号",
    "address_operating": "婺城区经营路2号",
    "area_number": "330702",
    "check_form": "02",
    "check_type": "1",
    "check_mode": "1",
    "check_result": "2,B",
    "check_date": "2026-11-18 09:30:00",
    "check_personnel": "钱执甲1;孙执乙2",
    "check_personnel_code": "ZF3307020001;ZF3307020002",
    "submitted_date": "2026-11-18 16:00:05",
    "submitted_personnel": "钱执甲1",
    "company_type": "有限责任公司",
    **EXCHANGE,
}


def test_inspection(known: Mappings) -> None:
    found = specimen(known, "inspections", INSPECTION)
    assert found.fields == {
        "title": f"对{COMPANY}的油烟污染检查",
        "source_category": "02",
        "source_category_text": "专项检查",
        "occurred_at": bj("2026-11-18T09:30:00"),
        "reported_at": bj("2026-11-18T16:00:05"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "region": "330702",
        "address": "婺城区经营路2号",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "officers": ["钱执甲1", "孙执乙2"],
        "subject_kind": "organization",
        "subject_name": COMPANY,
        "subject_code": COMPANY_CODE,
        "result": "违反工商相关规定；未按规定公示应公示信息",
        "steps": [
            {"at": bj("2026-11-18T09:30:00"), "name": "检查", "unit": AUTHORITY},
            {"at": bj("2026-11-18T16:00:05"), "name": "报送", "actor": "钱执甲1"},
        ],
        "reference_numbers": references(
            ("internet_supervision", "JC33070200000012"),
            ("double_random_plan", "SSJ2026007"),
            ("supervision_item", "33020000000123"),
            ("supervision_item_check", AUTHORITY_CODE + "212"),
            ("supervision_item_check", AUTHORITY_CODE + "199"),
        ),
    }
    assert found.people == []


def test_inspection_of_a_natural_person(known: Mappings) -> None:
    record = INSPECTION | {
        "check_action_name": f"对{PERSON}的油烟污染检查",
        "supervise_object": PERSON,
        "supervise_object_type": "2",
        "administrative_cp": PERSON,
        "administrative_cp_na": "1",
        "administrative_cp_ce_type": "111",
        "administrative_cp_ui_code": PERSON_CODE,
        "plan_id": "",
    }
    found = specimen(known, "inspections", record)
    assert found.fields["title"] == "对***的油烟污染检查"
    assert found.fields["subject_kind"] == "person"
    assert not {"subject_name", "subject_code"} & found.fields.keys()
    assert ("double_random_plan", "") not in [tuple(part.values()) for part in found.fields["reference_numbers"]]
    assert found.people == [{"role": "subject", "name": PERSON, "id_number": PERSON_CODE, "address": "婺城区注册路1号"}]
    assert PERSON not in str(found.row)
    assert PERSON_CODE not in str(found.row)


PENALTY = {
    "record_unique_identity": "c9f0f895fb98ab9159f51fd0297e236d",
    "punishActionName": f"对{PERSON}占道经营的处罚",
    "punishActionCode": "CF33070200000012",
    "checkActionCode": "JC33070200000012",
    "caseSource": "2",
    "illegalFact": f"当事人{PERSON}在人行道摆摊",
    "punishBasis": "《浙江省城市市容和环境卫生管理条例》",
    "punishProcedure": "1",
    "isHearing": "2",
    "isMajorCase": "2",
    "isCrimeCase": "2",
    "isLegalReview": "1",
    "filingDate": "2026-11-10",
    "punishDocCode": "婺综执罚决〔2026〕第00012号",
    "punishDate": "2026-11-15",
    "punishType": "1,2",
    "fine": 2000.5,
    "penaltyResult": "警告，罚款2000.5元",
    "casesClosedFine": None,
    "closeDate": "2026-11-16",
    "punishOrgan": AUTHORITY,
    "punishOrganCode": AUTHORITY_CODE,
    "administrativeCp": PERSON,
    "administrativeCpNa": "1",
    "administrativeCpCeType": "111",
    "administrativeCpUiCode": PERSON_CODE,
    "areaNumber": "330702",
    "submittedDate": "2026-11-17 10:00:00",
    **EXCHANGE,
}


def test_penalty(known: Mappings) -> None:
    found = specimen(known, "penalties", PENALTY)
    assert found.fields == {
        "title": "对***占道经营的处罚",
        "description": "当事人***在人行道摆摊",
        "channel": "群众举报",
        "occurred_at": bj("2026-11-15T00:00:00"),
        "reported_at": bj("2026-11-17T10:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "closed_at": bj("2026-11-16T00:00:00"),
        "region": "330702",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "document_number": "婺综执罚决〔2026〕第00012号",
        "measures": ["警告", "罚款"],
        "basis": "《浙江省城市市容和环境卫生管理条例》",
        "fine": Decimal("2000.50"),
        "result": "警告，罚款2000.5元",
        "subject_kind": "person",
        "steps": [
            {"at": bj("2026-11-10T00:00:00"), "name": "立案", "unit": AUTHORITY},
            {"at": bj("2026-11-15T00:00:00"), "name": "处罚决定", "unit": AUTHORITY, "note": "警告，罚款2000.5元"},
            {"at": bj("2026-11-16T00:00:00"), "name": "结案", "unit": AUTHORITY},
        ],
        "reference_numbers": references(
            ("internet_supervision", "CF33070200000012"), ("internet_supervision", "JC33070200000012")
        ),
    }
    assert found.people == [{"role": "subject", "name": PERSON, "id_number": PERSON_CODE}]
    assert PERSON not in str(found.row)


COERCION = {
    "record_unique_identity": "45c48cce2e2d7fbdea1afc51c7c6ad26",
    "qzxwmc": f"对{COMPANY}的强制措施",
    "qzxwbh": "QZ33070200000003",
    "jcxwbh": "JC33070200000003",
    "wfss": "违法堆放建筑垃圾",
    "qzyj": "《中华人民共和国行政强制法》",
    "qzjdsh": "婺综执强〔2026〕第00003号",
    "qzzl": "1",
    "qzcslx": "3",
    "qzjg": "已执行",
    "csqssj": "2026-10-01 08:00:00",
    "sfyc": "是",
    "ycqx": "15",
    "jssj": "2026-10-31 08:00:00",
    "ssjg": AUTHORITY,
    "ssjgdm": AUTHORITY_CODE,
    "xdrmc": COMPANY,
    "xdrxz": "2",
    "xdrbm": COMPANY_CODE,
    "xzqhdm": "330702",
    "bssj": "2026-10-02 09:00:00",
    **EXCHANGE,
}


def test_coercion(known: Mappings) -> None:
    found = specimen(known, "coercions", COERCION)
    assert found.fields == {
        "flags": ["extended"],
        "title": f"对{COMPANY}的强制措施",
        "description": "违法堆放建筑垃圾",
        "source_category": "1",
        "source_category_text": "强制措施",
        "occurred_at": bj("2026-10-01T08:00:00"),
        "reported_at": bj("2026-10-02T09:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "closed_at": bj("2026-10-31T08:00:00"),
        "region": "330702",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "subject_kind": "organization",
        "subject_name": COMPANY,
        "subject_code": COMPANY_CODE,
        "document_number": "婺综执强〔2026〕第00003号",
        "measures": ["扣押"],
        "basis": "《中华人民共和国行政强制法》",
        "result": "已执行",
        "steps": [
            {"at": bj("2026-10-01T08:00:00"), "name": "措施起始", "unit": AUTHORITY},
            {"at": bj("2026-10-31T08:00:00"), "name": "措施结束", "unit": AUTHORITY},
        ],
        "reference_numbers": references(
            ("internet_supervision", "QZ33070200000003"), ("internet_supervision", "JC33070200000003")
        ),
    }


OTHER_ACT = {
    "record_unique_identity": "d3d9446802a44259755d38e6d163e820",
    "act_name": f"对{COMPANY}的行政指导",
    "act_code": "QT33070200000004",
    "check_action_code": "JC33070200000004",
    "item_source": "上级交办",
    "supervise_measure": "行政约谈",
    "close_status": "已结案",
    "start_time": "2026-11-01 10:00:00",
    "end_time": "2026-11-03 11:00:00",
    "implement_institution": AUTHORITY,
    "implement_institution_code": AUTHORITY_CODE,
    "administrative_cp": COMPANY,
    "administrative_cp_na": "3",
    "administrative_cp_ui_code": COMPANY_CODE,
    "area_number": "330702",
    **EXCHANGE,
}


def test_other_act(known: Mappings) -> None:
    found = specimen(known, "other_acts", OTHER_ACT)
    assert found.fields == {
        "status": Status.CLOSED,
        "source_status": "已结案",
        "title": f"对{COMPANY}的行政指导",
        "channel": "上级交办",
        "occurred_at": bj("2026-11-01T10:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "closed_at": bj("2026-11-03T11:00:00"),
        "region": "330702",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "subject_kind": "organization",
        "subject_name": COMPANY,
        "subject_code": COMPANY_CODE,
        "measures": ["行政约谈"],
        "steps": [
            {"at": bj("2026-11-01T10:00:00"), "name": "开始", "unit": AUTHORITY},
            {"at": bj("2026-11-03T11:00:00"), "name": "结束", "unit": AUTHORITY},
        ],
        "reference_numbers": references(
            ("internet_supervision", "QT33070200000004"), ("internet_supervision", "JC33070200000004")
        ),
    }


CHECK_TASK = {
    "record_unique_identity": "6512bd43d9caa6e02c990b0a82652dca",
    "mainTaskUid": "ZRW0011",
    "taskUid": "RW000005",
    "taskName": "2026年油烟污染双随机抽查",
    "taskCode": "SSJ2026011",
    "priPID": "3307020000123456",
    "entName": COMPANY,
    "uniCode": COMPANY_CODE,
    "auditState": "5",
    "checkType": "1",
    "checkDeptCode": AUTHORITY_CODE,
    "checkDeptName": AUTHORITY,
    "checkDeptPerson": "钱执甲1;孙执乙2",
    "checkDate": ms("2026-11-05T09:00:00"),
    "checkArea": "330702003",
    "checkResult": "E",
    "disposeMss": "责令改正，日常监管跟进",
    "disposeState": "2",
    "disposeFinishDate": ms("2026-11-09T15:00:00"),
    "enterUserName": "钱执甲1",
    "enterDate": ms("2026-11-06T09:00:00"),
    "auditUserName": "孙执乙2",
    "auditOpinion": "已公示",
    "auditDate": ms("2026-11-08T09:00:00"),
    "teamLeader": "孙执乙2",
    "expertNames": "",
    **EXCHANGE,
}


def test_check_task(known: Mappings) -> None:
    found = specimen(known, "check_tasks", CHECK_TASK)
    assert found.fields == {
        "status": Status.CLOSED,
        "source_status": "5",
        "source_status_text": "已公示",
        "title": "2026年油烟污染双随机抽查",
        "description": "责令改正，日常监管跟进",
        "occurred_at": bj("2026-11-05T09:00:00"),
        "reported_at": bj("2026-11-06T09:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "closed_at": bj("2026-11-09T15:00:00"),
        "region": "330702003",
        "town": "330702003",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "officers": ["钱执甲1", "孙执乙2"],
        "subject_kind": "organization",
        "subject_name": COMPANY,
        "subject_code": COMPANY_CODE,
        "result": "发现问题经责令已改正",
        "steps": [
            {"at": bj("2026-11-05T09:00:00"), "name": "检查", "unit": AUTHORITY, "actor": "孙执乙2"},
            {"at": bj("2026-11-06T09:00:00"), "name": "录入", "actor": "钱执甲1"},
            {"at": bj("2026-11-08T09:00:00"), "name": "审核", "actor": "孙执乙2", "note": "已公示"},
            {"at": bj("2026-11-09T15:00:00"), "name": "处置完结", "note": "责令改正，日常监管跟进"},
        ],
        "reference_numbers": references(
            ("internet_supervision", "RW000005"),
            ("internet_supervision", "ZRW0011"),
            ("double_random_plan", "SSJ2026011"),
            ("market_subject", "3307020000123456"),
        ),
    }
    assert found.people == []


@pytest.mark.parametrize(
    ("stream", "record", "path"), [("other_acts", OTHER_ACT, "close_status"), ("check_tasks", CHECK_TASK, "auditState")]
)
def test_an_unknown_status_is_unmapped(known: Mappings, stream: str, record: dict[str, Any], path: str) -> None:
    found = specimen(known, stream, record | {path: "77"})
    assert (found.fields["status"], found.fields["source_status"]) == (Status.UNMAPPED, "77")
    assert [gap.code for gap in found.gaps] == ["77"]
