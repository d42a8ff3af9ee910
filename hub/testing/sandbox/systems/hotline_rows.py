"""Hotline work orders: the list row, and the detail whose field names do not say what they mean (domain.md §7.1)."""

from __future__ import annotations

from typing import Any

from hub.testing.sandbox.clock import local
from hub.testing.sandbox.events import CLASSES
from hub.testing.sandbox.records import Record
from hub.testing.sandbox.systems.telling import category_name, describe, pick

_KINDS = ("求助", "咨询", "投诉", "举报", "建议", "感谢")
_WAYS = ("电话", "网站", "微信", "APP", "省平台", "市110")
_SATISFACTION = ("满意", "基本满意", "不满意", "无法回访", "无人接听")

#: fd_name → (descriptor type, Chinese label), in the order the detail page shows them.
DESCRIPTORS = {
    "roll_number": ("text", "工单编号"),
    "receive_time": ("datetime", "受理时间"),
    "update_time": ("datetime", "更新时间"),
    "payroll_result": ("select", "工单状态"),
    "handle_rel_expire_time": ("datetime", "处置实际到期时间"),
    "src_way": ("select", "受理方式"),
    "payroll_name": ("text", "姓名"),
    "company_tel": ("text", "联系方式"),
    "addr": ("text", "地址"),
    "region_district_id": ("select", "区域"),
    "distribute_way": ("text", "企业名称"),
    "payroll_type": ("select", "业务类别"),
    "event_type2_id": ("checkbox", "事件类型"),
    "roll_content": ("textarea", "事件描述"),
    "note": ("textarea", "备注"),
    "note10": ("textarea", "公开答复内容"),
    "note14": ("radio", "是否回访"),
    "handling_quality": ("select", "办理满意"),
    "note12": ("select", "过程满意"),
    "note2": ("select", "是否解决"),
    "note3": ("radio", "办理回复"),
    "note4": ("select", "是否考核"),
    "note15": ("text", "市复核意见"),
    "order_number": ("select", "解决研判"),
    "attachments": ("file", "附件"),
    "urgency": ("select", "紧急程度"),
    "confidential": ("radio", "是否保密"),
}

#: State → the node whose step leads to it.
_NODES = {
    "待受理": "受理",
    "待补充": "受理",
    "已受理": "受理",
    "撤单": "受理",
    "待派遣": "预审",
    "已派遣": "预审",
    "退回": "预审",
    "待会商": "预审",
    "待处置": "处置",
    "已处置": "处置",
    "待回访": "回访",
    "已回访": "回访",
    "待结案": "结案",
    "已结案": "结案",
}


def order_id(record: Record) -> str:
    """The platform's internal id, by which a detail is asked for."""
    return str(700000 + record.number)


def order(record: Record, index: int) -> dict[str, Any]:
    """The list row."""
    return {
        "id": order_id(record),
        "roll_number": record.native_id,
        "payroll_type": pick(record, _KINDS),
        "payroll_result": record.stage(index).code,
        "receive_time": local(record.reported),
        "update_time": local(record.versions[index].at),
        "di_title": record.event.authority.name,
    }


def detail(record: Record, index: int) -> dict[str, Any]:
    """The values of the detail by fd_name; `descriptors` gives them their wire form."""
    event, version, stage = record.event, record.versions[index], record.stage(index)
    handled = stage.status in ("awaiting_review", "closed")
    visited = stage.status == "closed"
    return {
        "roll_number": record.native_id,
        "receive_time": local(record.reported),
        "update_time": local(version.at),
        "payroll_result": stage.code,
        "handle_rel_expire_time": local(record.reported + 5 * 86400),
        "src_way": pick(record, _WAYS),
        "payroll_name": event.reporter.name,
        "company_tel": event.reporter.phone,
        "addr": event.address,
        "region_district_id": f"婺城区-{event.town.name}",
        "distribute_way": event.company.name if record.salt % 3 == 0 else "",
        "payroll_type": pick(record, _KINDS),
        "event_type2_id": [CLASSES[version.category[:2]], category_name(record, index)],
        "roll_content": describe(record, index),
        "note": "经现场核查，已督促当事人整改。" if handled else "",
        "note10": "您反映的问题已处理，感谢监督。" if handled else "",
        "note14": pick(record, ("回访", "不回访")),
        "handling_quality": pick(record, _SATISFACTION) if visited else "",
        "note12": pick(record, ("满意", "基本满意", "不满意")) if visited else "",
        "note2": pick(record, ("解决", "基本解决", "未解决")) if visited else "",
        "note3": "回复" if handled else "未回复",
        "note4": pick(record, ("计入考核", "不计入考核")),
        "note15": "",
        "order_number": "解决" if visited else "",
        "attachments": ["现场照片.jpg"] if record.salt % 2 else [],
        "urgency": "紧急" if event.severity >= 3 else "一般",
        "confidential": "是" if record.salt % 11 == 0 else "否",
    }


def descriptors(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The array of field descriptors the detail is sent as."""
    return [
        {"fd_name": name, "type": DESCRIPTORS[name][0], "name": DESCRIPTORS[name][1], "choice_value": value}
        for name, value in values.items()
    ]


def steps(record: Record, index: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    before = ""
    for stage, at in record.steps(index):
        rows.append(
            {
                "ps_caption": _NODES[stage.code],
                "pss_caption_start": before,
                "pss_caption_end": stage.code,
                "opper": record.event.officers[len(rows) % 2][0],
                "pso_caption": "确定",
                "date": local(at),
                "di_title": record.event.authority.name,
                "payroll_resulttmp": stage.code,
            }
        )
        before = stage.code
    return rows
