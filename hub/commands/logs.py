"""Log lines on stderr, plain or JSON; events carry their name as `action`; secrets are taken out by value."""

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from textwrap import indent
from typing import Any, TextIO

from hub.commands.neutral import harmless, harmless_json, harmless_lines
from hub.config import RedactingFormatter

__all__ = ["JsonFormatter", "PlainFormatter", "start_logging"]

#: What the hub's own calls add to a record.
_EXTRAS = ("action", "source", "stream", "partition", "run", "plugin", "outcome")
#: From which level up others may speak. The first ones print whole addresses, query string and all, at INFO; the last ones say
#: of a database that is away, at every attempt, with its host and user and tracebacks, what is told once anyway.
_TALKATIVE = {
    "httpx": logging.WARNING, "httpcore": logging.WARNING, "apscheduler": logging.WARNING,
    "procrastinate": logging.CRITICAL, "psycopg": logging.ERROR,
}  # fmt: skip


def start_logging(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Send the log to stderr from now on, in place of what was set before."""
    handler = _Lines(stream or sys.stderr)
    handler.setFormatter(RedactingFormatter(JsonFormatter() if as_json else PlainFormatter()))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, RedactingFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(least)


class _Lines(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:
        """Python would print the line's arguments and what the exception says."""
        where = f"{record.pathname}:{record.lineno}"
        with suppress(OSError, ValueError):
            self.stream.write(harmless(f"a line of the log, from {where}, cannot be written") + "\n")


class PlainFormatter(logging.Formatter):
    """`2026-01-31T08:15:02Z WARNING message action=… source=…`, for people and grep."""

    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f" {key}={value}" for key, value in _extras(record).items())
        line = harmless(f"{_instant(record)} {record.levelname} {record.getMessage()}{extras}")
        if not record.exc_text:
            return line
        # Indented, so that no line of what an exception says can pass for a line of the log.
        return line + "\n" + indent(harmless_lines(record.exc_text), "  ")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {"at": _instant(record), "level": record.levelname.lower(), "logger": record.name}
        event |= {"message": record.getMessage(), **_extras(record)}
        if record.exc_text:
            event["traceback"] = record.exc_text
        return harmless_json(json.dumps(event, ensure_ascii=False, default=str))


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {key: getattr(record, key) for key in _EXTRAS if hasattr(record, key)}


def _instant(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
