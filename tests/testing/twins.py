"""Transports that break one promise each over a good one, for tests of the conformance kit."""

from dataclasses import replace
from typing import Any, ClassVar

import msgspec

from hub.clock import now
from hub.errors import FailedError, HubError, RateLimitedError
from hub.source import Connector, Page, Stream, Transport, Window

TIMES = ("updatedAt", "updated_at", "updated_datetime")
IDS = ("id", "service_request_id")


def broken(of: type[Connector], transport: "type[Twin] | None" = None, **members: Any) -> type[Connector]:
    """The connector with that transport over its own, and with these members."""

    def build(self: Any, config: Any, context: Any) -> Any:
        good = of.transport(self, config, context)
        return transport(good) if transport else good

    made: type[Connector] = type("Broken", (of,), {"transport": build, "__module__": of.__module__, **members})
    return made


def first(row: bytes, names: tuple[str, ...]) -> str:
    record = msgspec.json.decode(row)
    return str(next((record[name] for name in names if name in record), ""))


class Twin:
    """A transport that breaks one promise over a good one."""

    def __init__(self, good: Transport) -> None:
        self.good = good

    def __getattr__(self, name: str) -> Any:
        return getattr(self.good, name)

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        return self.good.fetch(stream, window, position)


def with_rows(page: Page, rows: list[bytes]) -> Page:
    return replace(page, rows=rows)


class Unreadable(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return with_rows(page, [b'{"id":"1","service_request_id":"1"}' for _ in page.rows])


class DropsRows(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return with_rows(page, page.rows[::2])


class SkipsWhenResumed(Twin):
    """Takes the stored position for the page that was read last, not for the one to read next."""

    begun = False

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        begun, self.begun = self.begun, True
        page = super().fetch(stream, window, position)
        return page if begun or position is None or page.next is None else super().fetch(stream, window, page.next)


class GoesOnBehindTies(Twin):
    """Goes on strictly after the last row's time."""

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        inner, last = (position["inner"], position["last"]) if position else (None, "")
        page = super().fetch(stream, window, inner)
        times = [first(row, TIMES) for row in page.rows]
        rows = [row for row, at in zip(page.rows, times, strict=True) if at > last]
        following = {"inner": page.next, "last": times[-1] if times else last} if page.next else None
        return replace(page, rows=rows, next=following)


class ForgetsTheLookback(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        assert stream.cursor is not None
        since = window.since + stream.cursor.lookback if window.since else None
        return super().fetch(stream, Window(since, window.until), position)


class AsksAgainAtOnce(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        try:
            return super().fetch(stream, window, position)
        except RateLimitedError:
            return super().fetch(stream, window, position)


class TakesErrorsForEmpty(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        try:
            return super().fetch(stream, window, position)
        except HubError:
            return Page([], None, now())


class RemembersWhatItShowed(Twin):
    shown: ClassVar[set[bytes]] = set()

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        rows = [row for row in page.rows if row not in self.shown]
        self.shown.update(rows)
        return with_rows(page, rows)


class ShowsAWindowOnce(Twin):
    shown: ClassVar[set[Any]] = set()

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        if position is None and window.since in self.shown:
            return Page([], None, now())
        self.shown.add(window.since)
        return super().fetch(stream, window, position)


class NeverForgets(Twin):
    seen: ClassVar[dict[str, bytes]] = {}

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        self.seen.update({first(row, IDS): row for row in page.rows})
        return page if page.next else with_rows(page, list(self.seen.values()))


class KnowsNoEnd(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        if window.until is not None:
            raise FailedError("a window's end")
        return super().fetch(stream, window, position)


class NewState(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return with_rows(
            page, [row.replace(b'"state":"1"', b'"state":"9"').replace(b'"open"', b'"ajar"') for row in page.rows]
        )
