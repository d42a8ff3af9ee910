"""A drop folder in the hands of the kit: files named and written as the connector's kinds of file say."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub.errors import ConfigError
from hub.source.files import FileSpec
from hub.testing.sandbox.systems.xlsx import workbook
from hub.testing.upstream import Refusal, Worlds
from hub.testing.world import Kept, World, at_path, dated, encoded

__all__ = ["SimulatedFolder"]

_DAY_S = 86_400


class SimulatedFolder:
    """One folder; each write drops a file a kind with what is new or changed, never touching an older one."""

    refusals: tuple[Refusal, ...] = (Refusal("folder_gone"), Refusal("broken_file", lasting=False))
    tells_time = False
    page_rows = 10

    def __init__(self, worlds: Worlds, kinds: Sequence[FileSpec], folder: Path) -> None:
        self._worlds, self._kinds, self._folder = worlds, kinds, folder
        self._away = folder.with_name(f"{folder.name}.away")
        self._told: dict[tuple[str, Any], bytes] = {}
        self._drops = 0
        self._files: list[tuple[Path, FileSpec, World, list[Kept]]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def write(self) -> None:
        self._drops += 1
        for name, world in self._worlds.items():
            changed = [one for one in world.living if self._told.get((name, one.native)) != encoded(one)]
            self._told.update({(name, one.native): encoded(one) for one in changed})
            kinds = [kind for kind in self._kinds if kind.stream == name and kind.mapping == world.stream.mapping]
            for number, kind in enumerate(kinds):
                rows = [one for one in changed if world.kept.index(one) % len(kinds) == number]
                if rows:
                    self._files.append((self._save(kind, _file(kind, world, rows)), kind, world, rows))

    def late(self) -> None:
        """A file that lay about somewhere: it is older than those read already."""
        before = len(self._files)
        self.write()
        for path, *_ in self._files[before:]:
            at = path.stat().st_mtime - _DAY_S
            os.utime(path, (at, at))

    def shift(self) -> None:
        """A file that may be in the reader's hands is written anew under its name, with rows changed."""
        path, kind, world, rows = self._files[0]
        for one in rows[:3]:
            world.touch(one, world.now)
            self._told[world.stream.name, one.native] = encoded(one)
        path.write_bytes(_file(kind, world, rows))

    def fault(self, name: str, **options: Any) -> None:
        if name == "folder_gone":
            self._folder.rename(self._away)
            return
        self._drops += 1
        for kind in self._kinds:
            # No encoding and no spreadsheet has a header like this.
            self._save(kind, b"column,column\r\n1,2\r\n")

    def clear(self) -> None:
        if self._away.exists():
            self._away.rename(self._folder)

    def _save(self, kind: FileSpec, content: bytes) -> Path:
        name = kind.pattern.replace("*", f"{self._drops:03d}").replace("?", str(self._drops % 10))
        path = self._folder / name
        path.write_bytes(content)
        path.with_name(f"{name}.done").touch()
        return path


def _file(kind: FileSpec, world: World, rows: Sequence[Kept]) -> bytes:
    columns = list(dict.fromkeys(name for sample in world.samples for name in sample))
    lines = [columns, *([_cell(one, name, kind, world) for name in columns] for one in rows)]
    suffix = Path(kind.pattern).suffix.lower()
    if suffix == ".xlsx":
        return workbook(lines)
    if suffix in (".xls", ".xlsm", ".xlsb", ".ods"):
        raise ConfigError(
            "the kit cannot write {suffix} files", suffix=suffix, remedy="give it a pattern of .csv or .xlsx files"
        )
    text = io.StringIO()
    csv.writer(text, delimiter=kind.delimiter).writerows(lines)
    return text.getvalue().encode(kind.encoding or "utf-8")


def _cell(one: Kept, name: str, kind: FileSpec, world: World) -> str:
    value = at_path(one.record, name)
    cursor = world.stream.cursor
    if cursor is not None and name == cursor.path and kind.zone:
        value = dated(value, one.at, cursor.format, kind.zone)
    return "" if value is None else str(value)
