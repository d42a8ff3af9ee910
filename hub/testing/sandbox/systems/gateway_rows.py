"""Rows of the streams behind the provincial gateway (domain.md §4.1–4.5, §5, §6)."""

from __future__ import annotations

from typing import Any

from hub.testing.sandbox.clock import local, local_date
from hub.testing.sandbox.people import AUTHORITIES
from hub.testing.sandbox.records import Record
from hub.testing.sandbox.systems.telling import (
    CHECK_RESULTS,
    SOURCES,
    category_name,
    describe,
    exchange_columns,
    officers,
    party,
    pick,
)

_ITEM_CODE = "33020{:09d}"  # 监管事项目录编码, 14 digits


def _act_code(prefix: str, record: Record) -> str:
    return f"{prefix}330702{record.number:08d}"


def inspection(record: Record, index: int) -> dict[str, Any]:
    event, (name, nature, certificate, code) = record.event, party(record)
    names, certificates = officers(record)
    item = f"{event.authority.code}{record.salt % 5 + 1}{record.salt % 90 + 10}"
    return {
        "record_unique_identity": record.native_id,
        "plan_id": f"SSJ2026{record.salt % 50:03d}" if record.salt % 3 == 0 else "",
        "supervise_item_implement_code": _ITEM_CODE.format(record.salt % 997),
        "supervise_item_check_icode": f"{item},{item[:18]}199" if record.salt % 5 == 0 else item,
        "check_action_name": f"对{name}的{category_name(record, index)}检查",
        "check_action_code": _act_code("JC", record),
        "implement_institution": event.authority.name,
        "implement_institution_code": event.authority.code,
        "supervise_object": name,
        "supervise_object_type": "2" if record.natural else "1",
        "administrative_cp": name,
        "administrative_cp_na": nature,
        "administrative_cp_ce_type": certificate,
        "administrative_cp_ui_code": code,
        "address_registered": event.address,
        "address_operating": event.address,
        "area_number": record.region,
        "check_form": pick(record, ("01", "01", "02")),
        "check_type": pick(record, ("1", "2")),
        "check_mode": pick(record, ("1", "2")),
        "check_result": CHECK_RESULTS[(record.salt + record.versions[index].amended) % len(CHECK_RESULTS)],
        "check_date": local(record.occurred),
        "check_personnel": names,
        "check_personnel_code": certificates,
        "submitted_date": local(record.reported),
        "submitted_personnel": event.officers[0][0],
        "company_type": "" if record.natural else pick(record, ("有限责任公司", "个体工商户")),
        **exchange_columns(record, index),
    }


def penalty(record: Record, index: int) -> dict[str, Any]:
    event, (name, nature, certificate, code) = record.event, party(record)
    fine = record.fine(index)
    amount = None if fine is None else _number(fine)
    paid = record.salt % 3 != 0
    return {
        "record_unique_identity": record.native_id,
        "punishActionName": f"对{name}{category_name(record, index)}的处罚",
        "punishActionCode": _act_code("CF", record),
        "checkActionCode": _act_code("JC", record),
        "caseSource": str(record.salt % 3 + 1),
        "illegalFact": describe(record, index),
        "punishBasis": "《浙江省城市市容和环境卫生管理条例》",
        "punishProcedure": pick(record, ("1", "2")),
        "isHearing": pick(record, ("2", "2", "2", "1")),
        "isMajorCase": "1" if event.severity == 4 else "2",
        "isCrimeCase": "2",
        "isLegalReview": pick(record, ("1", "2")),
        "filingDate": local_date(record.occurred - 5 * 86400),
        "punishDocCode": f"婺综执罚决〔2026〕第{record.number:05d}号",
        "punishDate": local_date(record.occurred),
        "punishType": pick(record, ("2", "1,2", "2,3")),
        "fine": amount,
        "penaltyResult": f"罚款{amount}元",
        "casesClosedFine": amount if paid else None,
        "closeDate": local_date(record.occurred) if paid else None,
        "punishOrgan": event.authority.name,
        "punishOrganCode": event.authority.code,
        "administrativeCp": name,
        "administrativeCpNa": nature,
        "administrativeCpCeType": certificate,
        "administrativeCpUiCode": code,
        "areaNumber": record.region,
        "submittedDate": local(record.reported),
        **exchange_columns(record, index),
    }


def _number(value: Any) -> int | float:
    """A decimal as the shortest JSON number."""
    return int(value) if value == int(value) else float(value)


def coercion(record: Record, index: int) -> dict[str, Any]:
    event, (name, nature, _, code) = record.event, party(record)
    extended = record.salt % 5 == 0
    return {
        "record_unique_identity": record.native_id,
        "qzxwmc": f"对{name}的强制措施",
        "qzxwbh": _act_code("QZ", record),
        "jcxwbh": _act_code("JC", record),
        "wfss": describe(record, index),
        "qzyj": "《中华人民共和国行政强制法》",
        "qzjdsh": f"婺综执强〔2026〕第{record.number:05d}号",
        "qzzl": pick(record, ("1", "1", "2")),
        "qzcslx": pick(record, ("2", "3", "9")),
        "qzjg": pick(record, ("已执行", "已解除", "执行中")),
        "csqssj": local(record.occurred),
        "sfyc": "是" if extended else "否",
        "ycqx": "15" if extended else "",
        "jssj": local(record.occurred + 30 * 86400) if record.salt % 2 else "",
        "ssjg": event.authority.name,
        "ssjgdm": event.authority.code,
        "xdrmc": name,
        "xdrxz": nature,
        "xdrbm": code,
        "xzqhdm": record.region,
        "bssj": local(record.reported),
        **exchange_columns(record, index),
    }


def other_act(record: Record, index: int) -> dict[str, Any]:
    event, (name, nature, _, code) = record.event, party(record)
    stage = record.stage(index)
    return {
        "record_unique_identity": record.native_id,
        "act_name": f"对{name}的行政指导",
        "act_code": _act_code("QT", record),
        "check_action_code": _act_code("JC", record),
        "item_source": pick(record, SOURCES),
        "supervise_measure": pick(record, ("责令改正", "行政约谈", "警示告诫")),
        "close_status": stage.code,
        "start_time": local(record.occurred),
        "end_time": local(record.versions[index].at) if stage.status == "closed" else "",
        "implement_institution": event.authority.name,
        "implement_institution_code": event.authority.code,
        "administrative_cp": name,
        "administrative_cp_na": nature,
        "administrative_cp_ui_code": code,
        "area_number": record.region,
        **exchange_columns(record, index),
    }


def check_task(record: Record, index: int) -> dict[str, Any]:
    event, stage = record.event, record.stage(index)
    names, _ = officers(record)
    audited = stage.code in ("3", "4", "5")
    closed = stage.code == "5"
    return {
        "record_unique_identity": record.native_id,
        "mainTaskUid": f"ZRW{record.salt % 40:04d}",
        "taskUid": f"RW{record.number:06d}",
        "taskName": f"2026年{category_name(record, index)}双随机抽查",
        "taskCode": f"SSJ2026{record.salt % 40:03d}",
        "priPID": f"3307020000{record.salt:06d}",
        "entName": event.company.name,
        "uniCode": event.company.code,
        "auditState": stage.code,
        "checkType": pick(record, ("1", "2")),
        "checkDeptCode": event.authority.code,
        "checkDeptName": event.authority.name,
        "checkDeptPerson": names,
        "checkDate": record.occurred * 1000,
        "checkArea": record.region,
        "checkResult": pick(record, CHECK_RESULTS),
        "disposeMss": pick(record, ("无需处理", "责令改正，日常监管跟进", "移交案件线索")),
        "disposeState": "2" if closed else "1",
        "disposeFinishDate": record.versions[index].at * 1000 if closed else None,
        "enterUserName": event.officers[0][0],
        "enterDate": record.reported * 1000,
        "auditUserName": event.officers[1][0] if audited else "",
        "auditOpinion": stage.word if audited else "",
        "auditDate": record.versions[index].at * 1000 if audited else None,
        "teamLeader": event.officers[1][0],
        "expertNames": "",
        **exchange_columns(record, index),
    }


def case(record: Record, index: int) -> dict[str, Any]:
    """An archived case on the 双公示 layout; money is in 万元 (domain.md §6)."""
    event, stage, (name, _, _, code) = record.event, record.stage(index), party(record)
    fine = record.fine(index)
    decided = fine is not None
    day = record.versions[index].at
    natural = record.natural
    return {
        "AJBH": record.native_id,
        "AJMC": f"{name}涉嫌{category_name(record, index)}案",
        "AJZT": stage.code,
        "LASJ": local(record.occurred),
        "SJC": local(day),
        "CF_WSH": f"婺综执罚决字〔2026〕第{record.number:05d}号" if decided else "",
        "CF_XDR_MC": name,
        "CF_XDR_LB": "自然人" if natural else "个体工商户" if event.company.sole else "法人及非法人组织",
        "CF_XDR_SHXYM": "" if natural else code,
        "CF_XDR_ZJLX": "身份证" if natural else "",
        "CF_XDR_ZJHM": code if natural else "",
        "CF_FRDB": "" if natural else event.company.head,
        "CF_WFXW": category_name(record, index),
        "CF_SY": describe(record, index),
        "CF_YJ": "《浙江省城市市容和环境卫生管理条例》",
        "CF_CFLB": pick(record, ("罚款", "警告,罚款")) if decided else "",
        "CF_NR": f"罚款{_number(fine)}元" if fine is not None else "",
        "CF_NR_FK": None if fine is None else float(fine / 10000),
        "CF_NR_WFFF": None,
        "CF_JDRQ": local_date(day) if decided else "",
        "CF_GSJZQ": local_date(day + 365 * 86400) if decided else "",
        "CF_CFJG": event.authority.name,
        "CF_CFJGDM": event.authority.code,
        "CF_SJLY": event.authority.name,
        "CF_SJLYDM": event.authority.code,
        "CF_AREACODE": record.region,
        "BZ": "",
    }


def lead(record: Record, index: int) -> dict[str, Any]:
    event, stage = record.event, record.stage(index)
    model = record.salt % 22 + 1
    answered = stage.code in ("4", "5")
    return {
        "leadId": record.native_id,
        "leadNo": f"XS2026{record.number:06d}",
        "leadName": f"{event.authority.name}执法疑似不规范",
        "modelCode": f"M{model:02d}",
        "modelName": f"问题模型{model}",
        "procedure": pick(record, ("一般", "简易", "预警")),
        "procState": int(stage.code),
        "suspectDept": event.authority.name,
        "suspectDeptCode": event.authority.code,
        "caseNo": f"233070226{record.salt % 90000:05d}" if record.salt % 2 else "",
        "content": describe(record, index),
        "findTime": record.occurred * 1000,
        "updateTime": record.versions[index].at * 1000,
        "replyLimit": (record.reported + 10 * 86400) * 1000,
        "replyContent": "已核查，执法程序合规。" if answered else "",
        "areaCode": record.region,
        "supervised": record.salt % 6 == 0,
    }


def referral(record: Record, index: int) -> dict[str, Any]:
    event, stage, (name, _, certificate, code) = record.event, record.stage(index), party(record)
    receiver = AUTHORITIES[record.salt % len(AUTHORITIES)]
    return {
        "uid": record.native_id,
        "copyFormNo": f"婺抄告〔2026〕{record.number}号",
        "year": "2026",
        "copyNo": str(record.number),
        "copyDepartCode": event.authority.code,
        "copyDepartName": event.authority.name,
        "copyPerson": event.officers[0][0],
        "copyTel": event.reporter.phone,
        "acceptDeptCodes": receiver.code,
        "acceptDeptNames": receiver.name,
        "copyType": pick(record, ("wzwz", "qywfaj", "qt")),
        "copyState": stage.code,
        "illegalItem": category_name(record, index),
        "copyInfoFrom": pick(record, SOURCES),
        "feedbackNeed": pick(record, ("0", "0", "1")),
        "illegalCase": describe(record, index),
        "evidenceData": "现场照片2张",
        "copyDate": local(record.occurred),
        "updateDate": local(record.versions[index].at),
        "areaCode": record.region,
        "partys": [
            {
                "clientName": name,
                "certType": certificate,
                "certNo": code,
                "address": event.address,
                "clientTel": event.offender.phone,
            }
        ],
        "feedbacks": [
            {
                "acceptDepartCode": receiver.code,
                "acceptDepartName": receiver.name,
                "state": "1",
                "feedback": "已依法处理",
                "feedbackTime": local(at),
                "feedbackPerson": event.officers[1][0],
            }
            for reached, at in record.steps(index)
            if reached.code == "ycgfkwc"
        ],
    }


RENDERERS = {
    "internet_supervision.inspections": inspection,
    "internet_supervision.penalties": penalty,
    "internet_supervision.coercions": coercion,
    "internet_supervision.other_acts": other_act,
    "internet_supervision.check_tasks": check_task,
    "enforcement_supervision.cases": case,
    "enforcement_supervision.supervision_leads": lead,
    "enforcement_supervision.referrals": referral,
}
