"""Stopping: the first SIGINT or SIGTERM asks for an end after the page in hand, the second one ends at once."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from hub.commands.signals import end, taking
from hub.errors import EXIT_CODES, Outcome, worst

__all__ = ["exit_code", "stopping"]


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that a signal sets. Outside the main thread, where signals cannot be taken, nothing sets it."""
    stop = threading.Event()

    def ask() -> None:
        if stop.is_set():
            end()
        stop.set()

    with taking((signal.SIGINT, signal.SIGTERM), ask):
        yield stop


def exit_code(stop: threading.Event, outcomes: Iterable[Outcome]) -> int:
    """Of a command that a signal may have cut short."""
    return EXIT_CODES[Outcome.INTERRUPTED] if stop.is_set() else worst(outcomes)
