"""A tiny upstream system in memory: a real Transport over a list of records that a test changes as it likes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from hub.source.stream import Page, Position, Stream, Window

__all__ = ["Upstream"]


@dataclass
class Upstream:
    """Serves `records` (each with `id` and `at`, epoch ms) ordered by (at, id), keyset-paged, `size` a page.

    `before_fetch` runs before each answer and may change the world or raise; `clock` is the source's own clock, epoch ms.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    size: int = 3
    clock: int = 1_800_000_000_000
    before_fetch: Callable[["Upstream"], None] = lambda upstream: None
    fetches: int = 0
    renewed: int = 0

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        self.fetches += 1
        self.before_fetch(self)
        low = int(window.since.timestamp() * 1000) if window.since else -1
        rows = sorted((row["at"] if isinstance(row["at"], int) else 0, str(row.get("id")), row) for row in self.records)
        if position:
            rows = [row for row in rows if (row[0], row[1]) >= (position["at"], position["id"])]
        rows = [row for row in rows if row[0] >= low]
        shown, more = rows[: self.size], rows[self.size :]
        following = {"at": more[0][0], "id": more[0][1]} if more else None
        return Page(
            rows=[row[2]["raw"] if "raw" in row[2] else msgspec.json.encode(row[2]) for row in shown],
            next=following,
            clock=datetime.fromtimestamp(self.clock / 1000, UTC),
        )

    def detail(self, stream: Stream, row: bytes) -> bytes:
        raise AssertionError("no two-step stream here")

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        pass
