"""A store moved into another database with nothing lost: copied in one snapshot, then compared row by row."""

import hashlib
from dataclasses import dataclass

import msgspec

from hub.errors import MisconfiguredError, StoreError
from hub.store.backup import LEFT_OUT, copy_into
from hub.store.migrate import upgrade
from hub.store.store import Store, Transaction
from hub.store.tables import metadata

__all__ = ["CopiedTable", "copy_store"]


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table in both stores: how many rows, and the sum of their SHA-256 hashes."""

    table: str
    rows: int
    sha256: str


def copy_store(source: Store, target: Store) -> list[CopiedTable]:
    """Copy everything but leases and sign-in tokens into an empty store and compare. Feed positions, sequence numbers
    and counters go on where they stand. Raises MisconfiguredError if the target holds anything, StoreError if a table
    differs (something wrote into the source or target meanwhile: stop the hub first)."""
    upgrade(target)
    with target.read() as transaction:
        if transaction.one("SELECT 1 FROM incident LIMIT 1") or transaction.one("SELECT 1 FROM run LIMIT 1"):
            raise MisconfiguredError("the store is not empty", remedy="copy into a new database")
    copy_into(source, target)
    copied = []
    for table in metadata.sorted_tables:
        if table.name in LEFT_OUT or table.name == "counter":
            continue
        with source.read() as one, target.read() as other:
            found, made = _digest(one, table.name), _digest(other, table.name)
        if found != made:
            raise StoreError(
                "table {table} differs between the stores", table=table.name,
                remedy="stop every hub on either store and copy again into a new database",
            )  # fmt: skip
        copied.append(CopiedTable(table.name, *made))
    return copied


def _digest(transaction: Transaction, name: str) -> tuple[int, str]:
    """Rows and the sum of their hashes: the same whatever order the two databases sort text in, and in flat memory."""
    columns = ", ".join(f'"{column.name}"' for column in metadata.tables[name].columns)
    total, count = 0, 0
    for batch in transaction.stream(f"SELECT {columns} FROM {name}"):
        for row in batch:
            total += int.from_bytes(hashlib.sha256(msgspec.msgpack.encode(list(row))).digest())
        count += len(batch)
    return count, f"{total % 2**256:064x}"
