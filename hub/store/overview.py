"""What an operator asks first: how each stream stands, and which codes nobody has mapped."""

from dataclasses import dataclass
from typing import Any

from hub.errors import Outcome
from hub.store.store import Store

__all__ = ["CodeGapRow", "StreamOverview", "list_gaps", "stored_streams", "stream_overviews"]

#: Backfills, replays, remaps and full refreshes beside a stream's own runs say nothing about how fresh it is.
_LIVE = "mode IN ('incremental', 'full_refresh') AND partition <> 'full refresh'"
#: Nor does one that began after now: this machine's clock was ahead for a while.
_SO_FAR = f"{_LIVE} AND started_at <= ?"
_CLOSED = "('closed', 'cancelled', 'rejected')"


@dataclass(slots=True)
class StreamOverview:
    """One stream as the store knows it; instants are epoch ms. `good_at`: when the last good run began, of
    the partition that is furthest behind."""

    source: str
    stream: str
    partition: str = ""
    outcome: str | None = None
    finished_at: int | None = None
    good_at: int | None = None
    error: str | None = None
    cursor: int | None = None
    living: int = 0
    open: int = 0
    quarantined: int = 0
    unmapped: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class CodeGapRow:
    """A source's code that no code table knows. `sample` is the id of an incident that carries it."""

    source: str
    stream: str
    code_table: str
    code: str
    text: str | None
    count: int
    sample: str | None
    first_seen_at: int
    last_seen_at: int


def stream_overviews(store: Store, now: int) -> dict[tuple[str, str], StreamOverview]:
    """Every (source key, stream) the store has heard of. `now`: epoch ms."""
    found: dict[tuple[str, str], StreamOverview] = {}

    def of(source: str, stream: str) -> StreamOverview:
        return found.setdefault((source, stream), StreamOverview(source, stream))

    with store.read() as transaction:
        for row in transaction.all(
            "SELECT source, stream, outcome, finished_at, error FROM run WHERE id IN"
            f" (SELECT max(id) FROM run WHERE {_SO_FAR} GROUP BY source, stream)",
            (now,),
        ):
            line = of(row[0], row[1])
            line.outcome, line.finished_at, line.error = row[2], row[3], row[4]
        good = (Outcome.OK.value, Outcome.PARTIAL.value)
        for source, stream, at in transaction.all(
            "SELECT source, stream, min(latest) FROM (SELECT source, stream, max(started_at) AS latest FROM run"
            f" WHERE outcome IN (?, ?) AND {_SO_FAR} GROUP BY source, stream, partition) AS partitions GROUP BY source, stream",
            (*good, now),
        ):
            of(source, stream).good_at = at
        for source, stream, cursor in transaction.all(
            "SELECT source, stream, min(cursor) FROM state WHERE partition NOT LIKE 'backfill %'"
            " AND partition <> 'full refresh' GROUP BY 1, 2"
        ):
            of(source, stream).cursor = cursor
        for source, stream, living, unfinished in transaction.all(
            f"SELECT source, stream, count(*), sum(CASE WHEN status IS NULL OR status IN {_CLOSED} THEN 0 ELSE 1 END)"
            " FROM incident WHERE deleted_at IS NULL GROUP BY source, stream"
        ):
            of(source, stream).living, of(source, stream).open = living, int(unfinished or 0)
        for name, statement in _COUNTS.items():
            for source, stream, count in transaction.all(statement):
                setattr(of(source, stream), name, int(count))
        for source, stream, count in transaction.all(
            "SELECT f.source, r.stream, count(*) FROM dropped_file f JOIN run r ON r.id = f.run WHERE f.reason <> ''"
            " GROUP BY 1, 2"
        ):
            of(source, stream).quarantined += count
    return found


def stored_streams(store: Store) -> set[tuple[str, str]]:
    """(source key, stream) of everything that was ever read, also of sources that hub.toml no longer has."""
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT source, stream FROM run UNION SELECT source, stream FROM state UNION SELECT source, stream FROM incident"
        )
    return {(row[0], row[1]) for row in rows}


_COUNTS = {
    "quarantined": "SELECT source, stream, count(*) FROM quarantine WHERE status = 'open' GROUP BY source, stream",
    "unmapped": "SELECT source, stream, count(*) FROM code_gap GROUP BY source, stream",
    "held": "SELECT source, stream, sum(records) FROM deletion WHERE status = 'held' GROUP BY source, stream",
}


def list_gaps(store: Store, source: str | None = None) -> list[CodeGapRow]:
    """Unmapped codes, the most frequent first."""
    condition, values = (" WHERE source = ?", (source,)) if source else ("", ())
    columns = ", ".join(CodeGapRow.__dataclass_fields__)
    with store.read() as transaction:
        statement = f"SELECT {columns} FROM code_gap{condition} ORDER BY count DESC, code"
        rows: list[Any] = transaction.all(statement, values)
    return [CodeGapRow(*row) for row in rows]
