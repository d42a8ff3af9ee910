"""Leases with fencing tokens: one owner a partition, whatever process or machine it lives in."""

from collections.abc import Callable

from hub.errors import BusyError
from hub.store.page import Lease
from hub.store.store import Store
from hub.store.write import lease_hold

__all__ = ["acquire", "free_dead", "lease_name", "release", "renew"]

#: More than the clocks of two machines lie apart, and than a lease lasts.
_BEYOND_ANY_MS = 24 * 3_600_000


def lease_name(source: str, stream: str, partition: str) -> str:
    """The lease under which a partition's records and its position are written; `source` is the store's key of it."""
    return "/".join(part for part in (source, stream, partition) if part)


def acquire(store: Store, name: str, owner: str, ttl_ms: int, now: int, *, again: bool = False) -> Lease:
    """Take the lease or raise BusyError naming its owner. The token is higher than any before it under this name.

    An expired lease may be taken over; its former owner is then fenced, because its token is old. So may one that ends more than
    a day after the one asked for would: no lease can, it was taken while a clock was ahead. `again`: so may one that this very
    owner holds, from a run that could not give it back because the store was away. `ttl_ms`: ms; `now`: epoch ms.
    """
    with store.write() as transaction:
        taken = transaction.one(
            "INSERT INTO lease (name, owner, token, expires_at) VALUES (?, ?, 1, ?) ON CONFLICT (name) DO UPDATE"
            " SET owner = excluded.owner, token = lease.token + 1, expires_at = excluded.expires_at"
            " WHERE lease.expires_at <= ? OR lease.expires_at > ? OR lease.owner = ? RETURNING token",
            (name, owner, now + ttl_ms, now, now + ttl_ms + _BEYOND_ANY_MS, owner if again else None),
        )
        if taken is None:
            holder = transaction.one("SELECT owner, expires_at FROM lease WHERE name = ?", (name,))
            raise BusyError(
                "{name} is being read by {owner}",
                name=name,
                owner=holder[0] if holder else "?",
                until=holder[1] if holder else now,
                remedy="wait for it, or until its lease ends in {seconds} s",
                seconds=max(0, (holder[1] - now) // 1000) if holder else 0,
            )
    return Lease(name, owner, int(taken[0]), ttl_ms)


def renew(store: Store, lease: Lease, now: int) -> None:
    """Hold on to the lease while nothing is written. FencedError if another owner has it now."""
    with store.write() as transaction:
        transaction.hold(lease_hold(lease, now))


def release(store: Store, lease: Lease) -> None:
    """Give the lease back if it is still ours; the token stays, so that it keeps rising."""
    with store.write() as transaction:
        transaction.run(
            "UPDATE lease SET expires_at = 0 WHERE name = ? AND owner = ? AND token = ?",
            (lease.name, lease.owner, lease.token),
        )


def free_dead(store: Store, lives: Callable[[str], bool]) -> int:
    """End the leases of owners of whom it is known that they are no more; how many. A mistake costs the owner its run
    (its next page is refused), never data."""
    with store.write() as transaction:
        owners = [row[0] for row in transaction.all("SELECT DISTINCT owner FROM lease WHERE expires_at > 0")]
        return transaction.run_many(
            "UPDATE lease SET expires_at = 0 WHERE owner = ? AND expires_at > 0",
            [(owner,) for owner in owners if not lives(owner)],
        )
