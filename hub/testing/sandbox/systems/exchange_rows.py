"""Rows of the district's own platforms, text in every column (domain.md §4.2, §4.5, §9.2, §11)."""

from __future__ import annotations

from typing import Any

from hub.testing.sandbox.clock import local, local_date
from hub.testing.sandbox.records import Record
from hub.testing.sandbox.systems.telling import CHECK_RESULTS, SOURCES, category_name, describe, officers, party, pick


def case(record: Record, index: int) -> dict[str, Any]:
    event, stage, at = record.event, record.stage(index), record.versions[index].at
    name, nature, _, code = party(record)
    names, certificates = officers(record)
    fine = record.fine(index)
    decided = fine is not None
    return {
        "case_id": record.native_id,
        "case_no": f"婺综执立〔2026〕{record.number:05d}号",
        "case_name": f"{name}{category_name(record, index)}案",
        "case_source": pick(record, SOURCES),
        "case_state": stage.code,
        "illegal_act": category_name(record, index),
        "illegal_fact": describe(record, index),
        "basis": "《浙江省城市市容和环境卫生管理条例》",
        "procedure": pick(record, ("简易", "普通")),
        "party_name": name,
        "party_type": nature,
        "party_code": code,
        "filing_time": local(record.occurred),
        "decision_no": f"婺综执罚决〔2026〕{record.number:05d}号" if decided else "",
        "decision_date": local_date(at) if decided else "",
        "punish_type": "罚款" if decided else "",
        "fine_amount": None if fine is None else f"{fine:.2f}",
        "close_date": local_date(at) if stage.status == "closed" else "",
        "handling_dept": event.authority.name,
        "officers": names,
        "officer_codes": certificates,
        "town_code": record.region,
        "address": event.address,
        "source_event_no": record.related,
        "is_major": "是" if event.severity == 4 else "否",
    }


def finding(record: Record, index: int) -> dict[str, Any]:
    event, version = record.event, record.versions[index]
    return {
        "event_code": record.native_id,
        "event_type": version.category,
        "represent": describe(record, index),
        "condition": f"{category_name(record, index)}达到立案条件",
        "sts": record.stage(index).code,
        "source": pick(record, ("0", "0", "1")),
        "rec_type": pick(record, ("日常管理", "专项普查", "其他")),
        "urgent": "1" if event.severity >= 3 else "0",
        "grid": event.grid,
        "location": event.address,
        "x": f"{record.lon:.6f}",
        "y": f"{record.lat:.6f}",
        "find_time": local(record.occurred),
        "time_limit": local(record.reported + 3 * 86400),
        "supervisor": event.officers[0][0],
        "dept": event.authority.name,
        "petitioner_name": event.reporter.name,
        "petitioner_phone": event.reporter.phone,
        "do_by_self": "1" if record.salt % 10 == 0 else "0",
        "process_instance_id": f"PI{record.number:08d}",
    }


def check(record: Record, index: int) -> dict[str, Any]:
    event, stage = record.event, record.stage(index)
    complained = record.salt % 3 == 0
    return {
        "check_uid": record.native_id,
        "pri_pid": f"3307020000{record.salt:06d}",
        "ent_name": event.company.name,
        "uni_code": event.company.code,
        "task_source": "2" if complained else pick(record, ("1", "3", "4")),
        "check_date": local(record.occurred),
        "check_result": pick(record, CHECK_RESULTS),
        "check_dept_code": event.authority.code,
        "check_dept_name": event.authority.name,
        "check_dept_person": officers(record)[0],
        "check_obj_type": "1",
        "check_obj": category_name(record, index),
        "dispose_state": stage.code,
        "dispose_mss": describe(record, index),
        "dispose_finish_date": local(record.versions[index].at) if stage.status == "closed" else "",
        "complainter": event.reporter.name if complained else "",
        "complainter_tel": event.reporter.phone if complained else "",
        "complaint_content": describe(record, index) if complained else "",
        "town_code": record.region,
    }


def rectification(record: Record, index: int) -> dict[str, Any]:
    event, stage = record.event, record.stage(index)
    order_no, item_no = record.native_id if isinstance(record.native_id, list) else ("", "")
    done = stage.status == "closed"
    return {
        "order_no": order_no,
        "item_no": item_no,
        "check_uid": f"{record.salt:032x}",
        "problem": describe(record, index),
        "requirement": f"立即整改{category_name(record, index)}问题",
        "state": stage.code,
        "issue_time": local(record.occurred),
        "limit_time": local(record.occurred + 15 * 86400),
        "finish_time": local(record.versions[index].at) if done else "",
        "review_opinion": "已整改到位" if done else "",
        "ent_name": event.company.name,
        "uni_code": event.company.code,
        "dept": event.authority.name,
        "officer": event.officers[0][0],
        "town_code": record.region,
    }


def alarm(record: Record, index: int) -> dict[str, Any]:
    event, stage = record.event, record.stage(index)
    reached = {step.code: local(at) for step, at in record.steps(index)}
    ended = stage.status == "closed"
    return {
        "alarm_no": record.native_id,
        "alarm_type": pick(record, ("01", "02", "03", "03", "04", "05", "99")),
        "rvcall_no": event.reporter.phone,
        "caller_name": event.reporter.name,
        "report_mode": pick(record, ("电话", "电话", "短信", "互联网")),
        "alarm_time": local(record.occurred),
        "receive_time": reached.get("1", ""),
        "dispatch_time": reached.get("2", ""),
        "arrive_time": reached.get("3", ""),
        "feedback_time": reached.get("4", ""),
        "end_time": reached.get("5", ""),
        "receive_unit": "婺城区综合指挥中心",
        "receive_person": event.officers[0][0],
        "report_details": describe(record, index),
        "dispose_unit": event.authority.name,
        "dispose_person": officers(record)[0],
        "dispose_details": "到场核实并劝离" if ended else "",
        "dispose_result": "已处置" if ended else "",
        "state": stage.code,
        "if_spot_fine": pick(record, ("1", "2", "2")),
        "if_spot_reconcile": pick(record, ("2", "1")),
        "police_num": str(record.salt % 4 + 1),
        "popedom": record.region,
        "lng": f"{record.lon:.6f}",
        "lat": f"{record.lat:.6f}",
        "address": event.address,
        "record_no": f"LY{record.number:08d}",
    }


RENDERERS = {
    "case_handling.cases": case,
    "road_patrol.findings": finding,
    "integrated_management.checks": check,
    "integrated_management.rectifications": rectification,
    "dispatch_desk.alarms": alarm,
}
