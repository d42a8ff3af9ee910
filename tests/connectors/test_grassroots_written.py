"""One record of each platform, written by hand from docs/wire.md, field by field."""

from datetime import UTC, datetime
from typing import Any

import pytest
from written import incident_of, told

from hub.incident import Flag, Reference, Status, Step

#: An invented company (GB 32100) and the example number of GB 11643.
CREDIT_CODE, ID_NUMBER = "91330702MA2ABCDE1M", "11010519491231002X"

HAPPENED = datetime(2026, 11, 19, 9, 10, tzinfo=UTC)
REPORTED = datetime(2026, 11, 19, 9, 13, 27, tzinfo=UTC)
UPDATED = datetime(2026, 11, 19, 23, 2, 11, tzinfo=UTC)
DUE = datetime(2026, 11, 26, 9, 13, 27, tzinfo=UTC)
#: What the four examples have in common.
SHARED: dict[str, Any] = {
    "occurred_at": HAPPENED,
    "reported_at": REPORTED,
    "source_updated_at": UPDATED,
    "due_at": DUE,
    "town": "330702003",
    "address": "城西街道虚构路1号",
    "longitude": 119.637,
    "latitude": 29.107,
    "source_x": 119.637,
    "source_y": 29.107,
    "coordinate_system": "WGS-84",
    "unit": "婺城区消防救援大队",
    "steps": [
        Step(at=REPORTED, name="上报", unit="城西街道", actor="网格员甲", note="待受理"),
        Step(at=UPDATED, name="处置", unit="消防", actor="网格员乙", note="处置中"),
    ],
}
REPORTER = {"role": "reporter", "name": "陈测试", "phone": "13800000001"}


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


GOVERNANCE = {
    "eventId": "SJ20261119000123",
    "eventNo": "ZZ00000123",
    "eventName": "消防通道堵塞",
    "eventDesc": "楼道堆放杂物",
    "eventType": "105",
    "eventLevel": "3",
    "status": "05",
    "occurTime": "2026-11-19 17:10:00",
    "reportTime": "2026-11-19 17:13:27",
    "updateTime": "2026-11-20 07:02:11",
    "limitTime": "2026-11-26 17:13:27",
    "gridCode": "330702003001012",
    "gridName": "城西街道第012网格",
    "address": "城西街道虚构路1号",
    "lng": "119.637000",
    "lat": "29.107000",
    "reporterName": "陈测试",
    "reporterPhone": "13800000001",
    "partyName": "赵测试",
    "partyIdNo": ID_NUMBER,
    "handleDept": "婺城区消防救援大队",
    "sourceNo": "261119171327424509",
    "isSupervised": "1",
    "isUrgent": "1",
    "delFlag": "0",
    "steps": [
        {
            "nodeName": "上报",
            "operator": "网格员甲",
            "dept": "城西街道",
            "time": "2026-11-19 17:13:27",
            "opinion": "待受理",
        },
        {
            "nodeName": "处置",
            "operator": "网格员乙",
            "dept": "消防",
            "time": "2026-11-20 07:02:11",
            "opinion": "处置中",
        },
    ],
}


def test_governance() -> None:
    incident, people, gaps = incident_of("grassroots_governance/events", "events", '"SJ20261119000123"', GOVERNANCE)
    assert incident.kind == "grid_event"
    assert told(incident) == SHARED | {
        "title": "消防通道堵塞",
        "description": "楼道堆放杂物",
        "status": Status.IN_PROGRESS,
        "source_status": "05",
        "source_status_text": "处置中",
        "category": "fire_hazard",
        "source_category": "105",
        "source_category_text": "消防隐患",
        "region": "330702003001",
        "grid": "330702003001012",
        "subject_kind": "person",
        "flags": [Flag.SUPERVISED, Flag.URGENT],
        "reference_numbers": [
            Reference(system="grassroots_governance", number="ZZ00000123"),
            Reference(system="hotline_8890", number="261119171327424509"),
        ],
    }
    assert people == [{"role": "subject", "name": "赵测试", "id_number": ID_NUMBER}, REPORTER]
    assert not gaps


@pytest.mark.parametrize(
    ("number", "kind"), [("", "organization"), ("身份证未带", "person"), ("33070219800101", "person")]
)
def test_whatever_stands_as_id_number_makes_the_party_a_person(number: str, kind: str) -> None:
    record = GOVERNANCE | {"partyName": "虚构餐饮有限公司", "partyIdNo": number}
    incident, people, _ = incident_of("grassroots_governance/events", "events", '"1"', record)
    assert incident.subject_kind == kind
    assert incident.subject_name == ("虚构餐饮有限公司" if kind == "organization" else None)
    assert incident.subject_code is None
    assert len(people) == (1 if kind == "organization" else 2)


MARKET = {
    "id": "1859000000004194305",
    "eventNo": "SC330702000001",
    "title": "无证餐饮",
    "content": "无证经营餐饮",
    "category": "食品安全",
    "level": "较大",
    "eventStatus": "处置中",
    "occurTime": ms(HAPPENED),
    "reportTime": ms(REPORTED),
    "updateTime": ms(UPDATED),
    "deadline": ms(DUE),
    "townCode": "330702003",
    "townName": "城西街道",
    "address": "城西街道虚构路1号",
    "lng": 119.637,
    "lat": 29.107,
    "reporter": {"name": "陈测试", "phone": "13800000001"},
    "entName": "虚构餐饮有限公司",
    "uniCode": CREDIT_CODE,
    "handleDept": "婺城区消防救援大队",
    "hotlineNo": "",
    "urgent": True,
    "flows": [
        {"node": "上报", "user": "网格员甲", "org": "城西街道", "time": ms(REPORTED), "remark": "待受理"},
        {"node": "处置", "user": "网格员乙", "org": "消防", "time": ms(UPDATED), "remark": "处置中"},
    ],
}


def test_market() -> None:
    incident, people, gaps = incident_of("grassroots_market/events", "events", '"1859000000004194305"', MARKET)
    assert incident.kind == "grid_event"
    assert told(incident) == SHARED | {
        "title": "无证餐饮",
        "description": "无证经营餐饮",
        "status": Status.IN_PROGRESS,
        "source_status": "处置中",
        "source_status_text": "处置中",
        "category": "food_safety",
        "source_category": "食品安全",
        "source_category_text": "食品安全",
        "region": "330702003",
        "subject_kind": "organization",
        "subject_name": "虚构餐饮有限公司",
        "subject_code": CREDIT_CODE,
        "flags": [Flag.URGENT],
        "reference_numbers": [Reference(system="grassroots_market", number="SC330702000001")],
    }
    assert people == [REPORTER]
    assert not gaps


ENFORCEMENT = {
    "id": "0f8b1a52-3c4d-4e5f-a607-18293a4b5c6d",
    "eventNo": "ZF330702000001",
    "name": "店外经营",
    "description": "门口摆放货物",
    "category": "0504",
    "level": 2,
    "state": 3,
    "occurredAt": "2026-11-19T17:10:00+08:00",
    "reportedAt": "2026-11-19T17:13:27+08:00",
    "updatedAt": "2026-11-20T07:02:11+08:00",
    "deadline": "2026-11-26T17:13:27+08:00",
    "villageCode": "330702003001",
    "address": "城西街道虚构路1号",
    "location": {"lon": 119.637, "lat": 29.107},
    "reporter": {"name": "陈测试", "phone": "13800000001"},
    "subjectName": "虚构餐饮有限公司",
    "subjectCode": CREDIT_CODE,
    "dept": "婺城区消防救援大队",
    "gridEventNo": "SJ20261119000123",
    "extended": True,
    "deleted": False,
    "logs": [
        {
            "action": "上报",
            "by": "网格员甲",
            "unit": "城西街道",
            "at": "2026-11-19T17:13:27+08:00",
            "note": "待受理",
        },
        {"action": "处置", "by": "网格员乙", "unit": "消防", "at": "2026-11-20T07:02:11+08:00", "note": "处置中"},
    ],
}


def test_enforcement() -> None:
    incident, people, gaps = incident_of("grassroots_enforcement/events", "events", '"0f8b"', ENFORCEMENT)
    assert incident.kind == "grid_event"
    assert told(incident) == SHARED | {
        "title": "店外经营",
        "description": "门口摆放货物",
        "status": Status.IN_PROGRESS,
        "source_status": "3",
        "source_status_text": "处置中",
        "category": "0504",
        "source_category": "0504",
        "source_category_text": "店外经营",
        "region": "330702003001",
        "subject_kind": "organization",
        "subject_name": "虚构餐饮有限公司",
        "subject_code": CREDIT_CODE,
        "flags": [Flag.EXTENDED],
        "reference_numbers": [
            Reference(system="grassroots_enforcement", number="ZF330702000001"),
            Reference(system="grassroots_governance", number="SJ20261119000123"),
        ],
    }
    assert people == [REPORTER]
    assert not gaps


@pytest.mark.parametrize(("number", "flags"), [(ID_NUMBER, []), ("110105194912310021", [Flag.BAD_ID_NUMBER])])
def test_a_subject_with_an_id_number_is_a_person(number: str, flags: list[Flag]) -> None:
    record = ENFORCEMENT | {"subjectName": "赵测试", "subjectCode": number, "extended": False, "location": None}
    incident, people, _ = incident_of("grassroots_enforcement/events", "events", '"1"', record)
    assert (incident.subject_kind, incident.subject_name, incident.subject_code) == ("person", None, None)
    assert incident.flags == flags
    assert people[0] == {"role": "subject", "name": "赵测试", "id_number": number}
    assert incident.longitude is None
    assert incident.source_x is None


SERVICES = {
    "sjbh": "BM33070200000001",
    "sjbt": "咨询办证",
    "sjms": "咨询食品经营许可证如何办理",
    "sjlb": "咨询",
    "jjcd": "紧急",
    "zt": "czz",
    "fssj": "2026-11-19 17:10:00",
    "sbsj": "2026-11-19 17:13:27",
    "gxsj": "2026-11-20 07:02:11",
    "blqx": "2026-11-26 17:13:27",
    "jddm": "330702003",
    "cunCode": "330702003001",
    "dz": "城西街道虚构路1号",
    "jd": "119.637000",
    "wd": "29.107000",
    "sbr": "陈测试",
    "lxdh": "13800000001",
    "sfzh": ID_NUMBER,
    "blbm": "婺城区消防救援大队",
    "sourceNo": "261119171327424509",
    "sfdb": "是",
    "lcjl": [
        {"hj": "处置", "czr": "网格员乙", "bm": "消防", "sj": "2026-11-20 07:02:11", "yj": "处置中"},
        {"hj": "上报", "czr": "网格员甲", "bm": "城西街道", "sj": "2026-11-19 17:13:27", "yj": "待受理"},
    ],
}


def test_services() -> None:
    incident, people, gaps = incident_of("grassroots_services/events", "events", '"BM33070200000001"', SERVICES)
    assert incident.kind == "grid_event"
    assert told(incident) == SHARED | {
        "title": "咨询办证",
        "description": "咨询食品经营许可证如何办理",
        "status": Status.IN_PROGRESS,
        "source_status": "czz",
        "source_status_text": "处置中",
        "category": "consultation",
        "source_category": "咨询",
        "source_category_text": "咨询",
        "region": "330702003001",
        "flags": [Flag.SUPERVISED, Flag.URGENT],
        "reference_numbers": [Reference(system="hotline_8890", number="261119171327424509")],
    }
    assert people == [REPORTER | {"id_number": ID_NUMBER}]
    assert not gaps


def test_services_without_village_and_position() -> None:
    record = SERVICES | {"cunCode": "", "jd": "", "wd": "", "zt": "hsz"}
    incident, _, gaps = incident_of("grassroots_services/events", "events", '"1"', record)
    assert (incident.region, incident.town) == ("330702003", "330702003")
    assert (incident.longitude, incident.source_x) == (None, None)
    assert (incident.status, incident.source_status, gaps) == (Status.UNMAPPED, "hsz", ["hsz"])
