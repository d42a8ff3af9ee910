"""The schedule's rows: when each stream is due next."""

from collections.abc import Sequence
from typing import NamedTuple

from hub.store.store import Store

__all__ = ["DueRow", "due_rows", "list_schedules", "put_schedules", "take_slot"]


class DueRow(NamedTuple):
    """`rule` is the schedule and its zone as written; `next_due_at` is epoch ms."""

    source: str
    stream: str
    partition: str
    rule: str
    next_due_at: int


_COLUMNS = "source, stream, partition, rule, next_due_at"


def put_schedules(store: Store, wanted: Sequence[DueRow]) -> None:
    """Make the table hold exactly these streams; where the rule is the same, the next-due time stays."""
    with store.write() as transaction:
        known = {row[:3] for row in transaction.all("SELECT source, stream, partition FROM schedule")}
        gone = known - {row[:3] for row in wanted}
        transaction.run_many(
            "DELETE FROM schedule WHERE source = ? AND stream = ? AND partition = ?", [tuple(key) for key in gone]
        )
        transaction.run_many(
            f"INSERT INTO schedule ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (source, stream, partition) DO UPDATE"
            " SET next_due_at = CASE WHEN schedule.rule = excluded.rule THEN schedule.next_due_at ELSE excluded.next_due_at END,"
            " rule = excluded.rule",
            wanted,
        )


def due_rows(store: Store, now: int) -> list[DueRow]:
    """What is due, the longest overdue first."""
    with store.read() as transaction:
        rows = transaction.all(f"SELECT {_COLUMNS} FROM schedule WHERE next_due_at <= ? ORDER BY next_due_at", (now,))
    return [DueRow(*row) for row in rows]


def take_slot(store: Store, row: DueRow, next_due_at: int, now: int) -> bool:
    """Move a slot on, if no other planner did so since it was read. True: it is ours to run."""
    with store.write() as transaction:
        moved = transaction.run(
            "UPDATE schedule SET next_due_at = ?, planned_at = ? WHERE source = ? AND stream = ? AND partition = ? AND next_due_at = ?",
            (next_due_at, now, row.source, row.stream, row.partition, row.next_due_at),
        )
    return moved == 1


def list_schedules(store: Store) -> list[DueRow]:
    """Every scheduled stream."""
    with store.read() as transaction:
        rows = transaction.all(f"SELECT {_COLUMNS} FROM schedule ORDER BY source, stream, partition")
    return [DueRow(*row) for row in rows]
