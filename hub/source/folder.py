"""Which files of a drop folder are whole, new, and whose: by name pattern, by holding still, and by content."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hub.errors import RefusedError, UnavailableError
from hub.source.connector import FileLedger

__all__ = ["Dropped", "Folder"]

_UNFINISHED = (".done", ".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file as one look saw it. `patterns` are the numbers of the patterns it fits."""

    path: Path
    size: int
    mtime_ns: int
    patterns: tuple[int, ...]

    @property
    def order(self) -> tuple[int, str]:
        """Oldest first, so that a later file's rows are applied last."""
        return self.mtime_ns, self.path.name


class Folder:
    """Looks at one folder. A file counts as whole when `NAME.done` stands beside it and is no older, or when size
    and time are the same in two looks at least `settle_s` apart. Names beginning with a dot or `~`, and those of
    half-sent files, are passed over."""

    def __init__(
        self,
        path: Path,
        patterns: tuple[str, ...],
        ledger: FileLedger,
        settle_s: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._path, self._patterns, self._ledger = path, patterns, ledger
        self._settle_s, self._sleep = settle_s, sleep
        self._looks: dict[str, tuple[int, int, float]] = {}
        self._hashes: dict[tuple[str, int, int], str] = {}

    def look(self) -> list[Dropped]:
        """All finished-looking names in the folder, in order. UnavailableError if the folder is not there."""
        found = []
        try:
            for path in self._path.iterdir():
                name = path.name
                if name.startswith((".", "~")) or name.lower().endswith(_UNFINISHED):
                    continue
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                if path.is_file():
                    fits = tuple(number for number, pattern in enumerate(self._patterns) if fnmatchcase(name, pattern))
                    found.append(Dropped(path, stat.st_size, stat.st_mtime_ns, fits))
        except OSError as exc:
            raise UnavailableError(
                "the folder {folder} cannot be looked into ({why})", folder=self._path.name, why=type(exc).__name__,
                remedy="check folder of the source in hub.toml, and that it is mounted",
            ) from exc  # fmt: skip
        return sorted(found, key=lambda file: file.order)

    def next_whole(self, wanted: Callable[[Dropped], bool], after: tuple[int, str] | None) -> Dropped | None:
        """The first whole file that is wanted, not read before, and behind `after`; None if there is none.

        Waits once where an older file may still be growing: rows of a later file are applied last, because they count.
        """
        for patient in (True, False):
            waiting = False
            for file in self.look():
                if (after is not None and file.order <= after) or not wanted(file) or self._known(file):
                    continue
                if not self._whole(file):
                    waiting = True
                elif not (waiting and patient):
                    return file
            if not waiting:
                return None
            if patient:
                self._sleep(self._settle_s)
        return None

    def sha256(self, file: Dropped) -> str:
        """Of the content, hex; remembered while size and time stay. RefusedError if it may not be read."""
        key = (file.path.name, file.size, file.mtime_ns)
        if key not in self._hashes:
            try:
                with file.path.open("rb") as opened:
                    self._hashes[key] = hashlib.file_digest(opened, "sha256").hexdigest()
            except PermissionError as exc:
                raise RefusedError(
                    "the file {file} may not be read",
                    file=file.path.name,
                    remedy="give the hub's user the right to read it",
                ) from exc
            except OSError as exc:
                raise UnavailableError(
                    "the file {file} cannot be read ({why})", file=file.path.name, why=type(exc).__name__
                ) from exc
        return self._hashes[key]

    def unchanged(self, name: str, sha256: str) -> Dropped | None:
        """The file of that name if its content is still this; None if it is gone or another one by now."""
        file = next((file for file in self.look() if file.path.name == name), None)
        return file if file is not None and self.sha256(file) == sha256 else None

    def _known(self, file: Dropped) -> bool:
        return self._ledger.seen(self.sha256(file))

    def _whole(self, file: Dropped) -> bool:
        with contextlib.suppress(OSError):
            # An older one was set for the content before this.
            if file.path.with_name(file.path.name + ".done").stat().st_mtime_ns >= file.mtime_ns:
                return True
        now, seen = time.monotonic(), self._looks.get(file.path.name)
        if seen is None or seen[:2] != (file.size, file.mtime_ns):
            self._looks[file.path.name] = (file.size, file.mtime_ns, now)
            return self._settle_s <= 0
        return now - seen[2] >= self._settle_s
