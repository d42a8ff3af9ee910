"""Writing one page: raw, incidents, revisions, change feed, quarantine, code gaps, counters and state in ONE transaction.

Everything was decided before (`hub.sync.decide`); here it is only written, under the lease's fencing token.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hub.errors import FencedError
from hub.mapping.columns import MAPPED_COLUMNS
from hub.store.erasure import erasure_hold, marks_of_erased, obeying_erasure, obeying_rewrites
from hub.store.known import Full
from hub.store.known_pages import remember_page, still_used
from hub.store.page import COUNTED, Change, Lease, PageWrite, RawPage
from hub.store.refusals import ConflictError
from hub.store.rewrite import rewrite_page
from hub.store.rotation import key_hold
from hub.store.store import Hold, Statement, Store, Transaction
from hub.store.tables import INCIDENT_COLUMNS

__all__ = ["append_changes", "keep_versions", "lease_hold", "next_numbers", "put_state", "write_page"]

_CHANGE_COLUMNS = ("seq", "op", "id", "revision", "fields", "at")
_REVISION_COLUMNS = (
    "incident", "revision", "body", "raw_hash", "raw_page", "raw_index", "mapping", "mapping_version", "run",
    "changed_at", "deleted_at",
)  # fmt: skip
_PLACE = ("raw_hash", "raw_page", "raw_index", "list_hash")
_VERSION = (*_PLACE, "revision", "mapping", "mapping_version", "run", "changed_at", "deleted_at", "deletion")
_MATCH = ("key", "revision", "raw_page")


def write_page(store: Store, lease: Lease, page: PageWrite) -> int:
    """Commit one page; the feed's new head, 0 if the page changes nothing. FencedError if the lease is lost, ConflictError if
    rows moved meanwhile."""
    touches_people = bool(page.raw.slices or page.rewrites)
    marks = marks_of_erased(store) if touches_people else frozenset()
    sealed = _sealed(store, obeying_erasure(store, page.raw, marks))
    rewrites = obeying_rewrites(store, page.rewrites, marks)
    holds = [lease_hold(lease, page.now)]
    if touches_people:
        holds += [key_hold(store), erasure_hold(marks)]
    with store.write() as transaction:
        raw_page, fresh = _numbers(transaction, holds, page)
        keys = _write_new(transaction, page, raw_page, fresh)
        _write_updates(transaction, page, raw_page, keys)
        for number, rewrite in rewrites.items():
            rewrite_page(store, transaction, number, rewrite)
        _write_quarantine(transaction, page, raw_page)
        _write_gaps(transaction, page)
        raw_row = [_raw_row(store, page, raw_page, sealed)] if raw_page else []
        transaction.together(*raw_row, *_progress(page, raw_page))
        return append_changes(transaction, page.changes, page.now)


def lease_hold(lease: Lease, now: int) -> Hold:
    """Renew the lease inside the page's own transaction; FencedError if another owner has it now."""

    def check(held: Any) -> None:
        if held is None:
            raise FencedError(
                "another process took over {name}", name=lease.name, remedy="nothing of this page was stored"
            )

    renewal = "UPDATE lease SET expires_at = ? WHERE name = ? AND owner = ? AND token = ? RETURNING token"
    return Hold(Statement(renewal, (now + lease.ttl_ms, lease.name, lease.owner, lease.token)), check)


def append_changes(transaction: Transaction, changes: Sequence[Change], now: int) -> int:
    """Give the changes their sequence numbers, as the last step: the counter's row lock makes commit order = number order. The
    feed's new head; 0 if nothing changed."""
    if not changes:
        return 0
    head = next_numbers(transaction, "feed", len(changes))
    first = head - len(changes) + 1
    rows = [
        (first + place, change.op, change.id, change.revision, _fields(change.fields), now)
        for place, change in enumerate(changes)
    ]
    transaction.insert("change", _CHANGE_COLUMNS, rows)
    return head


def next_numbers(transaction: Transaction, counter: str, count: int) -> int:
    """Take `count` numbers off a counter; the last of them."""
    return int(transaction.one(*_taking(counter, count))[0])


def _taking(counter: str, count: int) -> Statement:
    return Statement("UPDATE counter SET value = value + ? WHERE name = ? RETURNING value", (count, counter))


def _fields(names: tuple[str, ...]) -> str | None:
    return msgspec.json.encode(names).decode() if names else None


def _sealed(store: Store, raw: RawPage) -> tuple[bytes | None, bytes]:
    """People and body of a page, sealed before the transaction so that the lock is held for less."""
    keyring = store.keyring
    if not raw.slices:
        return None, b""
    return keyring.seal(raw.people, "people") if any(raw.people) else None, keyring.seal(raw.slices, "raw page")


def _numbers(transaction: Transaction, holds: Sequence[Hold], page: PageWrite) -> tuple[int, Sequence[int]]:
    """Fresh numbers for the raw page (0 if nothing of it is kept) and the new incidents, once everything is held."""
    counts = {"raw_page": int(bool(page.raw.slices)), "incident": len(page.new)}
    taking = [_taking_fresh(transaction.dialect, name, count) for name, count in counts.items() if count]
    rows = iter(transaction.hold(*holds, then=taking))
    raw_page, incidents = (_taken(next(rows)[0], count) if count else () for count in counts.values())
    return raw_page[0] if raw_page else 0, incidents


def _taking_fresh(dialect: str, name: str, count: int) -> Statement:
    """On PostgreSQL a sequence, so that pages of different streams do not wait for each other here; gaps after a rollback are
    harmless in keys (never in the feed)."""
    if dialect == "postgresql":
        return Statement(f"SELECT array_agg(nextval('{name}_numbers')) FROM generate_series(1, ?)", (count,))
    return _taking(name, count)


def _taken(numbers: list[int] | int, count: int) -> Sequence[int]:
    """The numbers themselves; a counter only tells the last."""
    return numbers if isinstance(numbers, list) else range(numbers - count + 1, numbers + 1)


def _write_new(transaction: Transaction, page: PageWrite, raw_page: int, keys: Sequence[int]) -> dict[str, int]:
    """Insert the new incidents; the key each id got."""
    given: dict[str, int] = {}
    rows = []
    for key, item in zip(keys, page.new, strict=True):
        given[item.id] = key
        if item.slot >= 0:
            page.seen[item.slot] = key
        deleted_at, deletion = (page.now, "source") if item.deleted else (None, None)
        rows.append(
            (
                key, item.id, item.raw_hash, deleted_at, item.list_hash, raw_page, page.source, page.stream, item.native_id,
                page.kind, *item.row, item.revision, item.raw_index, page.mapping, page.mapping_version, page.run,
                page.now, page.now, deletion,
            )
        )  # fmt: skip
    transaction.insert("incident", INCIDENT_COLUMNS, rows)
    return given


def keep_versions(transaction: Transaction, versions: Sequence[Full]) -> None:
    """Copy stored versions to the revisions, before they are replaced."""
    rows = [
        (
            item.key, item.revision, msgspec.json.encode(item.row).decode(), item.raw_hash, item.raw_page, item.raw_index,
            item.mapping, item.mapping_version, item.run, item.changed_at, item.deleted_at,
        )
        for item in versions
    ]  # fmt: skip
    transaction.insert("revision", _REVISION_COLUMNS, rows)


def _write_updates(transaction: Transaction, page: PageWrite, raw_page: int, keys: dict[str, int]) -> None:
    old_rows = [
        (
            keys[item.id] if item.key is None else item.key, item.revision, msgspec.json.encode(item.row).decode(),
            item.raw_hash, raw_page if item.raw_page is None else item.raw_page, item.raw_index, item.mapping,
            item.mapping_version, item.run, item.changed_at or page.now,
            item.deleted_at or (page.now if item.deleted else None),
        )
        for item in page.old
    ]  # fmt: skip
    transaction.insert("revision", _REVISION_COLUMNS, old_rows)
    # Only what changes on this page: an index of a column that is set is written anew, whatever the value.
    fields = sorted({name for item in page.updated for name in item.fields})
    places = [MAPPED_COLUMNS.index(name) for name in fields]
    full, moved = [], []
    for item in page.updated:
        place = (item.raw_hash, raw_page if item.raw_page is None else item.raw_page, item.raw_index, item.list_hash)
        if item.row is None:
            moved.append((*place, item.key, item.was_revision, item.was_raw_page))
        else:
            made_by = (page.mapping, page.mapping_version, page.run, page.now)
            gone = (page.now if item.deletion else None, item.deletion)
            values = [item.row[index] for index in places]
            match = (item.key, item.was_revision, item.was_raw_page)
            full.append((*values, *place, item.revision, *made_by, *gone, *match))
    touched = transaction.update("incident", (*fields, *_VERSION), _MATCH, full)
    touched += transaction.update("incident", _PLACE, _MATCH, moved)
    if touched != len(page.updated):
        raise ConflictError("another writer changed the same incidents meanwhile")
    transaction.run_many(
        "UPDATE stale_version SET refuted_at = ? WHERE incident = ? AND refuted_at IS NULL",
        [(page.now, key) for key in page.confirmed],
    )
    transaction.run_many(
        "INSERT INTO stale_version (incident, raw_hash, raw_page, raw_index, source_updated_at, run, seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident, raw_hash) DO UPDATE SET run = excluded.run,"
        " raw_page = excluded.raw_page, raw_index = excluded.raw_index, seen_at = excluded.seen_at, refuted_at = NULL"
        " WHERE stale_version.refuted_at IS NOT NULL",
        [
            (
                keys[item.id] if item.key is None else item.key, item.raw_hash,
                raw_page if item.raw_page is None else item.raw_page, item.raw_index, item.source_updated_at,
                page.run, page.now,
            )
            for item in page.stale
        ],
    )  # fmt: skip


def _seen_at(transaction: Transaction, page: PageWrite) -> int:
    """When a page's records were seen: never before their reading began, even if the clock stepped back since, because what
    was last seen before that is taken for gone."""
    row = transaction.one("SELECT started_at FROM run WHERE id = ?", (page.enumeration,)) if page.enumeration else None
    return max(page.now, row[0]) if row is not None else page.now


def _write_quarantine(transaction: Transaction, page: PageWrite, raw_page: int) -> None:
    seen_at = _seen_at(transaction, page) if page.quarantined else page.now
    # What was settled and comes again, whatever settled it, is open again, unless an operator dropped it.
    transaction.run_many(
        "INSERT INTO quarantine (source, stream, raw_hash, native_id, reason, raw_page, raw_index, mapping, mapping_version,"
        " status, times, run, first_seen_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', 1, ?, ?, ?)"
        " ON CONFLICT (source, stream, raw_hash) DO UPDATE SET times = quarantine.times + 1,"
        " status = CASE WHEN quarantine.status = 'dropped' THEN 'dropped' ELSE 'open' END,"
        " raw_page = excluded.raw_page, raw_index = excluded.raw_index,"
        " last_seen_at = excluded.last_seen_at, reason = excluded.reason, mapping_version = excluded.mapping_version",
        [
            (
                page.source, page.stream, item.raw_hash, item.native_id, item.reason, raw_page, item.raw_index,
                page.mapping, page.mapping_version, page.run, seen_at, seen_at,
            )
            for item in page.quarantined if item.raw_index >= 0
        ],
    )  # fmt: skip
    again = [
        (seen_at, item.reason, page.mapping_version, page.source, page.stream, item.raw_hash)
        for item in page.quarantined
        if item.raw_index < 0
    ]
    touched = transaction.run_many(
        "UPDATE quarantine SET times = times + 1, last_seen_at = ?, reason = ?, mapping_version = ?"
        " WHERE source = ? AND stream = ? AND raw_hash = ? AND status IN ('open', 'dropped')",
        again,
    )
    if touched != len(again):
        raise ConflictError("entries of the quarantine were settled or pruned meanwhile")
    transaction.run_many(
        "UPDATE quarantine SET status = 'superseded' WHERE source = ? AND stream = ? AND native_id = ? AND status = 'open'",
        [(page.source, page.stream, native_id) for native_id in page.superseded],
    )


def _write_gaps(transaction: Transaction, page: PageWrite) -> None:
    transaction.run_many(
        "INSERT INTO code_gap (source, stream, code_table, code, text, count, sample, first_seen_at, last_seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, stream, code_table, code)"
        " DO UPDATE SET count = code_gap.count + excluded.count, last_seen_at = excluded.last_seen_at",
        [
            (page.source, page.stream, gap.table, gap.code, gap.text, count, sample, page.now, page.now)
            for gap, (count, sample) in page.gaps.items()
        ],
    )


def _raw_row(store: Store, page: PageWrite, raw_page: int, sealed: tuple[bytes | None, bytes]) -> Statement:
    raw = page.raw
    return Statement(
        "INSERT INTO raw_page (id, source, stream, run, fetched_at, source_clock, mapping, zone, origin, key_id, people, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            raw_page, page.source, page.stream, page.run, page.now, raw.source_clock, raw.mapping, raw.zone, raw.origin,
            store.keyring.key_id, *sealed,
        ),
    )  # fmt: skip


def _progress(page: PageWrite, raw_page: int) -> Iterator[Statement]:
    sums = ", ".join(f"{name} = {name} + ?" for name in COUNTED)
    yield Statement(
        f"UPDATE run SET {sums}, requests = requests + ?, pages = pages + 1 WHERE id = ?",
        (*(getattr(page.counts, name) for name in COUNTED), page.requests, page.run),
    )
    yield Statement(
        "INSERT INTO page (run, number, at, rows, changes, position) VALUES (?, ?, ?, ?, ?, ?)",
        (page.run, page.number, page.now, page.counts.fetched, len(page.changes), page.position),
    )
    if page.enumeration is not None:
        yield Statement(
            "INSERT INTO seen_page (enumeration, number, keys) VALUES (?, ?, ?)",
            (page.enumeration, page.reading_page, array("q", page.seen).tobytes()),
        )
    if page.digest is not None:
        place = (page.source, page.stream, page.digest)
        if page.recalled:
            yield still_used(*place, page.enumeration or "", page.now)
        elif len(set(page.seen)) == len(page.seen):
            yield remember_page(
                *place, page.seen, state=page.unmoved + raw_page * (len(page.new) + len(page.updated)), ends=page.ends,
                enumeration=page.enumeration or "", now=page.now,
            )  # fmt: skip
    if page.state is not None:
        yield put_state(page.source, page.stream, page.partition, page.cursor, page.state, page.now)
    if page.file is not None:
        mark = page.file
        yield Statement(
            "INSERT INTO dropped_file (source, sha256, name, size, reason, run, read_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (page.source, mark.sha256, mark.name, mark.size, mark.reason, page.run, page.now),
        )


def put_state(source: str, stream: str, partition: str, cursor: int | None, body: str, now: int) -> Statement:
    """Where the partition stands: the proven cursor (epoch ms) and the engine's JSON."""
    return Statement(
        "INSERT INTO state (source, stream, partition, cursor, body, updated_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (source, stream, partition) DO UPDATE SET cursor = excluded.cursor, body = excluded.body,"
        " updated_at = excluded.updated_at",
        (source, stream, partition, cursor, body, now),
    )
