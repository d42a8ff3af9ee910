"""What is due. Next-due times live in the store, so a restart forgets nothing and two planners never take one slot."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from hub.config import Schedule
from hub.schedule.ticket import Ticket
from hub.store.due import DueRow, due_rows, put_schedules, take_slot
from hub.store.store import Store

__all__ = ["Planned", "next_due", "plan", "register"]

_LONGEST_JITTER = timedelta(seconds=30)


class Planned(NamedTuple):
    """One stream that hub.toml wants read: `rule` is its schedule as written."""

    source: str
    stream: str
    partition: str
    rule: str

    @property
    def key(self) -> str:
        return "/".join(part for part in (self.source, self.stream, self.partition) if part)


def register(store: Store, wanted: Iterable[Planned], zone: str, now: datetime) -> None:
    """Bring the store's schedule in line with hub.toml. A stream whose rule is unchanged keeps its next-due time; a new one is
    due at once; one that is gone is forgotten."""
    rows = [DueRow(item.source, item.stream, item.partition, f"{item.rule} {zone}", _ms(now)) for item in wanted]
    put_schedules(store, rows)


def plan(store: Store, now: datetime) -> list[Ticket]:
    """Take every slot that is due and move it on. A slot missed for hours is one run, never many."""
    tickets = []
    for row in due_rows(store, _ms(now)):
        rule, _, zone = row.rule.rpartition(" ")
        key = "/".join(part for part in (row.source, row.stream, row.partition) if part)
        if take_slot(store, row, _ms(next_due(rule, zone, key, now)), _ms(now)):
            tickets.append(Ticket(key))
    return tickets


def next_due(rule: str, zone: str, key: str, now: datetime) -> datetime:
    """The first slot of a rule after `now` (UTC). Cron lines mean what they mean in cron, in `zone`; an interval counts from
    now. Each key has its own small, constant delay, so that streams of one minute do not all start in its first second."""
    schedule = Schedule.parse(rule)
    if schedule.every is not None:
        return now + schedule.every + _jitter(key, schedule.every / 10)
    slot = next(CronSim(rule, now.astimezone(ZoneInfo(zone))))
    return slot.astimezone(UTC) + _jitter(key, _LONGEST_JITTER)


def _jitter(key: str, most: timedelta) -> timedelta:
    share = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32
    return min(most, _LONGEST_JITTER) * share


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
