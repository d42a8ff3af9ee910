"""Kinds of value that hub.toml knows beside text and numbers: durations, schedules, starts and time zones."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import GetCoreSchemaHandler, PlainValidator
from pydantic_core import PydanticCustomError, core_schema

__all__ = ["Duration", "Schedule", "Start", "Zone", "duration", "duration_text"]

_SHORT = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_ISO = re.compile(
    r"P(?:(?P<weeks>\d+(?:\.\d+)?)W)?(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """`5m`, `90s`, `2h`, `1d`, `1w` or ISO 8601 (`PT5M`, `P90D`). Months and years are refused: their length varies.

    Raises ValueError.
    """
    short, iso = _SHORT.fullmatch(text.strip()), _ISO.fullmatch(text.strip())
    if short:
        return timedelta(**{_UNITS[short[2]]: float(short[1])})
    parts = {unit: float(number) for unit, number in iso.groupdict().items() if number} if iso else {}
    if not parts:
        raise ValueError("not a duration")
    return timedelta(**parts)


def duration_text(value: timedelta) -> str:
    """ISO 8601 text of a duration: `PT5M`, `P90D`, `P1DT12H`."""
    days, rest = value.days, value.seconds
    clock = [(rest // 3600, "H"), (rest % 3600 // 60, "M"), (rest % 60, "S")]
    tail = "".join(f"{number}{unit}" for number, unit in clock if number)
    head = f"{days}D" if days else ""
    return f"P{head}{'T' + tail if tail else ''}" if head or tail else "PT0S"


def _positive_duration(value: Any) -> timedelta:
    try:
        found = value if isinstance(value, timedelta) else duration(str(value))
    except ValueError:
        raise PydanticCustomError("duration", "not a duration") from None
    if found <= timedelta(0):
        raise PydanticCustomError("duration", "not a duration")
    return found


def _zone(value: Any) -> str:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("zone", "not a time zone") from None
    return str(value)


Duration = Annotated[timedelta, PlainValidator(_positive_duration)]
Zone = Annotated[str, PlainValidator(_zone)]


class _FromText(ABC):
    """A value with `parse(value)`; pydantic calls it for whatever TOML brought."""

    @classmethod
    @abstractmethod
    def parse(cls, value: Any) -> Any: ...

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        validate: Callable[[Any], Any] = cls.parse
        return core_schema.no_info_plain_validator_function(validate)


@dataclass(frozen=True, slots=True)
class Schedule(_FromText):
    """When a source is due: a five-field cron line (0 and 7 are Sunday, day OR weekday), an interval, or `never`."""

    text: str
    cron: str | None = None
    every: timedelta | None = None

    @classmethod
    def parse(cls, value: Any) -> "Schedule":
        if isinstance(value, cls):
            return value
        text = str(value).strip()
        if text == "never":
            return cls(text)
        if len(text.split()) == 5:
            try:
                # Only whether the line can be read and ever comes due is asked here; any instant will do.
                next(CronSim(text, datetime(2000, 1, 1, tzinfo=UTC)))
            except (CronSimError, StopIteration):
                raise PydanticCustomError("schedule", "not a schedule") from None
            return cls(text, cron=text)
        try:
            return cls(text, every=_positive_duration(text))
        except PydanticCustomError:
            raise PydanticCustomError("schedule", "not a schedule") from None

    @property
    def comes_due(self) -> bool:
        return self.cron is not None or self.every is not None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Start(_FromText):
    """How far back a first sync goes: a fixed day or instant, or a length of time before the sync."""

    text: str
    at: datetime | None = None
    day: date | None = None
    back: timedelta | None = None

    @classmethod
    def parse(cls, value: Any) -> "Start":
        if isinstance(value, cls):
            return value
        text = value.isoformat() if isinstance(value, date) else str(value).strip()
        try:
            if text.startswith("P"):
                return cls(text, back=_positive_duration(text))
            if len(text) == len("2026-01-31"):
                return cls(text, day=date.fromisoformat(text))
            at = datetime.fromisoformat(text)
        except (ValueError, PydanticCustomError):
            raise PydanticCustomError("start", "not a start") from None
        if at.tzinfo is None:
            raise PydanticCustomError("start", "not a start")
        return cls(text, at=at.astimezone(UTC))

    def instant(self, now: datetime, zone: str) -> datetime:
        """The instant (UTC) it stands for at `now`; a bare day begins at midnight in `zone`."""
        if self.at is not None:
            return self.at
        if self.day is not None:
            return datetime.combine(self.day, time(), ZoneInfo(zone)).astimezone(UTC)
        return now.astimezone(UTC) - (self.back or timedelta(0))

    def __str__(self) -> str:
        return self.text
