"""Pages read before: one that comes again byte for byte, while nothing of it changed here, needs no look at its records.

A page is remembered only if afterwards each of its records stood in the store as exactly these bytes. It counts as known
while they all still do: any new version of a record moves it to another raw page, and no raw page comes back.
"""

import hashlib
from array import array
from collections.abc import Sequence
from typing import Any

from hub.source.rows import TextRows
from hub.source.stream import Page
from hub.store.store import Store, Transaction

__all__ = ["count_rows", "find_page", "forget_pages", "page_digest", "remember_page", "still_used"]

#: Below so many rows looking at each costs no more.
_WORTH_IT = 50
_KEY = array("q")


def page_digest(page: Page, hashes: Sequence[bytes]) -> bytes | None:
    """What tells a page from every other: the digest of its rows' text or of their SHA-256; None for pages that are never
    remembered."""
    if page.bad or len(page.rows) < _WORTH_IT:
        return None
    if isinstance(page.rows, TextRows):
        if not (page.mapping or page.zone):
            return page.rows.digest  # as the transport asks for it: `count_rows`
        hashes = [page.rows.digest]
    return hashlib.sha256(b"".join((f"{page.mapping}\n{page.zone}\n".encode(), *hashes))).digest()


def count_rows(store: Store, source: str, stream: str, digest: bytes) -> int | None:
    """How many rows the page with this digest has, if it is remembered."""
    with store.glance() as transaction:
        row = transaction.one(
            "SELECT length(keys) FROM known_page WHERE source = ? AND stream = ? AND digest = ?",
            (source, stream, digest),
        )
    return None if row is None else row[0] // _KEY.itemsize


def find_page(transaction: Transaction, source: str, stream: str, digest: bytes) -> list[int] | None:
    """The incident keys of a page's records, in its order, if all of them still are as the page shows them. It need not be one
    snapshot: what is committed between the two looks makes them differ, and then the page is not recalled."""
    row = transaction.one(
        "SELECT keys, state FROM known_page WHERE source = ? AND stream = ? AND digest = ?", (source, stream, digest)
    )
    if row is None:
        return None
    keys = array("q", row[0]).tolist()
    return keys if _state(transaction, keys) == row[1] else None


def remember_page(
    transaction: Transaction, source: str, stream: str, digest: bytes, keys: Sequence[int], enumeration: str, now: int
) -> None:
    """Remember a page whose records all stand in the store as its bytes, unless one of them is deleted or stands in it twice."""
    state = _state(transaction, keys) if len(set(keys)) == len(keys) else None
    if state is not None:
        transaction.run(
            "INSERT INTO known_page (source, stream, digest, keys, state, enumeration, used_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source, stream, digest) DO UPDATE SET keys = excluded.keys, state = excluded.state,"
            " enumeration = excluded.enumeration, used_at = excluded.used_at",
            (source, stream, digest, array("q", keys).tobytes(), state, enumeration, now),
        )


def still_used(transaction: Transaction, source: str, stream: str, digest: bytes, enumeration: str, now: int) -> None:
    """Note that a known page was shown again."""
    transaction.run(
        "UPDATE known_page SET enumeration = ?, used_at = ? WHERE source = ? AND stream = ? AND digest = ?",
        (enumeration, now, source, stream, digest),
    )


def forget_pages(transaction: Transaction, source: str, stream: str, enumeration: str) -> None:
    """Forget what a whole reading of the stream did not show: its pages are cut elsewhere now."""
    transaction.run(
        "DELETE FROM known_page WHERE source = ? AND stream = ? AND enumeration <> ?", (source, stream, enumeration)
    )


def _state(transaction: Transaction, keys: Sequence[int]) -> int | None:
    """A number that changes with every new version of one of these records; None if one is missing or deleted."""
    ordered = sorted(keys)
    values: list[Any]
    if ordered[-1] - ordered[0] == len(keys) - 1:
        # Records that were stored together, as most pages' were: one walk along the table.
        condition, values = "key BETWEEN ? AND ?", [ordered[0], ordered[-1]]
    else:
        condition, values = transaction.any_of("key"), [transaction.list_value(keys)]
    count, deleted, pages = transaction.one(
        f"SELECT count(*), count(deleted_at), sum(raw_page) FROM incident WHERE {condition}", values
    )
    return int(pages) if count == len(keys) and not deleted else None
