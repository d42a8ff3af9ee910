"""Code tables: CSV files an operator edits in a spreadsheet, `source_code,hub_code,title,valid_from,valid_to`."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hub.errors import MappingError

__all__ = ["CodeEntry", "CodeTable", "CodeTables", "load_code_table", "named_table"]

_COLUMNS = ("source_code", "hub_code", "title", "valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """One row. `hub_code` may be empty where only the title matters; dates bound the validity, both inclusive. `line` is where it
    stands in the file."""

    source_code: str
    hub_code: str
    title: str
    valid_from: date | None
    valid_to: date | None
    line: int


@dataclass(frozen=True, slots=True)
class CodeTable:
    """All rows of one table by source code; several rows of one code differ in validity, newest first."""

    name: str
    entries: dict[str, tuple[CodeEntry, ...]]

    @property
    def dated(self) -> bool:
        return any(entry.valid_from or entry.valid_to for entries in self.entries.values() for entry in entries)

    def only_into(self, known: Iterable[str]) -> None:
        """MappingError if a row translates to anything else."""
        allowed = frozenset(known)
        for rows in self.entries.values():
            for row in rows:
                if row.hub_code and row.hub_code not in allowed:
                    raise MappingError(
                        "code table {table}.csv, line {line}: {code} is none of the hub's codes",
                        table=self.name, line=row.line, code=row.hub_code,
                        remedy="the mapping {mapping} needs one of {known}", known=", ".join(sorted(allowed)),
                    )  # fmt: skip

    def find(self, code: str, on: date | None = None) -> CodeEntry | None:
        """The row valid on that day (any row if no day is given), None if the code is unknown."""
        for entry in self.entries.get(code, ()):
            if on is None or (
                (not entry.valid_from or entry.valid_from <= on) and (not entry.valid_to or on <= entry.valid_to)
            ):
                return entry
        return None


class CodeTables(Mapping[str, CodeTable]):
    """The code tables one mapping may name, each read when it is asked for: a broken one stops none but those who use it."""

    def __init__(self, mapping: str, files: Mapping[str, Path], read: dict[str, CodeTable]) -> None:
        self._mapping, self._files, self._read = mapping, files, read

    def __getitem__(self, name: str) -> CodeTable:
        if name not in self._read:
            try:
                self._read[name] = load_code_table(self._files[name])
            except MappingError as error:
                error.remedy = "the mapping {mapping} needs it; `hub validate` lists every broken table"
                raise error.within(mapping=self._mapping) from error.__cause__
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def named_table(tables: Mapping[str, CodeTable], name: str) -> CodeTable:
    """The code table of that name. MappingError if there is none or it is broken."""
    try:
        return tables[name]
    except KeyError:
        raise MappingError(
            "unknown code table {table}", table=name, remedy="add {table}.csv to a codes folder"
        ) from None


def load_code_table(path: Path) -> CodeTable:
    """Read a table, UTF-8 with or without BOM, or GBK. MappingError names file, line and column."""
    entries: dict[str, list[CodeEntry]] = {}
    for line, row in _rows(path):
        code = (row["source_code"] or "").strip()
        entry = CodeEntry(
            code,
            (row["hub_code"] or "").strip(),
            (row["title"] or "").strip(),
            _day(row.get("valid_from"), path, line),
            _day(row.get("valid_to"), path, line),
            line,
        )
        same = entries.setdefault(code, [])
        if any((other.valid_from, other.valid_to) == (entry.valid_from, entry.valid_to) for other in same):
            raise MappingError(
                "code table {path}, line {line}: code {code} stands twice",
                path=path.name,
                line=line,
                code=code,
            )
        same.append(entry)
    newest_first = {
        code: tuple(sorted(rows, key=lambda row: row.valid_from or date.min, reverse=True))
        for code, rows in entries.items()
    }
    return CodeTable(path.stem, newest_first)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    reader = csv.DictReader(io.StringIO(_text(path)))
    try:
        missing = [name for name in _COLUMNS[:3] if name not in (reader.fieldnames or ())]
        if missing:
            raise MappingError("code table {path} has no column {column}", path=path.name, column=missing[0])
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise MappingError(
            "code table {path}, line {line}: not CSV: {reason}",
            path=path.name, line=reader.line_num + 1, reason=error,
        ) from error  # fmt: skip


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MappingError(
            "code table {path} cannot be read: {why}", path=path.name, why=type(error).__name__
        ) from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise MappingError("code table {path} is neither UTF-8 nor GBK", path=path.name)


def _day(text: str | None, path: Path, line: int) -> date | None:
    if not text or not text.strip():
        return None
    try:
        # A spreadsheet saves 2026/1/5, another one 1/5/26, which nobody can tell from 26/1/5.
        parts = text.strip().replace("/", "-").split("-")
        if len(parts) == 3 and len(parts[0]) != 4:
            raise ValueError("no year")
        return date(*map(int, parts)) if len(parts) == 3 else date.fromisoformat(text.strip())
    except ValueError as error:
        raise MappingError("code table {path}, line {line}: not a date", path=path.name, line=line) from error
