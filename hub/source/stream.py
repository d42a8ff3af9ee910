"""What a connector declares and what a transport hands over: streams, windows, positions and pages.

Everything here is a frozen value. The engine (`hub.sync`) owns cadence, retries, deadlines, transactions and state.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

__all__ = ["Cursor", "FileMark", "Page", "Position", "RawRow", "Stream", "Transport", "Window"]

Position = dict[str, Any]
"""Where a transport goes on inside a window: JSON-able, opaque to the engine, stored with each page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The field that says when the source last touched a record.

    `path` is a dotted path in the (reshaped) record; its text is read in `zone` with `format`
    ("iso", "epoch_ms", "epoch_s" or a strptime pattern; "iso" also takes `yyyy-MM-dd HH:mm:ss`).
    `lookback` is re-read on every incremental run, because rows commit later than their own timestamp.
    `safety_lag` is taken off the source's clock: nothing younger is ever taken for read.
    """

    path: str
    zone: str = "Asia/Shanghai"
    format: str = "iso"
    lookback: timedelta = timedelta(minutes=10)
    safety_lag: timedelta = timedelta(seconds=60)
    max_span: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One kind of record in a source. What kind it is, and which paths are personal, its mapping says.

    `native_id`: dotted path, or several for a composite id; empty if the mapping names it (files). `operation`: path of
    a column whose values in `deletes` (outer blanks and capitals left aside) say that the record was withdrawn
    (domain.md §4.1): a tombstone by the source's own word. `endpoint` belongs to the transport (rest: Endpoint, table:
    Table, files: none). `reshape` turns one record as sent into a flat JSON object, purely; None if it already is one.
    `log`: rows are versions of records (an exchange table), so an older one is history, never a correction. `complete`:
    an unwindowed reading enumerates every living record, so what is missing was withdrawn. `window_field`: the
    incident's column ("reported_at") that windows filter on, if that is not the time of change; then each window that
    was read to its end proves itself. `personal`: further dotted paths that are masked wherever raw records are shown.
    `two_step`: the rows of a page are a list only; the engine asks `Transport.detail` for those it finds new or
    changed, and keeps the detail as the raw record; of a page it asks for `details_at_once` of them at a time, within
    the host's budget. `partitions`: parts that windows can be limited to (`Window.partition`), districts for instance;
    each is read for itself, also at the same time, with its own cursor; together they are the whole stream.
    """

    name: str
    title: str
    mapping: str
    native_id: str | tuple[str, ...] = ()
    endpoint: Any = None
    cursor: Cursor | None = None
    operation: str | None = None
    deletes: tuple[str, ...] = ("d",)
    reshape: Callable[[bytes], bytes] | None = None
    log: bool = False
    complete: bool = True
    window_field: str = ""
    may_be_empty: bool = False
    personal: tuple[str, ...] = ()
    two_step: bool = False
    details_at_once: int = 1
    partitions: tuple[str, ...] = ()

    @property
    def id_paths(self) -> tuple[str, ...]:
        return (self.native_id,) if isinstance(self.native_id, str) else self.native_id

    def declared(self) -> str:
        """How a row says who it is and that it is withdrawn: declared otherwise, the same row may mean something else."""
        cursor, reshape = self.cursor, self.reshape
        return repr(
            (
                self.id_paths, self.operation, self.deletes, (cursor.path, cursor.zone, cursor.format) if cursor else None,
                getattr(reshape, "__qualname__", type(reshape).__name__),
            )
        )  # fmt: skip

    @property
    def recalls(self) -> bool:
        """Whether a page that comes again byte for byte says nothing new: rows of a log are versions, and behind list rows are
        details."""
        return not (self.log or self.two_step)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a stream that is read: source-changed instants in [since, until), either end open with None.

    `complete` readings (full refresh) pass neither end. Transports round outward when the wire is coarser, never
    inward.
    """

    since: datetime | None = None
    until: datetime | None = None
    partition: str = ""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One record a tolerant scanner could isolate but no parser reads; it goes to quarantine with this reason."""

    raw: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class FileMark:
    """A dropped file that this page finished (`reason` empty) or sets aside whole, remembered by content (SHA-256,
    hex)."""

    name: str
    sha256: str
    size: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the source, split into raw records: bytes exactly as sent.

    `next` is the position of the following page, None after the last one. `clock` is the source's own clock
    (HTTP Date, UTC). `total` is what the source says the whole window holds. `bad` are slices no parser reads.
    `file` says that a dropped file is done with; the engine remembers it in the page's own transaction.
    `origin` says where the rows come from within the stream: a file's name, SHA-256 and the number of the first row.
    `mapping` and `zone`, if not empty, stand in for the stream's mapping and the mapping's zone (files differ in both).
    `steady` False: rows moved while they were read, or fewer came than are counted, so the reading proves no deletion.
    """

    rows: Sequence[bytes]
    next: Position | None
    clock: datetime | None = None
    total: int | None = None
    requests: int = 1
    bad: tuple[RawRow, ...] = ()
    file: FileMark | None = None
    mapping: str = ""
    zone: str = ""
    origin: str = ""
    steady: bool = True


class Transport(Protocol):
    """Answers one question: the next page after this position. Built once per source. Of one stream one page is asked for at a
    time, each in a thread of its own, and beside it as many details as the stream says."""

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        """Raise a HubError whose class says what happened; never return an empty page for an error."""

    def detail(self, stream: Stream, row: bytes) -> bytes:
        """The full record behind one list row, for two-step streams (`stream.two_step`)."""

    def renew(self) -> None:
        """Forget the token or session in hand, because the source said that it expired."""

    def close(self) -> None: ...
