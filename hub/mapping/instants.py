"""Reading a source's times: text or numbers in a declared zone and format → epoch milliseconds, UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import MappingError
from hub.incident import Flag
from hub.mapping.generated import Scope
from hub.mapping.values import BadValueError, Leaf, Notes

__all__ = ["Instant", "iso_utc", "zone_named"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS = 3_600_000

_EARLIEST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp() * 1000)
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
_HOUR = re.compile(r"\d{4}-\d\d-\d\d \d\d")
_NONE, _END = -62_135_596_800_000, 253_402_300_800_000
"""Of years 1 to 9999: nothing else can be shown as a date."""
_EPOCH_SCALE = {"epoch_ms": 1, "epoch_s": 1000}
_WHOLE = re.compile(r"-?[0-9]{1,19}")
#: Directives that nothing separates, and how many digits each stands for.
_RUN = re.compile("(?:%[YmdHMSyj]){2,}")
_DIGITS = {"Y": 4, "j": 3}
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d)?")


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone; MappingError names the unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise MappingError(
            "unknown time zone {zone}", zone=name, remedy="use an IANA name such as Asia/Shanghai"
        ) from error


class Instant:
    """Reads a source's values as epoch ms, or as the ISO text of steps. `form`: "iso", "epoch_ms", "epoch_s" or a strptime
    pattern.

    None and "" are null. Anything unreadable raises BadValueError. Times in a clock change's gap or overlap take the first
    reading and are flagged, as are times before 1990 or after 2099.
    """

    def __init__(self, zone_name: str, form: str, notes: Notes) -> None:
        self._notes, self._hours = notes, _hours(zone_name) if form == "iso" else None
        if form.startswith("epoch_") and form not in _EPOCH_SCALE:
            raise MappingError("unknown time format {format}", format=form, remedy="use epoch_ms or epoch_s")
        if form in _EPOCH_SCALE:
            self._value = _epoch(_EPOCH_SCALE[form])
        else:
            self._value = _text(zone_named(zone_name), "" if form == "iso" else form, notes)

    def read(self, value: Leaf) -> int | None:
        """Epoch ms."""
        if value is None or value == "":
            return None
        if self._hours is not None and value.__class__ is str:
            self._hours.learn(str(value))
        return _plausible(self._value(value), self._notes)

    def read_iso(self, value: Leaf) -> str | None:
        """`2026-11-19T09:13:27Z`."""
        ms = self.read(value)
        return iso_utc(ms) if ms is not None else None

    def quick(self, scope: Scope) -> str:
        """Epoch ms of `yyyy-MM-dd HH:mm:ss`, the commonest by far, by two look-ups: its hour and its place in the hour."""
        if self._hours is None:
            return ""
        hour, second = scope.bind(self._hours.began.get), scope.bind(_SECONDS.get)
        return (
            f"hour + second if value.__class__ is str and (hour := {hour}(value[:13])) is not None"
            f" and (second := {second}(value[13:])) is not None"
        )

    def quick_iso(self, scope: Scope) -> str:
        """The same as ISO text."""
        if self._hours is None:
            return ""
        hour, seconds = scope.bind(self._hours.shown.get), scope.bind(_SECONDS)
        return (
            f'hour + second + "Z" if value.__class__ is str and (hour := {hour}(value[:13])) is not None'
            f" and (second := value[13:]) in {seconds}"
        )


#: ":mm:ss" → milliseconds, and seconds of an hour → ":mm:ss".
_SECONDS = {f":{minute:02}:{second:02}": (minute * 60 + second) * 1000 for minute in range(60) for second in range(60)}
_SECONDS_TEXT = list(_SECONDS)
_HOURS_KEPT = 20_000


class _Hours:
    """What `yyyy-MM-dd HH` means in a zone: where it `began` (epoch ms) and how it is `shown` in UTC, each worked out once.

    Clocks change on the hour. Hours whose times must be flagged, or that are no hours, are in neither.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self.began: dict[str, int] = {}
        self.shown: dict[str, str] = {}

    def learn(self, text: str) -> None:
        hour = text[:13]
        if hour[10:11] != " " or hour in self.began or not _HOUR.fullmatch(hour):
            return
        try:
            ms, ambiguous = _in_zone(datetime.fromisoformat(hour), self._zone)
        except ValueError:
            return
        if ambiguous or not _EARLIEST <= ms < _LATEST:
            return
        if len(self.began) >= _HOURS_KEPT:
            self.began.clear()
            self.shown.clear()
        self.began[hour] = ms
        if ms % _HOUR_MS == 0:
            self.shown[hour] = _hour_text(ms // _HOUR_MS)


@cache
def _hours(zone_name: str) -> _Hours:
    """For all mappers of the process: a short run finds the hours of the one before."""
    return _Hours(zone_named(zone_name))


def iso_utc(ms: int) -> str:
    """`2026-11-19T09:13:27Z`, with three decimals only where there are milliseconds."""
    hour, rest = divmod(ms, _HOUR_MS)
    seconds, fraction = divmod(rest, 1000)
    return _hour_text(hour) + _SECONDS_TEXT[seconds] + (f".{fraction:03d}Z" if fraction else "Z")


@lru_cache(maxsize=_HOURS_KEPT)
def _hour_text(hour: int) -> str:
    return (_EPOCH + timedelta(hours=hour)).isoformat()[:13]


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
    shape = _shape(pattern)

    def read(value: Leaf) -> int:
        if not isinstance(value, str):
            raise BadValueError("not a time text")
        if not pattern and not _ISO.fullmatch(value):
            raise BadValueError("not a time in ISO form")
        if not shape.fullmatch(value):
            raise BadValueError("not a time")
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


def _shape(pattern: str) -> re.Pattern[str]:
    """What a text must look like to be read by a strptime pattern at all: of `202611191713`, which lacks the seconds of
    `%Y%m%d%H%M%S`, strptime makes a time, three seconds past 17:01."""
    runs = (f"[0-9]{{{sum(_DIGITS.get(sign, 2) for sign in run[1::2])}}}" for run in _RUN.findall(pattern))
    return re.compile(f".*{'.*'.join(runs)}.*", re.DOTALL)


def _in_zone(local: datetime, zone: ZoneInfo) -> tuple[int, bool]:
    first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
    return _milliseconds(first), first.utcoffset() != second.utcoffset()


def _milliseconds(moment: datetime) -> int:
    passed = moment - _EPOCH
    return passed.days * 86_400_000 + passed.seconds * 1000 + passed.microseconds // 1000
