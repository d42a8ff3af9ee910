"""Records, their versions, and the shelf a stream is served from."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from hub.testing.sandbox.events import Event
from hub.testing.sandbox.lives import Stage
from hub.testing.sandbox.streams import NativeId, StreamSpec


class Version(NamedTuple):
    at: int  #: when the system changed it, epoch seconds
    stage: int  #: index into the record's path
    category: str  #: GB/T 30428, 4 digits
    amended: int  #: how often its text was amended
    op: str  #: i, u or d


@dataclass(slots=True)
class Record:
    """One record of one system, with all its versions (the last one is what exists now)."""

    spec: StreamSpec
    number: int
    native_id: NativeId
    event: Event
    occurred: int  #: when it happened, as this system tells it
    reported: int  #: when this system first knew
    path: tuple[Stage, ...]
    salt: int  #: a fixed number below a million for choices that must not change between versions
    region: str | None
    lon: float | None  #: WGS-84, six decimals
    lat: float | None
    yuan: Decimal | None  #: the fine that is (or will be) decided
    related: str = ""  #: the number another system gave the same event
    versions: list[Version] = field(default_factory=list)
    absurd: str | None = None  #: the kind of nonsense planted in it

    @property
    def last(self) -> Version:
        return self.versions[-1]

    @property
    def exists(self) -> bool:
        return self.last.op != "d"

    @property
    def natural(self) -> bool:
        """Whether the party is a natural person rather than a company."""
        return self.salt % 4 == 0

    def stage(self, index: int = -1) -> Stage:
        return self.path[self.versions[index].stage]

    def fine(self, index: int = -1) -> Decimal | None:
        """The fine in yuan as of a version: a case has none before its decision is being closed."""
        if self.stage(index).status in (None, "awaiting_review", "closed"):
            return self.yuan
        return None

    def steps(self, index: int) -> list[tuple[Stage, int]]:
        """The stages reached up to a version, each with the instant it was reached."""
        reached: list[tuple[Stage, int]] = []
        last_stage = -1
        for version in self.versions[: index + 1]:
            if version.stage != last_stage:
                reached.append((self.path[version.stage], version.at))
                last_stage = version.stage
        return reached


class Row:
    """One served row: a record as of one version; its wire text is made once."""

    __slots__ = ("at", "index", "order", "record", "text")

    def __init__(self, record: Record, index: int, at: int, order: int) -> None:
        self.record = record
        self.index = index
        self.at = at
        self.order = order
        self.text: str | None = None

    @property
    def sort_key(self) -> tuple[int, int]:
        return self.at, self.order


class Shelf:
    """The records of one stream and the rows they are served as, in order of the stream's key time."""

    def __init__(self, spec: StreamSpec, by_receipt: bool = False) -> None:
        self.spec = spec
        self.records: list[Record] = []
        self.by_receipt = by_receipt
        self.absurd: list[Record] = []
        self._rows: list[Row] | None = None
        self._times: list[int] = []
        self._served: dict[tuple[int, int], Row] = {}

    def disturb(self) -> None:
        """Say that records were added or changed; rows are put in order again when next read."""
        self._rows = None

    @property
    def rows(self) -> list[Row]:
        if self._rows is None:
            self._rows = self._log_rows() if self.spec.log else self._state_rows()
            self._rows.sort(key=lambda row: row.sort_key)
            self._times = [row.at for row in self._rows]
        return self._rows

    def _row(self, record: Record, index: int, at: int) -> Row:
        """Rows of versions already served keep their rendered text."""
        key = (record.number, index)
        row = self._served.get(key)
        if row is None:
            row = self._served[key] = Row(record, index, at, record.number)
        return row

    def _state_rows(self) -> list[Row]:
        rows = []
        for record in self.records + self.absurd:
            if record.exists or self.spec.withdraw == "flag":
                at = record.reported if self.by_receipt else record.last.at
                rows.append(self._row(record, len(record.versions) - 1, at))
        return rows

    def _log_rows(self) -> list[Row]:
        return [
            self._row(record, index, version.at)
            for record in self.records + self.absurd
            for index, version in enumerate(record.versions)
        ]

    def select(self, low: int | None, high: int | None) -> Sequence[Row]:
        """Rows whose key time lies in the half-open window [low, high), epoch seconds."""
        rows = self.rows
        start = 0 if low is None else bisect_left(self._times, low)
        end = len(rows) if high is None else bisect_left(self._times, high)
        return rows if start == 0 and end == len(rows) else rows[start:end]


def page_of(rows: Sequence[Row], page: int, size: int, descending: bool = False) -> Sequence[Row]:
    """Page `page` (from 1) of `size` rows."""
    first, last = (page - 1) * size, page * size
    if not descending:
        return rows[first:last]
    total = len(rows)
    return rows[max(0, total - last) : max(0, total - first)][::-1]


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def dump(value: object) -> str:
    return _ENCODER.encode(value)
