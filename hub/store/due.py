"""The schedule's rows: when each stream is due next."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hub.store.store import Store, Transaction

__all__ = [
    "FULL_REFRESH",
    "DueRow",
    "hasten",
    "list_schedules",
    "put_schedules",
    "recall_ahead",
    "resume_interrupted",
    "settled_keys",
    "take_due",
]


#: Stands in the place of a partition where a full refresh beside a stream's own runs has its schedule, lease, state and runs.
FULL_REFRESH = "full refresh"

#: Two planners' clocks may differ by less.
_AHEAD_MS = 300_000


class DueRow(NamedTuple):
    """`rule` is the schedule and its zone as written; `next_due_at` is epoch ms."""

    source: str
    stream: str
    partition: str
    rule: str
    next_due_at: int


_COLUMNS = "source, stream, partition, rule, next_due_at"


def put_schedules(store: Store, wanted: Sequence[DueRow]) -> None:
    """Make the table hold exactly these streams; where the rule is the same, the next-due time stays, unless the stream was
    never due and now would be sooner: then a clock was ahead."""
    with store.write() as transaction:
        known = {row[:3] for row in transaction.all("SELECT source, stream, partition FROM schedule")}
        gone = known - {row[:3] for row in wanted}
        transaction.run_many(
            "DELETE FROM schedule WHERE source = ? AND stream = ? AND partition = ?", [tuple(key) for key in gone]
        )
        transaction.run_many(
            f"INSERT INTO schedule ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (source, stream, partition) DO UPDATE"
            " SET next_due_at = CASE WHEN schedule.rule = excluded.rule AND (schedule.planned_at IS NOT NULL"
            " OR schedule.next_due_at < excluded.next_due_at) THEN schedule.next_due_at"
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


def recall_ahead(store: Store, now: int) -> int:
    """Make every slot due that was taken in times to come: by a clock that was ahead, so that the next one may lie years behind
    the right one. How many. Only for who begins or was set back: two planners whose clocks stand apart would recall each
    other's slots for ever."""
    with store.write() as transaction:
        return transaction.run(
            "UPDATE schedule SET next_due_at = ? WHERE planned_at > ? AND next_due_at > ?", (now, now + _AHEAD_MS, now)
        )


def resume_interrupted(store: Store, now: int) -> int:
    """Make every slot due again that was taken and whose run did not end by itself: its process was killed or stopped
    before it began, or on the way. How many. What has no source (pruning) waits for its next slot."""
    with store.write() as transaction:
        return transaction.run(
            "UPDATE schedule SET next_due_at = ? WHERE source <> '' AND planned_at IS NOT NULL AND next_due_at > ?"
            " AND NOT EXISTS"
            " (SELECT 1 FROM run WHERE run.source = coalesce((SELECT key FROM source_key"
            " WHERE source_key.source = schedule.source), schedule.source)"
            " AND run.stream = schedule.stream AND run.partition = schedule.partition"
            " AND run.finished_at >= schedule.planned_at AND run.outcome NOT IN ('interrupted', 'dead'))",
            (now, now),
        )


def hasten(store: Store, source: str, stream: str, partition: str, at: int) -> None:
    """Make a schedule due at that instant (epoch ms) if it would be later."""
    with store.write() as transaction:
        transaction.run(
            "UPDATE schedule SET next_due_at = ? WHERE source = ? AND stream = ? AND partition = ? AND next_due_at > ?",
            (at, source, stream, partition, at),
        )


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
