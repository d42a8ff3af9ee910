"""What is due. Next-due times live in the store, so a restart forgets nothing and two planners never take one slot."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from hub.config import Schedule
from hub.schedule.ticket import Ticket
from hub.store.due import DueRow, put_schedules, recall_ahead, take_due
from hub.store.store import Store, Transaction

__all__ = ["Planned", "next_due", "plan", "register"]

_LONGEST_JITTER = timedelta(seconds=30)


class Planned(NamedTuple):
    """One stream that hub.toml wants read: `rule` is its schedule as written. `alone`: the source's name if its
    streams must not be read in parallel. `whole`: every reading is a complete one, and it is not due often. `waits`:
    when it is new, it is due at its next slot and not at once. `refresh`: a full refresh beside the stream's own runs."""

    source: str
    stream: str
    partition: str
    rule: str
    alone: str = ""
    whole: bool = False
    waits: bool = False
    refresh: bool = False

    @property
    def key(self) -> str:
        return _key(self.source, self.stream, self.partition)


def register(store: Store, wanted: Iterable[Planned], zone: str, now: datetime) -> None:
    """Bring the store's schedule in line with hub.toml. A stream whose rule is unchanged keeps its next-due time; a
    new one is due at once, or at its next slot if it `waits`; one that is gone is forgotten. What a clock that was ahead has
    taken is due again."""
    rows = []
    for item in wanted:
        due = next_due(item.rule, zone, item.key, now) if item.waits else now
        rows.append(DueRow(item.source, item.stream, item.partition, f"{item.rule} {zone}", _ms(due)))
    put_schedules(store, rows)
    recall_ahead(store, _ms(now))


def plan(
    store: Store,
    now: datetime,
    ticket_of: Callable[[str], Ticket] = Ticket,
    submit: Callable[[Transaction, list[Ticket]], object] | None = None,
) -> list[Ticket]:
    """Take every slot that is due and move it on. A slot missed for hours is one run, never many.

    `ticket_of` makes the ticket of a key; `submit` gets all of them within the planning transaction.
    """

    def following(row: DueRow) -> int:
        rule, _, zone = row.rule.rpartition(" ")
        return _ms(next_due(rule, zone, _key(*row[:3]), now))

    def hand_over(transaction: Transaction, rows: list[DueRow]) -> None:
        if submit is not None:
            submit(transaction, [ticket_of(_key(*row[:3])) for row in rows])

    rows = take_due(store, _ms(now), following, hand_over)
    return [ticket_of(_key(*row[:3])) for row in rows]


def next_due(rule: str, zone: str, key: str, now: datetime) -> datetime:
    """The first slot of a rule after `now` (UTC). Cron lines mean what they mean in cron, in `zone`; an interval
    counts from now. Each key has its own small, constant delay, so that streams of one minute do not all start in its
    first second."""
    schedule = Schedule.parse(rule)
    if schedule.every is not None:
        return now + schedule.every + _jitter(key, schedule.every / 10)
    slot = next(CronSim(rule, now.astimezone(ZoneInfo(zone))))
    return slot.astimezone(UTC) + _jitter(key, _LONGEST_JITTER)


def _key(source: str, stream: str, partition: str) -> str:
    return "/".join(part for part in (source, stream, partition) if part)


def _jitter(key: str, most: timedelta) -> timedelta:
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
    return min(most, _LONGEST_JITTER) * share


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
