"""The work orders that all contestants read: 1.17 kB each, the same on every machine, rendered once into a folder.

`base.json` holds the records one behind the other with commas between them, `base.off` where each begins, so that a
page of any size and a system of any smaller size is one slice. `delta.json` is a later version of every hundredth.
"""

import json
import random
import sys
from array import array
from datetime import datetime, timedelta
from pathlib import Path

from stdnum.cn import uscc

__all__ = ["CHANGED_EVERY", "render"]

CHANGED_EVERY = 100
_BEGIN = datetime(2025, 1, 1)  # noqa: DTZ001 - the source writes local times without a zone
_APART = timedelta(seconds=30)
_STATES = ("10", "20", "30", "40", "50")
_CLASSES = tuple(
    {"0101": "暴露垃圾", "0102": "积存渣土", "0203": "占道经营", "0304": "违章停车", "0501": "噪声扰民"}.items()
)
_TOWNS = ("330702001", "330702002", "330702100", "330702101", "330702200")
_TEXT = (
    "市民来电反映小区门口长期有流动摊贩占道经营影响通行希望有关部门尽快到现场查看处理并给予答复"
    "此前已多次反映未得到解决夜间噪声较大周边居民意见强烈道路两侧堆放建筑垃圾存在安全隐患"
    "来电人称已向社区反映但未收到回复请执法部门核实后告知处理结果"
)
_FAMILY, _GIVEN = "王李张刘陈杨黄赵吴周", ("伟", "芳", "秀英", "建国", "志强", "晓明", "丽", "国华")


def _companies(count: int) -> list[tuple[str, str]]:
    found = []
    for number in range(count):
        body = f"91330702MA{number:07d}"
        found.append((f"婺城区第{number}号商贸有限公司", body + uscc.calc_check_digit(body)))
    return found


def _record(number: int, chance: random.Random, companies: list[tuple[str, str]], version: int) -> bytes:
    happened = _BEGIN + number * _APART
    changed = happened + timedelta(minutes=9)
    if version:
        changed = datetime(2026, 1, 1) + timedelta(seconds=number // CHANGED_EVERY % 86_400)  # noqa: DTZ001
    code, title = chance.choice(_CLASSES)
    town = chance.choice(_TOWNS)
    company = chance.choice(companies) if chance.random() < 0.5 else ("", "")
    start = chance.randrange(40)
    name = chance.choice(_FAMILY) + chance.choice(_GIVEN)
    state = _STATES[-1] if version else chance.choice(_STATES)
    record = {
        "orderNo": f"WO3307{number:010d}",
        "state": state,
        "title": f"{title}·{chance.randrange(10_000)}",
        "content": _TEXT[start : start + 76],
        "classCode": code,
        "className": title,
        "source": chance.choice(("8890热线", "网格上报", "随手拍")),
        "happenTime": f"{happened:%F %T}",
        "receiveTime": f"{happened + timedelta(minutes=3):%F %T}",
        "updateTime": f"{changed:%F %T}",
        "finishTime": f"{happened + timedelta(days=2):%F %T}" if state == "50" else "",
        "limitTime": f"{happened + timedelta(days=5):%F %T}",
        "areaCode": f"{town}{chance.randrange(1, 40):03d}",
        "gridCode": f"{town}{chance.randrange(1, 40):03d}{chance.randrange(1, 30):03d}",
        "address": f"城西街道{chance.choice('和平胜利丹溪双龙')}路{chance.randrange(1, 999)}号",
        "lng": round(119.4 + chance.random() / 3, 6),
        "lat": round(28.9 + chance.random() / 3, 6),
        "dept": "婺城区综合行政执法局",
        "deptCode": "11330702MB1234567X",
        "subjectName": company[0],
        "subjectCode": company[1],
        "amount": chance.randrange(0, 5000) / 100,
        "result": "2026-01-01经复查已整改到位" if version else "已联系当事人现场处理",
        "answer": "您反映的问题已转属地街道办理",
        "urgent": chance.random() < 0.05,
        "reporterName": name,
        "reporterPhone": f"139{chance.randrange(10**8):08d}",
        "steps": [
            {"time": f"{happened + timedelta(minutes=3):%F %T}", "node": "受理", "dept": "指挥中心"},
            {"time": f"{happened + timedelta(hours=2):%F %T}", "node": "派遣", "dept": "执法局"},
        ],
        "tenantId": 330702,
        "deleted": 0,
        "remark": "",
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def render(folder: Path, count: int) -> None:
    """Write `base` and `delta` for `count` records unless they are there."""
    marker = folder / f"rendered-{count}"
    if marker.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    companies = _companies(5000)
    _write(folder / "base", range(count), companies, 0)
    _write(folder / "delta", range(0, count, CHANGED_EVERY), companies, 1)
    marker.touch()


def _write(stem: Path, numbers: range, companies: list[tuple[str, str]], version: int) -> None:
    offsets, place = array("q", [0]), 0
    with stem.with_suffix(".json").open("wb") as data:
        for number in numbers:
            line = _record(number, random.Random(number), companies, version) + b","
            place += data.write(line)
            offsets.append(place)
    stem.with_suffix(".off").write_bytes(offsets.tobytes())


if __name__ == "__main__":
    render(Path(sys.argv[1]), int(sys.argv[2]))
