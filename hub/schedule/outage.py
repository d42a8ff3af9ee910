"""Trouble that lasts is told once when it begins, or becomes another, and once when it is over, not as often as it is met."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hub.errors import HubError

__all__ = ["Outage"]

log = logging.getLogger("hub.schedule")


class Outage:
    """`began` and `over` are what is told, `name` begins the names of both events. Several threads may meet the same trouble,
    each in its own `part` of the work: it is over when none of them has any more."""

    def __init__(self, name: str, began: str, over: str) -> None:
        self._name, self._began, self._over = name, began, over
        self._lock = threading.Lock()
        self._parts: dict[str, type[HubError]] = {}

    @contextmanager
    def told(self, part: str = "") -> Iterator[None]:
        """Tell what the block raises instead of raising it. A block that ends well has no trouble any more."""
        try:
            yield
        except HubError as error:
            self.begin(error, part)
        else:
            self.end(part)

    def begin(self, error: HubError, part: str = "") -> None:
        with self._lock:
            level = logging.DEBUG if type(error) in self._parts.values() else logging.ERROR
            self._parts[part] = type(error)
        log.log(level, "%s: %s", self._began, error, extra={"action": f"{self._name}_down"})

    def end(self, part: str = "") -> None:
        with self._lock:
            over = self._parts.pop(part, None) is not None and not self._parts
        if over:
            log.warning("%s", self._over, extra={"action": f"{self._name}_back"})
