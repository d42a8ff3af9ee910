"""Records of a simulated upstream: made from an author's samples, then added, changed and withdrawn by the checks."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hub.source.instants import read_instant, write_instant
from hub.source.stream import Stream

__all__ = ["Kept", "World", "at_path", "dated", "encoded", "put_path"]


@dataclass(slots=True)
class Kept:
    """One record as the source would send it, and when it last changed (UTC, as finely as the source tells times)."""

    native: tuple[Any, ...]
    record: dict[str, Any]
    at: datetime
    gone: bool = False


@dataclass(slots=True)
class World:
    """The records of one stream. Samples are repeated with other ids, so that there are several pages."""

    stream: Stream
    samples: Sequence[dict[str, Any]]
    now: datetime
    kept: list[Kept] = field(default_factory=list)
    made: int = 0

    def grow(self, count: int, *, since: datetime | None = None, apart: timedelta = timedelta(minutes=7)) -> list[Kept]:
        """`count` new records, changed one after the other from `since` on (all at once with `apart` zero)."""
        start = since or self.now - timedelta(days=2) - count * apart
        return [self._add(start + place * apart) for place in range(count)]

    def touch(self, kept: Kept, at: datetime) -> None:
        """The source changed a record: its time of change is another, and that is all."""
        kept.at = self._told(at)
        self._date(kept)

    @property
    def living(self) -> list[Kept]:
        """In the order of change, ties by id."""
        return sorted((one for one in self.kept if not one.gone), key=lambda one: (one.at, str(one.native)))

    def _add(self, at: datetime) -> Kept:
        record = copy.deepcopy(self.samples[self.made % len(self.samples)])
        self.made += 1
        first = self.stream.id_paths[0]
        put_path(record, first, _other(at_path(record, first), self.made))
        native = tuple(at_path(record, path) for path in self.stream.id_paths)
        kept = Kept(native, record, self._told(at))
        self._date(kept)
        self.kept.append(kept)
        return kept

    def _told(self, at: datetime) -> datetime:
        """An instant as the source's own format tells it: one that ends at minutes knows of no second."""
        cursor, at = self.stream.cursor, at.replace(microsecond=0)
        if cursor is None:
            return at
        return read_instant(write_instant(at, cursor.format, cursor.zone), cursor.format, cursor.zone) or at

    def _date(self, kept: Kept) -> None:
        cursor = self.stream.cursor
        if cursor is None:
            kept.record["_changed"] = kept.at.isoformat()
            return
        example = at_path(kept.record, cursor.path)
        put_path(kept.record, cursor.path, dated(example, kept.at, cursor.format, cursor.zone))


def dated(example: Any, at: datetime, form: str, zone: str) -> str | int:
    """An instant written the way the sample writes its own."""
    if form == "iso":
        text = str(example or "")
        offset = text.endswith("Z") or "+" in text[10:] or "-" in text[10:]
        plain = write_instant(at, "iso" if offset else "local", zone)
        return str(plain).replace(" ", "T") if "T" in text else plain
    written = write_instant(at, form, zone)
    return str(written) if isinstance(example, str) else written


def at_path(record: dict[str, Any], path: str) -> Any:
    """The value at a dotted path, None if there is none."""
    value: Any = record
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def put_path(record: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, making objects on the way."""
    *parents, last = path.split(".")
    for key in parents:
        record = record.setdefault(key, {})
    record[last] = value


def _other(native: Any, number: int) -> Any:
    """Another id of the same type."""
    return native + number if isinstance(native, int) else f"{native}-{number:05}"


def encoded(kept: Kept) -> bytes:
    """The record's bytes on the wire."""
    return msgspec.json.encode(kept.record)
