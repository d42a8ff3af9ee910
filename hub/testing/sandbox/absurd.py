"""Nonsense that real systems send: each kind bends one record's wire text. Truth lists these records apart."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hub.testing.sandbox.records import Record


class Fields(NamedTuple):
    """Where a stream keeps what the nonsense is put into."""

    id: str
    text: str
    time: str
    status: str | None = None
    lon: str | None = None
    lat: str | None = None


FIELDS = {
    "internet_supervision.inspections": Fields("record_unique_identity", "check_action_name", "check_date"),
    "internet_supervision.penalties": Fields("record_unique_identity", "illegalFact", "punishDate"),
    "internet_supervision.coercions": Fields("record_unique_identity", "wfss", "csqssj"),
    "internet_supervision.other_acts": Fields("record_unique_identity", "act_name", "start_time", "close_status"),
    "internet_supervision.check_tasks": Fields("record_unique_identity", "taskName", "checkDate", "auditState"),
    "enforcement_supervision.cases": Fields("AJBH", "CF_SY", "LASJ", "AJZT"),
    "enforcement_supervision.supervision_leads": Fields("leadId", "content", "findTime", "procState"),
    "enforcement_supervision.referrals": Fields("uid", "illegalCase", "copyDate", "copyState"),
    "grassroots_governance.events": Fields("eventId", "eventDesc", "occurTime", "status", "lng", "lat"),
    "grassroots_market.events": Fields("id", "content", "occurTime", "eventStatus", "lng", "lat"),
    "grassroots_enforcement.events": Fields("id", "description", "occurredAt", "state"),
    "grassroots_services.events": Fields("sjbh", "sjms", "fssj", "zt", "jd", "wd"),
    "snapshot.reports": Fields("reportId", "content", "happenTime", "auditStatus", "lng", "lat"),
    "hotline_8890.work_orders": Fields("roll_number", "roll_content", "receive_time", "payroll_result"),
    "case_handling.cases": Fields("case_id", "illegal_fact", "filing_time", "case_state"),
    "road_patrol.findings": Fields("event_code", "represent", "find_time", "sts", "x", "y"),
    "integrated_management.checks": Fields("check_uid", "dispose_mss", "check_date", "dispose_state"),
    "integrated_management.rectifications": Fields("order_no", "problem", "issue_time", "state"),
    "dispatch_desk.alarms": Fields("alarm_no", "report_details", "alarm_time", "state", "lng", "lat"),
    "open311.requests": Fields("service_request_id", "description", "requested_datetime", "status", "long", "lat"),
    "csv_drop.street_events": Fields("事件编号", "描述", "发生时间", "状态", "经度", "纬度"),
}

#: Kinds that change a value; they fit every kind of wire.
VALUE_KINDS = ("impossible_date", "missing_key", "unmapped_code", "zero_coordinates", "swapped_coordinates")
#: Kinds that only JSON can carry; each of the first five makes a strict parser refuse the whole page.
JSON_KINDS = ("nan", "lone_surrogate", "huge_number", "control_character", "deep", "wrong_type", "nul")
KINDS = VALUE_KINDS + JSON_KINDS

#: Put into the text field and replaced in the finished JSON by what no serialiser would write.
_RAW = {
    "nan": "NaN",
    "huge_number": "1e400",
    "control_character": '"垃圾\x01堆"',
    "lone_surrogate": '"垃圾\\ud800堆"',
    "nul": '"垃圾\\u0000堆"',
    "deep": "[" * 3000 + "]" * 3000,
}
_MARK = "@@absurd@@"


def fits(kind: str, key: str, json_wire: bool) -> bool:
    """Whether a stream can carry this nonsense at all."""
    fields = FIELDS[key]
    if kind == "unmapped_code":
        return fields.status is not None
    if kind.endswith("_coordinates"):
        return fields.lon is not None
    return json_wire or kind in VALUE_KINDS


def bend_values(key: str, kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row with nonsense in its values, key order kept."""
    fields = FIELDS[key]
    if kind == "impossible_date":
        row[fields.time] = "2026-02-30 25:61:00"
    elif kind == "wrong_type":
        row[fields.time] = {"value": [True, None]}
    elif kind == "missing_key":
        del row[fields.id]
    elif kind == "unmapped_code" and fields.status:
        row[fields.status] = "无此状态"
    elif fields.lon and fields.lat and kind.endswith("_coordinates"):
        lon, lat = row[fields.lon], row[fields.lat]
        row[fields.lon], row[fields.lat] = (lat, lon) if kind.startswith("swapped") else (type(lon)(0), type(lat)(0))
    elif kind in _RAW:
        row[fields.text] = _MARK
    return row


def finish(kind: str, text: str) -> str:
    """Put the raw nonsense into finished JSON text."""
    return text.replace(f'"{_MARK}"', _RAW[kind]) if kind in _RAW else text


def spoil(key: str, record: Record, row: dict[str, Any]) -> str:
    """The JSON text of an absurd record."""
    kind = record.absurd or ""
    return finish(kind, json.dumps(bend_values(key, kind, row), ensure_ascii=False, separators=(",", ":")))
