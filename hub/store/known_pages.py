"""Pages read before: one that comes again byte for byte, while nothing of it changed here, needs no look at its records.

A page is remembered with the sum of the raw pages that its records were found on or put on. It counts as known while the store
has the same sum: any new version of a record moves it to a later raw page, whoever stored it, and no raw page comes back.
"""

import hashlib
from array import array
from collections.abc import Sequence
from typing import Any

from hub.source.rows import KnownText, TextRows
from hub.source.stream import Page, Stream
from hub.store.store import Statement, Store, Transaction

__all__ = ["find_page", "forget_pages", "known_text", "page_digest", "remember_page", "still_used"]

#: Below so many rows looking at each costs no more.
_WORTH_IT = 50
_KEY = array("q")


def page_digest(stream: Stream, id_paths: Sequence[str], page: Page, hashes: Sequence[bytes]) -> bytes | None:
    """What tells a page from every other, and from the same one under another declaration of its stream: made of the digest of
    its rows' text or of their SHA-256. None for pages that are never remembered."""
    if page.bad or len(page.rows) < _WORTH_IT:
        return None
    if not isinstance(page.rows, TextRows):
        return _digest("rows", stream, repr((id_paths, page.mapping, page.zone)), *hashes)
    if page.mapping or page.zone or not stream.id_paths:
        return _digest("rows", stream, repr((id_paths, page.mapping, page.zone)), page.rows.digest)
    return _text_digest(stream, page.rows.digest)


def known_text(store: Store, source: str, stream: Stream, digest: bytes) -> KnownText | None:
    """The text of rows with this digest, if its page is remembered."""
    with store.glance() as transaction:
        row = transaction.one(
            "SELECT length(keys), ends FROM known_page WHERE source = ? AND stream = ? AND digest = ?",
            (source, stream.name, _text_digest(stream, digest)),
        )
    return None if row is None else KnownText(row[0] // _KEY.itemsize, row[1])


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
    source: str,
    stream: str,
    digest: bytes,
    keys: Sequence[int],
    *,
    state: int,
    ends: str,
    enumeration: str,
    now: int,
) -> Statement:
    """Remember a page whose records stand in the store as its bytes, none of them twice. `state`: the sum of their raw pages, of
    those that were not written for it as it was when they were compared."""
    return Statement(
        "INSERT INTO known_page (source, stream, digest, keys, state, ends, enumeration, used_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, stream, digest) DO UPDATE SET keys = excluded.keys,"
        " state = excluded.state, ends = excluded.ends, enumeration = excluded.enumeration, used_at = excluded.used_at",
        (source, stream, digest, array("q", keys).tobytes(), state, ends, enumeration, now),
    )


def still_used(source: str, stream: str, digest: bytes, enumeration: str, now: int) -> Statement:
    """Note that a known page was shown again."""
    return Statement(
        "UPDATE known_page SET enumeration = ?, used_at = ? WHERE source = ? AND stream = ? AND digest = ?",
        (enumeration, now, source, stream, digest),
    )


def forget_pages(transaction: Transaction, source: str, stream: str, enumeration: str) -> None:
    """Forget what a whole reading of the stream did not show: its pages are cut elsewhere now."""
    transaction.run(
        "DELETE FROM known_page WHERE source = ? AND stream = ? AND enumeration <> ?", (source, stream, enumeration)
    )


def _text_digest(stream: Stream, digest: bytes) -> bytes:
    """Under another envelope the same text may be a refusal."""
    return _digest("text", stream, repr(getattr(stream.endpoint, "envelope", None)), digest)


def _digest(kind: str, stream: Stream, declared: str, *parts: bytes) -> bytes:
    return hashlib.sha256(b"".join((f"{kind}\n{stream.declared()}\n{declared}\n".encode(), *parts))).digest()


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
