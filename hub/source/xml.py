"""XML answers (Open311 GeoReport v2): rows as the exact bytes of each element, and the reshape of one into flat
JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError  # nosec B405 # names only; defusedxml parses
from xml.parsers import expat

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from hub.errors import EnvelopeError, LoginPageError, UnreadablePageError
from hub.source.envelope import ErrorKind, Split, source_error
from hub.source.said import quiet, quiet_code
from hub.source.stream import RawRow

__all__ = ["XmlEnvelope", "xml_to_flat"]

_HTML = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<(!doctype\s+html|html)", re.IGNORECASE)
_DECLARATION = re.compile(rb"\s*<\?xml[^>]*\?>")
_TAG = re.compile(rb"<[^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlEnvelope:
    """Rows are the elements named `row` directly below the root `root`.

    An answer whose root is `error_root` is the source's own refusal: its first `code` and `message` elements are
    reported and `errors` says what a code means. A document type is refused unread: it is how XML attacks begin.
    """

    row: str
    root: str
    error_root: str = "errors"
    code: str = "code"
    message: str = "description"
    errors: Mapping[str, ErrorKind] = field(default_factory=dict)
    encoding: str = "utf-8"

    def split(self, body: bytes) -> Split:
        text = self._text(body)
        reader = _RowReader(text, self.row)
        try:
            reader.read()
        except expat.ExpatError as exc:
            raise UnreadablePageError(
                "the answer cannot be read as XML at line {line}",
                line=exc.lineno,
                remedy="see the answer with hub preview",
            ) from exc
        if reader.root == self.error_root:
            raise self._refusal(text)
        if reader.root != self.root:
            raise EnvelopeError(
                "the answer begins with <{found}>, not <{root}>",
                found=quiet_code(reader.root),
                root=self.root,
                remedy="see the answer with hub preview; the source may have changed",
            )
        if not reader.rows:
            self._check_empty(text)
        return Split(reader.rows)

    def scan(self, body: bytes) -> Split:
        """Elements by their tags; each is judged alone. The root must close, else rows may be missing."""
        text = self._text(body)
        root, tag = re.escape(self.root.encode()), re.escape(self.row.encode())
        whole = re.search(rb"<" + root + rb"(?:\s[^>]*)?>(.*)</" + root + rb"\s*>\s*\Z", text, re.DOTALL)
        if whole is None:
            raise UnreadablePageError(
                "the rows of the answer cannot be told apart: <{root}> does not close", root=self.root
            )
        rows, bad = [], []
        for piece in re.findall(rb"<" + tag + rb"(?:\s[^>]*)?>.*?</" + tag + rb"\s*>", whole.group(1), re.DOTALL):
            try:
                expat.ParserCreate("utf-8").Parse(piece, True)
                rows.append(piece)
            except expat.ExpatError as exc:
                bad.append(RawRow(piece, "not XML: " + expat.ErrorString(exc.code)))
        if not rows and not bad and whole.group(1).strip():
            raise UnreadablePageError("the answer has no <{row}>, but something else", row=self.row)
        return Split(rows, bad=tuple(bad))

    def record(self, body: bytes) -> bytes:
        rows = self.split(body).rows
        if len(rows) != 1:
            raise EnvelopeError("{count} records where one was asked for", count=len(rows))
        return rows[0]

    def _text(self, body: bytes) -> bytes:
        """UTF-8 without BOM and declaration, so that byte positions are positions in the text."""
        if _HTML.match(body):
            raise LoginPageError(
                "an HTML page came where XML was asked for",
                remedy="most likely the session or key is not valid any more; check the source's credentials",
            )
        try:
            text = body.removeprefix(b"\xef\xbb\xbf").decode(self.encoding).encode()
        except UnicodeDecodeError as exc:
            raise UnreadablePageError("the answer is not {encoding}", encoding=self.encoding) from exc
        return _DECLARATION.sub(b"", text, count=1)

    def _check_empty(self, text: bytes) -> None:
        """Raise unless the root is empty: rows under another name, or a word of trouble, are not "no data"."""
        root = fromstring(text)
        said = (root.text or "").strip()
        if len(root) or said:
            raise EnvelopeError(
                "the answer has no <{row}>, but {found}",
                row=self.row,
                found=f"<{quiet_code(root[0].tag)}>" if len(root) else quiet(said),
                remedy="see the answer with hub preview; a missing row list is never taken for no rows",
            )

    def _refusal(self, text: bytes) -> Exception:
        tree = fromstring(text)
        code, said = (_first(tree, name) for name in (self.code, self.message))
        return source_error(self.errors.get(code, "failed"), code, f"{self.error_root}.{self.code}", quiet(said))


class _RowReader:
    """Reads the whole text strictly and notes where each row element begins and ends."""

    def __init__(self, text: bytes, row: str) -> None:
        self.root = ""
        self.rows: list[bytes] = []
        self._text = text
        self._row = row
        self._depth = 0
        self._start = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self) -> None:
        self._parser.Parse(self._text, True)

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0:
            self.root = name
        elif self._depth == 1 and name == self._row:
            self._start = self._parser.CurrentByteIndex
        self._depth += 1

    def _close(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1 and name == self._row:
            at = self._parser.CurrentByteIndex
            # `<row/>` has no end tag: its only tag is the whole element.
            tag = _TAG.match(self._text, at if self._text.startswith(b"</", at) and at > self._start else self._start)
            self.rows.append(self._text[self._start : tag.end() if tag else at])

    def _refuse(self, *_: object) -> None:
        raise UnreadablePageError("the answer declares a document type, which is refused")


def xml_to_flat(row: bytes) -> bytes:
    """One element as a JSON object: child name → text, null if empty; children of children nest, repeated ones are a
    list.

    A `reshape` for streams. Raises ValueError for what is no XML element.
    """
    try:
        return msgspec.json.encode(_flat(fromstring(row)))
    except (ParseError, DefusedXmlException) as exc:
        raise ValueError("not an XML element") from exc


def _flat(element: Element) -> dict[str, object]:
    record: dict[str, object] = {}
    for child in element:
        value = _flat(child) if len(child) else child.text
        if child.tag not in record:
            record[child.tag] = value
            continue
        others = record[child.tag]
        record[child.tag] = [*others, value] if isinstance(others, list) else [others, value]
    return record


def _first(tree: Element, name: str) -> str:
    found = next(tree.iter(name), None)
    return (found.text or "").strip() if found is not None else ""
