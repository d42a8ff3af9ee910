"""行政执法监督: one hand-written record a stream, and what it must become, field by field."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import mappings
from hub.incident import Status
from hub.mapping.mapping import Mappings
from hub.testing.specimen import Specimen, map_specimen

AUTHORITY, AUTHORITY_CODE = "婺城区综合行政执法局", "113307020026000183"
COMPANY, COMPANY_CODE = "虚构甲1号餐饮有限公司", "91330702MA0000015Q"
PERSON, PERSON_CODE = "赵试甲7", "330702209101010019"


@pytest.fixture(scope="module")
def known() -> Mappings:
    return Mappings([Path(mappings.__file__ or "").parent])


def specimen(known: Mappings, stream: str, record: dict[str, Any]) -> Specimen:
    return map_specimen(known.get(f"enforcement_supervision/{stream}"), record)


def bj(text: str) -> datetime:
    """A local time in Asia/Shanghai as an instant."""
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def ms(text: str) -> int:
    return int(bj(text).timestamp() * 1000)


def references(*numbers: tuple[str, str]) -> list[dict[str, str]]:
    return [{"system": system, "number": number} for system, number in numbers]


CASE = {
    "AJBH": "23307022600012",
    "AJMC": f"{COMPANY}涉嫌油烟污染案",
    "AJZT": "50",
    "LASJ": "2026-10-08 09:00:00",
    "SJC": "2026-11-19 17:20:31",
    "CF_WSH": "婺综执罚决字〔2026〕第00012号",
    "CF_XDR_MC": COMPANY,
    "CF_XDR_LB": "法人及非法人组织",
    "CF_XDR_SHXYM": COMPANY_CODE,
    "CF_XDR_ZJLX": "",
    "CF_XDR_ZJHM": "",
    "CF_FRDB": "李试乙",
    "CF_WFXW": "油烟污染",
    "CF_SY": "未安装油烟净化设施，负责人李试乙在场",
    "CF_YJ": "《浙江省城市市容和环境卫生管理条例》",
    "CF_CFLB": "警告,罚款",
    "CF_NR": "罚款2000元",
    "CF_NR_FK": 0.2,
    "CF_NR_WFFF": 1.23456,
    "CF_JDRQ": "2026-11-12",
    "CF_GSJZQ": "2027-11-12",
    "CF_CFJG": AUTHORITY,
    "CF_CFJGDM": AUTHORITY_CODE,
    "CF_SJLY": "婺城区司法局",
    "CF_SJLYDM": "11330702002600099X",
    "CF_AREACODE": "330702",
    "BZ": "",
}


def test_case_with_money_in_ten_thousands(known: Mappings) -> None:
    found = specimen(known, "cases", CASE)
    assert found.fields == {
        "status": Status.CLOSED,
        "source_status": "50",
        "source_status_text": "已结案",
        "title": f"{COMPANY}涉嫌油烟污染案",
        "description": "未安装油烟净化设施，负责人***在场",
        "source_category": "油烟污染",
        "occurred_at": bj("2026-10-08T09:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "region": "330702",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "subject_kind": "organization",
        "subject_name": COMPANY,
        "subject_code": COMPANY_CODE,
        "parties": [{"role": "data_source", "name": "婺城区司法局", "code": "11330702002600099X"}],
        "document_number": "婺综执罚决字〔2026〕第00012号",
        "measures": ["警告", "罚款"],
        "basis": "《浙江省城市市容和环境卫生管理条例》",
        "fine": Decimal("2000.00"),
        "confiscated": Decimal("12345.60"),
        "result": "罚款2000元",
        "steps": [
            {"at": bj("2026-10-08T09:00:00"), "name": "立案", "unit": AUTHORITY},
            {"at": bj("2026-11-12T00:00:00"), "name": "处罚决定", "unit": AUTHORITY, "note": "罚款2000元"},
        ],
        "reference_numbers": references(("enforcement_supervision", "23307022600012")),
    }
    assert found.people == [{"role": "legal_representative", "name": "李试乙"}]


def test_case_of_a_natural_person_before_the_decision(known: Mappings) -> None:
    record = CASE | {
        "AJMC": f"{PERSON}涉嫌油烟污染案", "AJZT": "30", "CF_WSH": "", "CF_XDR_MC": PERSON, "CF_XDR_LB": "自然人",
        "CF_XDR_SHXYM": "", "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": PERSON_CODE, "CF_FRDB": "", "CF_CFLB": "",
        "CF_NR": "", "CF_NR_FK": None, "CF_NR_WFFF": None, "CF_JDRQ": "",
    }  # fmt: skip
    found = specimen(known, "cases", record)
    assert found.fields["title"] == "***涉嫌油烟污染案"
    assert found.fields["status"] is Status.IN_PROGRESS
    assert found.fields["subject_kind"] == "person"
    absent = {"subject_name", "subject_code", "fine", "confiscated", "document_number", "measures", "result"}
    assert not absent & found.fields.keys()
    assert [step["name"] for step in found.fields["steps"]] == ["立案"]
    assert found.people == [{"role": "subject", "name": PERSON, "id_number": PERSON_CODE}]


LEAD = {
    "leadId": 40007,
    "leadNo": "XS2026000007",
    "leadName": f"{AUTHORITY}执法疑似不规范",
    "modelCode": "M07",
    "modelName": "超期未结案",
    "procedure": "简易",
    "procState": 3,
    "suspectDept": AUTHORITY,
    "suspectDeptCode": AUTHORITY_CODE,
    "caseNo": "23307022600012",
    "content": "立案后超过90日未作决定",
    "findTime": ms("2026-11-10T08:00:00"),
    "updateTime": ms("2026-11-19T17:20:31"),
    "replyLimit": ms("2026-11-20T18:00:00"),
    "replyContent": "正在核查",
    "areaCode": "330702103",
    "supervised": True,
}


def test_supervision_lead(known: Mappings) -> None:
    found = specimen(known, "supervision_leads", LEAD)
    assert found.fields == {
        "status": Status.IN_PROGRESS,
        "source_status": "3",
        "source_status_text": "反馈中",
        "flags": ["supervised"],
        "title": f"{AUTHORITY}执法疑似不规范",
        "description": "立案后超过90日未作决定",
        "channel": "简易",
        "source_category": "M07",
        "source_category_text": "超期未结案",
        "occurred_at": bj("2026-11-10T08:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "due_at": bj("2026-11-20T18:00:00"),
        "region": "330702103",
        "town": "330702103",
        "unit": AUTHORITY,
        "unit_code": AUTHORITY_CODE,
        "result": "正在核查",
        "reference_numbers": references(
            ("enforcement_supervision", "XS2026000007"), ("enforcement_supervision", "23307022600012")
        ),
    }
    assert found.people == []


REFERRAL = {
    "uid": "aab3238922bcc25a6f606eb525ffdc56",
    "copyFormNo": "婺抄告〔2026〕9号",
    "year": "2026",
    "copyNo": "9",
    "copyDepartCode": AUTHORITY_CODE,
    "copyDepartName": AUTHORITY,
    "copyPerson": "钱执甲1",
    "copyTel": "19900001111",
    "acceptDeptCodes": "11330702002600026X,11330702002600034Q",
    "acceptDeptNames": "婺城区市场监督管理局,婺城区应急管理局",
    "copyType": "wzwz",
    "copyState": "ycgfkz",
    "illegalItem": "无证无照经营",
    "copyInfoFrom": "检查发现",
    "feedbackNeed": "0",
    "illegalCase": f"{PERSON}（电话19900002222）无证经营",
    "evidenceData": "现场照片2张",
    "copyDate": "2026-11-11 09:00:00",
    "updateDate": "2026-11-19 17:20:31",
    "areaCode": "330702",
    "partys": [
        {"clientName": COMPANY, "certType": "001", "certNo": COMPANY_CODE, "address": "甲路1号", "clientTel": ""},
        {
            "clientName": PERSON,
            "certType": "111",
            "certNo": PERSON_CODE,
            "address": "乙路2号",
            "clientTel": "19900002222",
        },
    ],
    "feedbacks": [
        {
            "acceptDepartCode": "11330702002600026X",
            "acceptDepartName": "婺城区市场监督管理局",
            "state": "1",
            "feedback": f"已对{PERSON}立案",
            "feedbackTime": "2026-11-13 10:00:00",
            "feedbackPerson": "孙执乙2",
        }
    ],
}


def test_referral(known: Mappings) -> None:
    found = specimen(known, "referrals", REFERRAL)
    assert found.fields == {
        "status": Status.IN_PROGRESS,
        "source_status": "ycgfkz",
        "source_status_text": "已抄告反馈中",
        "title": "无证无照经营",
        "description": "***（电话***）无证经营",
        "channel": "检查发现",
        "source_category": "wzwz",
        "source_category_text": "无证无照",
        "occurred_at": bj("2026-11-11T09:00:00"),
        "source_updated_at": bj("2026-11-19T17:20:31"),
        "region": "330702",
        "unit": "婺城区市场监督管理局,婺城区应急管理局",
        "unit_code": "11330702002600026X,11330702002600034Q",
        "officers": ["钱执甲1"],
        "parties": [
            {"role": "party", "name": COMPANY, "code": COMPANY_CODE},
            {"role": "referrer", "name": AUTHORITY, "code": AUTHORITY_CODE},
            {"role": "receiver", "name": "婺城区市场监督管理局"},
            {"role": "receiver", "name": "婺城区应急管理局"},
        ],
        "document_number": "婺抄告〔2026〕9号",
        "measures": ["要求反馈"],
        "steps": [
            {"at": bj("2026-11-11T09:00:00"), "name": "抄告", "unit": AUTHORITY, "actor": "钱执甲1"},
            {
                "at": bj("2026-11-13T10:00:00"),
                "name": "反馈",
                "unit": "婺城区市场监督管理局",
                "actor": "孙执乙2",
                "note": "已对***立案",
            },
        ],
    }
    assert found.people == [
        {"role": "contact", "phone": "19900001111"},
        {"role": "party", "name": PERSON, "phone": "19900002222", "id_number": PERSON_CODE, "address": "乙路2号"},
    ]


def test_feedback_need_0_means_yes(known: Mappings) -> None:
    needs = {}
    for code in ("0", "1"):
        found = specimen(known, "referrals", REFERRAL | {"feedbackNeed": code})
        needs[code] = found.fields["measures"]
    assert needs == {"0": ["要求反馈"], "1": ["不要求反馈"]}


@pytest.mark.parametrize(
    ("stream", "record", "path"),
    [("cases", CASE, "AJZT"), ("supervision_leads", LEAD, "procState"), ("referrals", REFERRAL, "copyState")],
)
def test_an_unknown_status_is_unmapped(known: Mappings, stream: str, record: dict[str, Any], path: str) -> None:
    found = specimen(known, stream, record | {path: "77"})
    assert (found.fields["status"], found.fields["source_status"]) == (Status.UNMAPPED, "77")
    assert [gap.code for gap in found.gaps] == ["77"]
