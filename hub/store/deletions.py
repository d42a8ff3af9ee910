"""Tombstones by enumeration: what a proven complete reading did not see, and deletions held for a person."""

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hub.errors import MisconfiguredError
from hub.mapping.columns import INSTANTS
from hub.store.known import full_rows
from hub.store.page import Change, Lease
from hub.store.store import Store, Transaction
from hub.store.write import append_changes, keep_versions, lease_hold

__all__ = [
    "HeldDeletion",
    "Proof",
    "decide",
    "enumerated_pages",
    "held_ids",
    "held_keys",
    "hold",
    "list_held",
    "missing",
    "newest_held",
    "settle_gone",
    "spare",
    "tombstone",
    "withdraw_held",
]

_BATCH = 1000
_WINDOW = 10_000
_REPLACE_HELD = (
    "UPDATE deletion SET status = 'replaced', decided_at = ?"
    " WHERE source = ? AND stream = ? AND partition = ? AND status = 'held'"
)


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """Deletions that wait for a person: `records` of `living` records of the stream would go."""

    id: int
    source: str
    stream: str
    partition: str
    run: str
    status: str
    records: int
    living: int
    held_at: int
    decided_at: int | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a windowed enumeration proves: records whose `field` lies in [since, until), epoch ms."""

    field: str
    since: int | None
    until: int | None

    def condition(self) -> tuple[str, tuple[int, ...]]:
        """SQL and parameters. The field's name comes from a connector: only the incident's own instants are taken."""
        if self.field not in INSTANTS:
            raise MisconfiguredError("{field} is not an instant of the incident", field=self.field)
        low, high = self.since, self.until
        text = (f" AND {self.field} >= ?" if low is not None else "") + (
            f" AND {self.field} < ?" if high is not None else ""
        )
        return text, tuple(end for end in (low, high) if end is not None)


def missing(
    store: Store, source: str, stream: str, enumeration: str, mark: int, proof: Proof | None = None
) -> tuple[list[int], int]:
    """Keys of living incidents that the enumeration did not see, and how many it could have seen (0 if it saw them all). What was
    stored on a later raw page than `mark`, the newest as it began, may have come behind its back (a sync or backfill beside it):
    such a record is not missing.

    A byte for each key of the store: 5 MB for 5 million incidents, whatever was seen.
    """
    with store.read() as transaction:
        seen = _seen(transaction, enumeration)
        condition, ends = proof.condition() if proof else ("", ())
        which, values = f"FROM incident WHERE source = ? AND stream = ?{condition}", (source, stream, *ends)
        unseen = [
            key
            for first in range(0, len(seen), _WINDOW)
            for key in _unseen(transaction, seen, which, values, first, first + _WINDOW, counted=proof is None)
        ]
        absent, lives = _living_before(transaction, unseen, mark)
        if not lives:
            return [], 0
        living = transaction.one(f"SELECT count(*) {which} AND deleted_at IS NULL", values)[0]
    return absent, int(living)


def _unseen(
    transaction: Transaction, seen: bytearray, which: str, values: Sequence[Any], first: int, end: int, *, counted: bool
) -> list[int]:
    """The keys in [first, end) that the enumeration should have shown and did not, the dead among them. Where nobody is dead and
    as many were seen as there are, they are the same, if all that was seen counts (`counted`): what was seen was there."""
    window = "AND key >= ? AND key < ?"
    there, dead = transaction.one(f"SELECT count(*), count(deleted_at) {which} {window}", (*values, first, end))
    if counted and not dead and there == seen.count(1, first, end):
        return []
    return [key for (key,) in transaction.all(f"SELECT key {which} {window}", (*values, first, end)) if not seen[key]]


def _seen(transaction: Transaction, enumeration: str) -> bytearray:
    """For each key of the store, whether the enumeration saw it."""
    highest = transaction.one("SELECT max(key) FROM incident", ())[0] or 0
    seen = bytearray(highest + 1)
    for batch in transaction.stream("SELECT keys FROM seen_page WHERE enumeration = ?", (enumeration,), 100):
        for row in batch:
            keys = array("q", row[0])
            if keys and keys == array("q", range(keys[0], keys[0] + len(keys))) and keys[0] > 0:
                seen[keys[0] : keys[-1] + 1] = b"\1" * len(keys)
                continue
            for key in keys:
                if 0 < key <= highest:
                    seen[key] = 1
    return seen


def _living_before(transaction: Transaction, keys: Sequence[int], mark: int) -> tuple[list[int], bool]:
    """Those of these incidents that live and were last shown on raw page `mark` or before, and whether any lives at all."""
    absent, lives = [], False
    for start in range(0, len(keys), _BATCH):
        rows = transaction.all(
            f"SELECT key, raw_page FROM incident WHERE {transaction.any_of('key')} AND deleted_at IS NULL ORDER BY key",
            (transaction.list_value(keys[start : start + _BATCH]),),
        )
        lives = lives or bool(rows)
        absent += [key for key, raw_page in rows if raw_page <= mark]
    return absent, lives


def tombstone(store: Store, lease: Lease, keys: Sequence[int], mark: int, run: str, now: int) -> int:
    """Soft-delete these incidents in small transactions, each with its feed entries, but for those shown meanwhile, on a later
    raw page than `mark`; how many were still living."""
    gone = 0
    for start in range(0, len(keys), _BATCH):
        with store.write() as transaction:
            transaction.hold(lease_hold(lease, now))
            gone += len(_bury(transaction, keys[start : start + _BATCH], run, now, "raw_page <= ?", mark))
    return gone


def _bury(
    transaction: Transaction, keys: Sequence[int], run: str, now: int, condition: str, *values: int
) -> list[Change]:
    """Tombstone those that still live and of which the condition is true. The rows are locked first: a page of another process
    may be changing them."""
    lock = " FOR UPDATE" if transaction.dialect == "postgresql" else ""
    rows = transaction.all(
        f"SELECT key, id, revision FROM incident WHERE {transaction.any_of('key')} AND deleted_at IS NULL"
        f" AND {condition} ORDER BY key{lock}",
        (transaction.list_value(keys), *values),
    )
    changes = [Change("delete", row[1], row[2] + 1) for row in rows]
    keep_versions(transaction, list(full_rows(transaction, [row[0] for row in rows]).values()))
    transaction.run_many(
        "UPDATE incident SET revision = revision + 1, deleted_at = ?, deletion = 'enumeration', changed_at = ?, run = ?"
        " WHERE key = ?",
        [(now, now, run, row[0]) for row in rows],
    )
    transaction.run("UPDATE run SET tombstoned = tombstoned + ? WHERE id = ?", (len(rows), run))
    append_changes(transaction, changes, now)
    return changes


def hold(
    store: Store,
    lease: Lease,
    source: str,
    stream: str,
    partition: str,
    run: str,
    keys: Sequence[int],
    living: int,
    now: int,
) -> None:
    """Put deletions before a person instead of carrying them out; a newer enumeration replaces an undecided older one."""
    with store.write() as transaction:
        transaction.hold(lease_hold(lease, now))
        transaction.run(_REPLACE_HELD, (now, source, stream, partition))
        transaction.run(
            "INSERT INTO deletion (source, stream, partition, run, status, records, living, keys, held_at)"
            " VALUES (?, ?, ?, ?, 'held', ?, ?, ?, ?)",
            (source, stream, partition, run, len(keys), living, array("q", keys).tobytes(), now),
        )


def withdraw_held(store: Store, lease: Lease, source: str, stream: str, partition: str, now: int) -> None:
    """A newer proof speaks for this partition: an older one that nobody has decided on must not be approved any more."""
    with store.write() as transaction:
        transaction.hold(lease_hold(lease, now))
        transaction.run(_REPLACE_HELD, (now, source, stream, partition))


def settle_gone(
    store: Store,
    lease: Lease,
    source: str,
    stream: str,
    enumeration: str,
    mark: int,
    now: int,
    *,
    buried_by: str | None,
) -> int:
    """Records of the quarantine that a proven enumeration did not see are gone, so that no later mapping brings them to life; how
    many entries. Call it once the missing incidents are buried. What was set aside on a later raw page than `mark` may have come
    behind its back. `buried_by`: a window was proven, by that run; in which window a record lies that was never mapped is not
    known, so only those go whose incident went by it. A record without an id goes with the first proof of the whole stream that
    did not show its bytes: such a proof met no record without one."""
    with store.write() as transaction:
        transaction.hold(lease_hold(lease, now))
        begun = _begun(transaction, enumeration)
        return _settle_gone(transaction, source, stream, begun, mark, buried_by) if begun is not None else 0


def _settle_gone(
    transaction: Transaction, source: str, stream: str, begun: int, mark: int, buried_by: str | None
) -> int:
    same = "incident.native_id = quarantine.native_id AND incident.stream = quarantine.stream"
    incident = f"EXISTS (SELECT 1 FROM incident WHERE {same} AND incident.source = quarantine.source"
    living, buried = f"{incident} AND deleted_at IS NULL)", f"{incident} AND deletion = 'enumeration' AND run = ?)"
    dead, by = (f"NOT {living}", ()) if buried_by is None else (buried, (buried_by,))
    # Another bad version of the same record that was shown since tells that it is there.
    gone = transaction.run(
        "UPDATE quarantine SET status = 'gone' WHERE source = ? AND stream = ? AND status = 'open' AND native_id IS NOT NULL"
        " AND native_id NOT IN (SELECT native_id FROM quarantine"
        " WHERE source = ? AND stream = ? AND (last_seen_at >= ? OR raw_page > ?) AND native_id IS NOT NULL)"
        f" AND {dead}",
        (source, stream, source, stream, begun, mark, *by),
    )
    if buried_by is not None:
        return gone
    return gone + transaction.run(
        "UPDATE quarantine SET status = 'gone' WHERE source = ? AND stream = ? AND status = 'open' AND native_id IS NULL"
        " AND last_seen_at < ? AND raw_page <= ?",
        (source, stream, begun, mark),
    )


def _begun(transaction: Transaction, run: str) -> int | None:
    row = transaction.one("SELECT started_at FROM run WHERE id = ?", (run,))
    return int(row[0]) if row is not None else None


def enumerated_pages(store: Store, enumeration: str) -> int:
    """How many pages of what an enumeration saw are stored."""
    with store.read() as transaction:
        return int(transaction.one("SELECT count(*) FROM seen_page WHERE enumeration = ?", (enumeration,))[0])


def newest_held(store: Store) -> int:
    """The number of the deletion that was held last, 0 if none ever was."""
    with store.glance() as transaction:
        return int(transaction.one("SELECT max(id) FROM deletion")[0] or 0)


def held_keys(store: Store, source: str, stream: str) -> set[int]:
    """Keys of the incidents of a stream whose deletion waits for a person."""
    with store.glance() as transaction:
        rows = transaction.all(
            "SELECT keys FROM deletion WHERE source = ? AND stream = ? AND status = 'held'", (source, stream)
        )
    return {key for row in rows for key in array("q", row[0])}


def spare(store: Store, source: str, stream: str, shown: set[int], now: int) -> None:
    """Take what the source shows again out of the stream's deletions that wait: nobody is to approve them by mistake. Of one that
    has none left nobody is asked any more. `now`: epoch ms."""
    with store.write() as transaction:
        lock = " FOR UPDATE" if transaction.dialect == "postgresql" else ""
        held = transaction.all(
            f"SELECT id, keys FROM deletion WHERE source = ? AND stream = ? AND status = 'held'{lock}", (source, stream)
        )
        for number, body in held:
            keys = array("q", [key for key in array("q", body) if key not in shown])
            transaction.run(
                "UPDATE deletion SET keys = ?, records = ? WHERE id = ?", (keys.tobytes(), len(keys), number)
            )
            if not keys:
                transaction.run("UPDATE deletion SET status = 'replaced', decided_at = ? WHERE id = ?", (now, number))


def list_held(store: Store, *, all_of_them: bool = False) -> list[HeldDeletion]:
    """Deletions waiting for a decision, or with `all_of_them` every one ever held, newest first."""
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT id, source, stream, partition, run, status, records, living, held_at, decided_at, decided_by FROM deletion"
            + ("" if all_of_them else " WHERE status = 'held'")
            + " ORDER BY id DESC"
        )
    return [HeldDeletion(*row) for row in rows]


def held_ids(store: Store, number: int, limit: int = 20) -> Iterator[str]:
    """Ids of the first records a held deletion is about."""
    with store.read() as transaction:
        row = transaction.one("SELECT keys FROM deletion WHERE id = ?", (number,))
        keys = array("q")
        keys.frombytes(row[0] if row else b"")
        rows = transaction.all(
            f"SELECT id FROM incident WHERE {transaction.any_of('key')} ORDER BY key",
            (transaction.list_value(list(keys[:limit])),),
        )
    return iter([found[0] for found in rows])


def decide(store: Store, number: int, *, approve: bool, actor: str, now: int) -> int:
    """Carry out or refuse a held deletion; how many records were tombstoned. MisconfiguredError if it is not waiting.

    A record that changed since the run that proved it began is spared."""
    with store.write() as transaction:
        lock = " FOR UPDATE" if transaction.dialect == "postgresql" else ""
        row = transaction.one(
            f"SELECT keys, run, status, held_at, source, stream FROM deletion WHERE id = ?{lock}", (number,)
        )
        if row is None or row[2] != "held":
            raise MisconfiguredError(
                "deletion {number} is not waiting for a decision", number=number, remedy="see hub deletions list"
            )
        keys = array("q")
        keys.frombytes(row[0])
        gone = 0
        if approve:
            begun = _begun(transaction, row[1])
            # Not when it was held: another run may have stored something between the proof and that.
            since = begun if begun is not None else row[3]
            for start in range(0, len(keys), _BATCH):
                batch = list(keys[start : start + _BATCH])
                gone += len(_bury(transaction, batch, row[1], now, "changed_at <= ?", since))
            _settle_gone(transaction, row[4], row[5], since, sys.maxsize, row[1])
        transaction.run(
            "UPDATE deletion SET status = ?, decided_at = ?, decided_by = ? WHERE id = ?",
            ("approved" if approve else "rejected", now, actor, number),
        )
    return gone
