"""Everything that can be known to be wrong before any source is asked: settings, plugins, mappings, code tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.config import Settings
from hub.config.places import KeyPath, Places, key_lines
from hub.errors import HubError, MappingError
from hub.mapping.codes import load_code_table
from hub.mapping.definition import load_mapping
from hub.mapping.mapping import Mappings
from hub.plugins import Plugins

__all__ = ["Finding", "validate"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to put right: `place` is file and line as far as they are known, or the plugin or source."""

    place: str
    error: HubError


def validate(settings: Settings, plugins: Plugins, folders: list[Path]) -> Iterator[Finding]:
    """All findings, the settings' first. `folders`: the mapping folders in force."""
    for problem in settings.problems.values():
        yield from (Finding(problem.name, error) for error in problem.errors)
    yield from (Finding(line.name, line.problem) for line in plugins.listed if line.problem is not None)
    tables = list(_tables(folders))
    yield from tables
    broken = set()
    for folder in folders:
        for path in sorted(folder.rglob("*.toml")):
            try:
                load_mapping(path)
            except MappingError as error:
                broken.add(path.relative_to(folder).with_suffix("").as_posix())
                yield Finding(_place(path, error), error)
    if not tables:
        yield from _compiled(Mappings(folders, plugins.transforms), broken)
    yield from _sources(settings, plugins, Mappings(folders, plugins.transforms))


def _tables(folders: list[Path]) -> Iterator[Finding]:
    for folder in folders:
        for path in sorted(folder.rglob("codes/*.csv")):
            try:
                load_code_table(path)
            except MappingError as error:
                yield Finding(_place(path, error), error)


def _compiled(mappings: Mappings, broken: set[str]) -> Iterator[Finding]:
    for name in mappings.names:
        if name not in broken:
            try:
                mappings.get(name).mapper()
            except MappingError as error:
                yield Finding(f"{name}.toml", error)


def _sources(settings: Settings, plugins: Plugins, mappings: Mappings) -> Iterator[Finding]:
    for name, source in settings.sources.items():
        try:
            connector = plugins.connector(source.connector)()
            streams = connector.streams(source.connector_config(connector.Config))
        except HubError as error:
            yield Finding(name, error)
            continue
        for stream in streams:
            if stream.mapping not in mappings.names:
                missing = MappingError(
                    "stream {stream} names the mapping {name}, which there is not",
                    stream=stream.name,
                    name=stream.mapping,
                    remedy="install the plugin that brings it, or write it",
                )
                yield Finding(name, missing)


def _place(path: Path, error: MappingError) -> str:
    """`folder/file:line`; of a mapping by its key, as nothing keeps the position of a TOML value."""
    line = error.values.get("line")
    if line is None and "key" in error.values:
        places = Places(path, key_lines(path.read_text("utf-8")))
        key: KeyPath = tuple(int(part) if part.isdigit() else part for part in str(error.values["key"]).split("."))
        return f"{path.parent.name}/{places.of(key)}"
    return f"{path.parent.name}/{path.name}" + (f":{line}" if line else "")
