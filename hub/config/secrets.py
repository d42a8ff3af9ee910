"""`${env:NAME}` and `${file:PATH}`: the only ways a secret gets into the settings."""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, SecretBytes, SecretStr

from hub.config.environment import Environment
from hub.config.places import KeyPath, Places
from hub.config.redact import redactor
from hub.errors import ConfigError

__all__ = [
    "FromReference",
    "FromVariable",
    "References",
    "literal_password",
    "literal_secrets",
    "open_to_others",
    "secret_values",
]

_REFERENCE = re.compile(r"\$\{(env|file):([^}]*)\}")
#: What stands before a user or password in an address. A percent sign stays, so that who has encoded a secret already may.
_BEFORE_PASSWORD, _AS_IT_STANDS = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE), "%!$&'()*+,;="


class FromReference(str):
    """Text that came, at least in part, out of a reference or an environment variable."""

    __slots__ = ()


class FromVariable(FromReference):
    """Text that a variable puts in a setting's place: a secret only where the setting is one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class References:
    """Resolves references. `folder` is hub.toml's, from which relative paths are taken."""

    environment: Environment
    folder: Path

    def resolve(self, value: Any, places: Places, path: KeyPath = ()) -> Any:
        """The value with every reference in it replaced, at any depth. Raises ConfigError."""
        if isinstance(value, dict):
            return {key: self.resolve(item, places, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, places, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or not _REFERENCE.search(value):
            return value
        return FromReference(_REFERENCE.sub(lambda match: self._one(match, places, path), value))

    def _one(self, match: re.Match[str], places: Places, path: KeyPath) -> str:
        place, key = places.of(path), places.key(path)
        secret = self._variable(match[2], place, key) if match[1] == "env" else self._file(Path(match[2]), place, key)
        written = quote(secret, safe=_AS_IT_STANDS) if _is_in_userinfo(match) else secret
        redactor.add([secret, written])
        return written

    def _variable(self, name: str, place: str, key: str) -> str:
        value = self.environment.variables.get(name)
        if not value:
            raise ConfigError(
                "{place}: {key} refers to the environment variable {name}, which is not set",
                remedy="set {name} for the hub's process",
                place=place,
                key=key,
                name=name,
            )
        return value

    def _file(self, path: Path, place: str, key: str) -> str:
        file = path if path.is_absolute() else self.folder / path
        try:
            mode = file.stat().st_mode
            text = file.read_text("utf-8-sig")
        except FileNotFoundError:
            raise ConfigError(
                "{place}: {key} refers to {path}, which does not exist",
                remedy="put the secret into that file, or correct the path",
                place=place,
                key=key,
                path=file,
            ) from None
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(
                "{place}: {key} refers to {path}, which cannot be read as text: {why}",
                remedy="check the file and its owner",
                place=place,
                key=key,
                path=file,
                why=type(exc).__name__,
            ) from None
        if open_to_others(mode):
            raise ConfigError(
                "{place}: {key} refers to {path}, which others can read",
                remedy="chmod 600 {path}",
                place=place,
                key=key,
                path=file,
            )
        return text.strip()


def _is_in_userinfo(match: re.Match[str]) -> bool:
    """Whether a reference is the user or password of an address, in which `@` or `/` would end it and begin a host's name."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return bool(_BEFORE_PASSWORD.fullmatch(before)) and "@" in after


def open_to_others(mode: int) -> bool:
    """Whether a file's mode lets anybody but its owner at it."""
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))


def literal_secrets(value: Any, raw: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Paths of secret fields of a validated model whose text stands literally in the file."""
    if isinstance(value, SecretStr | SecretBytes):
        if not isinstance(raw, FromReference | SecretStr | SecretBytes):
            yield path
    elif isinstance(value, BaseModel) and isinstance(raw, dict):
        for name, info in type(value).model_fields.items():
            key = info.alias or name
            if key in raw:
                yield from literal_secrets(getattr(value, name), raw[key], (*path, key))
    elif isinstance(value, dict) and isinstance(raw, dict):
        for key in value.keys() & raw.keys():
            yield from literal_secrets(value[key], raw[key], (*path, key))
    elif isinstance(value, list | tuple) and isinstance(raw, list):
        for index, (item, text) in enumerate(zip(value, raw, strict=False)):
            yield from literal_secrets(item, text, (*path, index))


def literal_password(raw: Any) -> bool:
    """Whether a setting is an address with a password written out in it."""
    if isinstance(raw, FromReference) or not isinstance(raw, str) or "://" not in raw:
        return False
    try:
        return bool(urlsplit(raw).password)
    except ValueError:
        return False


def secret_values(value: Any) -> Iterator[str]:
    """The text of every secret field of a validated model."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode("utf-8", "replace")
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secret_values(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from secret_values(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secret_values(item)
