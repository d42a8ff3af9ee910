"""Where each partition stands: its proven cursor and the engine's own notes, readable and editable by an operator."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.store.known_pages import forget_pages
from hub.store.leases import acquire, lease_name, release
from hub.store.page import Lease
from hub.store.store import Store, Transaction
from hub.store.write import lease_hold, put_state

__all__ = ["StateRow", "clear_state", "finish_reading", "highest_change", "list_states", "read_state", "set_cursor"]

_LEASE_MS = 10_000
_FORGET = "DELETE FROM state WHERE source = ? AND stream = ? AND partition = ?"
#: Source, stream, partition.
_Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class StateRow:
    """`cursor`: everything the source changed before it (epoch ms) is read. `body`: unfinished window, enumeration, …"""

    source: str
    stream: str
    partition: str
    cursor: int | None
    body: dict[str, Any]
    updated_at: int


def read_state(store: Store, source: str, stream: str, partition: str) -> StateRow | None:
    with store.read() as transaction:
        row = transaction.one(
            "SELECT cursor, body, updated_at FROM state WHERE source = ? AND stream = ? AND partition = ?",
            (source, stream, partition),
        )
    return StateRow(source, stream, partition, row[0], msgspec.json.decode(row[1]), row[2]) if row else None


def list_states(store: Store) -> list[StateRow]:
    with store.read() as transaction:
        rows = transaction.all(
            "SELECT source, stream, partition, cursor, body, updated_at FROM state ORDER BY source, stream, partition"
        )
    return [StateRow(row[0], row[1], row[2], row[3], msgspec.json.decode(row[4]), row[5]) for row in rows]


def finish_reading(
    store: Store,
    lease: Lease,
    source: str,
    stream: str,
    partition: str,
    cursor: int | None,
    now: int,
    enumeration: str | None = None,
    *,
    whole: bool = False,
    once: bool = False,
) -> None:
    """A reading is concluded or given up: only its cursor remains, or nothing if it was to be read `once`. `whole`: it showed
    everything that the stream has. FencedError if the lease is lost.

    What it saw (`enumeration`) goes in the same transaction: a reading without its pages must never be gone on with, it
    would prove that everything else is gone.
    """
    with store.write() as transaction:
        transaction.hold(lease_hold(lease, now))
        if enumeration is not None:
            transaction.run("DELETE FROM seen_page WHERE enumeration = ?", (enumeration,))
            if whole:
                forget_pages(transaction, source, stream, enumeration)
        if once:
            transaction.run(_FORGET, (source, stream, partition))
        else:
            transaction.run(*put_state(source, stream, partition, cursor, "{}", now))


def highest_change(store: Store, source: str, stream: str) -> int | None:
    """The youngest source_updated_at stored of a stream: where a forgotten cursor can stand again."""
    with store.read() as transaction:
        row = transaction.one(
            "SELECT max(source_updated_at) FROM incident WHERE source = ? AND stream = ?", (source, stream)
        )
    return row[0] if row else None


def set_cursor(store: Store, source: str, stream: str, partition: str, cursor: int, now: int, *, owner: str) -> None:
    """Move the cursor by hand; an unfinished window is forgotten, so the next run starts at the cursor less its lookback.

    `cursor` and `now`: epoch ms; `owner` does it. BusyError while a run goes: it would write its own position over this one.
    """
    place = (source, stream, partition)
    with _nobody_else(store, [place], owner, now) as transaction:
        _forget_readings(transaction, [place])
        transaction.run(*put_state(*place, cursor, "{}", now))


def clear_state(store: Store, source: str, stream: str | None, now: int, *, owner: str) -> int:
    """Forget positions; the next run reads from `start` again. Records stay. How many; all of them or none. `now`: epoch ms;
    `owner` does it. BusyError while a run of one of them goes."""
    with store.read() as transaction:
        found = transaction.all(
            "SELECT source, stream, partition FROM state WHERE source = ? ORDER BY stream, partition", (source,)
        )
    places = [(row[0], row[1], row[2]) for row in found if stream in (None, row[1])]
    with _nobody_else(store, places, owner, now) as transaction:
        _forget_readings(transaction, places)
        return transaction.run_many(_FORGET, places)


@contextmanager
def _nobody_else(store: Store, places: Sequence[_Place], owner: str, now: int) -> Iterator[Transaction]:
    """A transaction in which nobody else writes these partitions. BusyError names who does."""
    with ExitStack() as held:
        taken = []
        for place in places:
            taken.append(acquire(store, lease_name(*place), owner, _LEASE_MS, now))
            held.callback(release, store, taken[-1])
        transaction = held.enter_context(store.write())
        for lease in taken:
            transaction.hold(lease_hold(lease, now))
        yield transaction


def _forget_readings(transaction: Transaction, places: Sequence[_Place]) -> None:
    """What unfinished readings saw: nobody goes on with them."""
    for place in places:
        row = transaction.one("SELECT body FROM state WHERE source = ? AND stream = ? AND partition = ?", place)
        reading = (msgspec.json.decode(row[0]) if row else {}).get("reading") or {}
        transaction.run("DELETE FROM seen_page WHERE enumeration = ?", (reading.get("enumeration"),))
