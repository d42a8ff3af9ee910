"""Asking a source for a page under a deadline, again and again as the retry rule says, one page ahead of the store."""

import logging
import random
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from hub.errors import DeadlineError, HubError, InterruptedByOperatorError
from hub.source.stream import Page, Position, Window
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

    def pages(self, window: Window, position: Position | None) -> Generator[Page, None, None]:
        """Page after page of a window. While the caller applies one, the next is already being fetched. Close it."""
        with ThreadPoolExecutor(1, thread_name_prefix=f"fetch-{self._job.lease_name}") as ahead:
            waiting: Future[Page] | None = ahead.submit(self._page, window, position)
            while waiting is not None:
                while not wait([waiting], self._renew_s).done:
                    self._hold()
                page = waiting.result()
                waiting = (
                    ahead.submit(self._page, window, page.next)
                    if page.next is not None and not self._stop.is_set()
                    else None
                )
                yield page
                if page.next is not None and waiting is None:
                    raise InterruptedByOperatorError(
                        "stopped after a whole page", remedy="the next run goes on from there"
                    )

    def detail(self, row: bytes) -> bytes:
        """The record behind a list row."""
        self.requests += 1
        return self._patiently(lambda: self._job.transport.detail(self._job.stream, row), self._keep_holding)

    def _page(self, window: Window, position: Position | None) -> Page:
        return self._patiently(lambda: self._job.transport.fetch(self._job.stream, window, position))

    def _keep_holding(self) -> None:
        if time.monotonic() - self._held_at >= self._renew_s:
            self._hold()
            self._held_at = time.monotonic()

    def _pause(self, seconds: float, hold: Callable[[], None]) -> bool:
        """Wait; True if the run is to stop."""
        while seconds > self._renew_s and not self._stop.wait(self._renew_s):
            hold()
            seconds -= self._renew_s
        return self._stop.wait(seconds)

    def _patiently(self, ask: Callable[[], T], hold: Callable[[], None] = lambda: None) -> T:
        settings = self._job.settings
        give_up = min(self._deadline, time.monotonic() + settings.page_deadline.total_seconds())
        attempt = renewals = 0
        while True:
            if time.monotonic() >= self._deadline:
                raise DeadlineError(
                    "the run took longer than its deadline", remedy="the next run goes on; or raise run_deadline"
                )
            hold()
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
                if self._pause(again.wait_s, hold):
                    raise InterruptedByOperatorError("stopped while waiting for the source") from error
