"""What is amiss, and who has still to be told: an alarm begins once and ends once, whatever process looks."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.store.store import Store, Transaction

__all__ = ["Amiss", "Notice", "settle_alarms", "take_notices", "tell_done"]

#: A notice that nobody took for so long is old news.
_OLD_MS = 24 * 3_600_000
#: How long a notice stays with the process that took it: longer than telling may last.
_HOLD_MS = 120_000
_LONGEST_PAUSE_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Amiss:
    """One thing that is not as it should be. `kind` is `freshness` or `emptiness`; `detail` holds figures and instants
    (epoch ms), nothing of any record."""

    kind: str
    source: str
    stream: str
    detail: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def place(self) -> tuple[str, str, str]:
        return self.kind, self.source, self.stream


@dataclass(frozen=True, slots=True)
class Notice:
    """`event` (raised or cleared) of an alarm, to be told over one channel. Instants are epoch ms."""

    alarm: str
    event: str
    channel: str
    amiss: Amiss
    raised_at: int
    at: int


def settle_alarms(
    store: Store, kinds: Sequence[str], amiss: Sequence[Amiss], channels: Sequence[str], now: int
) -> None:
    """Begin an alarm for what is newly amiss and end those of these kinds that no longer are; each is to be told
    over every channel."""
    found = {one.place: one for one in amiss}
    with store.read() as transaction:
        if _open(transaction, kinds).keys() == found.keys():
            return
    with store.write() as transaction:
        # The one lock that puts writers in a row: two processes that look at once must not begin an alarm twice.
        transaction.run("UPDATE counter SET value = value WHERE name = 'feed'")
        known = _open(transaction, kinds)
        begun = {f"alarm_{secrets.token_hex(8)}": found[place] for place in found.keys() - known.keys()}
        ended = [known[place] for place in known.keys() - found.keys()]
        transaction.run_many(
            "INSERT INTO alarm (id, kind, source, stream, detail, raised_at) VALUES (?, ?, ?, ?, ?, ?)",
            [(name, *one.place, msgspec.json.encode(one.detail).decode(), now) for name, one in begun.items()],
        )
        transaction.run_many("UPDATE alarm SET cleared_at = ? WHERE id = ?", [(now, name) for name in ended])
        events = [(name, "raised") for name in begun] + [(name, "cleared") for name in ended]
        transaction.run_many(
            "INSERT INTO alarm_notice (alarm, event, channel, at, next_at, tries) VALUES (?, ?, ?, ?, ?, 0)",
            [(*event, channel, now, now) for event in events for channel in channels],
        )


def take_notices(store: Store, channels: Sequence[str], now: int) -> list[Notice]:
    """What has to be told now over these channels, oldest first; nobody else gets it for a while. The end of an
    alarm waits until its beginning is told or too old."""
    marks = ", ".join("?" * len(channels))
    statement = (
        "SELECT n.alarm, n.event, n.channel, a.kind, a.source, a.stream, a.detail, a.raised_at, n.at, n.tries"
        " FROM alarm_notice n JOIN alarm a ON a.id = n.alarm"
        f" WHERE n.told_at IS NULL AND n.next_at <= ? AND n.at > ? AND n.channel IN ({marks})"
        " AND (n.event = 'raised' OR NOT EXISTS (SELECT 1 FROM alarm_notice b WHERE b.alarm = n.alarm"
        " AND b.channel = n.channel AND b.event = 'raised' AND b.told_at IS NULL AND b.at > ?))"
        " ORDER BY n.at, a.source, a.stream, n.channel"
    )
    values = (now, now - _OLD_MS, *channels, now - _OLD_MS)
    with store.read() as transaction:
        if not channels or transaction.one(statement, values) is None:
            return []
    with store.write() as transaction:
        rows = transaction.all(
            statement + (" FOR UPDATE OF n SKIP LOCKED" if transaction.dialect == "postgresql" else ""), values
        )
        transaction.run_many(
            "UPDATE alarm_notice SET next_at = ?, tries = tries + 1 WHERE alarm = ? AND event = ? AND channel = ?",
            [(now + max(_HOLD_MS, _pause_ms(row[9])), *row[:3]) for row in rows],
        )
    return [
        Notice(row[0], row[1], row[2], Amiss(row[3], row[4], row[5], msgspec.json.decode(row[6])), row[7], row[8])
        for row in rows
    ]


def tell_done(store: Store, notices: Sequence[Notice], now: int) -> None:
    """These were told; the others come again, later each time."""
    with store.write() as transaction:
        transaction.run_many(
            "UPDATE alarm_notice SET told_at = ? WHERE alarm = ? AND event = ? AND channel = ?",
            [(now, one.alarm, one.event, one.channel) for one in notices],
        )


def _open(transaction: Transaction, kinds: Sequence[str]) -> dict[tuple[str, str, str], str]:
    marks = ", ".join("?" * len(kinds))
    rows = transaction.all(
        f"SELECT kind, source, stream, id FROM alarm WHERE cleared_at IS NULL AND kind IN ({marks})", tuple(kinds)
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def _pause_ms(tries: int) -> int:
    return min(_LONGEST_PAUSE_MS, 60_000 << min(tries, 6))
