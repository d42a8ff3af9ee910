"""The city: from a seed, a size and an instant to records in every system, and how it moves on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from random import Random

from hub.testing.sandbox.clock import DAY, CityClock, local_midnight
from hub.testing.sandbox.events import Event, make_event, other_category
from hub.testing.sandbox.people import Population
from hub.testing.sandbox.places import DISTRICT
from hub.testing.sandbox.records import Record, Shelf, Version
from hub.testing.sandbox.streams import STREAMS, StreamSpec

TICK_S = 600
HISTORY_S = 80 * DAY
#: How much later than the event a system hears of it, seconds.
_HEARD_S = (60, 300, 900, 3600, 7200)
#: Between two steps of a record's life, seconds.
_STEP_S = (600, 1800, 7200, 14400, 43200, 86400, 172800)
#: Of 100 records, how many share the report time of the one before.
_SAME_TIME_PERCENT = 12
_WITHDRAWN_PERCENT = 2
_SHORTEST_STEP_S = 20


class City:
    """All records of all systems. Every choice comes from random.Random(seed); no wall clock is read."""

    def __init__(
        self,
        seed: int,
        scale: int,
        until: int,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """`weights` replaces the streams' shares: {"hotline_8890.work_orders": 1} puts everything there.

        A bare system name means all its streams, each with that share."""
        self.seed = seed
        self.clock = CityClock(until)
        self.rng = Random(f"city/{seed}")
        self.population = Population(Random(f"people/{seed}"))
        self.shelves = {spec.key: Shelf(spec, by_receipt=spec.at_receipt) for spec in STREAMS}
        self.events: list[Event] = []
        self._numbers: dict[tuple[str, str], str] = {}  # (stream, event) → native id
        self.ticks = 0
        self._moved_at = until
        self._found(sizes(scale, weights))

    def streams(self, system: str) -> Iterable[Shelf]:
        return (shelf for shelf in self.shelves.values() if shelf.spec.system == system)

    # -- founding -----------------------------------------------------------------------------------------------

    def _found(self, counts: Mapping[str, int]) -> None:
        total = sum(counts.values())
        wanted = max(max(counts.values(), default=0), total * 3 // 5)
        latest = self.clock.now - 4 * 3600
        # The cube puts half of the events into the last eighth of the time: much is still open, as in life.
        times = sorted(latest - int(self.rng.random() ** 3 * HISTORY_S) for _ in range(wanted))
        self.events = [make_event(self.rng, self.population, n, at) for n, at in enumerate(times, start=1)]
        for key, count in counts.items():
            shelf = self.shelves[key]
            for position in sorted(self.rng.sample(range(wanted), count)):
                shelf.records.append(self._live(shelf, self.events[position]))
            self._share_update_times(shelf)

    def _live(self, shelf: Shelf, event: Event) -> Record:
        """A record with all the steps its life took until now."""
        rng = self.rng
        record = self._report(shelf, event, event.at + rng.choice(_HEARD_S) + rng.randrange(600))
        settled = record.reported + (shelf.spec.settles_s or HISTORY_S * 2)
        limit = min(self.clock.latest, settled)
        at = record.reported
        for stage in range(1, len(record.path)):
            at += (rng.choice(_STEP_S) + rng.randrange(600)) // shelf.spec.pace
            if at > limit:
                return record
            record.versions.append(record.last._replace(at=at, stage=stage, op="u"))
        if len(record.path) == 1 and rng.random() < 0.2 and at + 3600 <= limit:
            at += 3600
            record.versions.append(record.last._replace(at=at, amended=1, op="u"))
        if shelf.spec.withdraw != "never" and rng.random() * 100 < _WITHDRAWN_PERCENT and at + 3600 <= limit:
            record.versions.append(record.last._replace(at=at + 3600, op="d"))
        return record

    def _report(self, shelf: Shelf, event: Event, reported: int, moving: bool = False) -> Record:
        """A new record of an event, in its first state. In a moving city none is dated earlier than `reported`."""
        rng, spec = self.rng, shelf.spec
        number = len(shelf.records) + 1
        if shelf.records and rng.random() * 100 < _SAME_TIME_PERCENT:
            before = shelf.records[-1].reported
            if (0 if moving else -DAY) < before - reported < DAY:
                reported = before
        occurred = min(event.at + rng.randrange(-120, 180), reported - 60)
        if spec.at_receipt:
            occurred = reported
        salt = rng.randrange(1_000_000)
        region, lon, lat = self._place(spec, event, salt)
        record = Record(
            spec=spec,
            number=number,
            native_id=spec.numbering(number, reported, self.seed),
            event=event,
            occurred=local_midnight(occurred) if spec.day_only else occurred,
            reported=reported,
            path=rng.choices(spec.life.paths, spec.life.weights)[0],
            salt=salt,
            region=region,
            lon=lon,
            lat=lat,
            yuan=Decimal(rng.randrange(1, 400) * 50) if spec.money else None,
            related=self._numbers.get((spec.refers_to or "", event.id), ""),
            versions=[Version(reported, 0, event.category, 0, "i")],
        )
        self._numbers[spec.key, event.id] = str(record.native_id)
        return record

    def _place(self, spec: StreamSpec, event: Event, salt: int) -> tuple[str | None, float | None, float | None]:
        """Region digits and WGS-84 position as far as this system knows them; each measures a little differently."""
        digits = 9 if spec.gaps and salt % 7 == 0 and spec.region == 12 else spec.region
        region = {0: None, 6: DISTRICT, 9: event.town.code, 12: event.village}[digits]
        if not spec.position or (spec.gaps and salt % 10 == 0):
            return region, None, None
        noise = ((salt % 1000) - 500) * 1e-6
        return region, round(event.lon + noise, 6), round(event.lat - noise, 6)

    def _share_update_times(self, shelf: Shelf) -> None:
        """Systems write in batches: give some records the update time of the next one."""
        ordered = sorted(shelf.records, key=lambda record: record.last.at)
        for record, later in pairwise(ordered):
            at = later.last.at
            settled = shelf.spec.settles_s is not None and at > record.reported + shelf.spec.settles_s
            if len(record.versions) > 1 and not settled and self.rng.random() < 0.15:
                record.versions[-1] = record.last._replace(at=at)

    # -- moving -------------------------------------------------------------------------------------------------

    def tick(self, steps: int = 1) -> None:
        """Each step: ten minutes pass; in every stream in use records are added, go on, are amended or withdrawn."""
        for _ in range(steps):
            self._step(TICK_S)

    def live_until(self, instant: int) -> bool:
        """Time passes up to an instant. Whether the records moved, which they do ten minutes after they last did; the call that
        moves them lets 20 s pass or more, because nothing is dated before what a reader may have seen."""
        passed = instant - self.clock.now
        if passed < _SHORTEST_STEP_S or instant - self._moved_at < TICK_S:
            self.clock.advance(max(0, passed))
            return False
        self._step(passed)
        return True

    def _step(self, seconds: int) -> None:
        before = self.clock.now
        self.clock.advance(seconds)
        self.ticks += 1
        self._moved_at = self.clock.now
        for shelf in self.shelves.values():
            if shelf.records:
                self._move(shelf, before)

    def _move(self, shelf: Shelf, before: int) -> None:
        rng = self.rng
        moments = [rng.randrange(before - 170, self.clock.latest) for _ in range(3)]
        movable = self._movable(shelf)
        share = max(1, min(len(shelf.records) // 50, 500))
        for record in rng.sample(movable, min(len(movable), share)):
            self._go_on(record, rng.choice(moments))
        for record in rng.sample(movable, min(len(movable), max(1, share // 3))):
            self._amend(record, rng.choice(moments))
        if shelf.spec.withdraw != "never" and movable and rng.random() < 0.6:
            self._append(rng.choice(movable), rng.choice(moments), op="d")
        self._bring_back(shelf, moments)
        for n in range(share):
            late = n == 0 and rng.random() < 0.3
            self._add(shelf, before - rng.randrange(200, 590) if late else rng.choice(moments))
        shelf.disturb()

    def _movable(self, shelf: Shelf) -> list[Record]:
        settles = shelf.spec.settles_s
        return [
            record
            for record in shelf.records
            if record.exists and (settles is None or record.reported + settles > self.clock.now)
        ]

    def _add(self, shelf: Shelf, reported: int) -> Record:
        event = make_event(self.rng, self.population, len(self.events) + 1, reported - 300)
        self.events.append(event)
        record = self._report(shelf, event, reported, moving=True)
        shelf.records.append(record)
        return record

    def _go_on(self, record: Record, at: int) -> None:
        if record.last.stage + 1 < len(record.path):
            self._append(record, at, stage=record.last.stage + 1)
        else:
            self._amend(record, at)

    def _amend(self, record: Record, at: int) -> None:
        """Re-categorise every other time, else change the text."""
        if self.rng.random() < 0.5:
            self._append(record, at, category=other_category(self.rng, record.last.category))
        else:
            self._append(record, at, amended=record.last.amended + 1)

    @staticmethod
    def _append(
        record: Record,
        at: int,
        stage: int | None = None,
        category: str | None = None,
        amended: int | None = None,
        op: str = "u",
    ) -> None:
        last = record.last
        record.versions.append(
            Version(
                max(at, last.at),
                last.stage if stage is None else stage,
                category or last.category,
                last.amended if amended is None else amended,
                op,
            )
        )

    def _bring_back(self, shelf: Shelf, moments: list[int]) -> None:
        """Now and then a withdrawn record returns."""
        gone = [record for record in shelf.records if not record.exists and record.last.at < moments[0] - TICK_S]
        if gone and self.rng.random() < 0.15 and shelf.spec.settles_s is None:
            self._append(self.rng.choice(gone), self.rng.choice(moments), op="i")

    def shift(self, key: str) -> None:
        """Make rows move between pages without the clock moving: change the first rows in order, and add one."""
        shelf = self.shelves[key]
        for row in list(shelf.rows[:3]):
            if row.record.exists and row.record.absurd is None and shelf.spec.settles_s is None:
                self._append(row.record, self.clock.latest, amended=row.record.last.amended + 1)
        self._add(shelf, self.clock.latest)
        shelf.disturb()

    def plant(self, key: str, kind: str) -> Record:
        """An extra record that will be served as nonsense of the given kind; truth lists it apart."""
        shelf = self.shelves[key]
        event = make_event(self.rng, self.population, len(self.events) + 1, self.clock.latest - 3600)
        self.events.append(event)
        record = self._report(shelf, event, self.clock.latest)
        # A number range of its own keeps the ids of honest records what they would have been.
        record.number = 9_000_000 + len(shelf.absurd)
        record.native_id = shelf.spec.numbering(record.number, record.reported, self.seed)
        record.absurd = kind
        shelf.absurd.append(record)
        shelf.disturb()
        return record


def sizes(scale: int, weights: Mapping[str, float] | None = None) -> dict[str, int]:
    """How many records each stream gets; the sum is roughly `scale`, and no stream in use is empty."""
    shares = {spec.key: spec.weight for spec in STREAMS}
    if weights is not None:
        shares = {spec.key: weights.get(spec.key, weights.get(spec.system, 0.0)) for spec in STREAMS}
    total = sum(shares.values())
    if not total:
        raise ValueError(f"no stream is named by {sorted(weights or ())}: use system or system.stream")
    return {key: max(1, round(scale * share / total)) for key, share in shares.items() if share > 0}
