"""What one more version of a record means beside the one that is current: the rules, as a pure function."""

from enum import Enum
from itertools import compress
from operator import ne
from typing import Any

from hub.mapping.columns import MAPPED_COLUMNS

__all__ = ["UPDATED_AT", "Verdict", "changed_fields", "judge", "older"]

UPDATED_AT = MAPPED_COLUMNS.index("source_updated_at")


class Verdict(Enum):
    #: Nothing new: the same bytes, or a version that is already history.
    REPEAT = "repeat"
    #: Other bytes, but nothing of it is mapped: the raw record is replaced, consumers see nothing.
    RAW_ONLY = "raw_only"
    #: Older than the current version: kept as history, never current.
    STALE = "stale"
    #: Becomes the current version.
    NEWER = "newer"


def judge(
    *,
    row: tuple[Any, ...],
    current: tuple[Any, ...],
    current_deleted: bool,
    in_history: bool,
    beside: bool,
    log: bool,
    stale_before: bool,
) -> Verdict:
    """How a version (`row`) relates to the `current` one of the same incident, both in the order of MAPPED_COLUMNS.

    `in_history`: exactly these bytes were current once. `beside`: one reading showed them and then the current ones, or
    they were stale once. `log`: the source sends versions, not states. `stale_before`: these bytes were stale in an earlier run
    already; a source that shows its present state twice means it, so this is a correction.
    """
    if log and in_history and not older(current, row):
        return Verdict.REPEAT
    late = older(row, current) or (beside and not older(current, row))
    if late and (log or not stale_before):
        return Verdict.STALE
    if row == current and not current_deleted:
        return Verdict.RAW_ONLY
    return Verdict.NEWER


def older(row: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether the source changed the one before the other, as far as both say."""
    one, two = row[UPDATED_AT], other[UPDATED_AT]
    return one is not None and two is not None and one < two


def changed_fields(before: tuple[Any, ...], after: tuple[Any, ...]) -> tuple[str, ...]:
    """Names of the columns in which two rows differ."""
    return tuple(compress(MAPPED_COLUMNS, map(ne, before, after)))
