"""`hub serve`: plan and work in one process until stopped."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime

from hub.clock import now
from hub.errors import HubError, Outcome
from hub.schedule.inprocess import InProcessEngine
from hub.schedule.plan import Planned, plan, register
from hub.schedule.ticket import Busy, Ticket
from hub.sync.result import RunResult
from hub.sync.run import StreamRun
from hub.sync.sources import Hub, OpenSource

__all__ = ["Runner", "planned_streams", "serve"]

log = logging.getLogger("hub.schedule")


class Runner:
    """Executes tickets. Sources are opened once and kept, so that a run in a living process costs only its work."""

    def __init__(self, hub: Hub, done: Callable[[RunResult], None] | None = None) -> None:
        self._hub, self._done = hub, done or (lambda result: None)
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._open: dict[str, OpenSource] = {}

    def execute(self, ticket: Ticket, stop: threading.Event) -> Outcome | Busy:
        """One run under its lease. A source that cannot be opened is an outcome like any other."""
        name, stream, partition = ticket.parts
        try:
            source = self._source(name)
            job = self._hub.job(source, source.stream(stream), partition)
            result = StreamRun(self._hub.store, job, owner=self._hub.owner, stop=stop).execute()
        except HubError as error:
            result = RunResult(source=name, stream=stream, outcome=error.outcome, error=error.within(source=name))
        self._done(result)
        if result.outcome is Outcome.BUSY and result.error is not None:
            until = result.error.values.get("until")
            if isinstance(until, int):
                return Busy(datetime.fromtimestamp(until / 1000, UTC))
        return result.outcome

    def close(self) -> None:
        self._stack.close()

    def _source(self, name: str) -> OpenSource:
        with self._lock:
            if name not in self._open:
                self._open[name] = self._stack.enter_context(self._hub.open(name))
            return self._open[name]


def planned_streams(hub: Hub) -> list[Planned]:
    """Every stream of every enabled source with a schedule. A source that cannot be opened is logged and left out."""
    found = []
    for name in hub.source_names():
        try:
            with hub.open(name) as source:
                rule = source.settings.schedule
                found += [Planned(name, stream.name, "", rule.text) for stream in source.streams if rule is not None]
        except HubError as error:
            log.error("%s", error, extra={"action": "source_left_out", "source": name})
    return found


def serve(hub: Hub, stop: threading.Event, done: Callable[[RunResult], None] | None = None) -> None:
    """Run the schedules until `stop` is set; then the pages in hand are finished. `done` is told of every run."""
    register(hub.store, planned_streams(hub), hub.settings.defaults.zone, now())
    runner = Runner(hub, done)
    try:
        engine = InProcessEngine(lambda moment: plan(hub.store, moment))
        engine.serve(runner.execute, slots=hub.settings.defaults.workers, stop=stop)
    finally:
        runner.close()
