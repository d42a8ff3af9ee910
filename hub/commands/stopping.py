"""Signals: the first SIGINT or SIGTERM asks for an end after the page in hand, the second one ends at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from hub.errors import EXIT_CODES, Outcome

__all__ = ["stopping"]


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that a signal sets. Outside the main thread, where signals cannot be taken, nothing sets it."""
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            _end()
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    former = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _end() -> NoReturn:
    """Without waiting for threads: one may be in a connector that never comes back. What is stored is whole."""
    for stream in (sys.stdout, sys.stderr):
        # The signal may have come in the middle of a write.
        with suppress(RuntimeError, OSError, ValueError):
            stream.flush()
    os._exit(EXIT_CODES[Outcome.INTERRUPTED])
