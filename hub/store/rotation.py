"""Changing the store's key: everything sealed is sealed again, in steps, and can be gone on with after any interruption."""

from collections.abc import Callable
from typing import Any

from hub.errors import MisconfiguredError, StoreVersionError
from hub.store.crypto import Keyring
from hub.store.store import Hold, Statement, Store, Transaction

__all__ = ["await_writers", "check_key", "key_hold", "key_of", "rotate"]

_BATCH = 50


def key_of(store: Store) -> str | None:
    """The id of the key the store belongs to."""
    with store.read() as transaction:
        row = transaction.one("SELECT value FROM meta WHERE name = 'key_id'")
    return str(row[0]) if row is not None else None


def check_key(store: Store, transaction: Transaction) -> None:
    """StoreVersionError if the store does not belong to the key that this process seals with."""
    transaction.hold(_key(store, ""))


def key_hold(store: Store) -> Hold:
    """`check_key` for a transaction that is about to store something sealed: until it ends, no rotation does."""
    return _key(store, " FOR SHARE" if store.dialect == "postgresql" else "")


def await_writers(transaction: Transaction) -> None:
    """Wait until nobody is storing anything sealed (see `key_hold`), and let nobody begin before this transaction ends; nothing
    else waits. On SQLite there is but one writer anyway."""
    if transaction.dialect == "postgresql":
        # The table, not its row: for a row, those who share it let each other pass, and this one might wait forever.
        transaction.run("LOCK TABLE meta IN EXCLUSIVE MODE")


def _key(store: Store, lock: str) -> Hold:
    def check(bound: Any) -> None:
        # That a pending key opens the store as well is not enough: what is sealed with the former one now is never sealed again.
        if bound is not None and bound[0] != store.keyring.key_id:
            raise StoreVersionError(
                "the store's key was changed while this ran",
                remedy="start the hub again, after hub key rotate if that was interrupted",
            )

    return Hold(Statement(f"SELECT value FROM meta WHERE name = 'key_id'{lock}"), check)


def rotate(store: Store, new: Keyring, progress: Callable[[int], None]) -> int:
    """Seal every raw page again with `new`, which must open the old key's blobs as well; how many pages were sealed by this call.

    Pages that a sync stores meanwhile under the old key are found too; with the last of them the store changes its key, in the
    same transaction. A process that still runs with the old key is refused at its next page. Tokens are simply forgotten.
    """
    old = key_of(store)
    if old is not None and old not in new.key_ids:
        raise MisconfiguredError("the new key cannot open what the old one sealed", remedy="give the old key beside it")
    done = 0
    while old != new.key_id:
        with store.write() as transaction:
            rows = _others(transaction, new.key_id)
            if not rows:
                await_writers(transaction)
                rows = _others(transaction, new.key_id)
            transaction.run_many(
                "UPDATE raw_page SET body = ?, people = ?, key_id = ? WHERE id = ?",
                [(*_resealed(new, row[1], row[2]), new.key_id, row[0]) for row in rows],
            )
            if not rows:
                _finish(transaction, new)
                old = new.key_id
        done += len(rows)
        progress(done)
    return done


def _others(transaction: Transaction, key_id: str) -> list[Any]:
    return transaction.all(
        "SELECT id, body, people FROM raw_page WHERE key_id <> ? ORDER BY id LIMIT ?", (key_id, _BATCH)
    )


def _resealed(new: Keyring, body: bytes, people: bytes | None) -> tuple[bytes, bytes | None]:
    return (
        new.seal(new.open(body, "raw page", list[bytes]), "raw page"),
        None if people is None else new.seal(new.open(people, "people", list[Any]), "people"),
    )


def _finish(transaction: Transaction, new: Keyring) -> None:
    row = transaction.one("SELECT value FROM meta WHERE name = 'erasure_key'")
    if row is not None:
        key = new.open(bytes.fromhex(row[0]), "erasure key", bytes)
        sealed = new.seal(key, "erasure key").hex()
        transaction.run("UPDATE meta SET value = ? WHERE name = 'erasure_key'", (sealed,))
    transaction.run("DELETE FROM token")
    transaction.run("UPDATE meta SET value = ? WHERE name = 'key_id'", (new.key_id,))
