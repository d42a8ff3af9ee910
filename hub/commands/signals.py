"""Taking signals. It is the first that the hub loads, and loads next to nothing itself: Ctrl-C in the moment that the rest takes
must not show where in it Python was."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["end", "ending", "taking"]

#: EXIT_CODES[Outcome.INTERRUPTED], which is not loaded yet.
_INTERRUPTED = 130


@contextmanager
def taking(numbers: Iterable[signal.Signals], act: Callable[[], object]) -> Iterator[None]:
    """Let `act` answer these signals. Outside the main thread, where signals cannot be taken, nothing does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, lambda *_: act()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def ending() -> Iterator[None]:
    """While the block lasts, Ctrl-C ends the process without a word: nothing is begun."""
    with taking((signal.SIGINT,), end):
        yield


def end() -> None:
    """Without waiting for threads: one may be in a connector that never comes back. What is stored is whole."""
    for stream in (sys.stdout, sys.stderr):
        # The signal may have come in the middle of a write.
        with suppress(RuntimeError, OSError, ValueError):
            stream.flush()
    os._exit(_INTERRUPTED)
