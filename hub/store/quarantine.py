"""Records set aside, with their reason; looked at, replayed or dropped by an operator."""

from dataclasses import dataclass

from hub.errors import MisconfiguredError
from hub.store.raw import RawRecord, raw_record
from hub.store.store import Store

__all__ = ["QuarantineRow", "drop", "list_quarantine", "quarantined_raw", "settle"]


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """One record set aside. `status`: open, replayed (it is an incident now), superseded (a good version
    of it came), gone (a proven enumeration did not see it) or dropped. Instants are epoch ms."""

    id: int
    source: str
    stream: str
    native_id: str | None
    reason: str
    mapping: str
    mapping_version: int
    status: str
    times: int
    run: str
    first_seen_at: int
    last_seen_at: int


_COLUMNS = (
    "id, source, stream, native_id, reason, mapping, mapping_version, status, times, run, first_seen_at, last_seen_at"
)


def list_quarantine(
    store: Store,
    *,
    source: str | None = None,
    stream: str | None = None,
    status: str | None = "open",
    number: int | None = None,
    limit: int | None = None,
) -> list[QuarantineRow]:
    """Records in quarantine, newest first; `status` None shows all of them."""
    wanted = [
        (column, value)
        for column, value in (("source", source), ("stream", stream), ("status", status), ("id", number))
        if value is not None
    ]
    where = (" WHERE " + " AND ".join(f"{column} = ?" for column, _ in wanted)) if wanted else ""
    cut = f" LIMIT {limit:d}" if limit is not None else ""
    with store.read() as transaction:
        rows = transaction.all(
            f"SELECT {_COLUMNS} FROM quarantine{where} ORDER BY id DESC{cut}", tuple(value for _, value in wanted)
        )
    return [QuarantineRow(*row) for row in rows]


def quarantined_raw(store: Store, number: int) -> RawRecord:
    """The raw record of an entry. MisconfiguredError if there is no such entry."""
    with store.read() as transaction:
        row = transaction.one("SELECT raw_page, raw_index FROM quarantine WHERE id = ?", (number,))
        found = raw_record(store, transaction, row[0], row[1]) if row is not None else None
    if found is None:
        raise MisconfiguredError("quarantine has no entry {number}", number=number, remedy="see hub quarantine list")
    return found


def settle(store: Store, number: int, status: str) -> None:
    """Close an entry as replayed or dropped; its raw record stays."""
    with store.write() as transaction:
        transaction.run("UPDATE quarantine SET status = ? WHERE id = ?", (status, number))


def drop(store: Store, number: int) -> None:
    """An operator decides that a record is not worth having. MisconfiguredError if it is not open."""
    if not list_quarantine(store, number=number):
        raise MisconfiguredError(
            "quarantine has no open entry {number}", number=number, remedy="see hub quarantine list"
        )
    settle(store, number, "dropped")
