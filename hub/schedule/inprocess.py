"""The engine of one process: APScheduler wakes the planner, a bounded set of threads works off a priority queue."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from hub.clock import now
from hub.errors import HubError
from hub.schedule.outage import Outage
from hub.schedule.ticket import LANES, Busy, Execute, Lane, Running, Snapshot, Ticket

__all__ = ["InProcessEngine"]

log = logging.getLogger("hub.schedule")
_TICK_S = 1
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


class InProcessEngine:
    """Runs tickets in threads. A key never runs twice at once here, and never waits twice; the last slot is never
    given to the bulk lane, so that what is due every minute is not delayed by what takes hours."""

    def __init__(self, plan: Callable[[datetime], list[Ticket]] | None = None) -> None:
        self._plan = plan
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._heap: list[tuple[datetime, int, int, Ticket]] = []
        self._waiting: dict[str, datetime] = {}
        self._running: dict[str, tuple[str, datetime, threading.Event]] = {}
        self._taken: dict[str, Ticket] = {}
        self._slots = 1
        self._lanes: tuple[Lane, ...] = LANES
        self._outage = Outage("planner", "cannot plan", "plans again")

    def submit(self, tickets: Sequence[Ticket]) -> int:
        accepted = 0
        with self._changed:
            for ticket in map(self._hurried, tickets):
                if ticket is None:
                    continue
                self._waiting[ticket.key] = now()
                entry = (ticket.not_before or _AT_ONCE, -ticket.priority, next(self._order), ticket)
                heapq.heappush(self._heap, entry)
                accepted += 1
            self._changed.notify_all()
        return accepted

    def serve(self, execute: Execute, *, slots: int, stop: threading.Event, lanes: Sequence[Lane] = LANES) -> None:
        self._slots, self._lanes = slots, tuple(lanes)
        scheduler = BackgroundScheduler(timezone=UTC)
        if self._plan is not None:
            scheduler.add_job(
                self._tick, "interval", seconds=_TICK_S, max_instances=1, coalesce=True, next_run_time=now()
            )
        workers = [
            threading.Thread(target=self._work, args=(execute, stop), name=f"worker-{number}")
            for number in range(slots)
        ]
        scheduler.start()
        for worker in workers:
            worker.start()
        while not stop.wait(_TICK_S):
            # Not without a limit: a signal that the system hands to another thread wakes nobody who waits.
            continue
        scheduler.shutdown(wait=True)
        with self._changed:
            for _, _, halt in self._running.values():
                halt.set()
            self._changed.notify_all()
        for worker in workers:
            worker.join()

    def cancel(self, key: str) -> bool:
        with self._changed:
            if key in self._running:
                self._running[key][2].set()
                return True
            if key not in self._waiting:
                return False
            self._withdraw(key)
            return True

    def snapshot(self) -> Snapshot:
        with self._changed:
            running = tuple(Running(key, worker, since) for key, (worker, since, _) in self._running.items())
            return Snapshot(tuple(self._waiting), running, (), min(self._waiting.values(), default=None))

    def _hurried(self, ticket: Ticket) -> Ticket | None:
        """The ticket to put in, after making room for it; None if one waits that is as urgent and as soon."""
        if ticket.key not in self._waiting:
            return ticket
        waiting = next(entry[3] for entry in self._heap if entry[3].key == ticket.key)
        urgent = ticket.priority > waiting.priority
        if not urgent and (ticket.not_before or _AT_ONCE) >= (waiting.not_before or _AT_ONCE):
            return None
        self._withdraw(ticket.key)
        return ticket if urgent else waiting._replace(not_before=ticket.not_before)

    def _withdraw(self, key: str) -> None:
        del self._waiting[key]
        self._heap = [entry for entry in self._heap if entry[3].key != key]
        heapq.heapify(self._heap)

    def _tick(self) -> None:
        assert self._plan is not None
        with self._outage.told():
            self.submit(self._plan(now()))

    def _work(self, execute: Execute, stop: threading.Event) -> None:
        while (ticket := self._take(stop)) is not None:
            halt = self._running[ticket.key][2]
            again: Ticket | None = None
            try:
                outcome = execute(ticket, halt)
                if isinstance(outcome, Busy):
                    again = ticket._replace(not_before=outcome.until + timedelta(seconds=1))
            except HubError as error:
                log.warning("%s", error, extra={"action": "ticket_lost", "key": ticket.key})
            except Exception:
                # execute() turns every error of a run into its outcome; what still arrives here must not end the
                # worker.
                log.exception("defect in a worker", extra={"action": "defect", "key": ticket.key})
            with self._changed:
                del self._running[ticket.key], self._taken[ticket.key]
                self._changed.notify_all()
            if again is not None:
                self.submit([again])

    def _take(self, stop: threading.Event) -> Ticket | None:
        """The first ticket whose time has come and which may run beside those that do; None once `stop` is set."""
        with self._changed:
            while not stop.is_set():
                moment = now()
                ready = [entry for entry in self._heap if entry[0] <= moment and self._may_run(entry[3])]
                if ready:
                    entry = min(ready, key=lambda item: item[1:3])
                    self._heap.remove(entry)
                    heapq.heapify(self._heap)
                    ticket = entry[3]
                    del self._waiting[ticket.key]
                    self._taken[ticket.key] = ticket
                    self._running[ticket.key] = (threading.current_thread().name, moment, threading.Event())
                    return ticket
                self._changed.wait(_TICK_S)
            return None

    def _may_run(self, ticket: Ticket) -> bool:
        bulk = sum(other.lane == "bulk" for other in self._taken.values())
        if ticket.lane == "bulk" and len(self._lanes) > 1 and bulk >= max(1, self._slots - 1):
            return False
        locks = {other.lock for other in self._taken.values()}
        return ticket.lane in self._lanes and ticket.key not in self._running and ticket.lock not in locks
