"""The one place that reads this machine's clock."""

import time
from datetime import UTC, datetime

__all__ = ["now", "now_ms"]


def now() -> datetime:
    """This machine's time, UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """This machine's time as epoch milliseconds."""
    return time.time_ns() // 1_000_000
