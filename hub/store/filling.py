"""A store's first filling: indices that only readers need are left off and made at its end, all at once and in order.

An id is a hash, so each new one lies somewhere else in its index: kept up record by record it costs 15 µs at half a million
incidents, made at the end 1 µs (benchmarks/LOG.md). Until then readers find everything, only more slowly.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.schema import CreateIndex

from hub.errors import HubError
from hub.store.store import Store
from hub.store.tables import read_indices

__all__ = ["filling", "make_read_indices", "missing_read_indices"]

log = logging.getLogger("hub.store")
_INDICES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'incident'",
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'incident'",
}


@contextmanager
def filling(store: Store) -> Iterator[None]:
    """Around work that may fill an empty store. However it ends, the indices are there afterwards; where it is killed or the
    store cannot be reached, after the next one."""
    with _trouble_is_logged():
        if _empty(store):
            _drop_read_indices(store)
    try:
        yield
    finally:
        with _trouble_is_logged():
            make_read_indices(store)


def _empty(store: Store) -> bool:
    with store.glance() as transaction:
        return transaction.one("SELECT 1 FROM incident LIMIT 1") is None


def _drop_read_indices(store: Store) -> None:
    with store.write() as transaction:
        if store.dialect == "postgresql":
            # Dropping an index would wait behind a reader who takes his time, or another filling, and everybody else behind it.
            transaction.run("LOCK TABLE incident IN ACCESS EXCLUSIVE MODE NOWAIT")
        if transaction.one("SELECT 1 FROM incident LIMIT 1") is None:
            for name in read_indices(store.dialect):
                transaction.run(f"DROP INDEX IF EXISTS {name}")


@contextmanager
def _trouble_is_logged() -> Iterator[None]:
    """Indices cost nobody the work itself, which tells by its own outcome what is wrong with the store."""
    try:
        yield
    except HubError as error:
        log.warning("read indices stay as they are: %s", error, extra={"action": "read_indices"})


def make_read_indices(store: Store) -> None:
    """Make those that are missing, each in a transaction of its own."""
    for name in missing_read_indices(store):
        with store.write() as transaction:
            transaction.connection.execute(CreateIndex(read_indices(store.dialect)[name], if_not_exists=True))


def missing_read_indices(store: Store) -> list[str]:
    """Names of the indices that readers have to do without."""
    with store.read() as transaction:
        there = {row[0] for row in transaction.all(_INDICES[store.dialect])}
    return [name for name in read_indices(store.dialect) if name not in there]
