"""What the store can tell about how the installation fares. Instants are epoch milliseconds."""

from collections import defaultdict
from typing import NamedTuple

from hub.errors import Outcome
from hub.store.store import Store

__all__ = [
    "Abandoned",
    "Clock",
    "Growth",
    "Progress",
    "abandoned_runs",
    "broken_readings",
    "hourly_volumes",
    "progress_of_streams",
    "quarantine_growth",
    "source_clocks",
]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_GOOD = (Outcome.OK.value, Outcome.PARTIAL.value)
#: A backfill or a replay says nothing about how fresh the stream is.
_LIVE = "mode IN ('incremental', 'full_refresh')"


class Progress(NamedTuple):
    """A partition's first attempt, its last good run's beginning (None: never), and whether one is under way."""

    first_at: int
    good_at: int | None
    running: bool


class Clock(NamedTuple):
    """How far a source's clock (HTTP Date) was ahead of ours when its last page came, ms; negative: behind."""

    source: str
    ahead_ms: int
    fetched_at: int


class Abandoned(NamedTuple):
    """A run that the book calls running, although nobody holds its lease."""

    id: str
    source: str
    stream: str
    worker: str
    started_at: int


class Growth(NamedTuple):
    """New entries of a stream's quarantine in the last day, and in the seven days before it."""

    source: str
    stream: str
    last_day: int
    week_before: int


def progress_of_streams(store: Store, now: int) -> dict[tuple[str, str, str], Progress]:
    """By (source key, stream, partition). A run that began after `now` (epoch ms) proves nothing: this machine's clock was ahead
    for a while, and a stream would count as fresh until it has caught up."""
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT source, stream, partition, min(started_at),"
            " max(CASE WHEN outcome IN (?, ?) THEN started_at END), max(CASE WHEN outcome = ? THEN 1 ELSE 0 END)"
            f" FROM run WHERE {_LIVE} AND started_at <= ? GROUP BY source, stream, partition",
            (*_GOOD, Outcome.RUNNING.value, now),
        )
    return {(row[0], row[1], row[2]): Progress(row[3], row[4], bool(row[5])) for row in rows}


def hourly_volumes(store: Store, since: int) -> dict[tuple[str, str], dict[int, int]]:
    """What good runs that began in each hour brought (new and changed), by (source key, stream), then by hours since
    the epoch. An hour without a good run is absent."""
    found: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    with store.read() as transaction:
        for source, stream, hour, count in transaction.all(
            f"SELECT source, stream, started_at / {_HOUR_MS}, sum(new + changed) FROM run"
            f" WHERE started_at >= ? AND outcome IN (?, ?) AND {_LIVE} GROUP BY 1, 2, 3",
            (since, *_GOOD),
        ):
            found[source, stream][int(hour)] = int(count)
    return dict(found)


def source_clocks(store: Store) -> list[Clock]:
    """Of every source whose answers carry a date, as of its last page."""
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT source, source_clock - fetched_at, fetched_at FROM raw_page WHERE id IN"
            " (SELECT max(id) FROM raw_page WHERE source_clock IS NOT NULL GROUP BY source) ORDER BY source"
        )
    return [Clock(*row) for row in rows]


def abandoned_runs(store: Store, now: int) -> list[Abandoned]:
    """Runs whose process died and which no later run has found yet."""
    with store.read() as transaction:
        living = {row[0] for row in transaction.all("SELECT name FROM lease WHERE expires_at > ?", (now,))}
        rows = transaction.all(
            "SELECT id, source, stream, worker, started_at, partition FROM run WHERE outcome = ? ORDER BY started_at",
            (Outcome.RUNNING.value,),
        )
    return [Abandoned(*row[:5]) for row in rows if "/".join(part for part in (*row[1:3], row[5]) if part) not in living]


def quarantine_growth(store: Store, now: int) -> list[Growth]:
    """Streams with new entries in the last eight days."""
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT source, stream, sum(CASE WHEN first_seen_at > ? THEN 1 ELSE 0 END),"
            " sum(CASE WHEN first_seen_at <= ? THEN 1 ELSE 0 END) FROM quarantine WHERE first_seen_at > ?"
            " GROUP BY source, stream ORDER BY source, stream",
            (now - _DAY_MS, now - _DAY_MS, now - 8 * _DAY_MS),
        )
    return [Growth(row[0], row[1], int(row[2]), int(row[3])) for row in rows]


def broken_readings(store: Store) -> list[tuple[str, str]]:
    """(source key, stream) whose unfinished complete reading can no longer prove that a record is gone."""
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT DISTINCT source, stream FROM state WHERE body LIKE '%\"broken\":true%' ORDER BY source, stream"
        )
    return [(row[0], row[1]) for row in rows]
