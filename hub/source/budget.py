"""The request budget of each host, shared by every stream and source of this process that asks it."""

import threading
from collections.abc import Callable

from pyrate_limiter import Limiter, Rate

__all__ = ["HostBudgets"]

_SECOND_MS = 1000


class HostBudgets:
    """One budget a host. Where two sources on one host declare different rates, the lower one holds for both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limiters: dict[str, tuple[float, Limiter]] = {}

    def acquirer(self, rate: float) -> Callable[[str], None]:
        """A function that waits until one more request to a host fits. `rate`: requests a second."""

        def acquire(host: str) -> None:
            self._limiter(host, rate).try_acquire(host)

        return acquire

    def _limiter(self, host: str, rate: float) -> Limiter:
        with self._lock:
            found = self._limiters.get(host)
            if found is None or rate < found[0]:
                limit = Rate(round(rate), _SECOND_MS) if rate >= 1 else Rate(1, round(_SECOND_MS / rate))
                found = self._limiters[host] = (rate, Limiter(limit))
            return found[1]
