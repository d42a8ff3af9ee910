"""A store in one SQLite file, whichever database it lives in, and back into an empty store."""

import os
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table
from sqlalchemy.engine import URL

from hub.clock import now_ms
from hub.config.keyfile import sync_folder
from hub.config.writing import writing
from hub.errors import MisconfiguredError, StoreError, StoreVersionError
from hub.store.feed import feed_floor, put_floor
from hub.store.migrate import current_schema_in, newest_schema, upgrade
from hub.store.store import Store, Transaction
from hub.store.tables import metadata

__all__ = ["LEFT_OUT", "backup", "copy_into", "restore"]

#: Who is working right now, and sessions with sources: of no use in a copy.
LEFT_OUT = frozenset({"lease", "token"})
_BATCH = 5000
#: More changes than a store makes between its last backup and its loss.
_FAR = 10**9
_SEQUENCES = {"incident": "key", "raw_page": "id"}


def backup(store: Store, file: Path) -> int:
    """Write everything into a new SQLite file (0600), as of one instant; how many incidents. Secrets stay sealed. The file has
    its name only once it is whole: half a backup would be found out when it is needed."""
    if file.exists():
        raise MisconfiguredError("{path} exists already", path=file, remedy="choose another file")
    if not file.parent.is_dir():
        raise MisconfiguredError("there is no folder {path}", path=file.parent, remedy="make it first")
    half = file.with_name(f"{file.name}.{os.getpid()}.half")
    try:
        with writing(half):
            os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(Store(_url(half))) as copy:
            upgrade(copy)
            count = copy_into(store, copy)
            _refuse_two_keys(copy)
        with writing(file):
            half.replace(file)
            sync_folder(file.parent)
        return count
    finally:
        for end in ("", "-wal", "-shm"):
            half.with_name(half.name + end).unlink(missing_ok=True)


def _refuse_two_keys(copy: Store) -> None:
    """While the key is changed some raw pages have the new one and some the former: neither alone would open such a backup."""
    with copy.read() as transaction:
        other = transaction.one(
            "SELECT 1 FROM raw_page WHERE key_id <> (SELECT value FROM meta WHERE name = 'key_id') LIMIT 1"
        )
    if other is not None:
        raise MisconfiguredError(
            "the store's key is being changed, so neither key would open this backup",
            remedy="let hub key rotate come to its end, then begin again",
        )


def restore(store: Store, file: Path) -> int:
    """Fill an empty store from a backup; the number of incidents. Raises MisconfiguredError if it holds any,
    StoreVersionError if the backup has another schema.

    The feed goes on far ahead: consumers may remember numbers that were given after the backup, for changes that are lost.
    """
    if not file.is_file():
        raise MisconfiguredError("there is no file {path}", path=file, remedy="name the backup's file")
    upgrade(store)
    with store.read() as transaction:
        if transaction.one("SELECT 1 FROM incident LIMIT 1") or transaction.one("SELECT 1 FROM run LIMIT 1"):
            raise MisconfiguredError("the store is not empty", remedy="restore into a new one: change [store] url")
    # A backup may lie where nobody can write, and stays as it is; a log that was copied with a database belongs to it.
    log_beside = file.with_name(file.name + "-wal").exists()
    with closing(Store(_url(file), read_only=not log_beside)) as source:
        found = _schema_of(source, file)
        if found != newest_schema():
            raise StoreVersionError(
                "the backup has schema {found}, this hub needs {needed}",
                found=found,
                needed=newest_schema(),
                remedy="restore it with the hub that made it, then run `hub upgrade`",
            )
        with source.read() as transaction:
            key_id = transaction.one("SELECT value FROM meta WHERE name = 'key_id'")
        if key_id is not None and key_id[0] != store.keyring.key_id:
            raise StoreVersionError(
                "the backup was made with another key", remedy="put the key that belongs to it into secrets/store.key"
            )
        return copy_into(source, store, feed_ahead=True)


def _schema_of(backup: Store, file: Path) -> str:
    """StoreError for a damaged backup, before anything of it is stored: later nobody could tell which of the two is."""
    try:
        with backup.read() as transaction:
            sound = transaction.one("PRAGMA quick_check(1)")[0] == "ok"
            found = current_schema_in(transaction)
    except StoreError:
        sound, found = False, None
    if not sound:
        raise StoreError("the backup {path} is damaged", path=file, remedy="take an older one")
    if found is None:
        raise MisconfiguredError("{path} is no backup of a hub", path=file, remedy="name the backup's file")
    return found


def _url(file: Path) -> str:
    return URL.create("sqlite", database=str(file)).render_as_string()


def copy_into(source: Store, target: Store, *, feed_ahead: bool = False) -> int:
    """Everything in one snapshot of the source and one transaction of the target; how many incidents. `feed_ahead`: its changes
    get numbers above all that were ever given, and its floor moves along."""
    with source.read() as reader, target.write() as writer:
        ahead, floor = _far_ahead(reader) if feed_ahead else (0, 0)
        for table in metadata.sorted_tables:
            if table.name not in LEFT_OUT:
                _copy_table(reader, writer, table, ahead)
        if feed_ahead:
            writer.run("UPDATE counter SET value = value + ? WHERE name = 'feed'", (ahead,))
            put_floor(writer, floor)
        _go_on_counting(writer)
        if target.dialect == "postgresql":
            _set_sequences(writer)
        return int(reader.one("SELECT count(*) FROM incident")[0])


def _far_ahead(reader: Transaction) -> tuple[int, int]:
    """By how much the feed's numbers rise, and its new floor. The microseconds of the epoch rise faster than any feed, so a
    second restore of the same backup gives no number of the first; they fit into JavaScript's numbers until 2255."""
    head = int(reader.one("SELECT value FROM counter WHERE name = 'feed'")[0])
    floor = max(now_ms() * 1000, head + _FAR)
    return floor - feed_floor(reader), floor


def _copy_table(reader: Transaction, writer: Transaction, table: Table, ahead: int) -> None:
    columns = [_quoted(column.name) for column in table.columns]
    read = [f"{name} + {ahead}" if (table.name, name) == ("change", '"seq"') else name for name in columns]
    writer.run(f"DELETE FROM {table.name}")
    for batch in reader.stream(f"SELECT {', '.join(read)} FROM {table.name}", (), _BATCH):
        writer.insert(table.name, columns, [tuple(row) for row in batch])


def _quoted(name: str) -> str:
    return f'"{name}"'


def _go_on_counting(writer: Transaction) -> None:
    """PostgreSQL counts with sequences and leaves these counters behind; SQLite goes on from them."""
    for table, key in _SEQUENCES.items():
        highest = f"(SELECT coalesce(max({key}), 0) FROM {table})"
        writer.run(f"UPDATE counter SET value = {highest} WHERE name = ? AND value < {highest}", (table,))


def _set_sequences(writer: Transaction) -> None:
    """Numbers given from now on come after those restored."""
    for table, key in _SEQUENCES.items():
        writer.one(f"SELECT setval('{table}_numbers', (SELECT coalesce(max({key}), 0) + 1 FROM {table}), false)")
    for table in ("quarantine", "deletion"):
        highest = f"(SELECT coalesce(max(id), 0) + 1 FROM {table})"
        writer.one(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {highest}, false)")
