"""The lives of records: which states each stream knows, what its code means, and the ways through them.

The hub word beside each code is the truth the hub is compared with; it is written here by hand from the design's
list of statuses, never read from a mapping."""

from __future__ import annotations

from typing import NamedTuple


class Stage(NamedTuple):
    code: str  #: as the source writes it
    word: str  #: as the source says it
    status: str | None  #: the hub's word, "unmapped" for a planted code, None for kinds without status
    node: str  #: the step that leads here, in the words of domain.md §8


class Life(NamedTuple):
    paths: tuple[tuple[Stage, ...], ...]
    weights: tuple[int, ...]


_NODES = {
    "pending": "上报",
    "accepted": "受理",
    "dispatched": "派发",
    "in_progress": "处置",
    "awaiting_review": "办结",
    "closed": "回访",
    "suspended": "挂起",
    "returned": "退回",
    "rejected": "退回",
    "cancelled": "作废",
    "unmapped": "其他",
}

STATELESS = Life(((Stage("", "", None, ""),),), (1,))


def life(states: str, *paths: tuple[int, str]) -> Life:
    """`states` is `code:word:hub word …`; a path is a weight and its codes, followed from left to right."""
    stages = {}
    for state in states.split():
        code, word, status = state.split(":")
        stages[code] = Stage(code, word, status, _NODES[status])
    return Life(
        tuple(tuple(stages[code] for code in path.split()) for _, path in paths), tuple(weight for weight, _ in paths)
    )


LIVES = {
    "internet_supervision.inspections": STATELESS,
    "internet_supervision.penalties": STATELESS,
    "internet_supervision.coercions": STATELESS,
    "internet_supervision.other_acts": life(
        "未结案:未结案:in_progress 已结案:已结案:closed 部分结案:部分结案:unmapped",
        (95, "未结案 已结案"),
        (5, "未结案 部分结案"),
    ),
    "internet_supervision.check_tasks": life(
        "1:未录入:pending 2:待审核:awaiting_review 3:审核退回:returned 4:不通过:rejected 5:已公示:closed"
        " 9:待复核:unmapped",
        (80, "1 2 5"),
        (8, "1 2 3 2 5"),
        (8, "1 2 4"),
        (4, "1 9"),
    ),
    "enforcement_supervision.cases": life(
        "10:待受理:pending 20:已立案:accepted 30:调查取证:in_progress 40:待结案:awaiting_review"
        " 50:已结案:closed 60:不予立案:rejected 70:撤销:cancelled 80:中止:suspended 99:移送司法:unmapped",
        (78, "10 20 30 40 50"),
        (7, "10 60"),
        (5, "10 20 70"),
        (6, "10 20 30 80 30 40 50"),
        (4, "10 20 99"),
    ),
    "enforcement_supervision.supervision_leads": life(
        "1:待受理:pending 2:已受理:accepted 3:反馈中:in_progress 4:待核查:awaiting_review"
        " 5:已办结:closed 6:退回:returned 7:不予受理:rejected 11:转督办:unmapped",
        (78, "1 2 3 4 5"),
        (8, "1 6 2 3 4 5"),
        (8, "1 7"),
        (6, "1 2 11"),
    ),
    "enforcement_supervision.referrals": life(
        "dsh:待审核:pending yshth:审核退回:returned ycgfkz:已抄告反馈中:in_progress"
        " ycgfkwc:反馈完成:awaiting_review qxcg:取消抄告:cancelled ycgwc:已抄告完成:closed"
        " zbz:转办中:unmapped",
        (78, "dsh ycgfkz ycgfkwc ycgwc"),
        (8, "dsh yshth"),
        (8, "dsh qxcg"),
        (6, "dsh zbz"),
    ),
    "grassroots_governance.events": life(
        "01:待受理:pending 02:已受理:accepted 03:待派遣:accepted 04:已派遣:dispatched"
        " 05:处置中:in_progress 06:待核查:awaiting_review 07:已办结:closed 08:已回访:closed"
        " 09:挂起:suspended 10:退回:returned 11:作废:cancelled 88:会商中:unmapped",
        (78, "01 02 03 04 05 06 07 08"),
        (7, "01 10 01 02 04 05 07"),
        (5, "01 11"),
        (6, "01 02 04 09 05 06 07"),
        (4, "01 02 88"),
    ),
    "grassroots_market.events": life(
        "待受理:待受理:pending 已受理:已受理:accepted 已派遣:已派遣:dispatched 处置中:处置中:in_progress"
        " 待核查:待核查:awaiting_review 已办结:已办结:closed 不予受理:不予受理:rejected"
        " 移送中:移送中:unmapped",
        (85, "待受理 已受理 已派遣 处置中 待核查 已办结"),
        (10, "待受理 不予受理"),
        (5, "待受理 已受理 移送中"),
    ),
    "grassroots_enforcement.events": life(
        "0:待受理:pending 1:已受理:accepted 2:已派遣:dispatched 3:处置中:in_progress"
        " 4:待结案:awaiting_review 5:已结案:closed 6:不予立案:rejected 7:挂账:suspended -1:作废:cancelled"
        " 42:联合执法:unmapped",
        (79, "0 1 2 3 4 5"),
        (6, "0 6"),
        (6, "0 1 2 7 3 4 5"),
        (5, "0 1 -1"),
        (4, "0 1 42"),
    ),
    "grassroots_services.events": life(
        "dsl:待受理:pending ysl:已受理:accepted ypf:已派发:dispatched czz:处置中:in_progress"
        " dhf:待回访:awaiting_review ybj:已办结:closed th:退回:returned cd:撤单:cancelled"
        " hsz:会审中:unmapped",
        (80, "dsl ysl ypf czz dhf ybj"),
        (8, "dsl th dsl ysl ypf czz ybj"),
        (7, "dsl cd"),
        (5, "dsl ysl hsz"),
    ),
    "snapshot.reports": life(
        "PENDING:待审核:pending PASSED:已审核:accepted HANDLING:处置中:in_progress DONE:已办结:closed"
        " BACK:退回:returned REFUSED:审核不通过:rejected MERGED:已并案:unmapped",
        (78, "PENDING PASSED HANDLING DONE"),
        (8, "PENDING BACK"),
        (9, "PENDING REFUSED"),
        (5, "PENDING PASSED MERGED"),
    ),
    "hotline_8890.work_orders": life(
        "待受理:待受理:pending 待补充:待补充:pending 已受理:已受理:accepted 待派遣:待派遣:accepted"
        " 已派遣:已派遣:dispatched 待处置:待处置:dispatched 已处置:已处置:awaiting_review"
        " 待回访:待回访:awaiting_review 已回访:已回访:closed 待结案:待结案:awaiting_review"
        " 已结案:已结案:closed 撤单:撤单:cancelled 退回:退回:returned 待会商:待会商:unmapped",
        (74, "待受理 已受理 待派遣 已派遣 待处置 已处置 待回访 已回访 待结案 已结案"),
        (8, "待受理 待补充 已受理 待派遣 待处置 已处置 已结案"),
        (6, "待受理 撤单"),
        (6, "待受理 已受理 待派遣 退回"),
        (6, "待受理 已受理 待会商"),
    ),
    "case_handling.cases": life(
        "DL:待立案:pending LA:已立案:accepted DC:调查中:in_progress SH:待结案:awaiting_review"
        " JA:已结案:closed BL:不予立案:rejected CX:撤销:cancelled YS:移送:unmapped",
        (80, "DL LA DC SH JA"),
        (8, "DL BL"),
        (6, "DL LA CX"),
        (6, "DL LA YS"),
    ),
    "road_patrol.findings": life(
        "0:草稿:pending 1:已上报:pending 3:已受理:accepted 4:已立案:accepted 5:已派遣:dispatched"
        " 6:待核查:awaiting_review 7:申请挂账:in_progress 8:挂账:suspended 9:已结案:closed"
        " 10:作废:cancelled 12:待会勘:unmapped",
        (78, "0 1 3 4 5 6 9"),
        (8, "1 3 4 5 7 8"),
        (8, "1 3 10"),
        (6, "1 3 12"),
    ),
    "integrated_management.checks": life(
        "1:未完结:in_progress 2:已完结:closed 3:待归档:unmapped",
        (94, "1 2"),
        (6, "1 3"),
    ),
    "integrated_management.rectifications": life(
        "整改中:整改中:in_progress 待复查:待复查:awaiting_review 已销号:已销号:closed"
        " 退回重改:退回重改:returned 作废:作废:cancelled 延期申请中:延期申请中:unmapped",
        (78, "整改中 待复查 已销号"),
        (10, "整改中 待复查 退回重改 待复查 已销号"),
        (6, "整改中 作废"),
        (6, "整改中 延期申请中"),
    ),
    "dispatch_desk.alarms": life(
        "0:待接警:pending 1:已接警:accepted 2:已派警:dispatched 3:已到达:in_progress"
        " 4:已反馈:awaiting_review 5:已结束:closed 9:撤销:cancelled 7:转警:unmapped",
        (86, "0 1 2 3 4 5"),
        (8, "0 1 9"),
        (6, "0 1 7"),
    ),
    "open311.requests": life(
        "open:open:accepted closed:closed:closed duplicate:duplicate:unmapped",
        (95, "open closed"),
        (5, "open duplicate"),
    ),
    "csv_drop.street_events": life(
        "待受理:待受理:pending 待派遣:待派遣:accepted 处置中:处置中:in_progress"
        " 待核查:待核查:awaiting_review 已结案:已结案:closed 作废:作废:cancelled 协商中:协商中:unmapped",
        (86, "待受理 待派遣 处置中 待核查 已结案"),
        (8, "待受理 作废"),
        (6, "待受理 协商中"),
    ),
}
