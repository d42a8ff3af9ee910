"""One reading of a stream: which window is being read, how far, and what follows. Plain values, stored with every page."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from hub.source.stream import Position, Stream, Window

__all__ = ["Mode", "Reading", "begin", "begin_backfill", "following", "proven_cursor", "way_of", "window_of"]

Mode = Literal["incremental", "full_refresh", "backfill"]


class Reading(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An unfinished reading; all instants are epoch ms. It survives the process: a new run goes on where it stands.

    `first` is where its first window began. `clock` is the source's clock at its first page: nothing younger counts as read.
    `enumeration` names what it has seen, if it can prove that other records are gone; `broken` says that it cannot any more,
    because a record had no readable id or rows kept moving. `end` and `step` bound a backfill. `doubt` is the time
    of the oldest version that came after a newer one: the next reading must see it again, to know whether it is a
    correction. `mark` is the newest raw page as it began: what is on a later one was stored meanwhile. `read` is set once
    its last page is stored: only the conclusion is missing. `way` is that of the stream as it began (see `way_of`).
    """

    mode: Mode
    first: int | None = None
    since: int | None = None
    until: int | None = None
    position: Position | None = None
    clock: int | None = None
    high: int | None = None
    doubt: int | None = None
    mark: int | None = None
    enumeration: str | None = None
    broken: bool = False
    fetched: int = 0
    pages: int = 0
    end: int | None = None
    step: int | None = None
    read: bool = False
    way: str = ""

    @classmethod
    def load(cls, body: dict[str, Any]) -> "Reading | None":
        """The unfinished reading in a state's body, if there is one."""
        return msgspec.convert(body["reading"], cls) if body.get("reading") else None

    @property
    def proven_until(self) -> int | None:
        """Before which instant everything was asked for: a clock that stepped back ends a reading in spans early."""
        ends = [end for end in (self.clock, self.until) if end is not None]
        return min(ends, default=None)

    def body(self) -> str:
        return msgspec.json.encode({"reading": self}).decode()


def begin(stream: Stream, mode: Mode, *, cursor: int | None, start: int, enumeration: str) -> Reading:
    """A new reading. Incremental: from the cursor less the lookback, or from `start` the first time."""
    declared = stream.cursor
    since: int | None = None
    if declared is not None and (mode == "incremental" or declared.max_span is not None):
        since = start if cursor is None or mode == "full_refresh" else cursor - _ms(declared.lookback)
    proves = bool(stream.window_field) or (mode == "full_refresh" and stream.complete and since is None)
    proves = proves and bool(enumeration)
    return Reading(
        mode=mode,
        first=since,
        since=since,
        until=_end(stream, since),
        enumeration=enumeration if proves else None,
    )


def begin_backfill(since: int, end: int, step: int) -> Reading:
    """A reading of [since, end) in steps; it proves nothing about deletions and never moves the live cursor."""
    return Reading(mode="backfill", first=since, since=since, until=min(since + step, end), end=end, step=step)


def following(stream: Stream, reading: Reading, source_now: int) -> bool:
    """Move to the next window of a reading in spans. False: the window just read was the last."""
    last = source_now if reading.end is None else reading.end
    if reading.until is None or reading.until >= last:
        return False
    reading.since, reading.position = reading.until, None
    reading.until = _end(stream, reading.since) if reading.step is None else min(reading.since + reading.step, last)
    return True


def way_of(stream: Stream) -> str:
    """How a stream is paged and its windows are asked for. Only on the same way a position still is where it was: page 5 of
    larger pages lies behind rows that nobody has read."""
    declared = [getattr(stream.endpoint, name, None) for name in ("path", "window", "paging", "order")]
    # A connector's own way of paging may show itself by its address, which is another one in each process.
    text = re.sub(r" at 0x[0-9a-f]+", "", repr((stream.window_field, declared)))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def window_of(reading: Reading, partition: str) -> Window:
    return Window(_instant(reading.since), _instant(reading.until), partition)


def proven_cursor(stream: Stream, reading: Reading, before: int | None) -> int | None:
    """Up to where everything is read: the youngest change seen, but never younger than the source's clock at the first page
    less the safety lag, and never back. A clock that jumps ahead cannot move it past what was really seen."""
    if stream.cursor is None:
        return before
    found = [reading.high] if reading.high is not None else []
    if found and reading.clock is not None:
        found.append(reading.clock - _ms(stream.cursor.safety_lag))
    if not found:
        return before
    if reading.doubt is not None:
        found.append(reading.doubt)
    return min(found) if before is None else max(before, min(found))


def _end(stream: Stream, since: int | None) -> int | None:
    span = stream.cursor.max_span if stream.cursor else None
    return since + _ms(span) if since is not None and span is not None else None


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)


def _instant(ms: int | None) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms is not None else None
