"""Looking after the installation while it runs: once a minute, beside the workers, never in their way."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.schedule.outage import Outage

__all__ = ["watching"]

log = logging.getLogger("hub.schedule")
_EVERY_S = 60.0


@contextmanager
def watching(look: Callable[[], object], every_s: float = _EVERY_S) -> Iterator[None]:
    """Call `look` at once and then every minute while the block lasts, in a thread of its own. What it raises is
    logged; it is called again."""
    stop = threading.Event()
    outage = Outage("watch", "the watch cannot look", "the watch looks again")

    def watch() -> None:
        while True:
            try:
                with outage.told():
                    look()
            except Exception:
                # Looking after the others must not end because one look failed.
                log.exception("defect in the watch", extra={"action": "defect"})
            if stop.wait(every_s):
                return

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # Daemon: a channel that hangs within its deadline must not hold up the end.
        thread.join(1.0)
