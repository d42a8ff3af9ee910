"""Errors of formulas in XLSX sheets (`#N/A`, `#REF!`, `#VALUE!` …), which the reader of spreadsheets gives as empty cells."""

import posixpath
import re
from typing import IO
from xml.etree.ElementTree import Element, ParseError  # nosec B405 # names only; defusedxml parses
from xml.parsers import expat
from zipfile import ZipFile

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

__all__ = ["formula_errors"]

_CHUNK = 1 << 20
_BOOK = "xl/workbook.xml"
#: `t="e"`, in UTF-8 or UTF-16. Hardly a sheet has one, and only such a sheet is read a second time.
_ERROR = re.compile(rb"t[\s\0]*=[\s\0]*[\"']\0?e\0?[\"']")
_REFERENCE = re.compile(r"([A-Za-z]+)(\d+)")


def formula_errors(archive: ZipFile, sheet: str) -> dict[int, dict[int, str]]:
    """By row and column (from 0), the error of each cell that holds one. Raises ValueError for a workbook that is not laid out
    as the format says."""
    names = {name.replace("\\", "/").lower(): name for name in archive.namelist()}
    try:
        part = names[_part(archive, names, sheet)]
        with archive.open(part) as file:
            if not _holds_one(file):
                return {}
        with archive.open(part) as file:
            return _Cells().read(file)
    except (KeyError, ParseError, DefusedXmlException, expat.ExpatError) as exc:
        raise ValueError(f"the workbook is not laid out as expected ({type(exc).__name__})") from exc


def _part(archive: ZipFile, names: dict[str, str], sheet: str) -> str:
    """Where the archive keeps the sheet."""
    book = fromstring(archive.read(names[_BOOK]))
    links = fromstring(archive.read(names["xl/_rels/workbook.xml.rels"]))
    link = {one.get("name"): _attribute(one, "id") for one in book.iter() if _local(one.tag) == "sheet"}[sheet]
    target = {one.get("Id"): one.get("Target", "") for one in links.iter() if _local(one.tag) == "Relationship"}[link]
    return posixpath.normpath(posixpath.join("/xl", target.replace("\\", "/"))).lstrip("/").lower()


def _attribute(element: Element, name: str) -> str | None:
    """An attribute that stands under a name space: which one depends on the flavour of the format."""
    return next((value for key, value in element.items() if key.startswith("{") and _local(key) == name), None)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _holds_one(file: IO[bytes]) -> bool:
    before = b""
    while chunk := file.read(_CHUNK):
        if _ERROR.search(before + chunk):
            return True
        before = chunk[-64:]
    return False


class _Cells:
    """Reads a sheet's cells and keeps those with an error. A row or cell that does not say where it is follows the one before."""

    def __init__(self) -> None:
        self._found: dict[int, dict[int, str]] = {}
        self._row = self._column = -1
        self._error = self._value = False
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, file: IO[bytes]) -> dict[int, dict[int, str]]:
        self._parser.ParseFile(file)
        return self._found

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1
        elif name == "c":
            place = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._column = _number(place[1]) if place else self._column + 1
            self._error = attributes.get("t") == "e"
            if self._error:
                self._found.setdefault(self._row, {})[self._column] = ""
        self._value = self._error and name == "v"

    def _close(self, name: str) -> None:
        self._value = False

    def _text(self, text: str) -> None:
        if self._value:
            self._found[self._row][self._column] += text

    def _refuse(self, *_: object) -> None:
        raise ValueError("the workbook declares a document type, which is refused")


def _number(letters: str) -> int:
    """A is 0, Z 25, AA 26."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1
