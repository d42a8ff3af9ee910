"""A host's request budget held by every process on the store: each request takes the host's next free instant."""

import time
from collections.abc import Callable

from hub.store.queue import SCHEMA
from hub.store.store import Store

__all__ = ["StoreBudgets"]

# One row a host, moved on by one request's share of a second. A process that dies with an instant in hand wastes it,
# no more. The instants follow each other evenly, so no window of a second ever holds more requests than the rate (and
# one).
_TAKE = f"""
INSERT INTO {SCHEMA}.budget AS held (host, next_at) VALUES (?, extract(epoch FROM clock_timestamp()) + ?)
ON CONFLICT (host) DO UPDATE SET next_at = greatest(held.next_at, extract(epoch FROM clock_timestamp())) + ?
RETURNING next_at - ? - extract(epoch FROM clock_timestamp())
"""


class StoreBudgets:
    """As `hub.source.budget.HostBudgets`, across processes and machines; by the database's clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rates: dict[str, float] = {}

    def acquirer(self, rate: float) -> Callable[[str], None]:
        """A function that waits until one more request to a host fits. `rate`: requests a second."""

        def acquire(host: str) -> None:
            # Where two sources on one host declare different rates, the lower one holds for both.
            lowest = self._rates[host] = min(rate, self._rates.get(host, rate))
            share = 1 / lowest
            with self._store.write() as transaction:
                wait = float(transaction.one(_TAKE, (host, share, share, share))[0])
            if wait > 0:
                time.sleep(wait)

        return acquire
