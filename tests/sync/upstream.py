"""A tiny upstream system in memory: a real Transport over a list of records that a test changes as it likes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from hub.source.stream import Page, Position, RawRow, Stream, Window

__all__ = ["Upstream"]


@dataclass
class Upstream:
    """Serves `records` (each with `id` and `at`, epoch ms) ordered by (`at`, `id`), keyset-paged, `size` a page.

    A record with `raw` is served as exactly these bytes, and with `bad` as a slice that no parser reads. `before_fetch`
    runs before each answer and may change the world or raise; `clock` is the source's own clock, epoch ms (None: it
    does not say). `filtered` is what windows filter on. `details` makes it a two-step source: rows have `id` and `at`.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    size: int = 3
    clock: int | None = 1_800_000_000_000
    filtered: str = "at"
    details: bool = False
    steady: bool = True
    before_fetch: Callable[["Upstream"], None] = lambda upstream: None
    fetches: int = 0
    detailed: int = 0
    renewed: int = 0
    closed: int = 0
    windows: list[tuple[Window, Position | None]] = field(default_factory=list)

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        self.fetches += 1
        self.windows.append((window, position))
        self.before_fetch(self)
        shown, following = self._turn(window, position)
        rows = [row for row in shown if "bad" not in row]
        return Page(
            rows=[self._listed(row) if self.details else self.bytes_of(row) for row in rows],
            next=following,
            clock=datetime.fromtimestamp(self.clock / 1000, UTC) if self.clock is not None else None,
            steady=self.steady,
            bad=tuple(RawRow(row["bad"], "cannot be parsed") for row in shown if "bad" in row),
        )

    def _turn(self, window: Window, position: Position | None) -> tuple[list[dict[str, Any]], Position | None]:
        low = int(window.since.timestamp() * 1000) if window.since else -(2**62)
        high = int(window.until.timestamp() * 1000) if window.until else 2**62
        keyed = sorted((self._key(row), number) for number, row in enumerate(self.records))
        if position:
            keyed = [item for item in keyed if item[0] >= (position["at"], position["id"])]
        keyed = [item for item in keyed if low <= item[0][0] < high]
        shown, more = keyed[: self.size], keyed[self.size :]
        following = {"at": more[0][0][0], "id": more[0][0][1]} if more else None
        return [self.records[number] for _, number in shown], following

    def _key(self, row: dict[str, Any]) -> tuple[int, str]:
        at = row.get(self.filtered)
        return (at if isinstance(at, int) else 0, str(row.get("order", row.get("id"))))

    @staticmethod
    def bytes_of(row: dict[str, Any]) -> bytes:
        return row["raw"] if "raw" in row else msgspec.json.encode({k: v for k, v in row.items() if k != "order"})

    @staticmethod
    def _listed(row: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"id": row["id"], "at": row["at"]})

    def detail(self, stream: Stream, row: bytes) -> bytes:
        self.detailed += 1
        wanted = msgspec.json.decode(row)["id"]
        return self.bytes_of(next(record for record in self.records if record["id"] == wanted))

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        self.closed += 1

    def put(self, identity: Any, at: int, title: str = "", **more: Any) -> dict[str, Any]:
        """Insert or replace the record of that id."""
        self.drop(identity)
        record = {"id": identity, "at": at, "title": title or f"title of {identity}", **more}
        self.records.append(record)
        return record

    def drop(self, identity: Any) -> None:
        self.records[:] = [row for row in self.records if row.get("id") != identity]
