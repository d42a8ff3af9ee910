"""A sync that a person asks for where many workers do the work: submitted to the queue, then followed in the run book."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hub.clock import now_ms
from hub.errors import FailedError, HubError, Outcome, UnavailableError
from hub.schedule.serve import engine_of
from hub.schedule.ticket import Lane, Ticket
from hub.source.stream import Stream
from hub.store import queue
from hub.store.due import FULL_REFRESH, settled_keys
from hub.store.runs import RunRow, marked_runs
from hub.sync.result import RunResult
from hub.sync.run import RunOptions
from hub.sync.sources import Hub, OpenSource

__all__ = ["Follower"]

log = logging.getLogger("hub.schedule")
_LOOK_S = 0.5
_PERSON = 10
#: Machines disagree about the time by less than this.
_SKEW_MS = 3_600_000

Told = Callable[[RunResult], None]


@dataclass(slots=True)
class _Asked:
    """One ticket on its way. `mark` may become another's: a more urgent request for the same key takes its place."""

    source: str
    source_key: str
    stream: str
    ticket: Ticket
    mark: str
    pages: int = 0


@dataclass(slots=True)
class Follower:
    """Submits runs and follows them. `progress` is called when pages were stored, `done` when a run has ended."""

    hub: Hub
    progress: Told
    done: Told
    results: list[RunResult] = field(default_factory=list)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _since: int = 0
    _served_at: float = 0.0
    _reached_at: float = 0.0

    @property
    def under_way(self) -> tuple[str, ...]:
        """Keys of what was submitted and has not ended."""
        return tuple(self._asked)

    def submit(self, names: Sequence[str], options: RunOptions, stream: str | None) -> None:
        """Put the streams of these sources into the queue, ahead of the schedule. What is wrong with a section or its
        mapping is found here and becomes a result; nothing is submitted for it."""
        engine = engine_of(self.hub)
        with self.hub.store.read() as transaction:
            settled = settled_keys(transaction)
        for name in names:
            try:
                with self.hub.open(name) as source:
                    self._add(source, [source.stream(stream)] if stream else source.streams, options, settled)
            except HubError as error:
                self._end(
                    RunResult(source=name, stream=stream or "", outcome=error.outcome, error=error.within(source=name))
                )
            except Exception as error:
                # The connector's own code, opening: a foreign defect of one source never hurts the others.
                log.error("defect in a source", exc_info=error, extra={"action": "defect", "source": name})
                failed = FailedError("a defect: {error}", error=type(error).__name__, remedy="see the log")
                self._end(
                    RunResult(
                        source=name, stream=stream or "", outcome=failed.outcome, error=failed.within(source=name)
                    )
                )
        self._since = now_ms() - _SKEW_MS
        engine.submit([asked.ticket for asked in self._asked.values()])
        for key, mark, status in queue.jobs_of(self.hub.store, list(self._asked)):
            # Somebody has asked for the same a moment ago: theirs is ours.
            if status == "todo" and mark:
                self._asked[key].mark = mark

    def follow(self, stop: threading.Event) -> None:
        """Look again and again until every run has ended or `stop` is set; then the rest goes on without us."""
        self._served_at = self._reached_at = time.monotonic()
        while self._asked and not stop.wait(_LOOK_S):
            try:
                self._look()
                self._reached_at = time.monotonic()
            except UnavailableError:
                # A database that is started anew comes back; the runs go on whether we see them or not.
                if time.monotonic() - self._reached_at > self._patience_s:
                    raise

    @property
    def _patience_s(self) -> float:
        return self.hub.settings.engine.dead_after.total_seconds()

    def _add(
        self, source: OpenSource, streams: Iterable[Stream], options: RunOptions, settled: set[tuple[str, str, str]]
    ) -> None:
        source_key = self.hub.key(source.name)
        for stream in streams:
            try:
                self.hub.job(source, stream).mapping.mapper()
            except HubError as error:
                marked = error.within(source=source.name, stream=stream.name)
                self._end(RunResult(source=source.name, stream=stream.name, outcome=error.outcome, error=marked))
                continue
            # A full refresh is read as a whole, beside the stream's own runs, which then need not wait for it.
            beside = options.full_refresh and stream.cursor is not None
            for place in (FULL_REFRESH,) if beside else stream.partitions or ("",):
                long = options.full_refresh or (source_key, stream.name, place) not in settled
                mark = secrets.token_hex(5)
                ticket = Ticket(
                    "/".join(part for part in (source.name, stream.name, place) if part), _PERSON, reason="person",
                    lane="bulk" if long else "live", alone="" if source.settings.parallel else source.name,
                    full_refresh=options.full_refresh, limit=options.limit, mark=mark,
                )  # fmt: skip
                self._asked[ticket.key] = _Asked(source.name, source_key, stream.name, ticket, mark)

    def _look(self) -> None:
        # The queue first: what is no longer in it has written all it will ever write into the run book.
        jobs = queue.jobs_of(self.hub.store, list(self._asked))
        served = queue.served_lanes(self.hub.store, self._patience_s)
        if any(asked.ticket.lane in served for asked in self._asked.values()):
            self._served_at = time.monotonic()
        for result in list(self._ended(jobs, served)):
            self._end(result)

    def _ended(self, jobs: list[tuple[str, str, str]], served: set[str]) -> Iterator[RunResult]:
        unserved = time.monotonic() - self._served_at > self._patience_s
        for key, asked in list(self._asked.items()):
            marks = [(mark, status) for found, mark, status in jobs if found == key]
            result = self._result(asked, marks)
            if result is None and unserved and not any(status == "doing" for _, status in marks):
                result = self._nobody(asked, asked.ticket.lane)
            if result is not None:
                del self._asked[key]
                yield result

    def _result(self, asked: _Asked, marks: list[tuple[str, str]]) -> RunResult | None:
        """The result of a ticket that has left the queue; None while it waits or runs."""
        runs = marked_runs(self.hub.store, asked.source_key, asked.stream, asked.mark, self._since)
        if runs and runs[-1].pages != asked.pages:
            asked.pages = runs[-1].pages
            self.progress(_of_row(asked.source, runs[-1]))
        if any(mark == asked.mark for mark, _ in marks):
            return None
        if runs:
            return _of_row(asked.source, runs[-1]) if runs[-1].outcome != Outcome.RUNNING else None
        others = [mark for mark, _ in marks if mark]
        if others:
            asked.mark = others[0]
            return None
        error = FailedError("it left the queue without a run", remedy="it was cancelled, or the worker's log says why")
        return _failed(asked, error)

    def _nobody(self, asked: _Asked, lane: Lane) -> RunResult:
        error = UnavailableError(
            "no worker serves the lane {lane}; the run waits in the queue", lane=lane,
            remedy="start hub worker, or run hub sync --here",
        )  # fmt: skip
        return _failed(asked, error)

    def _end(self, result: RunResult) -> None:
        self.results.append(result)
        self.done(result)


def _failed(asked: _Asked, error: HubError) -> RunResult:
    _, _, partition = asked.ticket.parts
    marked = error.within(source=asked.source, stream=asked.stream)
    return RunResult(source=asked.source, stream=asked.stream, partition=partition, outcome=error.outcome, error=marked)


def _of_row(source: str, row: RunRow) -> RunResult:
    """A run as the run book has it; what its worker said of an error is quoted as it stands."""
    error = None
    if row.error is not None:
        error = FailedError("its worker says: {said}", said=row.error)
    return RunResult(
        source=source, stream=row.stream, partition=row.partition, mode=row.mode, run_id=row.id,
        outcome=Outcome(row.outcome), counts=row.counts, requests=row.requests, pages=row.pages,
        duration_s=((row.finished_at or now_ms()) - row.started_at) / 1000, cursor=row.cursor, error=error,
    )  # fmt: skip
