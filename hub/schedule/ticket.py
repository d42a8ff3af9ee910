"""What a scheduler hands to an engine, and what every engine must be able to do with it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from hub.errors import Outcome

__all__ = ["LANES", "Busy", "Engine", "Execute", "Lane", "Running", "Snapshot", "Ticket"]

Lane = Literal["live", "bulk"]
LANES: tuple[Lane, ...] = ("live", "bulk")


class Ticket(NamedTuple):
    """One run that is due. `key` is source/stream/partition; a higher `priority` goes first; `not_before` is UTC.

    `lane`: "bulk" is what may take hours (first readings, full refreshes); it never takes the last slots from "live".
    `alone`: what else must not run meanwhile, the source's name where it may not be read in parallel; else the key.
    `limit`: stop after about so many records. `mark` ends the ids of the runs this ticket makes, so that whoever
    submitted it finds them in the run book, whichever worker carries it and however often it begins anew.
    """

    key: str
    priority: int = 0
    not_before: datetime | None = None
    reason: str = "schedule"
    lane: Lane = "live"
    alone: str = ""
    full_refresh: bool = False
    limit: int | None = None
    mark: str = ""

    @property
    def parts(self) -> tuple[str, str, str]:
        """Source, stream and partition ("" for the whole stream; pruning has none of them)."""
        source, stream, partition = (*self.key.split("/", 2), "", "")[:3]
        return source, stream, partition

    @property
    def lock(self) -> str:
        """Of all tickets with the same lock one runs at a time."""
        return self.alone or self.key


class Busy(NamedTuple):
    """Another process holds the partition until then (UTC): come back later."""

    until: datetime


Execute = Callable[[Ticket, threading.Event], Outcome | Busy]
"""Does one run to its end; stops after the page in hand once the event is set."""


@dataclass(frozen=True, slots=True)
class Running:
    key: str
    worker: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an engine is at: keys waiting, runs under way, keys of dead workers' runs of the last day, and since when
    the oldest of those that could run waits."""

    waiting: tuple[str, ...] = ()
    running: tuple[Running, ...] = ()
    dead: tuple[str, ...] = ()
    oldest_wait: datetime | None = field(default=None)


class Engine(Protocol):
    """Carries tickets to `execute`. The store's lease stays the arbiter of who may write; an engine only carries
    work."""

    def submit(self, tickets: Sequence[Ticket]) -> int:
        """How many changed the queue. A key waits once: a ticket of higher priority takes the waiting one's place, and
        one that may begin sooner brings it forward, so that a slot is never lost to a ticket that waits for a lease
        which ended early."""

    def serve(self, execute: Execute, *, slots: int, stop: threading.Event, lanes: Sequence[Lane] = LANES) -> None:
        """Work until `stop` is set, then finish the pages in hand and return."""

    def cancel(self, key: str) -> bool:
        """Take a waiting key back, or ask its run to stop after the page in hand. False: neither waits nor runs."""

    def snapshot(self) -> Snapshot: ...
