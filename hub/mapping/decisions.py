"""Codes that a person decided about in a spreadsheet, and the code table that follows from it."""

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub.config.writing import writing
from hub.errors import MappingError

if TYPE_CHECKING:
    from hub.mapping.codes import CodeEntry

__all__ = ["Decision", "read_decisions", "spreadsheet", "write_table"]

_TABLE = ("source_code", "hub_code", "title", "valid_from", "valid_to")
_NEEDED = ("code_table", "source_code", "hub_code")


@dataclass(frozen=True, slots=True)
class Decision:
    """One row that was filled in: what the source's code means to the hub."""

    table: str
    code: str
    hub_code: str
    title: str


def spreadsheet(rows: Iterable[Mapping[str, object]]) -> bytes:
    """CSV for a spreadsheet (UTF-8 with BOM, which Excel needs): fill in `hub_code`, save, and have it approved."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*_NEEDED, "title", "count", "source", "stream", "sample"], extrasaction="ignore")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def read_decisions(path: Path) -> list[Decision]:
    """The rows with a `hub_code`; UTF-8 or GBK, as spreadsheets save. MappingError if it is not such a file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MappingError(
            "{path} cannot be read: {why}", path=path, why=error.strerror, remedy="check the file"
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", "replace")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise MappingError(
            "{path} has no column {column}", path=path.name, column=missing[0],
            remedy="begin with the file that hub codes unmapped --csv writes",
        )  # fmt: skip
    rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    return [
        Decision(row["code_table"], row["source_code"], row["hub_code"], row.get("title", ""))
        for row in rows
        if row["hub_code"]
    ]


def write_table(folder: Path, present: Path | None, table: str, decisions: Iterable[Decision]) -> Path:
    """The operator's own copy of a code table, with these codes in it; from then on it stands in for the plugin's.

    `present` is the file in force. Written whole and then moved into place.
    """
    from hub.mapping.codes import load_code_table

    known = load_code_table(present).entries if present else {}
    decided = {one.code: one for one in decisions}
    target = folder / "codes" / f"{table}.csv"
    draft = target.with_suffix(".csv.new")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(draft, known, decided)
        os.replace(draft, target)
    return target


def _write(draft: Path, known: "Mapping[str, tuple[CodeEntry, ...]]", decided: Mapping[str, Decision]) -> None:
    with draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_TABLE)
        for code, rows in known.items():
            if code not in decided:
                writer.writerows((code, row.hub_code, row.title, row.valid_from, row.valid_to) for row in rows)
        writer.writerows((one.code, one.hub_code, one.title, "", "") for one in decided.values())
