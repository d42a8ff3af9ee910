"""What the store already knows of the records of a page: the lookups that let an unchanged record cost only its hash."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from hub.errors import MisconfiguredError
from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS
from hub.store.store import Transaction

__all__ = [
    "Full",
    "Known",
    "changed_within",
    "doubted",
    "full_rows",
    "known",
    "known_quarantine",
    "living_after",
    "old_hashes",
    "replaced_at_once",
    "stale_pages",
]


_STATE = (
    "key", "revision", "raw_hash", "raw_page", "raw_index", "mapping", "mapping_version", "run", "changed_at", "deleted_at",
    "deletion", "list_hash",
)  # fmt: skip
_PLACES = len(_STATE)
_FULL = ", ".join((*_STATE, *MAPPED_COLUMNS))


class Known(NamedTuple):
    """The little that decides whether a record must be looked at. `deleted_at` is epoch ms; `raw_page` has its raw record."""

    id: str
    key: int
    raw_hash: bytes
    deleted_at: int | None
    list_hash: bytes | None
    raw_page: int

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None


class Full(msgspec.Struct, frozen=True, gc=False):
    """A stored incident as a whole: `row` in the order of MAPPED_COLUMNS."""

    key: int
    row: tuple[Any, ...]
    revision: int
    raw_hash: bytes
    raw_page: int
    raw_index: int
    mapping: str
    mapping_version: int
    run: str
    changed_at: int
    deleted_at: int | None
    deletion: str | None
    list_hash: bytes | None


def known(transaction: Transaction, source: str, stream: str, native_ids: Sequence[str]) -> dict[str, Known]:
    """The stored incidents of a stream among these native ids, by native id."""
    rows = transaction.all(
        "SELECT native_id, id, key, raw_hash, deleted_at, list_hash, raw_page FROM incident"
        f" WHERE source = ? AND stream = ? AND {transaction.any_of('native_id', 'text')}",
        (source, stream, transaction.list_value(native_ids)),
    )
    return {row[0]: Known(*row[1:]) for row in rows}


def full_rows(transaction: Transaction, keys: Sequence[int]) -> dict[int, Full]:
    """Whole incidents by key."""
    if not keys:
        return {}
    rows = transaction.all(
        f"SELECT {_FULL} FROM incident WHERE {transaction.any_of('key')}", (transaction.list_value(keys),)
    )
    return {row[0]: _full(row) for row in rows}


def _full(row: tuple[Any, ...]) -> Full:
    return Full(row[0], row[_PLACES:], *row[1:_PLACES])


def living_after(
    transaction: Transaction, source: str, stream: str, key: int, since: int | None, limit: int
) -> tuple[int | None, list[tuple[str, Full]]]:
    """The living incidents of a stream among the next `limit` of the store after `key`, in the order they were first stored,
    with their ids; before them the key to go on from, None at the end. `since`: changed at the source at or after that instant
    (epoch ms)."""
    # A window of keys, not LIMIT: PostgreSQL, as long as it has no statistics, reads and sorts the whole table for that.
    last = transaction.one(
        "SELECT max(key) FROM (SELECT key FROM incident WHERE key > ? ORDER BY key LIMIT ?) AS next", (key, limit)
    )[0]
    rows = transaction.all(
        f"SELECT {_FULL}, id FROM incident WHERE key > ? AND key <= ? AND source = ? AND stream = ? AND deleted_at IS NULL"
        + (" AND source_updated_at >= ?" if since is not None else "")
        + " ORDER BY key",
        (key, last, source, stream, *([since] if since is not None else [])),
    )
    return last, [(row[-1], _full(row[:-1])) for row in rows]


def changed_within(
    transaction: Transaction,
    source: str,
    stream: str,
    field: str,
    since: int | None,
    until: int | None,
    stored_before: int,
) -> set[str]:
    """Ids of living incidents whose instant `field` lies in [since, until) and that were stored before an instant (epoch ms)."""
    if field not in INSTANTS:
        raise MisconfiguredError("{field} is not an instant of the incident", field=field)
    ends = [(f"{field} >= ?", since), (f"{field} < ?", until), ("first_seen_at < ?", stored_before)]
    wanted = [(text, value) for text, value in ends if value is not None]
    condition = "".join(f" AND {text}" for text, _ in wanted)
    rows = transaction.all(
        f"SELECT id FROM incident WHERE source = ? AND stream = ? AND deleted_at IS NULL{condition}",
        (source, stream, *(value for _, value in wanted)),
    )
    return {row[0] for row in rows}


def known_quarantine(transaction: Transaction, source: str, stream: str, raw_hash: bytes) -> bool:
    """Whether exactly these bytes are in quarantine already, waiting or dropped by an operator."""
    return (
        transaction.one(
            "SELECT 1 FROM quarantine WHERE source = ? AND stream = ? AND raw_hash = ? AND status IN ('open', 'dropped')",
            (source, stream, raw_hash),
        )
        is not None
    )


def stale_pages(transaction: Transaction, keys: Sequence[int]) -> dict[tuple[int, bytes], int | None]:
    """The raw page on which each stale version of these incidents was last seen, by (incident key, raw hash); None if the source
    has shown the current version since."""
    if not keys:
        return {}
    rows = transaction.all(
        "SELECT incident, raw_hash, CASE WHEN refuted_at IS NULL THEN raw_page END FROM stale_version"
        f" WHERE {transaction.any_of('incident')}",
        (transaction.list_value(keys),),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def doubted(transaction: Transaction, source: str, stream: str) -> set[int]:
    """Keys of the incidents of which an older version was shown last, so that seeing the current one again matters."""
    rows = transaction.all(
        "SELECT DISTINCT s.incident FROM stale_version s JOIN incident i ON i.key = s.incident"
        " WHERE i.source = ? AND i.stream = ? AND s.refuted_at IS NULL",
        (source, stream),
    )
    return {row[0] for row in rows}


def old_hashes(transaction: Transaction, keys: Sequence[int]) -> set[tuple[int, bytes]]:
    """(incident key, raw hash) of every former version of these incidents."""
    if not keys:
        return set()
    rows = transaction.all(
        f"SELECT incident, raw_hash FROM revision WHERE {transaction.any_of('incident')}",
        (transaction.list_value(keys),),
    )
    return {(row[0], row[1]) for row in rows}


def replaced_at_once(transaction: Transaction, keys: Sequence[int]) -> set[tuple[int, bytes]]:
    """(incident key, raw hash) of what was current in the very run that made these incidents' current versions."""
    if not keys:
        return set()
    rows = transaction.all(
        "SELECT r.incident, r.raw_hash FROM revision r JOIN incident i ON i.key = r.incident AND i.run = r.run"
        f" WHERE {transaction.any_of('r.incident')}",
        (transaction.list_value(keys),),
    )
    return {(row[0], row[1]) for row in rows}
