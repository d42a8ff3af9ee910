"""What grows without end, cut back to what an operator wants kept: in small steps, so that syncs go on beside it.

Nothing that a consumer or an auditor could miss goes unseen: the feed's floor moves with what is taken from it, a raw
page stays while any version, quarantine entry or stale reading points to it, a run stays while it explains an incident.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import msgspec

from hub.config import RetentionSettings
from hub.mapping.columns import MAPPED_COLUMNS
from hub.store.audit import record_action
from hub.store.feed import put_floor
from hub.store.store import Store, Transaction
from hub.store.tables import NO_PAGE

__all__ = ["Pruned", "prune"]

_STEP = 2000
_UPDATED_AT = MAPPED_COLUMNS.index("source_updated_at")
#: A page younger than this may be about to be pointed to (a replay or remap in hand).
_RAW_GRACE = timedelta(days=1)
#: What no reading showed for so long is remembered for nothing.
_KNOWN_PAGES = timedelta(days=40)


@dataclass(slots=True)
class Pruned:
    """Rows that went, by table."""

    changes: int = 0
    revisions: int = 0
    stale_versions: int = 0
    quarantine: int = 0
    runs: int = 0
    pages: int = 0
    raw_pages: int = 0


def prune(
    store: Store, keep: RetentionSettings, now: datetime, stop: Callable[[], bool] = lambda: False, actor: str = "hub"
) -> Pruned:
    """Take away what is older than `keep` says; what has no limit there stays. `stop` is asked between steps. What went
    stands in the audit log, under `actor`."""
    done = _prune(store, keep, now, stop)
    if any(asdict(done).values()):
        told = ", ".join(f"{name} {count}" for name, count in asdict(done).items() if count)
        record_action(store, actor=actor, action="prune", target=told, reason="", now=int(now.timestamp() * 1000))
    return done


def _prune(store: Store, keep: RetentionSettings, now: datetime, stop: Callable[[], bool]) -> Pruned:

    def before(length: timedelta) -> int:
        return int((now - length).timestamp() * 1000)

    def steps(step: Callable[[Transaction], tuple[int, bool]]) -> int:
        total = 0
        while not stop():
            with store.write() as transaction:
                count, more = step(transaction)
            total += count
            if not more:
                break
        return total

    done = Pruned()
    if keep.feed is not None:
        limit = before(keep.feed)
        done.changes = steps(lambda transaction: _changes(transaction, limit))
    if keep.revisions is not None:
        replaced = before(keep.revisions)
        done.revisions = steps(lambda transaction: _revisions(transaction, replaced))
        done.stale_versions = steps(
            lambda transaction: _rows(transaction, "stale_version", "incident, raw_hash", "seen_at < ?", replaced)
        )
    if keep.quarantine is not None:
        settled = before(keep.quarantine)
        done.quarantine = steps(
            lambda transaction: _rows(transaction, "quarantine", "id", "status <> 'open' AND last_seen_at < ?", settled)
        )
    if keep.runs is not None:
        ended = before(keep.runs)
        done.pages = steps(lambda transaction: _pages(transaction, ended))
        needed = _needed_runs(store)
        done.runs = _forget_runs(store, ended, needed, stop)
    unused = before(_KNOWN_PAGES)
    steps(lambda transaction: _rows(transaction, "known_page", "source, stream, digest", "used_at < ?", unused))
    done.raw_pages = _raw_pages(store, before(_RAW_GRACE), stop)
    return done


def _changes(transaction: Transaction, before: int) -> tuple[int, bool]:
    """Only from the feed's beginning, and never its newest change; the floor moves in the same transaction."""
    rows = transaction.all("SELECT seq, at FROM change ORDER BY seq LIMIT ?", (_STEP + 1,))
    old = []
    for seq, at in rows[:-1]:
        if at >= before:
            break
        old.append(seq)
    if not old:
        return 0, False
    count = transaction.run("DELETE FROM change WHERE seq <= ?", (old[-1],))
    put_floor(transaction, old[-1])
    return count, len(old) == _STEP


def _revisions(transaction: Transaction, before: int) -> tuple[int, bool]:
    """Versions that were replaced before then: counted from their end, not from their beginning.

    Of a version that its time does not show to be older than the current one the hash stays, on no raw page: a log that is
    read again would else bring it back. Which streams are logs the store does not know.
    """
    rows = transaction.all(
        "SELECT old.incident, old.revision, old.body, incident.source_updated_at FROM revision AS old"
        " JOIN incident ON incident.key = old.incident WHERE old.raw_page <> ? AND coalesce("
        "(SELECT next.changed_at FROM revision AS next WHERE next.incident = old.incident"
        " AND next.revision = old.revision + 1), incident.changed_at) < ? LIMIT ?",
        (NO_PAGE, before, _STEP),
    )
    kept: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    for incident, revision, body, current_at in rows:
        at = msgspec.json.decode(body)[_UPDATED_AT]
        older = at is not None and current_at is not None and at < current_at
        (gone if older else kept).append((incident, revision))
    transaction.run_many(
        "UPDATE revision SET body = '[]', run = '', raw_page = ?, raw_index = 0 WHERE incident = ? AND revision = ?",
        [(NO_PAGE, *place) for place in kept],
    )
    transaction.run_many("DELETE FROM revision WHERE incident = ? AND revision = ?", gone)
    return len(rows), len(rows) == _STEP


def _rows(transaction: Transaction, table: str, key: str, condition: str, before: int) -> tuple[int, bool]:
    rows = transaction.all(f"SELECT {key} FROM {table} WHERE {condition} LIMIT ?", (before, _STEP))
    match = " AND ".join(f"{column} = ?" for column in key.split(", "))
    transaction.run_many(f"DELETE FROM {table} WHERE {match}", rows)
    return len(rows), len(rows) == _STEP


def _pages(transaction: Transaction, before: int) -> tuple[int, bool]:
    """The run book's lines about single pages; what they brought is counted in the run."""
    return _rows(transaction, "page", "run, number", "at < ?", before)


def _needed_runs(store: Store) -> set[str]:
    """Runs that made a version or set a record aside, and of each stream the last and the last good one."""
    with store.read() as transaction:
        found = {
            row[0]
            for table in ("incident", "revision", "stale_version", "quarantine", "raw_page", "deletion")
            for row in transaction.all(f"SELECT DISTINCT run FROM {table}")
        }
        last = "SELECT max(id) FROM run{} GROUP BY source, stream, partition"
        for condition in ("", " WHERE outcome IN ('ok', 'partial')"):
            found |= {row[0] for row in transaction.all(last.format(condition))}
    return found


def _forget_runs(store: Store, before: int, needed: set[str], stop: Callable[[], bool]) -> int:
    total, after = 0, ""
    while not stop():
        with store.write() as transaction:
            rows = [
                row[0]
                for row in transaction.all(
                    "SELECT id FROM run WHERE id > ? AND finished_at < ? ORDER BY id LIMIT ?", (after, before, _STEP)
                )
            ]
            gone = [(run,) for run in rows if run not in needed]
            transaction.run_many("DELETE FROM run WHERE id = ?", gone)
        total += len(gone)
        if len(rows) < _STEP:
            break
        after = rows[-1]
    return total


def _raw_pages(store: Store, before: int, stop: Callable[[], bool]) -> int:
    """Raw pages that nothing points to any more, found by one walk over what points."""
    with store.read() as transaction:
        used = {
            row[0]
            for table in ("incident", "revision", "stale_version", "quarantine")
            for row in transaction.all(f"SELECT DISTINCT raw_page FROM {table}")
        }
    total, after = 0, 0
    while not stop():
        with store.write() as transaction:
            rows = [
                row[0]
                for row in transaction.all(
                    "SELECT id FROM raw_page WHERE id > ? AND fetched_at < ? ORDER BY id LIMIT ?",
                    (after, before, _STEP),
                )
            ]
            gone = [number for number in rows if number not in used]
            # Asked once more inside the transaction: a replay may have begun to use one meanwhile.
            still = {
                row[0]
                for table in ("incident", "revision", "stale_version", "quarantine")
                for row in transaction.all(
                    f"SELECT DISTINCT raw_page FROM {table} WHERE {transaction.any_of('raw_page')}",
                    (transaction.list_value(gone),),
                )
            } if gone else set()  # fmt: skip
            transaction.run_many("DELETE FROM raw_page WHERE id = ?", [(n,) for n in gone if n not in still])
        total += len(gone) - len(still)
        if len(rows) < _STEP:
            break
        after = rows[-1]
    return total
