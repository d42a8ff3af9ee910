"""Reading incidents for people: lists by filter, and one whole with its provenance, steps and revisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from hub.errors import MisconfiguredError
from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS
from hub.store.store import Store, Transaction
from hub.store.tables import NO_PAGE

__all__ = ["IncidentFilter", "list_incidents", "mapped_fields", "read_incident"]

_MONEY = frozenset({"fine", "confiscated"})
_JSON = frozenset({"flags", "officers", "measures", "parties", "reference_numbers", "steps", "attachments"})
_SEEN = ("first_seen_at", "changed_at", "deleted_at")
_IDENTITY = ("id", "source", "stream", "native_id", "kind")
_TOWN = 9
_LISTED = (
    *_IDENTITY, "status", "source_status", "source_status_text", "flags", "title", "category", "source_category_text",
    "occurred_at", "source_updated_at", "due_at", "region", "address", "unit", "revision", "changed_at", "deleted_at",
)  # fmt: skip
#: Text is looked for with LIKE; without `since` only in what happened in the last so many days, to keep it quick.
TEXT_WINDOW_DAYS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFilter:
    """What to list. `source` is the store's key of it; `region` and `category` match their beginnings; `since` is
    when it happened, epoch ms; `text` is looked for in title, description and address.
    """

    source: str | None = None
    stream: str | None = None
    kind: str | None = None
    status: str | None = None
    region: str | None = None
    category: str | None = None
    since: int | None = None
    text: str | None = None
    deleted: bool = False


def list_incidents(
    store: Store, wanted: IncidentFilter, limit: int = 50, after: str | None = None
) -> list[dict[str, Any]]:
    """The youngest incidents that fit, by the time they happened, those without a time last; instants are aware UTC datetimes.

    `after`: go on behind this incident, given by its id or the beginning of it; each page costs the same, however deep.
    Raises MisconfiguredError if there is no such incident.
    """
    conditions, values = _conditions(wanted)
    with store.read() as transaction:
        if after is None:
            rows = _listed(transaction, conditions, values, limit)
        else:
            rows = _behind(transaction, conditions, values, limit, after)
    return [_shown(_LISTED, row) for row in rows]


def _behind(
    transaction: Transaction, conditions: Sequence[str], values: Sequence[Any], limit: int, after: str
) -> list[Any]:
    # One statement is enough for a whole page of incidents with a time behind one with a time, named by its whole id.
    timed = "(occurred_at, id) < ((SELECT occurred_at FROM incident WHERE id = ?), ?)"
    rows = _listed(transaction, [*conditions, timed], [*values, after, after], limit)
    if len(rows) == limit:
        return rows
    identity, occurred_at = _find(transaction, ("id", "occurred_at"), after)
    untimed = [*conditions, "occurred_at IS NULL"]
    if occurred_at is None:
        return _listed(transaction, [*untimed, "id < ?"], [*values, identity], limit)
    if identity != after:
        behind = [*conditions, "(occurred_at, id) < (?, ?)"]
        rows = _listed(transaction, behind, [*values, occurred_at, identity], limit)
    return rows + (_listed(transaction, untimed, values, limit - len(rows)) if len(rows) < limit else [])


def _listed(transaction: Transaction, conditions: Sequence[str], values: Sequence[Any], limit: int) -> list[Any]:
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return transaction.all(
        f"SELECT {', '.join(_LISTED)} FROM incident{where} ORDER BY occurred_at DESC NULLS LAST, id DESC LIMIT ?",
        (*values, limit),
    )


def _find(transaction: Transaction, columns: Sequence[str], wanted: str) -> Sequence[Any]:
    """Columns (`id` first) of the one incident whose id is or begins so. MisconfiguredError if there is none, or more
    than one."""
    rows = transaction.all(
        f"SELECT {', '.join(columns)} FROM incident WHERE id >= ? AND id < ? ORDER BY id LIMIT 2",
        (wanted, wanted + "\U0010ffff"),
    )
    if not rows:
        raise MisconfiguredError("no incident begins with {id}", id=wanted, remedy="`hub incidents list` shows ids")
    if len(rows) > 1 and rows[0][0] != wanted:
        raise MisconfiguredError(
            "several incidents begin with {id}", id=wanted, remedy="`hub incidents list` shows ids"
        )
    found: Sequence[Any] = rows[0]
    return found


def read_incident(store: Store, wanted: str) -> dict[str, Any]:
    """One incident by its id or the beginning of it, with `provenance` and `revisions`. Raises MisconfiguredError if there is
    none, or more than one."""
    columns = (*_IDENTITY, *MAPPED_COLUMNS, *_SEEN, "deletion", "revision")
    private = ("key", "raw_hash", "raw_page", "mapping", "mapping_version", "run")
    with store.read() as transaction:
        row = _find(transaction, (*columns, *private), wanted)
        found = _shown(columns, row)
        key, *made_by = row[len(columns) :]
        found["provenance"] = _provenance(transaction, *made_by)
        found["revisions"] = _revisions(transaction, key, row[len(_IDENTITY) : len(_IDENTITY) + len(MAPPED_COLUMNS)])
    return found


def mapped_fields(row: Sequence[Any]) -> dict[str, Any]:
    """A row in the order of MAPPED_COLUMNS as people read it: instants aware UTC, money in yuan, lists as lists."""
    return _shown(MAPPED_COLUMNS, row)


def _conditions(wanted: IncidentFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    for name in ("source", "stream", "kind", "status"):
        if value := getattr(wanted, name):
            conditions.append(f"{name} = ?")
            values.append(value)
    beginnings = {"region": wanted.region, "category": wanted.category}
    if wanted.region and len(wanted.region) == _TOWN:
        # A whole town is a column of its own, and the index of lists goes by it.
        conditions.append("town = ?")
        values.append(beginnings.pop("region"))
    for name, value in beginnings.items():
        if value:
            conditions.append(f"{name} >= ? AND {name} < ?")
            values += [value, value + "\U0010ffff"]
    if wanted.since is not None:
        conditions.append("occurred_at >= ?")
        values.append(wanted.since)
    if wanted.text:
        conditions.append("(title LIKE ? ESCAPE '!' OR description LIKE ? ESCAPE '!' OR address LIKE ? ESCAPE '!')")
        escaped = wanted.text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values += [f"%{escaped}%"] * 3
    if not wanted.deleted:
        conditions.append("deleted_at IS NULL")
    return conditions, values


def _provenance(
    transaction: Transaction, raw_hash: bytes, raw_page: int, mapping: str, version: int, run: str
) -> dict[str, Any]:
    page = transaction.one("SELECT fetched_at, source_clock, origin FROM raw_page WHERE id = ?", (raw_page,))
    return {
        "run": run, "mapping": mapping, "mapping_version": version, "raw_sha256": raw_hash.hex(), "raw_page": raw_page,
        "fetched_at": _instant(page[0]) if page else None, "source_clock": _instant(page[1]) if page else None,
        "origin": page[2] if page else None,
    }  # fmt: skip


def _revisions(transaction: Transaction, key: int, current: Sequence[Any]) -> list[dict[str, Any]]:
    """Older versions, newest first, each with what the next one changed."""
    rows = transaction.all(
        "SELECT revision, body, run, changed_at, deleted_at, mapping_version FROM revision WHERE incident = ?"
        " AND raw_page <> ? ORDER BY revision DESC",
        (key, NO_PAGE),
    )
    found, newer = [], list(current)
    for revision, body, run, changed_at, deleted_at, mapping_version in rows:
        older = msgspec.json.decode(body)
        pairs = zip(MAPPED_COLUMNS, older, newer, strict=False)
        found.append({
            "revision": revision, "changed_at": _instant(changed_at), "deleted_at": _instant(deleted_at), "run": run,
            "mapping_version": mapping_version, "changed_after": [name for name, old, new in pairs if old != new],
            "values": {name: value for name, value in _shown(MAPPED_COLUMNS, older).items() if value not in (None, [])},
        })  # fmt: skip
        newer = older
    return found


def _shown(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in zip(columns, row, strict=False)}


def _value(name: str, value: Any) -> Any:
    if name in _JSON:
        return msgspec.json.decode(value) if value else []
    if value is None:
        return None
    if name in INSTANTS or name in _SEEN:
        return _instant(value)
    if name in _MONEY:
        return str((Decimal(value) / 100).quantize(Decimal("0.01")))
    return value


def _instant(ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms is not None else None
