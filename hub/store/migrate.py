"""Bringing a store's schema up to this hub's, and refusing a store that is newer or older than the hub."""

import os
import threading
from functools import cache
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from hub.errors import MisconfiguredError, StoreVersionError
from hub.store.refusals import translated
from hub.store.store import Store, Transaction

__all__ = ["check_schema", "current_schema", "current_schema_in", "newest_schema", "upgrade"]


#: Alembic keeps what it works on in a module.
_ONE_AT_A_TIME = threading.Lock()
_MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def _schemas() -> tuple[str, ...]:
    """Every schema this hub knows, oldest first: the numbers its migrations' files begin with. Alembic itself is loaded only to
    run them, because every command checks the schema and hardly one changes it."""
    return tuple(sorted(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")))


def newest_schema() -> str:
    """The schema this hub was made for."""
    return _schemas()[-1]


def current_schema(store: Store) -> str | None:
    """The schema the store has, None for an empty database. UnavailableError if it cannot be reached."""
    with store.read() as transaction:
        return current_schema_in(transaction)


def current_schema_in(transaction: Transaction) -> str | None:
    """As `current_schema`, within a transaction."""
    if transaction.dialect == "sqlite":
        made = transaction.one("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")
    else:
        made = transaction.one("SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL")
    found = transaction.one("SELECT version_num FROM alembic_version") if made is not None else None
    return str(found[0]) if found is not None else None


def upgrade(store: Store) -> tuple[str | None, str]:
    """Run what is missing; the schema before and after. StoreVersionError if the store is newer than this hub."""
    with _ONE_AT_A_TIME:
        _make_file(store)
        before = current_schema(store)
        _refuse_newer(before)
        if before != newest_schema():
            _migrate(store)
    _bind_key(store)
    return before, newest_schema()


def _make_file(store: Store) -> None:
    """A new SQLite file is not for every user of the machine; those that SQLite puts beside it get the same rights."""
    url = make_url(store.url)
    if store.dialect != "sqlite" or not url.database or Path(url.database).exists():
        return
    file = Path(url.database)
    file.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o640))


def _migrate(store: Store) -> None:
    """Make a new store's schema, or bring an older one up. Of two processes that begin together one fails, and finds the schema
    made by the other."""
    try:
        if store.dialect == "sqlite":
            # The driver would commit each statement by itself: a schema is made whole or not at all, by one process at a time.
            with store.write() as transaction:
                _bring_up(transaction.connection, current_schema_in(transaction))
            return
        found = current_schema(store)
        if found is None:
            _refuse_encoding(store)
        with store.engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection, connection.begin():
            _bring_up(connection, found)
    except DBAPIError as error:
        if current_schema(store) != newest_schema():
            raise translated(error) from error


def _refuse_encoding(store: Store) -> None:
    """MisconfiguredError unless the database can hold every text: the first rare character would else fail its page for ever."""
    with store.glance() as transaction:
        encoding = transaction.one("SHOW server_encoding")[0]
    if encoding != "UTF8":
        raise MisconfiguredError(
            "the store's database has the encoding {encoding}, which cannot hold every text", encoding=encoding,
            remedy="make it anew: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
        )  # fmt: skip


def _bring_up(connection: Connection, found: str | None) -> None:
    if found is None:
        from hub.store.schema import create_schema, stamp

        # Alembic would cost 12 MB and a seventh of a second for being imported.
        create_schema(connection)
        stamp(connection, newest_schema())
    elif found != newest_schema():
        _run_migrations(connection)


def _run_migrations(connection: Connection) -> None:
    """Alembic's part: what is missing, in the transaction of this connection."""
    from alembic import command
    from alembic.config import Config

    from hub.store.views import views_apart

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with views_apart(connection):
        command.upgrade(config, "head")


def check_schema(store: Store) -> None:
    """StoreVersionError unless the store has exactly this hub's schema and key."""
    found = current_schema(store)
    _refuse_newer(found)
    if found is None:
        raise StoreVersionError(
            "the store holds nothing yet",
            remedy="run hub upgrade to make it; if there was one, look at [store] url, or restore a backup",
        )
    if found != newest_schema():
        raise StoreVersionError(
            "the store has schema {found}, this hub needs {needed}",
            found=found,
            needed=newest_schema(),
            remedy="run hub upgrade",
        )
    _bind_key(store)


def _refuse_newer(found: str | None) -> None:
    if found is not None and found not in _schemas():
        raise StoreVersionError(
            "the store has schema {found}, which this hub does not know",
            found=found,
            remedy="install the newer hub that made it",
        )


def _bind_key(store: Store) -> None:
    """The first key a store sees is its key; another one is refused before anything is fetched."""
    if not store.has_key:
        return
    bound = "SELECT value FROM meta WHERE name = 'key_id'"
    with store.read() as transaction:
        row = transaction.one(bound)
    if row is None and store.read_only:
        return
    if row is None:
        # Another process may do the same just now: the first one's key is the store's.
        with store.write() as transaction:
            transaction.run(
                "INSERT INTO meta (name, value) VALUES ('key_id', ?) ON CONFLICT DO NOTHING", (store.keyring.key_id,)
            )
            row = transaction.one(bound)
    if row[0] not in store.keyring.key_ids:
        raise StoreVersionError(
            "this store was made with another key",
            remedy="restore the secrets/store.key that belongs to it from your backup",
        )
