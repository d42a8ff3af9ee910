"""Raw records and the people in them: opened one page at a time, only for those who may see them."""

from dataclasses import dataclass

from hub.errors import StoreError
from hub.mapping.values import PersonRecord
from hub.store.page import Seal
from hub.store.store import Store, Transaction

__all__ = ["OpenPage", "RawRecord", "mappings_of", "newest_page", "open_page", "people_of", "raw_of", "raw_record"]


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record exactly as the source sent it, and where it came from. Instants are epoch ms."""

    raw: bytes
    source: str
    stream: str
    run: str
    fetched_at: int
    source_clock: int | None
    mapping: str
    zone: str
    origin: str


@dataclass(slots=True)
class OpenPage:
    """A whole raw page, opened: the slices and, in the same order, their people."""

    slices: list[bytes]
    people: list[list[PersonRecord]]
    mapping: str
    zone: str
    seal: Seal


def newest_page(store: Store) -> int:
    """The highest number of a raw page so far, 0 if there is none. What is stored later has a higher one, whatever clocks say."""
    with store.glance() as transaction:
        return int(transaction.one("SELECT max(id) FROM raw_page")[0] or 0)


def mappings_of(transaction: Transaction, numbers: set[int]) -> dict[int, str]:
    """By which mapping the records of these raw pages were read."""
    rows = transaction.all(
        f"SELECT id, mapping FROM raw_page WHERE {transaction.any_of('id')}", (transaction.list_value(sorted(numbers)),)
    )
    return {row[0]: row[1] for row in rows}


def open_page(store: Store, number: int) -> OpenPage:
    """Open a raw page. StoreError if it is gone or cannot be opened with this key."""
    with store.read() as transaction:
        row = transaction.one("SELECT body, people, mapping, zone, key_id FROM raw_page WHERE id = ?", (number,))
    if row is None:
        raise StoreError("raw page {number} is gone", number=number, remedy="restore it from a backup, or refetch")
    slices = store.keyring.open(row[0], "raw page", list[bytes])
    people = (
        store.keyring.open(row[1], "people", list[list[PersonRecord]]) if row[1] is not None else [[] for _ in slices]
    )
    return OpenPage(slices, people, row[2], row[3], Seal(row[4], row[1]))


def raw_of(store: Store, incident: str, revision: int | None = None) -> RawRecord | None:
    """The raw record behind an incident's present version, or behind an older revision."""
    with store.read() as transaction:
        place = _place(transaction, incident, revision)
        return raw_record(store, transaction, *place) if place else None


def people_of(store: Store, incident: str) -> list[PersonRecord]:
    """The people of an incident's present version, in clear: show them masked unless the reader may see them."""
    with store.read() as transaction:
        place = _place(transaction, incident, None)
        row = transaction.one("SELECT people FROM raw_page WHERE id = ?", (place[0],)) if place else None
    if place is None or row is None or row[0] is None:
        return []
    return store.keyring.open(row[0], "people", list[list[PersonRecord]])[place[1]]


def raw_record(store: Store, transaction: Transaction, page: int, index: int) -> RawRecord | None:
    """The record at a place in a raw page."""
    row = transaction.one(
        "SELECT body, source, stream, run, fetched_at, source_clock, mapping, zone, origin FROM raw_page WHERE id = ?",
        (page,),
    )
    if row is None:
        return None
    return RawRecord(store.keyring.open(row[0], "raw page", list[bytes])[index], *row[1:])


def _place(transaction: Transaction, incident: str, revision: int | None) -> tuple[int, int] | None:
    row = transaction.one("SELECT raw_page, raw_index, key, revision FROM incident WHERE id = ?", (incident,))
    if row is not None and revision is not None and revision != row[3]:
        row = transaction.one(
            "SELECT raw_page, raw_index FROM revision WHERE incident = ? AND revision = ?", (row[2], revision)
        )
    return (row[0], row[1]) if row is not None else None
