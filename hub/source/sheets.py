"""Reading CSV and spreadsheet files row by row: encoding found out, header checked, every value as text."""

import codecs
import csv
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import python_calamine
from charset_normalizer import from_bytes

from hub.source.document import reads_as_utf8
from hub.source.formulas import formula_errors

__all__ = ["Record", "SetAsideError", "Sheet", "encoding_of", "open_sheet"]

_CHUNK = 1 << 20
_SAMPLE = 256 * 1024
_SPREADSHEETS = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
#: A spreadsheet is a zip: what it unfolds to is bounded before it is opened.
_MAX_UNFOLDED = 1 << 30

#: Above it not every whole number has a value of its own in a spreadsheet.
_EXACT = 2**53
#: Of a number that was typed Excel keeps fifteen digits; those behind become noughts.
_TYPED = 10**15
#: How Excel writes a long number into a CSV file when nobody says that it is text.
_CUT_SHORT = re.compile(r"-?\d(?:\.\d{1,5})?E\+(?:1[1-9]|[2-9]\d|\d{3})")

Field = str | dict[str, str]
"""The text of a cell, or {"formula_error": "#N/A"}: no value, which a mapping that needs the column refuses."""

Record = dict[str, Field] | tuple[str, list[str] | list[Field]]
"""A row by column, or (why not, its fields)."""

_Fields = tuple[list[str] | list[Field], str]
"""The fields of a row, and why they cannot be used; empty if they can."""


class SetAsideError(ValueError):
    """The whole file cannot be used; the text is the reason. Never leaves the files transport."""


class Sheet:
    """The rows of one file, from the one after `skip` data rows on. `row` counts the data rows given so far."""

    def __init__(self, fields: Iterator[_Fields], required: tuple[str, ...], skip: int) -> None:
        self._fields = fields
        self.header = _header(next(fields, ([], ""))[0], required)
        self.row = 0
        for _ in range(skip):
            self.read()

    def read(self) -> Record | None:
        """The next row, None at the end. Rows without any value are passed over."""
        found = next(self._fields, None)
        if found is None:
            return None
        fields, reason = found
        self.row += 1
        if reason:
            return f"row {self.row}: {reason}", fields
        while len(fields) > len(self.header) and not fields[-1]:
            fields.pop()
        if len(fields) != len(self.header):
            return f"row {self.row}: {len(fields)} fields where the header has {len(self.header)}", fields
        return dict(zip(self.header, fields, strict=True))


def open_sheet(
    path: Path, *, encoding: str, delimiter: str, sheet: str, required: tuple[str, ...], skip: int = 0
) -> Sheet:
    """The file as rows. Raises SetAsideError if it cannot be decoded, has no header or lacks a required column."""
    if path.suffix.lower() in _SPREADSHEETS:
        return Sheet(_cells(path, sheet), required, skip)
    return Sheet(_lines(path, encoding_of(path, encoding), delimiter), required, skip)


def encoding_of(path: Path, declared: str = "") -> str:
    """A Python codec that reads the whole file strictly: by BOM, as declared, else UTF-8, GB18030, then what
    detection says."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    by_bom = next((codec for bom, codec in _BOMS if sample.startswith(bom)), None)
    if declared:
        # GB18030 contains GBK and GB2312, and senders name the smaller ones for it.
        wanted = "gb18030" if declared.lower() in ("gbk", "gb2312") else declared
        candidates = [by_bom or wanted]
        if not by_bom and wanted.lower().startswith("gb") and _is_utf8(path):
            raise SetAsideError(f"is UTF-8, not {declared}")
    else:
        candidates = [by_bom] if by_bom else ["utf-8", "gb18030"]
    for codec in candidates:
        if _decodes(path, codec):
            return codec
    if not declared and not by_bom:
        best = from_bytes(sample).best()
        if best is not None and _decodes(path, best.encoding):
            return best.encoding
    raise SetAsideError(f"cannot be decoded as {' or '.join(candidates)}")


def _is_utf8(path: Path) -> bool:
    with path.open("rb") as file:
        return reads_as_utf8(iter(lambda: file.read(_CHUNK), b""))


def _decodes(path: Path, codec: str) -> bool:
    try:
        decoder = codecs.getincrementaldecoder(codec)()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", True)
    except (UnicodeError, LookupError):
        return False
    return True


def _lines(path: Path, encoding: str, delimiter: str) -> Iterator[_Fields]:
    """The records of a CSV file that hold anything. A stray quote ends it: rows would be lost in what it encloses."""
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for fields in reader:
                if any(fields):
                    cut = any("E+" in text and _CUT_SHORT.fullmatch(text) for text in fields)
                    yield fields, "a number cut short by a spreadsheet: send it as text" if cut else ""
        except csv.Error as exc:
            raise SetAsideError(f"cannot be read from line {reader.line_num} on: {exc}") from exc


def _cells(path: Path, sheet: str) -> Iterator[_Fields]:
    """The rows of a sheet (the first, if none is named) that hold anything; formulas as the values or errors they had when
    saved. Cells merged downwards hold for each of their rows below the header."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(info.file_size for info in archive.infolist()) > _MAX_UNFOLDED:
                    raise SetAsideError("unfolds to more than 1 GiB")
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            found = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
            merged = {start: end[0] for start, end in found.merged_cell_ranges or () if end[0] > start[0]}
            errors = _errors(path, found.name)
            header, lasting = True, dict[int, tuple[int, Field]]()
            for number, cells in enumerate(found.to_python(skip_empty_area=False)):
                fields: list[Field] = [_text(cell) for cell in cells]
                for column, error in errors.get(number, {}).items() if not header else ():
                    fields[column] = {"formula_error": error}
                if not any(fields):
                    continue
                reason = (
                    "a number too long for a spreadsheet to keep: send it as text" if any(map(_long, cells)) else ""
                )
                for column, text in enumerate(fields):
                    if (number, column) in merged and not header:
                        lasting[column] = merged[number, column], text
                    elif column in lasting and number <= lasting[column][0]:
                        fields[column] = lasting[column][1]
                header = False
                yield fields, reason
    except (python_calamine.CalamineError, zipfile.BadZipFile, zlib.error, OSError) as exc:
        raise SetAsideError(f"is no readable spreadsheet ({type(exc).__name__})") from exc


def _errors(path: Path, sheet: str) -> dict[int, dict[int, str]]:
    """Which cells hold the error of a formula; of other formats than Excel's own nobody says."""
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            return formula_errors(archive, sheet)
    except ValueError as exc:
        raise SetAsideError(f"is no readable spreadsheet ({exc})") from exc


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def _long(cell: Any) -> bool:
    return isinstance(cell, float) and abs(cell) >= _TYPED and (abs(cell) >= _EXACT or cell % 10 == 0)


def _header(fields: list[str] | list[Field], required: tuple[str, ...]) -> list[str]:
    names = [str(name).strip() for name in fields]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise SetAsideError("is empty")
    if not all(names) or any(name.replace(".", "", 1).isdigit() for name in names):
        raise SetAsideError("has no header line")
    # Told by number: where the header is missing, what stands here is a record, and a person's name in it may come twice.
    twice = [str(number) for number, name in enumerate(names, 1) if names.count(name) > 1]
    if twice:
        raise SetAsideError(f"names a column twice: number {', '.join(twice)}")
    missing = [name for name in required if name not in names]
    if missing:
        raise SetAsideError(f"lacks column {', '.join(missing)}")
    return names
