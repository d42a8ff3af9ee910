"""`hub serve` and `hub worker`: plan and work in one process until stopped, on whichever engine hub.toml names."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from hub.clock import now, now_ms
from hub.config import SourceSettings
from hub.errors import HubError, Outcome, OverdueError
from hub.schedule.inprocess import InProcessEngine
from hub.schedule.plan import Planned, plan, register
from hub.schedule.ticket import LANES, Busy, Engine, Lane, Ticket
from hub.source.stream import Stream
from hub.store.due import FULL_REFRESH, hasten, recall_ahead, resume_interrupted, settled_keys
from hub.store.filling import make_read_indices
from hub.store.leases import free_dead
from hub.store.retention import prune
from hub.store.store import Transaction
from hub.sync.result import RunResult
from hub.sync.run import RunOptions, StreamRun
from hub.sync.sources import Hub, OpenSource

__all__ = ["Planner", "Runner", "engine_of", "planned_streams", "serve"]

log = logging.getLogger("hub.schedule")
_OFTEN = timedelta(hours=1)
_LOW = -1
_PRUNE = Planned("", "prune", "", "never", whole=True, waits=True)
#: A full refresh that a source, or its own deadline, cut short goes on after this, not at its next slot in a week.
_GO_ON_MS = 600_000


class Runner:
    """Executes tickets. Sources are opened once and kept, so that a run in a living process costs only its work."""

    def __init__(self, hub: Hub, done: Callable[[RunResult], None] | None = None) -> None:
        self._hub, self._done = hub, done or (lambda result: None)
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._open: dict[str, OpenSource] = {}

    def execute(self, ticket: Ticket, stop: threading.Event) -> Outcome | Busy:
        """One run under its lease. A source that cannot be opened is an outcome like any other."""
        if ticket.key == _PRUNE.key:
            return self._prune(stop)
        name, stream, place = ticket.parts
        beside = ticket.full_refresh and place == FULL_REFRESH
        partition = "" if beside else place
        try:
            source = self._source(name)
            job = self._hub.job(source, source.stream(stream), partition)
            options = RunOptions(full_refresh=ticket.full_refresh, beside=beside, limit=ticket.limit, mark=ticket.mark)
            result = StreamRun(self._hub.store, job, owner=self._hub.owner, options=options, stop=stop).execute()
        except HubError as error:
            result = RunResult(source=name, stream=stream, outcome=error.outcome, error=error.within(source=name))
        if isinstance(result.error, OverdueError):
            # Whatever the call that hangs holds (a lock, a connection), the next run shall not wait for it.
            with self._lock:
                self._open.pop(name, None)
        self._done(result)
        if beside and result.outcome is Outcome.UNAVAILABLE:
            hasten(self._hub.store, name, stream, place, now_ms() + _GO_ON_MS)
        if result.outcome is Outcome.BUSY and result.error is not None:
            until = result.error.values.get("until")
            if isinstance(until, int):
                return Busy(datetime.fromtimestamp(until / 1000, UTC))
        return result.outcome

    def close(self) -> None:
        self._stack.close()

    def _prune(self, stop: threading.Event) -> Outcome:
        done = prune(self._hub.store, self._hub.settings.retention, now(), stop.is_set, self._hub.owner)
        log.info("pruned: %s", asdict(done), extra={"action": "pruned"})
        return Outcome.INTERRUPTED if stop.is_set() else Outcome.OK

    def _source(self, name: str) -> OpenSource:
        with self._lock:
            if name not in self._open:
                self._open[name] = self._stack.enter_context(self._hub.open(name))
            return self._open[name]


class Planner:
    """What of hub.toml is due, as tickets with their lanes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        wanted = [*planned_streams(hub), *_planned_pruning(hub)]
        self._wanted = {item.key: item for item in wanted}
        self._keys = {item.source: hub.key(item.source) for item in wanted if item.source}
        make_read_indices(hub.store)
        self._planned = now()
        register(hub.store, wanted, hub.settings.defaults.zone, self._planned)
        if hub.settings.engine.kind == "inprocess":
            # Tickets lived in the memory of a process that is gone; a queue keeps them by itself.
            free_dead(hub.store, _lives)
            resume_interrupted(hub.store, now_ms())

    def plan(
        self, moment: datetime, submit: Callable[[Transaction, list[Ticket]], object] | None = None
    ) -> list[Ticket]:
        """Take what is due. `submit` gets the tickets within the planning transaction."""

        def dress(transaction: Transaction, tickets: list[Ticket]) -> None:
            settled = settled_keys(transaction)
            made[:] = [self._ticket(ticket, settled) for ticket in tickets]
            if submit is not None:
                submit(transaction, made)

        made: list[Ticket] = []
        if moment < self._planned:
            recall_ahead(self._hub.store, int(moment.timestamp() * 1000))
        self._planned = moment
        plan(self._hub.store, moment, submit=dress)
        return made

    def _ticket(self, ticket: Ticket, settled: set[tuple[str, str, str]]) -> Ticket:
        """A first reading, and one that was left unfinished, may take hours: it goes to the bulk lane."""
        source, stream, partition = ticket.parts
        item = self._wanted.get(ticket.key)
        bulk = (self._keys.get(source, source), stream, partition) not in settled or (item is not None and item.whole)
        ticket = ticket._replace(lane="bulk" if bulk else "live", alone=item.alone if item is not None else "")
        if item is not None and item.refresh:
            return ticket._replace(full_refresh=True, priority=_LOW, reason="refresh")
        return ticket


def planned_streams(hub: Hub) -> list[Planned]:
    """Every stream of every enabled source with a schedule. A source that cannot be opened is logged and left out."""
    found = []
    for name in hub.source_names():
        try:
            with hub.open(name) as source:
                for stream in source.streams:
                    found += _planned(name, source.settings, stream)
        except HubError as error:
            log.error("%s", error, extra={"action": "source_left_out", "source": name})
        except Exception as error:
            # The connector's own code: a foreign defect of one source never hurts the others.
            log.error("defect", exc_info=error, extra={"action": "source_left_out", "source": name})
    return found


def _planned(name: str, settings: SourceSettings, stream: Stream) -> list[Planned]:
    alone = "" if settings.parallel else name
    parts = stream.partitions or ("",)
    found = []
    rule, again = settings.schedule, settings.full_refresh
    if rule is not None and rule.comes_due:
        seldom = rule.every is None or rule.every >= _OFTEN
        whole = stream.cursor is None and stream.complete and seldom
        found += [Planned(name, stream.name, part, rule.text, alone, whole) for part in parts]
    # Without a cursor every reading is whole; a log never shows what is missing from it.
    if again is not None and again.comes_due and stream.cursor is not None and stream.complete:
        found.append(Planned(name, stream.name, FULL_REFRESH, again.text, alone, whole=True, waits=True, refresh=True))
    return found


def _planned_pruning(hub: Hub) -> list[Planned]:
    keep = hub.settings.retention
    return [_PRUNE._replace(rule=keep.schedule.text)] if keep.limited and keep.schedule.comes_due else []


def _lives(owner: str) -> bool:
    """Whether the process of this name may still be there: of another machine's nothing is known."""
    host, _, rest = owner.partition(":")
    pid = rest.partition(":")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def engine_of(hub: Hub, planner: Planner | None = None) -> Engine:
    """The engine that `[engine] kind` names. Without a planner it only takes tickets and tells how it stands."""
    if hub.settings.engine.kind == "inprocess":
        return InProcessEngine(planner.plan if planner else None)
    # Also raises what is missing: the extra, PostgreSQL, `hub upgrade`.
    from hub.store.queue_schema import check_queue

    check_queue(hub.store)
    from hub.schedule.procrastinate import ProcrastinateEngine

    return ProcrastinateEngine(hub.store, hub.settings.engine, hub.owner, planner.plan if planner else None)


def serve(
    hub: Hub,
    stop: threading.Event,
    done: Callable[[RunResult], None] | None = None,
    *,
    slots: int | None = None,
    lanes: Sequence[Lane] = LANES,
) -> None:
    """Run the schedules until `stop` is set; then the pages in hand are finished. `done` is told of every run."""
    engine = engine_of(hub, Planner(hub))
    runner = Runner(hub, done)
    try:
        engine.serve(runner.execute, slots=slots or hub.settings.defaults.workers, stop=stop, lanes=lanes)
    finally:
        runner.close()
