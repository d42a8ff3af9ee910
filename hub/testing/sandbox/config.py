"""Writes the ready hub.toml and the files its secrets stand in (0600)."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.testing.sandbox.systems.system import Secret

#: In every source's section, unless the system says otherwise.
COMMON = {"schedule": "5m", "start": "P90D", "freshness": "PT30M"}


def write_config(directory: Path, sources: Mapping[str, Mapping[str, Any]]) -> tuple[Path, dict[str, Path]]:
    """The path of hub.toml and the secret files by `source.key`."""
    secrets: dict[str, Path] = {}
    lines = [
        "# Written by the sandbox: every source below stands in for a system that is not public.",
        "[store]",
        f"url = {json.dumps('sqlite:///' + str(directory / 'hub.db'))}",
        f'key = "${{file:{_store_key(directory)}}}"',
        "",
        "[defaults]",
        "# All systems share the loopback address here, and nobody minds being asked often.",
        "rate = 10000.0",
    ]
    for name, settings in sources.items():
        lines += ["", f"[sources.{name}]", f'connector = "{name}"']
        lines += _section(directory, name, {**settings, **COMMON}, secrets)
    path = directory / "hub.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, secrets


def _store_key(directory: Path) -> Path:
    """32 random bytes in base64; a key that is there stays, because a store may be sealed with it."""
    path = directory / "secrets" / "store.key"
    return path if path.exists() else _write_secret(directory, path.name, b64encode(os.urandom(32)).decode())


def _section(directory: Path, name: str, settings: Mapping[str, Any], secrets: dict[str, Path]) -> list[str]:
    """Plain keys first, then sub-tables and arrays of tables, as TOML wants it."""
    plain, tables = [], []
    for key, value in settings.items():
        if isinstance(value, Secret):
            secrets[f"{name}.{key}"] = path = _write_secret(directory, f"{name}.{key}", value)
            plain.append(f'{key} = "${{file:{path}}}"')
        elif isinstance(value, Mapping):
            tables += ["", f"[sources.{name}.{key}]", *(_line(*item) for item in value.items())]
        elif isinstance(value, list):
            for entry in value:
                tables += ["", f"[[sources.{name}.{key}]]", *(_line(*item) for item in entry.items())]
        else:
            plain.append(_line(key, value))
    return plain + tables


def _line(key: str, value: object) -> str:
    # A JSON string or number is also a TOML one.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _write_secret(directory: Path, name: str, value: str) -> Path:
    folder = directory / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(value)
    return path
