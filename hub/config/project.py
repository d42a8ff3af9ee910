"""A new project folder: hub.toml made from the settings' own descriptions, the key, what git must not see."""

import base64
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from hub.config.alarms import AlarmSettings
from hub.config.loading import FILE_NAME
from hub.config.models import (
    KEY_BYTES,
    DefaultSettings,
    EngineSettings,
    PluginSettings,
    RetentionSettings,
    SourceSettings,
    StoreSettings,
)
from hub.config.values import duration_text
from hub.config.writing import writing
from hub.errors import ConfigError

__all__ = ["KEY_FILE", "create_project", "example_text"]

KEY_FILE = "secrets/store.key"
_IGNORED = "secrets/\n*.db\n*.db-wal\n*.db-shm\n"
_WIDTH = 100


def create_project(folder: Path, translate: Callable[[str], str] = str) -> Path:
    """Write hub.toml, `secrets/store.key` (0600) and .gitignore; the path of hub.toml.

    A key that is there stays: the store may be sealed with it. Raises ConfigError if hub.toml exists.
    """
    file = folder.resolve() / FILE_NAME
    if file.exists():
        raise ConfigError("{path} exists already", remedy="`hub upgrade` brings its store up to date", path=file)
    with writing(file):
        (file.parent / KEY_FILE).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_key(file.parent / KEY_FILE)
        ignore = file.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text(_IGNORED, "utf-8")
        file.write_text(example_text(translate), "utf-8")
    return file


def _write_key(path: Path) -> None:
    if path.exists():
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as key:
        key.write(base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n")


def example_text(translate: Callable[[str], str] = str) -> str:
    """hub.toml with every setting explained and its default as a comment; only the key is set."""
    lines = _comment(
        translate(
            "Settings of the hub. A line that begins with # shows a default or an example. Secrets are written as"
            " ${env:NAME} or ${file:PATH}; a variable HUB_SECTION__KEY overrides a line."
        )
    )
    given = {("store", "url"): StoreSettings().url, ("store", "key"): f"${{file:{KEY_FILE}}}"}
    sections: list[tuple[str, type[BaseModel]]] = [
        ("store", StoreSettings), ("defaults", DefaultSettings),
        ("plugins", PluginSettings), ("engine", EngineSettings),
        ("alarms", AlarmSettings),
        ("retention", RetentionSettings),
    ]  # fmt: skip
    for name, model in sections:
        lines += ["", f"[{name}]", *_fields(name, model.model_fields, given, translate)]
    lines.append("")
    lines += _comment(translate("One section a source; NAME is yours. It also takes every setting of [defaults]."))
    lines.append("# [sources.NAME]")
    own = {key: info for key, info in SourceSettings.model_fields.items() if key not in DefaultSettings.model_fields}
    lines += list(_fields("sources", own, {}, translate))
    lines += _comment(translate("The connector's own settings follow; its page in the documentation lists them."))
    return "\n".join(lines) + "\n"


def _fields(
    section: str, fields: dict[str, Any], given: dict[tuple[str, str], str], translate: Callable[[str], str]
) -> Iterator[str]:
    for key, info in fields.items():
        yield from _comment(translate(info.description))
        if (section, key) in given:
            yield f"{key} = {_toml(given[section, key])}"
        else:
            missing = info.default is None or info.default is PydanticUndefined
            value = (info.examples or [_PLACEHOLDERS.get(key, "")])[0] if missing else info.default
            yield f"# {key} = {_toml(value)}"


_PLACEHOLDERS: dict[str, Any] = {"connector": "csv_drop", "key": "my_source", "allow": ["name"]}


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case timedelta():
            return f'"{duration_text(value)}"'
        case list():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            return f'"{value}"'


def _comment(text: str) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= _WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return [f"# {line}" for line in [*lines, line]]
