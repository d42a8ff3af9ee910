"""The file the store's key lies in, for what has to put another key in its place."""

import os
import re
import tomllib
from pathlib import Path

from hub.config.settings import Settings
from hub.errors import ConfigError

__all__ = ["key_file", "next_key_file", "pending_key", "sync_folder", "write_key"]

_FILE = re.compile(r"\$\{file:([^}]+)\}")


def key_file(settings: Settings) -> Path:
    """Raises ConfigError if `[store] key` is not `${file:PATH}`."""
    written = tomllib.loads(settings.file.read_text("utf-8-sig")).get("store", {}).get("key", "")
    found = _FILE.fullmatch(str(written))
    if found is None:
        raise ConfigError(
            "[store] key is not kept in a file", remedy="write the key into a file and refer to it by ${{file:PATH}}"
        )
    return settings.folder / found[1]


def next_key_file(settings: Settings) -> Path:
    """Where a rotation keeps the new key until the store has changed to it."""
    file = key_file(settings)
    return file.with_name(file.name + ".next")


def pending_key(settings: Settings) -> bytes | None:
    """The key of a rotation that has begun and not ended, so that what it sealed already can be read. ConfigError if it is there
    and cannot be read itself."""
    try:
        file = next_key_file(settings)
    except ConfigError:
        return None
    if not file.exists():
        return None
    from hub.config.models import StoreSettings

    try:
        key = file.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            "{path} cannot be read: {why}", remedy="check the file", path=file, why=type(exc).__name__
        ) from None
    return StoreSettings.model_validate({"key": key}).secret_key()


def write_key(file: Path, text: bytes) -> None:
    """Write a key whole or not at all, 0600, and only come back once the disk has it: nothing may be sealed with a key that a
    power cut takes away."""
    half = file.with_name(file.name + ".half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
        made.write(text)
        made.flush()
        os.fsync(made.fileno())
    half.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Let the disk have the folder's names as they stand."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
