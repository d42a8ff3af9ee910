"""The city's clock and the ways its instants are written on the wire. Instants are whole epoch seconds (UTC)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import formatdate
from functools import lru_cache

SHANGHAI = timezone(timedelta(hours=8))
DAY = 86400
_OFFSET_S = 8 * 3600

#: No record is dated in the last seconds before the clock, so a reader's safety lag up to this hides nothing.
QUIET_S = 180


class CityClock:
    """Goes by nobody's but its mover's will: the same steps give the same bytes."""

    def __init__(self, now: int) -> None:
        self.now = now

    def advance(self, seconds: int) -> None:
        if seconds < 0:
            raise ValueError("the city's clock does not run backwards")
        self.now += seconds

    @property
    def http_date(self) -> str:
        return formatdate(self.now, usegmt=True)

    @property
    def latest(self) -> int:
        """The newest instant a record may carry now."""
        return self.now - QUIET_S


def instant(text: str) -> int:
    """Epoch seconds of an ISO 8601 text; without an offset it is Asia/Shanghai."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)).timestamp())


def local(at: int) -> str:
    """`yyyy-MM-dd HH:mm:ss` in Asia/Shanghai, without a zone mark."""
    day, second = divmod(at + _OFFSET_S, DAY)
    return f"{_day(day)} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def local_date(at: int) -> str:
    return _day((at + _OFFSET_S) // DAY)


@lru_cache(4096)
def _day(number: int) -> str:
    """`yyyy-MM-dd` of a Shanghai day counted from 1970; a hundred thousand rows share some hundred days."""
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()


def compact(at: int, pattern: str = "%Y%m%d") -> str:
    """Asia/Shanghai digits as they stand in numbers of cases and orders."""
    return datetime.fromtimestamp(at, SHANGHAI).strftime(pattern)


def utc_text(at: int) -> str:
    """`yyyy-MM-dd HH:mm:ss` in UTC, without a zone mark."""
    return datetime.fromtimestamp(at, UTC).isoformat(" ")[:19]


def iso_z(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19] + "Z"


def iso_local(at: int) -> str:
    return datetime.fromtimestamp(at, SHANGHAI).isoformat()


def local_midnight(at: int) -> int:
    """The start of the Shanghai day that holds `at`."""
    return at - (at + _OFFSET_S) % DAY
