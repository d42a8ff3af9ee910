"""A connector's own code: what it raises is told in one line, as its author's to mend, by whatever command called it."""

import logging
from collections.abc import Callable
from typing import TypeVar

from hub.config import SourceSettings
from hub.errors import FailedError, HubError, raised_at
from hub.plugins import Plugins
from hub.source.connector import Connector
from hub.source.stream import Stream

__all__ = ["called", "declared"]

log = logging.getLogger("hub.sync")
T = TypeVar("T")


def called(connector: str, work: Callable[[], T]) -> T:
    """What `work` returns. FailedError in place of anything it raises that is no error of the hub."""
    try:
        return work()
    except HubError:
        raise
    except (Exception, SystemExit) as exc:
        log.debug("a defect in a connector", exc_info=exc, extra={"action": "defect"})
        raise FailedError(
            "connector {connector} raised {error} at {place}",
            remedy="report it to its author; `hub --log-level debug check` shows its traceback",
            connector=connector, error=type(exc).__name__, place=raised_at(exc),
        ) from exc  # fmt: skip


def declared(plugins: Plugins, settings: SourceSettings) -> tuple[Connector, tuple[Stream, ...]]:
    """A section's connector and the streams it declares; nothing is opened. Raises HubError."""

    def declare() -> tuple[Connector, tuple[Stream, ...]]:
        connector = plugins.connector(settings.connector)()
        return connector, connector.streams(settings.connector_config(connector.Config))

    return called(settings.connector, declare)
