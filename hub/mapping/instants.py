"""Reading a source's times: text or numbers in a declared zone and format → epoch milliseconds, UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import MappingError
from hub.incident import Flag
from hub.mapping.values import BadValueError, Leaf, Notes

__all__ = ["instant_reader", "zone_named"]

_EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp() * 1000)
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
_HOUR = re.compile(r"\d{4}-\d\d-\d\d \d\d")
_NONE, _END = -62_135_596_800_000, 253_402_300_800_000
"""Of years 1 to 9999: nothing else can be shown as a date."""
_EPOCH_SCALE = {"epoch_ms": 1, "epoch_s": 1000}
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?")


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone; MappingError names the unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise MappingError(
            "unknown time zone {zone}", zone=name, remedy="use an IANA name such as Asia/Shanghai"
        ) from error


def instant_reader(zone_name: str, form: str, notes: Notes) -> Callable[[Leaf], int | None]:
    """A function from a source's value to epoch ms. `form`: "iso", "epoch_ms", "epoch_s" or a strptime pattern.

    None and "" are null. Anything unreadable raises BadValueError. Times in a clock change's gap or overlap take the first
    reading and are flagged, as are times before 1990 or after 2099.
    """
    if form == "iso":
        return _local_reader(zone_named(zone_name), notes)
    if form.startswith("epoch_") and form not in _EPOCH_SCALE:
        raise MappingError("unknown time format {format}", format=form, remedy="use epoch_ms or epoch_s")
    read = _epoch(_EPOCH_SCALE[form]) if form in _EPOCH_SCALE else _text(zone_named(zone_name), form, notes)

    def instant(value: Leaf) -> int | None:
        return _plausible(read(value), notes) if value is not None and value != "" else None

    return instant


def _local_reader(zone: ZoneInfo, notes: Notes) -> Callable[[Leaf], int | None]:
    """ISO times; `yyyy-MM-dd HH:mm:ss`, the commonest by far, is two look-ups: its hour and its place in the hour."""
    hours, read = _Hours(zone), _text(zone, "", notes)
    odd, seconds = hours.odd, _SECONDS

    def instant(value: Leaf) -> int | None:
        if value is None or value == "":
            return None
        if value.__class__ is str and len(value) == 19 and value[10] == " ":
            try:
                hour = value[:13]
                ms = hours[hour] + seconds[value[13:]]
            except (KeyError, ValueError):
                raise BadValueError("not a time") from None
            if odd and hour in odd:
                notes.flags.append(odd[hour])
            return ms
        return _plausible(read(value), notes)

    return instant


#: ":mm:ss" → milliseconds.
_SECONDS = {f":{minute:02}:{second:02}": (minute * 60 + second) * 1000 for minute in range(60) for second in range(60)}
_HOURS_KEPT = 20_000


class _Hours(dict[str, int]):
    """`yyyy-MM-dd HH` in a zone → epoch ms, each worked out once; clocks change on the hour. `odd`: hours to be flagged."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.odd: dict[str, Flag] = {}

    def __missing__(self, hour: str) -> int:
        if len(self) >= _HOURS_KEPT:
            self.clear()
        if not _HOUR.fullmatch(hour):
            raise ValueError("not an hour")
        ms, ambiguous = _in_zone(datetime.fromisoformat(hour), self._zone)
        if ambiguous:
            self.odd[hour] = Flag.TIME_AMBIGUOUS
        elif not _EARLIEST <= ms < _LATEST:
            self.odd[hour] = Flag.TIME_IMPLAUSIBLE
            if not _NONE <= ms < _END - 3_600_000:
                raise ValueError("out of range")
        self[hour] = ms
        return ms


def _plausible(ms: int, notes: Notes) -> int:
    if not _EARLIEST <= ms < _LATEST:
        if not _NONE <= ms < _END:
            raise BadValueError("not a time of years 1 to 9999")
        notes.flags.append(Flag.TIME_IMPLAUSIBLE)
    return ms


def _epoch(scale: int) -> Callable[[Leaf], int]:
    def read(value: Leaf) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise BadValueError("not an epoch number")
        if isinstance(value, str) and not _WHOLE.fullmatch(value):
            raise BadValueError("not an epoch number")
        return int(value) * scale

    return read


def _text(zone: ZoneInfo, pattern: str, notes: Notes) -> Callable[[Leaf], int]:
    """Times in ISO form, or in a strptime pattern if there is one."""

    def read(value: Leaf) -> int:
        if not isinstance(value, str):
            raise BadValueError("not a time text")
        if not pattern and not _ISO.fullmatch(value):
            raise BadValueError("not a time in ISO form")
        try:
            moment = datetime.strptime(value, pattern) if pattern else datetime.fromisoformat(value)  # noqa: DTZ007
        except ValueError:
            raise BadValueError("not a time") from None
        if moment.tzinfo is not None:
            return _milliseconds(moment)
        ms, ambiguous = _in_zone(moment, zone)
        if ambiguous:
            notes.flags.append(Flag.TIME_AMBIGUOUS)
        return ms

    return read


def _in_zone(local: datetime, zone: ZoneInfo) -> tuple[int, bool]:
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    return _milliseconds(first), first.utcoffset() != second.utcoffset()


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
