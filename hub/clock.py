"""The one place that reads this machine's clock."""

import time
from datetime import UTC, datetime, timedelta

__all__ = ["now", "now_ms"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """This machine's time, UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=now_ms())


def now_ms() -> int:
    """This machine's time as epoch milliseconds."""
    return time.time_ns() // 1_000_000
