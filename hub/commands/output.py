"""How a command answers: tables for people, or JSON alone on stdout, one object a line."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from hub.commands.neutral import ascii_json, harmless, harmless_json, harmless_lines
from hub.commands.streams import leave_unsaid, speaks_utf8
from hub.config import redactor
from hub.errors import FailedError
from hub.locale import Language, title, translate

__all__ = ["Column", "Output", "clock_time", "instant"]

log = logging.getLogger(__name__)

_COLOURS = {
    "ok": "green",
    "loaded": "green",
    "closed": "green",
    "partial": "yellow",
    "busy": "yellow",
    "failing": "yellow",
    "unmapped": "yellow",
    "breached": "yellow",
    "off": "dim",
    "failed": "red",
    "misconfigured": "red",
    "refused": "red",
    "unavailable": "red",
    "broken": "red",
    "fenced": "red",
    "dead": "red",
    "interrupted": "yellow",
}

#: Characters of an id that tables show; enough to tell records apart, and for `show` to find one.
ID_SHOWN = 16
#: Columns of characters: below that a table is not squeezed, and what a file or pipe gets.
NARROWEST, WIDE = 60, 200


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: the record's key, its heading (an English literal, translated) and how values are shown.

    `show`: text; name; id (its beginning, which commands
    take as well as the whole); count (right-aligned); time (an aware datetime, shown in the zone of `[defaults]`); span
    (seconds); or the name of a group of titles (status, kind, outcome …).
    `spare`: a list of several records does without it in a narrow window, the highest first; 0: never. `least`: characters of
    text below which it cannot be read.
    """

    key: str
    heading: str
    show: str = "text"
    spare: int = 0
    least: int = 9


@dataclass(slots=True)
class Output:
    """stdout of one command, in one format, language and zone."""

    format: Literal["table", "json"] = "table"
    lang: Language = "en"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    #: The reader (head, less) has enough and went away: what goes on for its sake only may end.
    unheard: bool = field(default=False, init=False)
    #: Something that was reported could not be written.
    unsaid: bool = field(default=False, init=False)

    def text(self, template: str, **values: object) -> str:
        """An English literal in the language of this output, with its places filled."""
        safe = {name: _safe(value) if isinstance(value, str | Path) else value for name, value in values.items()}
        return translate(template, self.lang).format_map(safe)

    def say(self, template: str, **values: object) -> None:
        """A sentence for people; silent in JSON, where stdout holds data only."""
        if self.format == "table":
            self.write(self.text(template, **values) + "\n")

    def rows(self, records: Iterable[Mapping[str, Any]], columns: Iterable[Column], *, empty: str = "") -> None:
        """Many records: a table of the columns, or each whole as a JSON line. `empty` is said if there is none."""
        if self.format == "json":
            for record in records:
                self.json(record)
            return
        columns, records = list(columns), list(records)
        if not records and empty:
            self.say(empty)
            return
        shown, left_out = self._narrowed(records, columns)
        if not shown:
            for record in records:
                self.record(record, columns)
                self.write("\n")
            return
        self._print(self._table(records, shown))
        if left_out:
            names = ", ".join(translate(column.heading, self.lang) for column in left_out)
            self.say("too wide for this window without: {columns}", columns=names)

    def _narrowed(self, records: list[Mapping[str, Any]], columns: list[Column]) -> tuple[list[Column], list[Column]]:
        """The columns of a table that fits the window, and those with something in them that it does without. None at all if
        there is no such table: one record is better read a line a field, and so are many of which half would be missing."""
        shown, left_out = columns, []
        while records and not _fits(self._table(records, shown)):
            empty = [one for one in shown if all(record.get(one.key) in (None, "", [], ()) for record in records)]
            spare = empty or sorted((one for one in shown if one.spare), key=lambda one: -one.spare)
            if len(records) == 1 or not spare:
                return [], []
            left_out += [] if empty else spare[:1]
            shown = [one for one in shown if one not in (empty or spare[:1])]
        return shown, sorted(left_out, key=columns.index)

    def _table(self, records: list[Mapping[str, Any]], columns: list[Column]) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        rows = [[self._cell(record.get(column.key), column.show) for column in columns] for record in records]
        for place, column in enumerate(columns):
            justify: Literal["left", "right"] = "right" if column.show == "count" else "left"
            # Prose gives way in a narrow terminal; ids, times and counts stay whole, their blanks included.
            prose = column.show == "text"
            heading = translate(column.heading, self.lang)
            whole = (Text.from_markup(cell).cell_len for cell in (heading, *(row[place] for row in rows)))
            least = column.least if prose else max(whole)
            table.add_column(heading, justify=justify, overflow="fold", no_wrap=not prose, min_width=least)
        for row in rows:
            table.add_row(*row)
        return table

    def record(self, record: Mapping[str, Any], columns: Iterable[Column]) -> None:
        """One record: a line a field that has a value, or one JSON object."""
        if self.format == "json":
            self.json(record)
            return
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for column in columns:
            if record.get(column.key) not in (None, "", [], ()):
                table.add_row(translate(column.heading, self.lang), self._cell(record[column.key], column.show))
        self._print(table)

    def heading(self, text: str) -> None:
        """A line above what follows, for people."""
        if self.format == "table":
            self.write(f"\n{harmless(text)}\n")

    def fields(self, record: Mapping[str, Any]) -> None:
        """A line a field that has a value, under the field's own name, which is also its column in `incident_v1`."""
        shown = {key: value for key, value in record.items() if value not in (None, "", [])}
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for key, line in zip(shown, self._lines(shown), strict=True):
            table.add_row(escape(_safe(key)), escape(line.removeprefix(f"{_safe(key)}: ")))
        self._print(table)

    def beside(self, record: Mapping[str, Any], left: str, right: str) -> None:
        """Two of a record's values next to each other, the others as heading; or one JSON object."""
        if self.format == "json":
            self.json(record)
            return
        above = (_safe(item) for key, item in record.items() if item and key not in (left, right))
        self.write(" · ".join(above) + "\n")
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 1, 0))
        table.add_column(overflow="fold", ratio=1)
        table.add_column(overflow="fold", ratio=1)
        table.add_row(*(escape("\n".join(self._lines(record.get(key)))) for key in (left, right)))
        self._print(table)

    def _lines(self, value: Any) -> Iterator[str]:
        """A value as `key: value` lines, nested ones as JSON."""
        if not isinstance(value, Mapping):
            yield "" if value is None else _safe_lines(value)
            return
        for key, item in value.items():
            if isinstance(item, datetime):
                item = clock_time(item, self.zone)
            elif isinstance(item, Mapping | list):
                item = msgspec.json.encode(self._plain(item)).decode()
            yield f"{_safe(key)}: {_safe_lines(item)}"

    def json(self, record: Mapping[str, Any]) -> None:
        """One JSON object on one line. Instants carry the offset of the zone."""
        text = harmless_json(msgspec.json.encode(self._plain(record)).decode())
        # Another encoding is for people at a terminal: whoever reads JSON takes it for UTF-8.
        self.write((text if speaks_utf8() else ascii_json(text)) + "\n")

    def report(self, record: Mapping[str, Any]) -> None:
        """`json`, about work that goes on even where that cannot be told."""
        try:
            self.json(record)
        except FailedError as error:
            self.unsaid = True
            log.warning("%s", error, extra={"action": "unsaid"})

    def _plain(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(item) for item in value]
        if isinstance(value, datetime):
            return value.astimezone(self.zone)
        return str(value) if isinstance(value, Path) else value

    def _cell(self, value: Any, show: str) -> str:
        if value is None:
            return ""
        if show == "time":
            return clock_time(value, self.zone)
        if show == "span":
            return _span(float(value))
        if show == "count":
            return f"{value:,}"
        if show == "id":
            return escape(_safe(value)[:ID_SHOWN])
        if show not in ("text", "name"):
            text = escape(title(show, _safe(value), self.lang))
            colour = _COLOURS.get(str(value))
            return f"[{colour}]{text}[/{colour}]" if colour else text
        if isinstance(value, list | tuple | set):
            return escape(", ".join(_safe(item) for item in value))
        return escape(_safe(value))

    def _print(self, table: Table) -> None:
        console = _console()
        with console.capture() as capture:
            console.print(table)
        lines = capture.get().splitlines()
        self.write("\n".join(line.rstrip() for line in lines) + "\n")

    def write(self, text: str) -> None:
        """Text as it stands. FailedError if it cannot be written; a reader that went away is no error."""
        try:
            sys.stdout.write(redactor.text(text))
            sys.stdout.flush()
        except BrokenPipeError:
            self.unheard = True
            leave_unsaid()
        except OSError as error:
            raise FailedError(
                "the answer cannot be written: {why}",
                why=error.strerror or type(error).__name__,
                remedy="see where stdout goes: is there room on that disk?",
            ) from error


def _console() -> Console:
    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, NARROWEST) if sys.stdout.isatty() else WIDE
    return console


def _fits(table: Table) -> bool:
    """Whether no column has to be cut: half an id or an outcome without its reason is worse than a line a field."""
    console = _console()
    return Measurement.get(console, console.options.update(width=WIDE), table).minimum <= console.width


def clock_time(value: datetime | str, zone: ZoneInfo) -> str:
    """`2026-01-31 08:15:02` in the zone; of an aware datetime or its ISO text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def instant(ms: int | None) -> datetime | None:
    """The store's epoch milliseconds as an aware datetime, for printing."""
    return datetime.fromtimestamp(ms / 1000, UTC) if ms is not None else None


def _safe(value: object) -> str:
    """A value on one line. Secrets go before the layout: a table breaks long words, and half a secret is not found."""
    return harmless(redactor.text(str(value)))


def _safe_lines(value: object) -> str:
    return harmless_lines(redactor.text(str(value)))


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))
