"""What a stream usually brings at this hour of such a day, learned from its own runs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median
from zoneinfo import ZoneInfo

__all__ = ["HOUR_MS", "LEARNED_MS", "usual_volume"]

HOUR_MS = 3_600_000
_WEEK_H = 7 * 24
#: How far back it is learned from.
LEARNED_MS = 8 * _WEEK_H * HOUR_MS
_SAMPLES = 8
_WORTH_A_WORD = 20
_SHARE = 0.1


def usual_volume(volumes: Mapping[int, int], hour: int, zone: ZoneInfo) -> float | None:
    """The usual volume of an hour that brought less than a tenth of it; None if nothing is suspicious.

    `volumes`: new and changed records by hours since the epoch; an hour without a good run is absent and says
    nothing. Usual is the median of the same hour of the day and its neighbours on days of the same type (working
    week or weekend in `zone`; moved holidays are not known), of four weeks at least and eight samples, the last day
    left out."""
    if hour not in volumes:
        return None
    now = _local(hour, zone)
    known = [other for other in volumes if hour - 8 * _WEEK_H <= other <= hour - 24]
    alike = [other for other in known if _alike(_local(other, zone), now)]
    if len(alike) < _SAMPLES or hour - min(alike) < 4 * _WEEK_H - 24:
        return None
    usual = median(volumes[other] for other in alike)
    return usual if usual >= _WORTH_A_WORD and volumes[hour] < _SHARE * usual else None


def _alike(one: datetime, other: datetime) -> bool:
    apart = abs(one.hour - other.hour)
    return min(apart, 24 - apart) <= 1 and (one.weekday() >= 5) == (other.weekday() >= 5)


def _local(hour: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_MS / 1000, UTC).astimezone(zone)
