"""Where each setting came from: a line of hub.toml, an environment variable, or the default."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

__all__ = ["KeyPath", "Places", "key_lines"]

KeyPath = tuple[str | int, ...]

_PART = r'(?:[A-Za-z0-9_-]+|"[^"]*"|\'[^\']*\')'
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_PART}(?:\s*\.\s*{_PART})*)\s*\]")
_KEY = re.compile(rf"^\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Places:
    """Origins below one section. `base` is the section's own path in the file."""

    file: Path = Path("hub.toml")
    lines: dict[KeyPath, int] = field(default_factory=dict)
    variables: dict[KeyPath, str] = field(default_factory=dict)
    base: KeyPath = ()

    def below(self, *path: str | int) -> "Places":
        return replace(self, base=(*self.base, *path))

    def of(self, path: KeyPath) -> str:
        """`hub.toml:12`, the variable's name, or the file if the exact line is not known."""
        full = (*self.base, *path)
        if full in self.variables:
            return self.variables[full]
        while full and full not in self.lines:
            full = full[:-1]
        return f"{self.file.name}:{self.lines[full]}" if full else self.file.name

    def origin(self, path: KeyPath) -> str:
        """As `of`, but `default` for a setting nobody gave."""
        full = (*self.base, *path)
        return self.of(path) if full in self.variables or full in self.lines else "default"

    def key(self, path: KeyPath) -> str:
        """The setting's full dotted name, `sources.hotline.app_key`."""
        return ".".join(str(part) for part in (*self.base, *path))


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line number of every table header and key of a TOML text that is known to parse.

    tomllib keeps no positions. Lines inside a multi-line string may be taken for keys;
    they only add paths nobody asks for.
    """
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            # A table's parents stand nowhere else, if they have no header of their own.
            for depth in range(1, len(table) + 1):
                found.setdefault(table[:depth], number)
        elif key := _KEY.match(line):
            found.setdefault((*table, *_parts(key[1])), number)
    return found


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
