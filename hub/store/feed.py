"""The change feed for consumers: every change once, in order, without gaps; a reader needs only to remember a number."""

from collections.abc import Iterator

import msgspec

from hub.errors import BreachedError
from hub.store.store import Store, Transaction

__all__ = ["FeedChange", "changes_after", "feed_floor", "feed_head", "follow", "put_floor"]


class FeedChange(msgspec.Struct, frozen=True, gc=False):
    """One change. `op`: insert, update, delete or restore; `fields`: the changed columns of an update; `at`: epoch ms."""

    seq: int
    op: str
    id: str
    revision: int
    fields: tuple[str, ...]
    at: int


def feed_head(store: Store) -> int:
    """The newest sequence number, 0 for an empty feed. Note it before reading `incident_v1`, then follow from there."""
    with store.read() as transaction:
        return _head(transaction)


def feed_floor(transaction: Transaction) -> int:
    """Up to which number changes are gone, 0 if all are there."""
    floor = transaction.one("SELECT value FROM meta WHERE name = 'feed_floor'")
    return int(floor[0]) if floor is not None else 0


def put_floor(transaction: Transaction, floor: int) -> None:
    """Note up to which number changes are gone: who stands below is told so."""
    transaction.run(
        "INSERT INTO meta (name, value) VALUES ('feed_floor', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (str(floor),),
    )


def changes_after(store: Store, after: int, limit: int = 1000) -> list[FeedChange]:
    """The changes that follow `after`, oldest first. BreachedError if some of them were pruned already, or if `after` was never
    given: it is of another store, or of one that was lost."""
    with store.read() as transaction:
        floor = feed_floor(transaction)
        if after < floor:
            raise BreachedError(
                "the feed begins at {floor}, changes after {after} were pruned",
                floor=floor, after=after,
                remedy="note the feed's head, read incident_v1 whole, and follow from that head",
            )  # fmt: skip
        rows = transaction.all(
            "SELECT seq, op, id, revision, fields, at FROM change WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        if not rows and after > (head := _head(transaction)):
            raise BreachedError(
                "the feed ends at {head}, there never was a change {after}",
                head=head, after=after,
                remedy="note the feed's head, read incident_v1 whole, and follow from that head",
            )  # fmt: skip
    return [FeedChange(row[0], row[1], row[2], row[3], _fields(row[4]), row[5]) for row in rows]


def follow(store: Store, after: int, page: int = 1000) -> Iterator[list[FeedChange]]:
    """Pages of changes until the head; the caller waits and calls again from the last number it saw."""
    while found := changes_after(store, after, page):
        yield found
        after = found[-1].seq


def _head(transaction: Transaction) -> int:
    return int(transaction.one("SELECT value FROM counter WHERE name = 'feed'")[0])


def _fields(text: str | None) -> tuple[str, ...]:
    return tuple(msgspec.json.decode(text, type=list[str])) if text else ()
