"""The queue's tables: Procrastinate's own scripts, applied by `hub upgrade` into a schema of their own.

Which scripts are in is remembered beside them, not in the hub's `meta`: a store restored into this database brings
its own.
"""

from importlib import resources

from hub.errors import MisconfiguredError, StoreVersionError
from hub.store.queue import SCHEMA
from hub.store.store import Store, Transaction

__all__ = ["check_queue", "upgrade_queue"]

_OWN = (
    f"CREATE TABLE {SCHEMA}.script (name text PRIMARY KEY)",
    f"CREATE TABLE {SCHEMA}.worker (owner text PRIMARY KEY, host text NOT NULL, pid integer NOT NULL,"
    " slots integer NOT NULL, lanes text NOT NULL, started_at bigint NOT NULL, seen_at timestamptz NOT NULL,"
    " ids bigint[] NOT NULL)",
    f"CREATE TABLE {SCHEMA}.budget (host text PRIMARY KEY, next_at double precision NOT NULL)",
)


def upgrade_queue(store: Store) -> int:
    """Apply what is missing; how many scripts that were. Several processes may try at once."""
    known = _scripts(store)
    with store.write() as transaction:
        transaction.one("SELECT pg_advisory_xact_lock(hashtext(?))", (SCHEMA,))
        applied = _applied(transaction)
        if applied is None:
            _run(transaction, f"CREATE SCHEMA {SCHEMA}; SET LOCAL search_path TO {SCHEMA}")
            _run(transaction, (resources.files("procrastinate.sql") / "schema.sql").read_text("utf-8"))
            _run(transaction, "; ".join(_OWN))
            missing = known
        else:
            _run(transaction, f"SET LOCAL search_path TO {SCHEMA}")
            missing = [name for name in known if name not in applied]
            for name in missing:
                _run(transaction, (resources.files("procrastinate.sql") / "migrations" / name).read_text("utf-8"))
        transaction.run_many(f"INSERT INTO {SCHEMA}.script (name) VALUES (?)", [(name,) for name in missing])
    return len(missing)


def check_queue(store: Store) -> None:
    """StoreVersionError unless the queue's tables are those of the installed Procrastinate."""
    known = _scripts(store)
    with store.read() as transaction:
        applied = _applied(transaction)
    if applied != set(known):
        raise StoreVersionError("the queue's tables do not belong to this Procrastinate", remedy="run hub upgrade")


def _scripts(store: Store) -> list[str]:
    if store.dialect != "postgresql":
        raise MisconfiguredError(
            '[engine] kind = "procrastinate" needs a PostgreSQL store',
            remedy="`hub store copy` moves an SQLite store into PostgreSQL",
        )
    try:
        folder = resources.files("procrastinate.sql") / "migrations"
    except ModuleNotFoundError:
        raise MisconfiguredError(
            "Procrastinate is not installed", remedy="run pip install 'supervision-hub[worker]'"
        ) from None
    return sorted(script.name for script in folder.iterdir() if script.name.endswith(".sql"))


def _applied(transaction: Transaction) -> set[str] | None:
    """The scripts that are in; None if there is no queue yet."""
    if transaction.one("SELECT to_regclass(?)", (f"{SCHEMA}.script",))[0] is None:
        return None
    return {row[0] for row in transaction.all(f"SELECT name FROM {SCHEMA}.script")}


def _run(transaction: Transaction, script: str) -> None:
    """A whole script at once, as it stands: no parameter in it."""
    transaction.run_script(script)
