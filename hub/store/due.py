"""The schedule's rows: when each stream is due next."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hub.store.store import Store, Transaction

__all__ = ["DueRow", "list_schedules", "put_schedules", "settled_keys", "take_due"]


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
            f"INSERT INTO schedule ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (source, stream, partition) DO UPDATE"
            " SET next_due_at = CASE WHEN schedule.rule = excluded.rule THEN schedule.next_due_at"
            " ELSE excluded.next_due_at END,"
            " rule = excluded.rule",
            wanted,
        )


def take_due(
    store: Store,
    now: int,
    following: Callable[[DueRow], int],
    hand_over: Callable[[Transaction, list[DueRow]], None] | None = None,
) -> list[DueRow]:
    """Take every slot that is due, the longest overdue first, and move each on to its `following` instant, in one
    transaction.

    Two planners never get the same slot: what one holds, the other passes over. `hand_over` may store the work in
    that same transaction, so that a planner that dies has either done both or nothing.
    """
    with store.write() as transaction:
        skip = " FOR UPDATE SKIP LOCKED" if transaction.dialect == "postgresql" else ""
        found = transaction.all(
            f"SELECT {_COLUMNS} FROM schedule WHERE next_due_at <= ? ORDER BY next_due_at{skip}", (now,)
        )
        rows = [DueRow(*row) for row in found]
        transaction.run_many(
            "UPDATE schedule SET next_due_at = ?, planned_at = ? WHERE source = ? AND stream = ? AND partition = ?",
            [(following(row), now, row.source, row.stream, row.partition) for row in rows],
        )
        if hand_over is not None and rows:
            hand_over(transaction, rows)
    return rows


def list_schedules(store: Store) -> list[DueRow]:
    """Every scheduled stream."""
    with store.read() as transaction:
        rows = transaction.all(f"SELECT {_COLUMNS} FROM schedule ORDER BY source, stream, partition")
    return [DueRow(*row) for row in rows]


def settled_keys(transaction: Transaction) -> set[tuple[str, str, str]]:
    """(source key, stream, partition) whose last reading is concluded. Every other one begins, or goes on with, what
    may be long."""
    rows = transaction.all("SELECT source, stream, partition FROM state WHERE body = '{}'")
    return {(row[0], row[1], row[2]) for row in rows}
