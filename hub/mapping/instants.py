"""Reading a source's times: text or numbers in a declared zone and format → epoch milliseconds, UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import MappingError
from hub.incident import Flag
from hub.mapping.values import BadValueError, Leaf, Notes

__all__ = ["instant_reader", "zone_named"]

_EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp() * 1000)
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
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
    if form == "epoch_ms":
        read = _epoch(1)
    elif form == "epoch_s":
        read = _epoch(1000)
    else:
        read = _text_reader(zone_named(zone_name), form, notes)

    def instant(value: Leaf) -> int | None:
        if value is None or value == "":
            return None
        ms = read(value)
        if not _EARLIEST <= ms < _LATEST:
            notes.flags.append(Flag.TIME_IMPLAUSIBLE)
        return ms

    return instant


def _epoch(scale: int) -> Callable[[Leaf], int]:
    def read(value: Leaf) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise BadValueError("not an epoch number")
        try:
            return int(value) * scale
        except ValueError:
            raise BadValueError("not an epoch number") from None

    return read


def _text_reader(zone: ZoneInfo, form: str, notes: Notes) -> Callable[[Leaf], int]:
    @lru_cache(maxsize=4096)
    def hour(text: str) -> tuple[int, bool]:
        """Epoch ms of `yyyy-MM-dd HH`, and whether that hour is in a clock change. Offsets change on the hour."""
        local = datetime.strptime(text, "%Y-%m-%d %H")  # noqa: DTZ007 - the zone is attached by _in_zone
        return _in_zone(local, zone)

    def read(value: Leaf) -> int:
        if not isinstance(value, str):
            raise BadValueError("not a time text")
        try:
            if form == "iso":
                if len(value) == 19 and value[10] == " " and value[13] == value[16] == ":":
                    minute, second = int(value[14:16]), int(value[17:19])
                    if 0 <= minute < 60 and 0 <= second < 60:
                        start, odd = hour(value[:13])
                        if odd:
                            notes.flags.append(Flag.TIME_AMBIGUOUS)
                        return start + minute * 60_000 + second * 1000
                    raise BadValueError("not a time")
                if not _ISO.fullmatch(value):
                    raise BadValueError("not a time in ISO form")
                moment = datetime.fromisoformat(value)
            else:
                moment = datetime.strptime(value, form)  # noqa: DTZ007 - the zone is attached by _in_zone
        except BadValueError:
            raise
        except ValueError:
            raise BadValueError("not a time") from None
        if moment.tzinfo is not None:
            return _milliseconds(moment)
        ms, odd = _in_zone(moment, zone)
        if odd:
            notes.flags.append(Flag.TIME_AMBIGUOUS)
        return ms

    return read


def _in_zone(local: datetime, zone: ZoneInfo) -> tuple[int, bool]:
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    return _milliseconds(first), first.utcoffset() != second.utcoffset()


def _milliseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
