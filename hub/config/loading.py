"""Find hub.toml, read it, lay the environment over it, and check every section."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from hub.config.alarms import AlarmSettings
from hub.config.environment import Environment, override_paths
from hub.config.models import (
    DefaultSettings,
    EngineSettings,
    PluginSettings,
    RetentionSettings,
    SharedSettings,
    SourceSettings,
    StoreSettings,
)
from hub.config.places import KeyPath, Places, key_lines
from hub.config.reading import read_section, unknown_key
from hub.config.secrets import FromVariable, References
from hub.config.settings import Settings, SourceProblem
from hub.errors import ConfigError

__all__ = ["FILE_NAME", "discover", "load"]

FILE_NAME = "hub.toml"
SECTIONS = ("store", "defaults", "plugins", "engine", "alarms", "retention", "sources")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

M = TypeVar("M", bound=BaseModel)


def discover(path: Path | None = None, environment: Environment | None = None, start: Path | None = None) -> Path:
    """The hub.toml to use: `path` (--config), else HUB_CONFIG, else the nearest one upward. Raises ConfigError."""
    environment = environment or Environment.of_process()
    named = path or environment.config
    if named is not None:
        file = named / FILE_NAME if named.is_dir() else named
        if not file.is_file():
            raise ConfigError("there is no file {path}", remedy="check --config or HUB_CONFIG", path=file)
        return file.resolve()
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    raise ConfigError("no hub.toml in {folder} or above", remedy="run `hub init`, or give --config PATH", folder=here)


def load(path: Path | None = None, *, environment: Environment | None = None) -> Settings:
    """The settings of one hub.toml. Raises ConfigError for what concerns the whole file.

    A faulty `[sources.NAME]` does not raise: it is kept in `Settings.problems`, and that source is misconfigured.
    Secret values are made known to the process's redactor.
    """
    environment = environment or Environment.of_process()
    return _Reader.of(discover(path, environment), environment).settings()


@dataclass(frozen=True, slots=True)
class _Reader:
    raw: dict[str, Any]
    places: Places
    references: References

    @classmethod
    def of(cls, file: Path, environment: Environment) -> "_Reader":
        raw, lines = _parse(file)
        variables: dict[KeyPath, str] = {}
        for path, (variable, text) in override_paths(environment).items():
            variables[path] = variable
            _lay_over(raw, path, _value(text), variable)
        return cls(raw, Places(file, lines, variables), References(environment, file.parent))

    def settings(self) -> Settings:
        for name in self.raw:
            if name not in SECTIONS:
                raise unknown_key((name,), self.places, SECTIONS)
        store = self._section(StoreSettings, "store")
        defaults = self._section(DefaultSettings, "defaults")
        sources: dict[str, SourceSettings] = {}
        problems: dict[str, SourceProblem] = {}
        for name, section in self._table("sources").items():
            found = self._source(name, section)
            if isinstance(found, SourceSettings):
                sources[name] = found
            else:
                problems[name] = SourceProblem(name, found)
        return Settings(
            file=self.places.file,
            store=store.model_copy(update={"url": _absolute_sqlite(store.url, self.places.file.parent)}),
            defaults=defaults,
            plugins=self._section(PluginSettings, "plugins"),
            engine=self._section(EngineSettings, "engine"),
            alarms=self._section(AlarmSettings, "alarms"),
            retention=self._section(RetentionSettings, "retention"),
            sources=sources,
            problems=problems,
            places=self.places,
        )

    def _table(self, name: str) -> dict[str, Any]:
        table = self.raw.get(name, {})
        if not isinstance(table, dict):
            raise ConfigError(
                "{place}: {key} must be a table",
                remedy="write it as [{key}]",
                place=self.places.of((name,)),
                key=name,
            )
        return table

    def _section(self, model: type[M], name: str) -> M:
        places = self.places.below(name)
        raw = self.references.resolve(self._table(name), places)
        section, errors = read_section(model, raw, places)
        if section is None:
            raise errors[0]
        return section

    def _source(self, name: str, section: Any) -> SourceSettings | tuple[ConfigError, ...]:
        places = self.places.below("sources", name)
        if not SOURCE_NAME.fullmatch(name) or not isinstance(section, dict):
            return (
                ConfigError(
                    "{place}: {key} is no source section",
                    remedy="write [sources.NAME] with small letters, digits and single underscores",
                    place=places.of(()),
                    key=places.key(()),
                ),
            )
        try:
            raw = self.references.resolve(section, places)
        except ConfigError as error:
            return (error,)
        own = {key: value for key, value in raw.items() if key in SourceSettings.model_fields}
        inherited = {key: value for key, value in self._table("defaults").items() if key in SharedSettings.model_fields}
        inherited = self.references.resolve(inherited, self.places.below("defaults"))
        source, errors = read_section(SourceSettings, {**inherited, **own}, places, beside=raw.keys() - own.keys())
        if source is None:
            return errors
        update = {key: _from_folder(getattr(source, key), places.file.parent) for key in ("ca_bundle", "client_cert")}
        source = source.model_copy(update=update)
        source._name, source._places = name, places
        source._options = {key: value for key, value in raw.items() if key not in SourceSettings.model_fields}
        return source


def _parse(file: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        text = file.read_text("utf-8-sig")
        return tomllib.loads(text), key_lines(text)
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            "{path} cannot be read: {why}", remedy="check the file", path=file, why=type(exc).__name__
        ) from None
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError("{path} is not TOML: {why}", remedy="correct that line", path=file, why=str(exc)) from None


def _value(text: str) -> Any:
    """A variable's text as TOML would read a list, table, number or boolean; anything else is text.

    The environment is one of the two places a secret may come from, so its text counts as referenced.
    """
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return FromVariable(text)
    return value if isinstance(value, list | dict | bool) else FromVariable(text)


def _lay_over(raw: dict[str, Any], path: tuple[str, ...], value: Any, variable: str) -> None:
    table = raw
    for part in path[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                "{variable} goes into {part}, which is no table",
                remedy="correct the variable's name",
                variable=variable,
                part=part,
            )
        table = inner
    table[path[-1]] = value


def _absolute_sqlite(url: str, folder: Path) -> str:
    head, mark, path = url.partition(":///")
    if not head.startswith("sqlite") or not mark or not path or path == ":memory:" or Path(path).is_absolute():
        return url
    return f"{head}:///{(folder / path).as_posix()}"


def _from_folder(path: Path | None, folder: Path) -> Path | None:
    return folder / path if path else None
