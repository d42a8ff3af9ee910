"""What one more version means: every case of `judge` in a table (promise 8)."""

from typing import Any

import pytest

from hub.mapping.columns import MAPPED_COLUMNS
from hub.sync.versions import UPDATED_AT, Verdict, changed_fields, judge


def row(at: int | None, title: str = "a") -> tuple[Any, ...]:
    values: list[Any] = [None] * len(MAPPED_COLUMNS)
    values[UPDATED_AT] = at
    values[MAPPED_COLUMNS.index("title")] = title
    return tuple(values)


NOTHING = {"current_deleted": False, "in_history": False, "beside": False, "log": False, "stale_before": False}
CASES: dict[str, tuple[int | None, str, int | None, dict[str, bool], Verdict]] = {
    # name: at and title of the version, at of the current one (title "a"), what else is known, verdict
    "newer": (2, "b", 1, {}, Verdict.NEWER),
    "newer time alone is a change": (2, "a", 1, {}, Verdict.NEWER),
    "equal times, other values": (1, "b", 1, {}, Verdict.NEWER),
    "equal in all that is mapped": (1, "a", 1, {}, Verdict.RAW_ONLY),
    "older": (1, "b", 2, {}, Verdict.STALE),
    "older and equal otherwise": (1, "a", 2, {}, Verdict.STALE),
    "older twice is a correction": (1, "b", 2, {"stale_before": True}, Verdict.NEWER),
    "older twice in a log is history": (1, "b", 2, {"stale_before": True, "log": True}, Verdict.STALE),
    "without a time": (None, "b", 2, {}, Verdict.NEWER),
    "beside one without a time": (1, "b", None, {}, Verdict.NEWER),
    "neither has a time": (None, "b", None, {}, Verdict.NEWER),
    "neither has a time, equal": (None, "a", None, {}, Verdict.RAW_ONLY),
    "returns as it was": (1, "a", 1, {"current_deleted": True, "in_history": True}, Verdict.NEWER),
    "returns changed": (2, "b", 1, {"current_deleted": True}, Verdict.NEWER),
    "returns older": (1, "b", 2, {"current_deleted": True}, Verdict.STALE),
    "state that was there before": (3, "b", 2, {"in_history": True}, Verdict.NEWER),
    "shown beside one of the same time": (1, "b", 1, {"beside": True}, Verdict.STALE),
    "shown beside one of no time": (None, "b", None, {"beside": True}, Verdict.STALE),
    "shown beside one that is gone": (1, "b", 1, {"beside": True, "current_deleted": True}, Verdict.STALE),
    "shown alone, twice": (1, "b", 1, {"beside": True, "stale_before": True}, Verdict.NEWER),
    "shown again with a newer time": (2, "b", 1, {"beside": True}, Verdict.NEWER),
    "log repeats": (1, "a", 1, {"log": True, "in_history": True}, Verdict.REPEAT),
    "log repeats an older one": (1, "b", 2, {"log": True, "in_history": True}, Verdict.REPEAT),
    "log repeats what was withdrawn": (
        1, "a", 1, {"log": True, "in_history": True, "current_deleted": True}, Verdict.REPEAT,
    ),
    "log goes on": (3, "b", 2, {"log": True}, Verdict.NEWER),
    "log comes late": (1, "b", 2, {"log": True}, Verdict.STALE),
    "log brings one back": (3, "a", 2, {"log": True, "current_deleted": True}, Verdict.NEWER),
    "log brings known bytes as news": (3, "b", 2, {"log": True, "in_history": True}, Verdict.NEWER),
}  # fmt: skip


@pytest.mark.parametrize(("at", "title", "current_at", "known", "verdict"), CASES.values(), ids=CASES)
def test_judge(at: int | None, title: str, current_at: int | None, known: dict[str, bool], verdict: Verdict) -> None:
    assert judge(row=row(at, title), current=row(current_at), **{**NOTHING, **known}) is verdict


def test_changed_fields_names_columns() -> None:
    assert changed_fields(row(1, "a"), row(2, "b")) == ("title", "source_updated_at")
    assert changed_fields(row(1), row(1)) == ()
