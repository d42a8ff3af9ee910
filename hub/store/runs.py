"""The run book: one row a run, opened before the first request and closed with its outcome."""

from dataclasses import dataclass
from typing import Any

from hub.config.redact import redactor
from hub.errors import FailedError, Outcome
from hub.store.page import Counts, Lease
from hub.store.store import Store

__all__ = [
    "RunRow",
    "close_run",
    "list_runs",
    "marked_runs",
    "open_run",
    "outcome_before",
    "read_run",
    "remember_source",
    "running_workers",
    "source_key",
]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as an operator sees it. Instants are epoch ms."""

    id: str
    source: str
    stream: str
    partition: str
    mode: str
    outcome: str
    counts: Counts
    requests: int
    pages: int
    started_at: int
    finished_at: int | None
    cursor: int | None
    error: str | None
    worker: str


def open_run(
    store: Store, lease: Lease, run: str, source: str, stream: str, partition: str, mode: str, now: int
) -> None:
    """Write the run as running. Former runs of this partition that never closed are over, since we hold the lease: their process
    died, or the store was away as they ended."""
    with store.write() as transaction:
        transaction.run(
            "UPDATE run SET outcome = ?, finished_at = ?, error = ?"
            " WHERE source = ? AND stream = ? AND partition = ? AND outcome = ?",
            (
                Outcome.DEAD, now, FailedError("its process died, or the store was away as it ended").render(),
                source, stream, partition, Outcome.RUNNING,
            ),
        )  # fmt: skip
        transaction.run(
            "INSERT INTO run (id, source, stream, partition, mode, outcome, started_at, worker, token)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (run, source, stream, partition, mode, Outcome.RUNNING, now, lease.owner, lease.token),
        )


def close_run(store: Store, run: str, outcome: Outcome, cursor: int | None, error: str | None, now: int) -> None:
    """Write how the run ended. A run that another process has declared dead meanwhile is fenced.

    What a source said may repeat the key it was sent: no secret goes into the run book.
    """
    error = redactor.text(error) if error is not None else None
    with store.write() as transaction:
        transaction.run(
            "UPDATE run SET outcome = ?, finished_at = ?, cursor = ?, error = ? WHERE id = ? AND outcome IN (?, ?)",
            (outcome, now, cursor, error, run, Outcome.RUNNING, Outcome.DEAD),
        )


_COLUMNS = (
    "id, source, stream, partition, mode, outcome, fetched, new, changed, unchanged, quarantined, tombstoned, stale, unmapped,"
    " new_quarantined, requests, pages, started_at, finished_at, cursor, error, worker"
)


def read_run(store: Store, run: str) -> RunRow | None:
    """One run by id, or by the beginning of it."""
    with store.read() as transaction:
        row = transaction.one(
            f"SELECT {_COLUMNS} FROM run WHERE id LIKE ? ORDER BY started_at DESC LIMIT 1", (run + "%",)
        )
    return _run_row(row) if row else None


def list_runs(store: Store, *, source: str | None = None, stream: str | None = None, limit: int = 20) -> list[RunRow]:
    """The latest runs, newest first."""
    wanted = [(column, value) for column, value in (("source", source), ("stream", stream)) if value]
    where = (" WHERE " + " AND ".join(f"{column} = ?" for column, _ in wanted)) if wanted else ""
    with store.read() as transaction:
        rows = transaction.all(
            f"SELECT {_COLUMNS} FROM run{where} ORDER BY started_at DESC, id DESC LIMIT ?",
            (*(value for _, value in wanted), limit),
        )
    return [_run_row(row) for row in rows]


def outcome_before(store: Store, run: str, source: str, stream: str, partition: str, now: int) -> str | None:
    """How the partition's run before this one ended. By time only the newest until `now` and the newest after it are looked for,
    and by token which of the two was later: the clock may have been ahead for a while, and an index of tokens there is none."""
    newest = (
        "(SELECT id FROM run WHERE source = ? AND stream = ? AND partition = ? AND id <> ? AND started_at {} ?"
        " ORDER BY started_at DESC, id DESC LIMIT 1)"
    )
    place = (source, stream, partition, run, now)
    with store.read() as transaction:
        row = transaction.one(
            f"SELECT outcome FROM run WHERE id IN ({newest.format('<=')}, {newest.format('>')}) ORDER BY token DESC LIMIT 1",
            (*place, *place),
        )
    return str(row[0]) if row is not None else None


def marked_runs(store: Store, source: str, stream: str, mark: str, since: int) -> list[RunRow]:
    """The runs since then that one ticket made, oldest first: several if a worker died or was stopped on the way."""
    with store.read() as transaction:
        rows = transaction.all(
            f"SELECT {_COLUMNS} FROM run WHERE source = ? AND stream = ? AND started_at > ? AND id LIKE ?"
            " ORDER BY started_at, id",
            (source, stream, since, f"%-{mark}"),
        )
    return [_run_row(row) for row in rows]


def _run_row(row: Any) -> RunRow:
    values: list[Any] = [*row[:6], Counts(*row[6:15]), *row[15:]]
    return RunRow(*values)


def remember_source(store: Store, source: str, key: str) -> str:
    """The key of a source, fixed at its first sync: identities are made from it. A section of another name that says
    `key =` takes the key over: that is how a section is renamed."""
    known = source_key(store, source)
    if known is not None:
        return known
    with store.write() as transaction:
        transaction.run("DELETE FROM source_key WHERE key = ? AND source <> ?", (key, source))
        transaction.run("INSERT INTO source_key (source, key) VALUES (?, ?) ON CONFLICT DO NOTHING", (source, key))
        row = transaction.one("SELECT key FROM source_key WHERE source = ?", (source,))
    return str(row[0])


def source_key(store: Store, source: str) -> str | None:
    """The key under which the store knows a source, None before its first sync."""
    with store.read() as transaction:
        row = transaction.one("SELECT key FROM source_key WHERE source = ?", (source,))
    return str(row[0]) if row is not None else None


def running_workers(store: Store) -> list[tuple[str, int, int, tuple[str, ...]]]:
    """Owners of runs under way: (owner, since, last page, keys), instants in epoch ms."""
    found: dict[str, tuple[str, int, int, tuple[str, ...]]] = {}
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT worker, source, stream, partition, started_at,"
            " coalesce((SELECT max(at) FROM page WHERE page.run = run.id), started_at)"
            " FROM run WHERE outcome = ? ORDER BY started_at, source, stream",
            (Outcome.RUNNING,),
        )
    for owner, source, stream, partition, since, seen in rows:
        key = "/".join(part for part in (source, stream, partition) if part)
        _, first, last, keys = found.get(owner, (owner, since, seen, ()))
        found[owner] = (owner, min(first, since), max(last, seen), (*keys, key))
    return list(found.values())
