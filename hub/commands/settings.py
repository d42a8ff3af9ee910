"""`hub settings`: what is set, and where."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click
from pydantic import BaseModel

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.config import Settings, duration_text

__all__ = ["command"]

COLUMNS = (Column("key", "Setting"), Column("value", "Value"), Column("origin", "From"))


@click.command("settings", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Show every setting in force and the line, variable or default it comes from. Secrets are not shown."""
    session.output.rows(list(_records(session.settings)), COLUMNS)


def _records(settings: Settings) -> Iterator[dict[str, Any]]:
    sections: list[tuple[tuple[str, ...], BaseModel]] = [
        (("store",), settings.store), (("defaults",), settings.defaults), (("plugins",), settings.plugins),
        (("engine",), settings.engine), (("alarms",), settings.alarms),
        *((("sources", name), source) for name, source in settings.sources.items()),
    ]  # fmt: skip
    for path, section in sections:
        for key in type(section).model_fields:
            origin = settings.origin(*path, key)
            if path[0] != "sources" or origin != "default":
                yield {"key": ".".join((*path, key)), "value": _text(getattr(section, key)), "origin": origin}
        for key in getattr(section, "options", {}):
            # What is secret among a connector's own settings is known to its Config only.
            yield {"key": ".".join((*path, key)), "value": "…", "origin": settings.origin(*path, key)}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return duration_text(value) if isinstance(value, timedelta) else str(value)
