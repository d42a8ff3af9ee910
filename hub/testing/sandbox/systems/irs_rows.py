"""Events of the four platforms and snapshot reports behind the IRS gateway (domain.md §8, §9.1, §10)."""

from __future__ import annotations

from typing import Any

from hub.testing.sandbox.clock import iso_local, local
from hub.testing.sandbox.places import gcj02
from hub.testing.sandbox.records import Record
from hub.testing.sandbox.systems.telling import category_name, describe, party, pick

#: Grid-officer categories of the governance platform by GB/T 30428 class.
_GOVERNANCE_TYPES = {"01": "106", "02": "106", "03": "102", "04": "105", "05": "104"}
_GOVERNANCE_RARE = {0: "101", 1: "103", 2: "199"}
_MARKET_TYPES = {"01": "其他", "02": "广告违法", "03": "其他", "04": "食品安全", "05": "无照经营"}
_SERVICE_TYPES = {"01": "投诉", "02": "投诉", "03": "投诉", "04": "求助", "05": "建议"}
_LIMIT_S = 7 * 86400


def governance(record: Record, index: int) -> dict[str, Any]:
    event, version = record.event, record.versions[index]
    name, nature, _, code = party(record)
    kind = _GOVERNANCE_RARE.get(record.salt % 20) or _GOVERNANCE_TYPES[version.category[:2]]
    return {
        "eventId": record.native_id,
        "eventNo": f"ZZ{record.number:08d}",
        "eventName": f"{event.town.name}{category_name(record, index)}",
        "eventDesc": describe(record, index),
        "eventType": kind,
        "eventLevel": str(event.severity),
        "status": record.stage(index).code,
        "occurTime": local(record.occurred),
        "reportTime": local(record.reported),
        "updateTime": local(version.at),
        "limitTime": local(record.reported + _LIMIT_S),
        "gridCode": event.grid,
        "gridName": f"{event.town.name}第{event.grid[-3:]}网格",
        "address": event.address,
        "lng": f"{record.lon:.6f}",
        "lat": f"{record.lat:.6f}",
        "reporterName": event.reporter.name,
        "reporterPhone": event.reporter.phone,
        "partyName": name,
        "partyIdNo": code if nature == "1" else "",
        "handleDept": event.authority.name,
        "sourceNo": record.related,
        "isSupervised": "1" if record.salt % 9 == 0 else "0",
        "isUrgent": "1" if event.severity >= 3 else "0",
        "delFlag": "1" if version.op == "d" else "0",
        "steps": [
            {
                "nodeName": stage.node,
                "operator": operator,
                "dept": event.authority.name,
                "time": local(at),
                "opinion": stage.word,
            }
            for stage, at, operator in _steps(record, index)
        ],
    }


def market(record: Record, index: int) -> dict[str, Any]:
    event, version = record.event, record.versions[index]
    return {
        "id": record.native_id,
        "eventNo": f"SC330702{record.number:06d}",
        "title": f"{event.company.name}{category_name(record, index)}",
        "content": describe(record, index),
        "category": _MARKET_TYPES[version.category[:2]],
        "level": ("一般", "一般", "较大", "重大")[event.severity - 1],
        "eventStatus": record.stage(index).code,
        "occurTime": record.occurred * 1000,
        "reportTime": record.reported * 1000,
        "updateTime": version.at * 1000,
        "deadline": (record.reported + _LIMIT_S) * 1000,
        "townCode": record.region,
        "townName": event.town.name,
        "address": event.address,
        "lng": record.lon,
        "lat": record.lat,
        "reporter": {"name": event.reporter.name, "phone": event.reporter.phone},
        "entName": event.company.name,
        "uniCode": event.company.code,
        "handleDept": event.authority.name,
        "hotlineNo": record.related,
        "urgent": event.severity >= 3,
        "flows": [
            {"node": stage.node, "user": operator, "org": event.authority.name, "time": at * 1000, "remark": stage.word}
            for stage, at, operator in _steps(record, index)
        ],
    }


def enforcement(record: Record, index: int) -> dict[str, Any]:
    event, version = record.event, record.versions[index]
    name, _, _, code = party(record)
    return {
        "id": record.native_id,
        "eventNo": f"ZF330702{record.number:06d}",
        "name": category_name(record, index),
        "description": describe(record, index),
        "category": version.category,
        "level": event.severity,
        "state": int(record.stage(index).code),
        "occurredAt": iso_local(record.occurred),
        "reportedAt": iso_local(record.reported),
        "updatedAt": iso_local(version.at),
        "deadline": iso_local(record.reported + _LIMIT_S),
        "villageCode": record.region,
        "address": event.address,
        "location": None if record.lon is None else {"lon": record.lon, "lat": record.lat},
        "reporter": {"name": event.reporter.name, "phone": event.reporter.phone},
        "subjectName": name,
        "subjectCode": code,
        "dept": event.authority.name,
        "gridEventNo": record.related or None,
        "extended": record.salt % 12 == 0,
        "deleted": version.op == "d",
        "logs": [
            {
                "action": stage.node,
                "by": operator,
                "unit": event.authority.name,
                "at": iso_local(at),
                "note": stage.word,
            }
            for stage, at, operator in _steps(record, index)
        ],
    }


def services(record: Record, index: int) -> dict[str, Any]:
    event, version = record.event, record.versions[index]
    region = record.region or ""
    return {
        "sjbh": record.native_id,
        "sjbt": f"{event.town.name}{category_name(record, index)}",
        "sjms": describe(record, index),
        "sjlb": "咨询" if record.salt % 8 == 0 else _SERVICE_TYPES[version.category[:2]],
        "jjcd": "紧急" if event.severity >= 3 else "一般",
        "zt": record.stage(index).code,
        "fssj": local(record.occurred),
        "sbsj": local(record.reported),
        "gxsj": local(version.at),
        "blqx": local(record.reported + _LIMIT_S),
        "jddm": region[:9],
        "cunCode": region if len(region) == 12 else "",
        "dz": event.address,
        "jd": "" if record.lon is None else f"{record.lon:.6f}",
        "wd": "" if record.lat is None else f"{record.lat:.6f}",
        "sbr": event.reporter.name,
        "lxdh": event.reporter.phone,
        "sfzh": event.reporter.id_number,
        "blbm": event.authority.name,
        "sourceNo": record.related,
        "sfdb": "是" if record.salt % 9 == 0 else "否",
        "lcjl": [
            {"hj": stage.node, "czr": operator, "bm": event.authority.name, "sj": local(at), "yj": stage.word}
            for stage, at, operator in _steps(record, index)
        ],
    }


def report(record: Record, index: int) -> dict[str, Any]:
    """A citizen's snapshot; the telephone gives GCJ-02 coordinates."""
    event, version, stage = record.event, record.versions[index], record.stage(index)
    lon, lat = gcj02(record.lon or 0.0, record.lat or 0.0)
    anonymous = record.salt % 5 == 0
    photo = f"http://photos.example/{record.native_id}"
    reviewed = stage.code != "PENDING"
    return {
        "reportId": record.native_id,
        "bigClass": version.category[:2],
        "smallClass": str(int(version.category[2:])),
        "className": category_name(record, index),
        "content": describe(record, index),
        "photos": [f"{photo}/{n}.jpg" for n in range(1, record.salt % 3 + 2)],
        "lng": f"{lon:.6f}",
        "lat": f"{lat:.6f}",
        "address": event.address,
        "townCode": record.region,
        "anonymous": anonymous,
        "openid": f"oTEST{record.salt:06d}{record.number:08d}",
        "nickName": f"{event.reporter.name[0]}先生",
        "phone": None if anonymous else event.reporter.phone,
        "auditStatus": stage.code,
        "auditOpinion": stage.word if reviewed else "",
        "points": pick(record, (5, 10, 20)) if stage.code in ("PASSED", "HANDLING", "DONE") else 0,
        "happenTime": record.occurred * 1000,
        "createTime": record.reported * 1000,
        "updateTime": version.at * 1000,
        "handlePhotos": [f"{photo}/done.jpg"] if stage.code == "DONE" else [],
    }


def _steps(record: Record, index: int) -> list[tuple[Any, int, str]]:
    """Stage, instant and the officer who took the step."""
    officers = record.event.officers
    return [(stage, at, officers[n % 2][0]) for n, (stage, at) in enumerate(record.steps(index))]


RENDERERS = {
    "grassroots_governance.events": governance,
    "grassroots_market.events": market,
    "grassroots_enforcement.events": enforcement,
    "grassroots_services.events": services,
    "snapshot.reports": report,
}
