"""What keeps a store from being used, found without changing anything: no file is made, no key is bound, nothing waits."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import make_url

from hub.config import Settings
from hub.config.keyfile import pending_key
from hub.errors import HubError, StoreError, StoreVersionError
from hub.store.crypto import Keyring
from hub.store.migrate import check_schema
from hub.store.store import Store, Transaction

__all__ = ["look"]

#: The transaction that asks is itself one that only reads.
_WRITABLE = (
    "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean, quote_ident(current_user)"
)
_ROLE = (
    "SELECT quote_ident(current_user), quote_ident(current_schema()), current_setting('search_path'),"
    " has_schema_privilege(current_schema(), 'CREATE'), to_regclass('alembic_version') IS NOT NULL"
)
#: Which rights are lacking on any of the tables and sequences named. The schema's version is only read.
_LACKING = (
    "SELECT needed.name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()"
    " JOIN (VALUES (1, 'r', 'SELECT'), (2, 'r', 'INSERT'), (3, 'r', 'UPDATE'), (4, 'r', 'DELETE'), (5, 'S', 'USAGE'))"
    " AS needed (place, kind, name) ON needed.kind = c.relkind AND (place = 1 OR c.relname <> 'alembic_version')"
    " WHERE NOT CASE c.relkind WHEN 'r' THEN has_table_privilege(c.oid, needed.name)"
    " ELSE has_sequence_privilege(c.oid, needed.name) END AND {named} GROUP BY needed.name ORDER BY min(place)"
)


def look(settings: Settings) -> Iterator[HubError]:
    """The key first; then whether the database is there, can be written to, and has this hub's schema and that key."""
    keyring = None
    try:
        keyring = Keyring(settings.store.secret_key(), pending_key(settings))
    except HubError as error:
        yield error
    try:
        with closing(Store(settings.store.url, keyring, read_only=True)) as store:
            _check_file(store)
            if store.dialect == "postgresql":
                with store.read() as transaction:
                    _check_writable(transaction)
                    _check_role(transaction)
            check_schema(store)
    except HubError as error:
        yield error


def _check_file(store: Store) -> None:
    """SQLite's file, those it keeps beside it, and the folder it makes them in."""
    if store.dialect != "sqlite":
        return
    file = Path(str(make_url(store.url).database))
    for folder in reversed(file.parents):
        # Whether anything is in it nobody can say.
        if os.path.exists(folder) and not os.access(folder, os.X_OK):
            raise StoreError(
                "the store is in {folder}, which the user {user} cannot enter", folder=folder, user=os.geteuid(),
                remedy="give it to the user the hub runs as, or run this command as that user",
            )  # fmt: skip
    if not file.exists():
        raise StoreVersionError("the store {file} does not exist", remedy="run hub upgrade", file=file)
    beside = [path for path in (file.with_name(file.name + end) for end in ("-wal", "-shm")) if path.exists()]
    for path in (file, *beside, file.parent):
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(
                "{path} of the store cannot be written to by the user {user}", path=path, user=os.geteuid(),
                remedy="give it to the user the hub runs as, or run this command as that user",
            )  # fmt: skip


def _check_writable(transaction: Transaction) -> None:
    """Whether PostgreSQL takes anything from anybody here."""
    standby, only_reads, role = transaction.one(_WRITABLE)
    if standby:
        raise StoreError(
            "[store] url leads to a standby of PostgreSQL, which takes no writes", remedy="name its primary in [store] url"
        )  # fmt: skip
    if only_reads:
        raise StoreError(
            "default_transaction_read_only is on for the database role {role}, so nothing can be written", role=role,
            remedy="as its superuser: ALTER ROLE {role} SET default_transaction_read_only = off; or take it out of the options"
            " in [store] url",
        )  # fmt: skip


def _check_role(transaction: Transaction) -> None:
    """Whether PostgreSQL lets the hub's role make the store's tables or, once they are there, write to them."""
    role, schema, path, may_create, made = transaction.one(_ROLE)
    if schema is None:
        raise StoreError(
            "the database role {role} may use no schema of its search_path {path}", role=role, path=path,
            grants=f"GRANT USAGE, CREATE ON SCHEMA … TO {role}",
            remedy="as the database's owner: {grants}; make the schema if it is missing",
        )  # fmt: skip
    if not made and not may_create:
        raise StoreError(
            "the database role {role} may make no tables in the schema {schema}", role=role, schema=schema,
            grants=f"GRANT CREATE ON SCHEMA {schema} TO {role}", remedy="as its owner: {grants}; then run hub upgrade",
        )  # fmt: skip
    lacking = _lacking(transaction) if made else ()
    if lacking:
        raise StoreError(
            "the database role {role} has no right to {rights} in the store's tables and sequences",
            role=role, rights=", ".join(lacking), remedy="as their owner: {grants}",
            grants=f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};"
            f" GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        )  # fmt: skip


def _lacking(transaction: Transaction) -> list[str]:
    from hub.store.tables import metadata

    names = [f"{table}{end}" for table in metadata.tables for end in ("", "_numbers", "_id_seq")]
    statement = _LACKING.format(named=transaction.any_of("c.relname", "name"))
    return [row[0] for row in transaction.all(statement, (transaction.list_value([*names, "alembic_version"]),))]
