"""The engine of many workers: Procrastinate carries tickets on the store's own PostgreSQL, whatever machine they run
on.

It is only a queue here. What is due comes from `plan`, in one transaction with the submission; who may write is
decided by the store's lease; and the dead are buried by the hub, because Procrastinate does not do it by itself and
frees a frozen worker's lock (its late finish then finds no job). Every worker plans and buries; the database sees to
it that one of them does.
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker
from psycopg import Error as DatabaseError
from psycopg_pool import PoolClosed, PoolTimeout
from sqlalchemy.engine import make_url

from hub.clock import now, now_ms
from hub.config import EngineSettings
from hub.errors import ConfigError, HubError, Outcome, UnavailableError
from hub.schedule.outage import Outage
from hub.schedule.ticket import LANES, Busy, Execute, Lane, Running, Snapshot, Ticket
from hub.store import queue
from hub.store.queue_schema import check_queue
from hub.store.store import Store, Transaction

__all__ = ["ProcrastinateEngine"]

log = logging.getLogger("hub.schedule")
_LOST = (ConnectorException, DatabaseError, PoolClosed, PoolTimeout, OSError)
_TICK_S = 1.0
#: A worker that lasts so long has joined the queue: one that cannot listen to it is let in and ends at once.
_SETTLED_S = 3.0
_HOUR_S = 3600.0
Plan = Callable[[datetime, Callable[[Transaction, list[Ticket]], object]], object]


class ProcrastinateEngine:
    """`plan(now, submit)` takes what is due and hands it to `submit` within its own transaction. `owner` names this
    process in leases, so that its death frees them."""

    def __init__(self, store: Store, settings: EngineSettings, owner: str, plan: Plan | None = None) -> None:
        if settings.dead_after < 2 * settings.heartbeat:
            raise ConfigError(
                "[engine] dead_after is less than two heartbeats",
                remedy="a living worker would be taken for dead; raise dead_after",
            )
        check_queue(store)
        self._store, self._settings, self._owner, self._plan = store, settings, owner, plan
        self._running: dict[str, threading.Event] = {}
        self._workers: list[Worker] = []
        self._joined = False
        self._outage = Outage("worker", "cannot go on", "goes on again")

    def submit(self, tickets: Sequence[Ticket]) -> int:
        with self._store.write() as transaction:
            return self._enqueue(transaction, tickets)

    def serve(self, execute: Execute, *, slots: int, stop: threading.Event, lanes: Sequence[Lane] = LANES) -> None:
        threads = sum(count for _, count in _shares(slots, lanes))
        with self._housekeeping(slots, lanes, stop), ThreadPoolExecutor(threads, thread_name_prefix="worker") as pool:
            while not stop.is_set():
                try:
                    asyncio.run(self._work(execute, pool, slots, lanes, stop))
                except _LOST as error:
                    # The database went away under the worker; runs under way have noticed by themselves.
                    self._lost(error)
                    stop.wait(_TICK_S)

    def cancel(self, key: str) -> bool:
        return queue.withdraw(self._store, key)

    def recover(self) -> list[str]:
        """Bury the dead; the keys whose runs were submitted again."""
        return queue.bury_dead(self._store, self._settings.dead_after.total_seconds())

    def snapshot(self) -> Snapshot:
        found = queue.queue_figures(self._store)
        running = tuple(Running(key, worker, _instant(since)) for key, worker, since in found.running)
        oldest = _instant(found.oldest_wait) if found.oldest_wait is not None else None
        return Snapshot(found.waiting, running, found.dead, oldest)

    # --- working --------------------------------------------------------------------------------------------------

    async def _work(
        self, execute: Execute, pool: ThreadPoolExecutor, slots: int, lanes: Sequence[Lane], stop: threading.Event
    ) -> None:
        app = App(connector=PsycopgConnector(**self._connection(len(lanes))))

        @app.task(name=queue.TASK, pass_context=True)
        async def sync(context: JobContext, /, **told: Any) -> None:
            await self._carry(execute, pool, _ticket(told), stop)

        async with app.open_async():
            self._workers = [self._worker(app, lane, count) for lane, count in _shares(slots, lanes)]
            working = [asyncio.create_task(_run(worker)) for worker in self._workers]
            since = time.monotonic()
            while not stop.is_set() and not any(task.done() for task in working):
                await asyncio.sleep(0.1)
                self._note_joined(since)
            for worker in self._workers:
                _stop(worker)
            if stop.is_set():
                for halt in list(self._running.values()):
                    halt.set()
            ended = await asyncio.gather(*working, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    def _note_joined(self, since: float) -> None:
        if not self._joined and time.monotonic() - since > _SETTLED_S:
            self._joined = True
            self._outage.end("queue")

    def _lost(self, error: BaseException) -> None:
        """A broken line to the queue is made anew and no trouble yet: if the whole database was away, housekeeping has told so,
        seconds earlier, and it may be over already."""
        reason = type(error).__name__
        if self._joined:
            log.info("joins the queue anew: %s", reason, extra={"action": "queue_lost"})
        else:
            self._outage.begin(UnavailableError("the queue cannot be reached: {reason}", reason=reason), "queue")
        self._joined = False

    def _worker(self, app: App, lane: Lane, slots: int) -> Worker:
        settings = self._settings
        return Worker(
            app, queues=[lane], name=f"{self._owner}/{lane}", concurrency=slots, install_signal_handlers=False,
            update_heartbeat_interval=settings.heartbeat.total_seconds(),
            stalled_worker_timeout=settings.dead_after.total_seconds(),
            fetch_job_polling_interval=settings.poll.total_seconds(),
            abort_job_polling_interval=settings.poll.total_seconds(), delete_jobs="always",
        )  # fmt: skip

    async def _carry(self, execute: Execute, pool: ThreadPoolExecutor, ticket: Ticket, stop: threading.Event) -> None:
        """One ticket in a thread of the pool. Cancelling the job asks its run to stop after the page in hand."""
        halt = self._running[ticket.key] = threading.Event()
        if stop.is_set():
            halt.set()
        run = asyncio.get_running_loop().run_in_executor(pool, self._execute, execute, ticket, halt, stop)
        try:
            await asyncio.shield(run)
        except asyncio.CancelledError:
            halt.set()
            await run
            raise
        finally:
            if self._running.get(ticket.key) is halt:
                del self._running[ticket.key]

    def _execute(self, execute: Execute, ticket: Ticket, halt: threading.Event, stop: threading.Event) -> None:
        try:
            outcome = execute(ticket, halt)
            if isinstance(outcome, Busy):
                self.submit([ticket._replace(not_before=outcome.until + timedelta(seconds=1))])
            elif outcome is Outcome.INTERRUPTED and stop.is_set():
                # Drained: the page in hand is stored, another worker goes on from there.
                self.submit([ticket])
        except HubError as error:
            log.warning("%s", error, extra={"action": "ticket_lost", "key": ticket.key})
        except Exception:
            # execute() turns every error of a run into its outcome; what still arrives here must not end the worker.
            log.exception("defect in a worker", extra={"action": "defect", "key": ticket.key})

    # --- planning, signs of life, burials -------------------------------------------------------------------------

    @contextmanager
    def _housekeeping(self, slots: int, lanes: Sequence[Lane], stop: threading.Event) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._keep_house, args=(slots, lanes, stop, ended), name="housekeeping")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _keep_house(self, slots: int, lanes: Sequence[Lane], stop: threading.Event, ended: threading.Event) -> None:
        """Beside the slots, so that no run of hours delays it. It goes on while the worker drains, else that would be
        buried."""
        chores: dict[str, tuple[float, Callable[[], object]]] = {
            "alive": (0, self._alive(slots, lanes)),
            "bury": (self._settings.reap.total_seconds(), self._bury),
            "forget": (_HOUR_S, lambda: queue.forget_old_jobs(self._store)),
        }
        if self._plan is not None:
            chores["plan"] = (_TICK_S, lambda: None if stop.is_set() else self._tick())
        due = dict.fromkeys(chores, 0.0)
        while not ended.wait(min(_TICK_S, self._settings.reap.total_seconds()) / 4):
            for name, (every, chore) in chores.items():
                if time.monotonic() >= due[name]:
                    due[name] = time.monotonic() + (every if self._try(name, chore) else min(every, _TICK_S))
        self._try("sign off", lambda: queue.sign_off(self._store, self._owner))

    def _try(self, name: str, chore: Callable[[], object]) -> bool:
        """False: it is to be tried again soon, so that the end of its trouble is known."""
        try:
            with self._outage.told(name):
                chore()
                return True
        except Exception:
            # Without this thread the worker would look dead: a defect in one chore must not end the others.
            log.exception("defect in housekeeping", extra={"action": "defect"})
            return True
        return False

    def _alive(self, slots: int, lanes: Sequence[Lane]) -> Callable[[], None]:
        host, pid, began = socket.gethostname(), os.getpid(), now_ms()
        every = self._settings.heartbeat.total_seconds()
        told: tuple[float, list[int]] = (0.0, [])

        def say() -> None:
            """At each heartbeat, and at once when Procrastinate gave new ids: by them a job is known to be ours."""
            nonlocal told
            ids = [worker.worker_id for worker in self._workers if worker.worker_id is not None]
            if time.monotonic() >= told[0] + every or ids != told[1]:
                queue.keep_alive(self._store, self._owner, host, pid, slots, ",".join(lanes), began, ids)
                told = (time.monotonic(), ids)

        return say

    def _bury(self) -> None:
        for key in self.recover():
            log.warning("its worker died; submitted again", extra={"action": "recovered", "key": key})

    def _tick(self) -> None:
        assert self._plan is not None
        self._plan(now(), self._enqueue)

    # --- the queue ------------------------------------------------------------------------------------------------

    def _enqueue(self, transaction: Transaction, tickets: Sequence[Ticket]) -> int:
        return queue.enqueue(transaction, [_job(ticket) for ticket in tickets])

    def _connection(self, lanes: int) -> dict[str, Any]:
        url = make_url(self._store.url)
        own = url.query.get("options", "")
        options = f"{own if isinstance(own, str) else ' '.join(own)} -c search_path={queue.SCHEMA}".strip()
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        # Fetching, finishing and the sign of life; the listeners have a connection each beside these.
        return {
            "conninfo": conninfo, "min_size": 1, "max_size": 1 + lanes, "timeout": 10.0,
            "kwargs": {
                "options": options, "connect_timeout": 10, "tcp_user_timeout": 30_000,
                "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
            },
        }  # fmt: skip


def _shares(slots: int, lanes: Sequence[Lane]) -> list[tuple[Lane, int]]:
    """Slots of each lane. Long runs get half of them, so that they never hold all; a worker of one slot gets one of
    each."""
    if len(lanes) == 1:
        return [(lanes[0], slots)]
    bulk = max(1, slots // 2)
    return [("live", max(1, slots - bulk)), ("bulk", bulk)]


async def _run(worker: Worker) -> None:
    await worker.run()  # type: ignore[no-untyped-call]


def _stop(worker: Worker) -> None:
    worker.stop()  # type: ignore[no-untyped-call]


def _job(ticket: Ticket) -> queue.QueuedJob:
    args = {name: value for name, value in ticket._asdict().items() if name != "not_before"}
    before = int(ticket.not_before.timestamp() * 1000) if ticket.not_before else None
    text = msgspec.json.encode(args).decode()
    return queue.QueuedJob(ticket.key, ticket.lane, ticket.priority, ticket.lock, text, before)


def _ticket(told: dict[str, Any]) -> Ticket:
    return Ticket(**told)


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
