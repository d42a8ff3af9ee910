"""The audit log: what operators did and which personal data they read, each entry chained to the one before by its hash."""

import hashlib
from dataclasses import dataclass

import msgspec

from hub.store.store import Store, Transaction

__all__ = ["AuditEntry", "first_altered", "list_audit", "record_action"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`at` is epoch ms; `hash` is SHA-256 over the former entry's hash and this entry's content, hex."""

    number: int
    at: int
    actor: str
    action: str
    target: str
    reason: str
    hash: str


def record_action(store: Store, *, actor: str, action: str, target: str, reason: str, now: int) -> AuditEntry:
    """Append one entry; entries are never changed or removed."""
    with store.write() as transaction:
        # The one lock that puts writers in a row.
        transaction.run("UPDATE counter SET value = value WHERE name = 'feed'")
        last = transaction.one("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
        number, before = (last[0] + 1, last[1]) if last is not None else (1, "")
        entry = AuditEntry(
            number, now, actor, action, target, reason, _chained(before, number, now, actor, action, target, reason)
        )
        transaction.run(
            "INSERT INTO audit (number, at, actor, action, target, reason, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (entry.number, entry.at, entry.actor, entry.action, entry.target, entry.reason, entry.hash),
        )
    return entry


def list_audit(store: Store, limit: int = 50) -> list[AuditEntry]:
    """The latest entries, newest first."""
    with store.read() as transaction:
        return _entries(transaction, "DESC", limit)


def first_altered(store: Store) -> int | None:
    """The number of the first entry that does not fit the chain, None if all of it holds."""
    with store.read() as transaction:
        before, expected = "", 1
        for entry in _entries(transaction, "ASC", 2**31):
            content = (entry.at, entry.actor, entry.action, entry.target, entry.reason)
            if entry.number != expected or entry.hash != _chained(before, entry.number, *content):
                return expected
            before, expected = entry.hash, expected + 1
    return None


def _entries(transaction: Transaction, order: str, limit: int) -> list[AuditEntry]:
    rows = transaction.all(
        f"SELECT number, at, actor, action, target, reason, hash FROM audit ORDER BY number {order} LIMIT ?", (limit,)
    )
    return [AuditEntry(*row) for row in rows]


def _chained(before: str, *content: object) -> str:
    return hashlib.sha256(before.encode() + msgspec.json.encode(content)).hexdigest()
