"""`hub settings`: what is set, and where."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import click
from pydantic import BaseModel, SecretBytes, SecretStr

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.config import Settings, SourceSettings, duration_text
from hub.config.secrets import FromReference, FromVariable
from hub.errors import HubError

__all__ = ["command"]

COLUMNS = (Column("key", "Setting"), Column("value", "Value"), Column("origin", "From"))
HIDDEN = "…"
#: Before the last @, because a password may hold a / or another @.
_USER = re.compile(r"(?<=://)\S*@")
_QUERY = re.compile(r"(://[^\s?#]*[?#])\S+")


@click.command("settings", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Show every setting in force and the line, variable or default it comes from. Secrets are not shown."""
    session.output.rows([*_records(session.settings), *_options(session)], COLUMNS)


def _records(settings: Settings) -> Iterator[dict[str, Any]]:
    sections: list[tuple[tuple[str, ...], BaseModel]] = [
        (("store",), settings.store), (("defaults",), settings.defaults), (("plugins",), settings.plugins),
        (("engine",), settings.engine), (("alarms",), settings.alarms), (("retention",), settings.retention),
        *((("sources", name), source) for name, source in settings.sources.items()),
    ]  # fmt: skip
    for path, section in sections:
        for key in type(section).model_fields:
            origin = settings.origin(*path, key)
            if path[0] != "sources" or origin != "default":
                yield {"key": ".".join((*path, key)), "value": _text(getattr(section, key)), "origin": origin}


def _options(session: Session) -> Iterator[dict[str, Any]]:
    """The connectors' own settings."""
    for name, source in session.settings.sources.items():
        config = _config(session, source) if source.options else None
        for key, raw in source.options.items():
            value = HIDDEN if config is None else _part(config, key, raw)
            origin = session.settings.origin("sources", name, key)
            yield {"key": f"sources.{name}.{key}", "value": _text(value), "origin": origin}


def _config(session: Session, source: SourceSettings) -> BaseModel | None:
    """The settings as the connector takes them, which alone tells what is secret; None if it cannot."""
    from hub.sync.foreign_code import called

    def read() -> BaseModel:
        return source.connector_config(session.plugins.connector(source.connector)().Config)

    try:
        return called(source.connector, read)
    except HubError:
        return None


def _part(model: BaseModel, key: str, raw: Any) -> Any:
    fields = type(model).model_fields
    name = next((name for name, info in fields.items() if key in (name, info.alias)), None)
    return _open(getattr(model, name), raw) if name is not None and fields[name].repr else HIDDEN


def _open(value: Any, raw: Any) -> Any:
    """A value without what is secret in it: by its type, because its field is left out of `repr`, or because it came out
    of a reference."""
    if isinstance(value, SecretStr | SecretBytes):
        return HIDDEN
    if isinstance(raw, FromReference) and not isinstance(raw, FromVariable):
        return HIDDEN
    if isinstance(value, BaseModel) and isinstance(raw, dict):
        return {key: _part(value, key, item) for key, item in raw.items()}
    if isinstance(value, dict) and isinstance(raw, dict):
        return {key: _open(value.get(key), item) for key, item in raw.items()}
    if isinstance(value, list | tuple) and isinstance(raw, list):
        return [_open(*pair) for pair in zip(value, raw, strict=False)]
    # A table or list that became something else: which part of it is which is not known.
    return HIDDEN if isinstance(raw, dict | list) else raw if isinstance(raw, int | float) else _bare(str(raw))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, timedelta):
        return duration_text(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _bare(str(value))


def _bare(text: str) -> str:
    """Without users and queries of addresses: keys stand in either."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
