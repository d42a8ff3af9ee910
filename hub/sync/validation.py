"""Everything that can be known to be wrong before any source is asked: settings, plugins, mappings, code tables."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hub.config import Settings, SourceSettings
from hub.config.places import KeyPath, Places, key_lines
from hub.config.reading import read_section
from hub.errors import HubError, MappingError
from hub.mapping.codes import CodeTable, load_code_table
from hub.mapping.definition import load_mapping, mistakes
from hub.mapping.mapping import Mapping, Mappings
from hub.plugins import Plugins
from hub.sync.foreign_code import called

__all__ = ["Finding", "validate"]

_AT_LINE = re.compile(r"at line (\d+)")


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
    tables = {path.stem: path for folder in folders for path in sorted(folder.rglob("codes/*.csv"))}
    known, wrong = _read(tables)
    yield from wrong.values()
    for name, path in _mapping_files(folders):
        found = [Finding(_place(path, error), error) for error in mistakes(path)]
        yield from found
        if not found:
            mapping = Mapping(name, load_mapping(path), known, plugins.transforms)
            yield from () if mapping.codes & wrong.keys() else _compiled(mapping, path, tables)
    yield from _sources(settings, plugins, Mappings(folders))


def _mapping_files(folders: list[Path]) -> Iterator[tuple[str, Path]]:
    """Name and file, of every folder: one that a later folder overrides is somebody's too."""
    for folder in folders:
        for path in sorted(folder.rglob("*.toml")):
            yield path.relative_to(folder).with_suffix("").as_posix(), path


def _read(tables: dict[str, Path]) -> tuple[dict[str, CodeTable], dict[str, Finding]]:
    """The code tables that can be read, and what is wrong with the others."""
    known, wrong = {}, {}
    for name, path in tables.items():
        try:
            known[name] = load_code_table(path)
        except MappingError as error:
            wrong[name] = Finding(_place(path, error), error)
    return known, wrong


def _compiled(mapping: Mapping, path: Path, tables: dict[str, Path]) -> Iterator[Finding]:
    """What only shows when a mapping meets its code tables and transforms."""
    try:
        mapping.mapper()
    except MappingError as error:
        yield Finding(_where(path, tables, error), error)


def _sources(settings: Settings, plugins: Plugins, mappings: Mappings) -> Iterator[Finding]:
    for name, source in settings.sources.items():
        try:
            connector = called(source.connector, plugins.connector(source.connector))
            known = (*SourceSettings.model_fields, *connector.Config.model_fields)
            config, wrong = read_section(connector.Config, source.options, source._places, known=known)
            # Each of these says its line itself; a whole is not told beside the part that is wrong in it.
            keys = [str(error.values.get("key")) for error in wrong]
            for error, own in zip(wrong, keys, strict=True):
                if not any(key.startswith(f"{own}.") for key in keys):
                    yield Finding(name, error.within(source=name))
            streams = called(source.connector, partial(connector.streams, config)) if config is not None else ()
        except HubError as error:
            yield Finding(source._places.of(("connector",)), error.within(source=name))
            continue
        for stream in streams:
            if stream.mapping not in mappings.names:
                missing = MappingError(
                    "stream {stream} names the mapping {name}, which there is not",
                    stream=stream.name,
                    name=stream.mapping,
                    remedy="install the plugin that brings it, or write it",
                )
                yield Finding(source._places.of(_naming(source, stream.mapping)), missing.within(source=name))


def _naming(source: SourceSettings, mapping: str) -> KeyPath:
    """The setting that names the mapping, else the section's connector."""
    return next(_holding(source.options, mapping), ("connector",))


def _holding(value: object, wanted: object) -> Iterator[KeyPath]:
    """Paths at which it stands."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if item == wanted:
            yield (key,)
        yield from ((key, *below) for below in _holding(item, wanted))


def _place(path: Path, error: MappingError) -> str:
    """`folder/file:line`; of a mapping by its key, as nothing keeps the position of a TOML value."""
    if "key" in error.values:
        key = tuple(int(part) if part.isdigit() else part for part in str(error.values["key"]).split("."))
        return _line_of(path, key)
    said = _AT_LINE.search(str(error.values.get("reason", "")))
    line = said[1] if said else error.values.get("line")
    return f"{path.parent.name}/{path.name}" + (f":{line}" if line else "")


def _where(mapping: Path, tables: dict[str, Path], error: MappingError) -> str:
    """The row of a code table, or the line of the mapping, that holds what the error names; else that of the state."""
    table = tables.get(str(error.values.get("table")))
    if table is not None and "line" in error.values:
        return _place(table, error)
    written = tomllib.loads(mapping.read_text("utf-8-sig"))
    found = (key for value in error.values.values() for key in _holding(written, value))
    return _line_of(mapping, next(found, ("fields", "status")))


def _line_of(path: Path, key: KeyPath) -> str:
    return f"{path.parent.name}/{Places(path, key_lines(path.read_text('utf-8'))).of(key)}"
