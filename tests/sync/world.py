"""A simulated world: an upstream that lives while the hub reads it, and a hub that dies, is fenced and comes again.

One seed is one world. Upstream inserts, updates, withdraws and brings back records, commits late with old timestamps,
gives several records one timestamp, moves rows between pages by changing them, steps its clock five minutes either way
or to the year 2999, lets tokens expire and fails in every way; processes die before or after any commit or in the
middle of a fetch, are paused until another owner takes over, are stopped. Afterwards: store = truth, history monotone,
accounting closed, feed complete, and nothing was ever buried that was there all the time.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig import MAPPING, START, STREAM, Clock, Hurry, Mortal, Rig, Sudden, open_store, write_mapping
from upstream import Upstream

from hub.errors import (
    EnvelopeError,
    HubError,
    LoginPageError,
    Outcome,
    QuotaSpentError,
    RateLimitedError,
    TokenExpiredError,
    UnavailableError,
)  # fmt: skip
from hub.store import deletions
from hub.store.page import Counts

__all__ = ["World", "play"]

MINUTE = 60_000
#: Rows are committed at most so long after the instant they carry; the lookback (10 min) covers this and a clock step.
LATEST = 4 * MINUTE
STEP = 5 * MINUTE
JUMP = int(datetime(2999, 1, 1, tzinfo=UTC).timestamp() * 1000) - START
#: A row this much older than the moment of its commit is beyond what an incremental run promises to find.
PROMISED = 9 * MINUTE + 1000
_FAULTS: tuple[Callable[[], HubError], ...] = (
    lambda: UnavailableError("down"),
    lambda: RateLimitedError("slow down", retry_after=0.1),
    lambda: QuotaSpentError("come tomorrow"),
    lambda: EnvelopeError("code 99"),
    lambda: LoginPageError("please sign in"),
    lambda: TokenExpiredError("token expired"),
)
_AS_THEY_SHOULD_END = {
    Outcome.OK, Outcome.PARTIAL, Outcome.UNAVAILABLE, Outcome.FAILED, Outcome.REFUSED, Outcome.INTERRUPTED,
    Outcome.BUSY, Outcome.BREACHED,
}  # fmt: skip


@dataclass
class World:
    """`log`: the upstream is an exchange table, whose rows are versions (`i`, `u`, `d`) and are never removed."""

    seed: int
    store: Mortal
    rig: Rig
    clock: Clock
    log: bool
    since: int
    upstream: Upstream = field(default_factory=Upstream)
    skew: int = 0
    tick: int = 0
    still: bool = False
    made: int = 0
    told: int = 0
    began: list[int] = field(default_factory=lambda: [0])
    absent_at: dict[str, int] = field(default_factory=dict)
    back_at: dict[str, int] = field(default_factory=dict)
    promised: dict[str, bool] = field(default_factory=dict)
    withdrawn: list[dict[str, Any]] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    stop: Hurry = field(default_factory=Hurry)
    kills: int = 0
    faults: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.rig.transport = self.upstream
        self.upstream.size = self.random.choice((1, 2, 3, 5))
        self.upstream.before_fetch = self.meanwhile
        self.rig.set(deletion_rows=4, deletion_share=0.3, retries=2)
        self.ids = [f"r{number:02}" for number in range(self.random.choice((4, 9, 16)))]
        self.title = 0

    # The upstream

    @property
    def source_now(self) -> int:
        return self.clock.now + self.skew

    def meanwhile(self, upstream: Upstream) -> None:
        """What happens at the source just before it answers."""
        upstream.clock = self.source_now
        window, position = upstream.windows[-1]
        if window.since is None and window.until is None and position is None:
            self.began.append(self.tick)
        if self.still:
            return
        self.clock.now += self.random.randrange(3000)
        for _ in range(self.random.choice((0, 0, 1, 1, 2, 4))):
            self.happen()
        upstream.clock = self.source_now
        self.fail()

    def fail(self) -> None:
        lot = self.random.random()
        if lot < 0.10:
            error = self.random.choice(_FAULTS)()
            self.faults += 1
            self.tell(f"fault {type(error).__name__}")
            raise error
        if lot < 0.13:
            self.tell("dies in a fetch")
            self.kills += 1
            raise Sudden
        if lot < 0.16:
            self.tell("is told to stop")
            self.stop.set()

    def happen(self) -> None:
        """One thing that changes at the source."""
        self.tick += 1
        lot = self.random.random()
        if lot < 0.06:
            self.skew = self.random.choice((-STEP, 0, 0, STEP))
            self.tell(f"clock step to {self.skew // 1000} s")
        elif lot < 0.08:
            self.skew = JUMP
            self.tell("clock jumps to 2999")
        elif self.skew == JUMP and lot < 0.5:
            self.skew = 0
            self.tell("clock is right again")
        elif self.log:
            self.write_log(self.random.choice(self.ids))
        else:
            self.write_state(self.random.choice(self.ids))

    def moment(self) -> int:
        """A timestamp for a change: now, or some time ago because its transaction took long. In whole seconds, so that
        many are equal."""
        late = self.random.randrange(LATEST) if self.random.random() < 0.3 else 0
        return (self.source_now - late) // 1000 * 1000

    def write_state(self, identity: str) -> None:
        present = next((row for row in self.upstream.records if row["id"] == identity), None)
        lot = self.random.random()
        if present is None:
            gone = next((row for row in self.withdrawn if row["id"] == identity), None)
            if gone is not None and lot < 0.5:
                self.put(gone)
                self.tell(f"{identity} returns as it was")
            else:
                self.put(self.fresh(identity))
                self.tell(f"{identity} comes")
        elif lot < 0.25:
            self.upstream.drop(identity)
            self.withdrawn.insert(0, present)
            self.absent_at[identity] = self.tick
            self.tell(f"{identity} goes")
        elif lot < 0.35:
            self.put(present | {"touched": self.tick})
            self.tell(f"{identity} is touched")
        else:
            self.put(self.fresh(identity))
            self.tell(f"{identity} changes")

    def fresh(self, identity: str) -> dict[str, Any]:
        self.title += 1
        return {"id": identity, "at": self.moment(), "title": f"version {self.title}", "who": f"name {self.title}"}

    def put(self, record: dict[str, Any]) -> None:
        identity = record["id"]
        before = next((row for row in self.upstream.records if row["id"] == identity), None)
        if before is None:
            self.absent_at[identity] = self.tick
        elif record["at"] <= before["at"]:
            self.back_at[identity] = self.tick
        self.promised[identity] = record["at"] >= self.clock.now - PROMISED
        self.upstream.drop(identity)
        self.upstream.records.append(record)

    def write_log(self, identity: str) -> None:
        self.made += 1
        operation = self.random.choice("iuuud")
        row = self.fresh(identity) | {"op": operation, "no": self.made, "order": f"{self.made:06}"}
        mine = [former for former in self.upstream.records if former["id"] == identity]
        if mine and mine[-1]["at"] > self.clock.now - LATEST and self.random.random() < 0.4:
            # Nothing of it that is mapped is new, or only the operation.
            row |= {key: mine[-1][key] for key in ("at", "title", "who")}
        self.upstream.records.append(row)
        self.promised[identity] = True
        self.tell(f"{identity} {operation} at {row['at'] - START}")

    def truth(self) -> dict[str, tuple[str, int]]:
        """native id → (title, at) of what the source has now."""
        if not self.log:
            return {f'"{row["id"]}"': (row["title"], row["at"]) for row in self.upstream.records}
        latest: dict[str, dict[str, Any]] = {}
        for row in sorted(self.upstream.records, key=lambda row: (row["at"], row["no"])):
            latest[row["id"]] = row
        return {f'"{name}"': (row["title"], row["at"]) for name, row in latest.items() if row["op"] != "d"}

    # The hub

    def live(self, steps: int) -> None:
        for _ in range(self.random.randrange(3, 12)):
            self.happen()
        for _ in range(steps):
            self.clock.now += self.random.choice((0, 1000, MINUTE, 20 * MINUTE))
            self.one_run()
            self.decide_held()
            self.check()

    def one_run(self) -> None:
        full = self.random.random() < 0.3
        limit = self.random.choice((None, None, None, 2))
        lot = self.random.random()
        self.stop.clear()
        self.tell(f"-- {'full refresh' if full else 'incremental'} limit {limit}")
        if lot < 0.3:
            committed = self.random.random() < 0.5
            self.store.live(self.random.randrange(1, 14), committed=committed)
            self.tell(f"will die {'after' if committed else 'before'} commit {self.store.die_at}")
        elif lot < 0.42:
            self.taken_over(full)
            return
        try:
            result = self.rig.run(full=full, limit=limit, stop=self.stop)
        except Sudden:
            self.kills += 1
            self.tell("died")
            self.bury_process()
        else:
            self.tell(f"{result.outcome} {counted(result.counts)} {result.error or ''}")
            assert result.outcome in _AS_THEY_SHOULD_END, result.error
            assert "defect" not in str(result.error), result.error
        self.store.live()
        self.check_buried()

    def bury_process(self) -> None:
        """The dead process held a lease, perhaps; another comes too early or once it has run out."""
        self.store.live()
        if self.random.random() < 0.5:
            self.still, still = True, self.still
            early = self.rig.run(owner="too early", stop=Hurry())
            self.still = still
            assert early.outcome in {Outcome.BUSY, Outcome.OK, Outcome.PARTIAL, Outcome.BREACHED}, early.error
            self.tell(f"too early: {early.outcome}")
        self.clock.now += 91_000

    def taken_over(self, full: bool) -> None:
        """A run is paused before a commit until its lease has run out and another owner has done a whole run."""
        pause, done = self.random.randrange(4, 9), []
        other = replace(self.rig, store=open_store(self.store.url, kind=Mortal), owner="another")
        self.still = True

        def paused(number: int) -> None:
            if number == pause:
                self.clock.now += 91_000
                done.append(other.run(full=self.random.random() < 0.5))

        self.store.live()
        self.store.before_write = paused
        result = self.rig.run(full=full)
        self.store.before_write = lambda number: None
        self.still = False
        other.store.close()
        self.tell(f"paused before commit {pause}: {result.outcome}; the other: {[one.outcome for one in done]}")
        assert result.outcome in {Outcome.OK, Outcome.PARTIAL, Outcome.FENCED, Outcome.BREACHED}, result.error
        if result.outcome is Outcome.FENCED:
            assert done, "fenced by nobody"
        self.check_buried()

    def decide_held(self) -> None:
        for held in deletions.list_held(self.store):
            if held.source == self.rig.key and self.random.random() < 0.5:
                approve = self.random.random() < 0.5
                deletions.decide(self.store, held.id, approve=approve, actor="wang", now=self.clock.now)
                self.tell(f"held deletion {'approved' if approve else 'rejected'}")
                self.told = len(self.rig.changes())

    # What must hold

    def check(self) -> None:
        self.rig.check()

    def check_buried(self) -> None:
        """A record that the source had all through the reading, and did not move behind its position, is never buried."""
        feed = self.rig.changes()
        names = dict(self.rig.all("SELECT id, native_id FROM incident WHERE source = ?", self.rig.key))
        for change in feed[self.told :]:
            name = names[change.id].strip('"')
            if change.op == "delete" and not self.log:
                moved = max(self.absent_at.get(name, 0), self.back_at.get(name, 0))
                assert moved >= min(self.began) or f'"{name}"' not in self.truth(), f"{name} was there all the time"
        self.told = len(feed)
        self.began = self.began[-1:]

    def come_to_rest(self) -> None:
        """Nothing changes any more: a few runs must find everything they promise, complete readings the rest."""
        self.still = True
        self.skew = 0 if self.skew == JUMP else self.skew
        self.store.live()
        self.clock.now += 91_000
        for _ in range(4):
            result = self.rig.run()
            assert result.outcome in {Outcome.OK, Outcome.PARTIAL}, result.error
            self.clock.now += 1000
        living, truth = self.rig.living(), self.truth()
        for name, version in truth.items():
            if self.promised[name.strip('"')]:
                assert living.get(name) == version, f"{name}: {living.get(name)} instead of {version}"
        for _ in range(3):
            result = self.rig.run(full=True)
            assert result.outcome in {Outcome.OK, Outcome.PARTIAL, Outcome.BREACHED}, result.error
            for held in deletions.list_held(self.store):
                if held.source == self.rig.key:
                    deletions.decide(self.store, held.id, approve=True, actor="wang", now=self.clock.now)
            self.clock.now += 1000
        if truth or self.log:
            assert self.rig.living() == truth
        self.rig.check()
        self.rig.check_raw()
        enumerations = self.rig.all(
            "SELECT count(*) FROM seen_page WHERE enumeration IN (SELECT id FROM run WHERE source = ?)", self.rig.key
        )
        assert enumerations[0][0] == 0
        assert self.rig.state()[1] == "{}"

    def tell(self, line: str) -> None:
        self.story.append(line)


def counted(counts: Counts) -> str:
    return f"{counts.fetched}={counts.new}+{counts.changed}+{counts.unchanged}+{counts.quarantined}"


LOG_MAPPING = MAPPING.replace("title = {", 'channel = "op"\ntitle = {')


def play(seed: int, store: Mortal, folder: Path, clock: Clock, since: int = 0) -> World:
    """Live one world to its end. AssertionError tells the seed and the story if anything does not hold."""
    log = seed % 3 == 0
    clock.now = START
    mappings = write_mapping(folder / ("log" if log else "state"), LOG_MAPPING if log else MAPPING)
    stream = STREAM
    if log:
        stream = replace(STREAM, log=True, complete=False, operation="op", deletes=("d",))
    rig = Rig(store, mappings, Upstream(), stream=stream, source=f"w{seed}", key=f"w{seed}", first_seq=since)
    world = World(seed, store, rig, clock, log, since)
    try:
        world.live(world.random.randrange(4, 10))
        world.come_to_rest()
    except (AssertionError, Exception) as error:
        story = "\n".join(world.story)
        raise AssertionError(f"world {seed} ({'log' if log else 'state'}) broke: {error}\n{story}") from error
    return world
