"""A call of a connector's code that may never come back: it runs in a thread that holds nothing up and can be left behind."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from hub.errors import OverdueError

__all__ = ["MOST_LEFT_BEHIND", "Call", "left_behind"]

log = logging.getLogger("hub.sync")
T = TypeVar("T")

#: Python cannot end a thread. A source that keeps so many of them is not called again by this process.
MOST_LEFT_BEHIND = 5
_left: dict[str, set[threading.Thread]] = {}
_lock = threading.Lock()


def left_behind(source: str) -> int:
    """How many calls of this source were left behind and have still not come back."""
    with _lock:
        _left[source] = {thread for thread in _left.get(source, ()) if thread.is_alive()}
        return len(_left[source])


class Call(Generic[T]):
    """One call, begun at once. `due` (of time.monotonic) is when it should have ended by its own deadlines, `grace_s` how much
    longer it is waited for. OverdueError at once if the source has too many calls out already."""

    def __init__(self, work: Callable[[], T], *, source: str, due: float, grace_s: float, name: str = "call") -> None:
        if (out := left_behind(source)) >= MOST_LEFT_BEHIND:
            raise OverdueError(
                "{count} calls of this connector never came back, so this process does not call it again", count=out,
                remedy="report it to the connector's author, then start the hub again",
            )  # fmt: skip
        self._source, self._due, self._end = source, due, due + grace_s
        self._began = time.monotonic()
        self._future: Future[T] = Future()
        self._thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            answer = work()
        except BaseException as error:
            # Whoever waits gets it, whatever it is.
            self._future.set_exception(error)
        else:
            self._future.set_result(answer)

    def result(self, hold: Callable[[], None] = lambda: None, every_s: float = 60.0) -> T:
        """What the call returns or raises. `hold` is called every so many seconds meanwhile; what it raises ends the waiting.
        OverdueError once the call is overdue."""
        while not wait([self._future], max(0.0, min(every_s, self._end - time.monotonic()))).done:
            if time.monotonic() >= self._end:
                self._leave()
                now = time.monotonic()
                raise OverdueError(
                    "the connector has not come back for {seconds} s, {overdue} s longer than it may",
                    seconds=round(now - self._began), overdue=round(now - self._due),
                    remedy="the next run asks anew; report it to the connector's author, or raise page_deadline if it is"
                    " only slow",
                )  # fmt: skip
            hold()
        return self._future.result()

    def end(self) -> None:
        """Wait until nothing of the call goes on any more, or leave it behind."""
        self._thread.join(max(0.0, self._end - time.monotonic()))
        if self._thread.is_alive():
            self._leave()

    def _leave(self) -> None:
        with _lock:
            left = _left.setdefault(self._source, set())
            if self._thread in left:
                return
            left.add(self._thread)
        log.error(
            "a call of the connector never came back; its thread is left behind, it cannot be ended",
            extra={"action": "call_left_behind", "source": self._source},
        )
