"""Asking a source for a page under a deadline, again and again as the retry rule says, one page ahead of the store."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from itertools import islice
from typing import TypeVar

from hub.errors import DeadlineError, EnvelopeError, HubError, InterruptedByOperatorError
from hub.source.stream import Page, Position, Window
from hub.sync.call import Call
from hub.sync.job import StreamJob
from hub.sync.retry import decide_retry

__all__ = ["Fetcher"]

log = logging.getLogger("hub.sync")
T = TypeVar("T")


class Fetcher:
    """Fetches the pages of one run. `stop` ends waiting at once; what is in hand is finished by the caller. `hold` is
    called now and then while a source lets us wait, in the caller's thread; what it raises ends the run."""

    def __init__(
        self, job: StreamJob, stop: threading.Event, deadline: float, hold: Callable[[], None] = lambda: None
    ) -> None:
        self._job, self._stop, self._deadline, self._hold = job, stop, deadline, hold
        self._held_at = time.monotonic()
        #: How often whoever waits for a source renews the lease: a slow page must not cost it.
        self._renew_s = job.lease_ms / 3000
        self.requests = 0

    def pages(
        self, window: Window, position: Position | None, prepare: Callable[[Page], T]
    ) -> Generator[T, None, None]:
        """Page after page of a window, prepared. While the caller applies one, the next is already fetched and prepared. Close
        it."""
        over = threading.Event()

        def ask(position: Position | None) -> tuple[Position | None, T]:
            page = self._patiently(lambda: self._job.transport.fetch(self._job.stream, window, position))
            if over.is_set():
                # Left behind, and back after all: nobody waits for the page.
                raise InterruptedByOperatorError("nobody waits for this page any more")
            return page.next, prepare(page)

        ahead: Call[tuple[Position | None, T]] | None = self._call(lambda: ask(position))
        try:
            while ahead is not None:
                following, prepared = ahead.result(self._hold, self._renew_s)
                more = following is not None
                ahead = self._call(partial(ask, following)) if more and not self._stop.is_set() else None
                yield prepared
                del prepared
                if more and ahead is None:
                    raise InterruptedByOperatorError(
                        "stopped after a whole page", remedy="the next run goes on from there"
                    )
        finally:
            over.set()
            if ahead is not None:
                ahead.end()

    def details(self, rows: Iterable[bytes]) -> Generator[bytes | EnvelopeError, None, None]:
        """The records behind list rows, in the order of the rows, as many asked for at a time as the stream allows. What
        is wrong with one record stands in its place; every other error ends the run. Close it."""
        waiting = iter(rows)
        asked = deque(self._detail(row) for row in islice(waiting, self._job.stream.details_at_once))
        try:
            while asked:
                self._keep_holding()
                try:
                    found: bytes | EnvelopeError = asked[0].result(self._hold, self._renew_s)
                except EnvelopeError as error:
                    found = error
                asked.popleft()
                asked.extend(self._detail(row) for row in islice(waiting, 1))
                yield found
        finally:
            for call in asked:
                call.end()

    def _detail(self, row: bytes) -> Call[bytes]:
        self.requests += 1
        return self._call(lambda: self._patiently(lambda: self._job.transport.detail(self._job.stream, row)))

    def _call(self, work: Callable[[], T]) -> Call[T]:
        """All attempts at a page, in a thread of their own; one request's deadline is the grace of the whole."""
        settings = self._job.settings
        due = min(self._deadline, time.monotonic() + settings.page_deadline.total_seconds())
        grace_s = settings.request_deadline.total_seconds()
        return Call(work, source=self._job.source, due=due, grace_s=grace_s, name=f"fetch-{self._job.lease_name}")

    def _keep_holding(self) -> None:
        if time.monotonic() - self._held_at >= self._renew_s:
            self._hold()
            self._held_at = time.monotonic()

    def _patiently(self, ask: Callable[[], T]) -> T:
        settings = self._job.settings
        give_up = min(self._deadline, time.monotonic() + settings.page_deadline.total_seconds())
        attempt = renewals = 0
        while True:
            if time.monotonic() >= self._deadline:
                raise DeadlineError(
                    "the run took longer than its deadline", remedy="the next run goes on; or raise run_deadline"
                )
            try:
                return ask()
            except HubError as error:
                attempt += 1
                again = decide_retry(
                    error,
                    attempt=attempt,
                    renewals=renewals,
                    retries=settings.retries,
                    left_s=give_up - time.monotonic(),
                    chance=random.random(),  # nosec B311 # spreads retries, guards nothing
                )
                if again is None:
                    raise
                log.info(
                    "asking again in %.1f s: %s", again.wait_s, error,
                    extra={"action": "retry", "source": self._job.source, "stream": self._job.stream.name},
                )  # fmt: skip
                if again.renew:
                    renewals += 1
                    attempt -= 1
                    self._job.transport.renew()
                if self._stop.wait(again.wait_s):
                    raise InterruptedByOperatorError("stopped while waiting for the source") from error
