"""A tolerant splitter for a page that no strict parser takes: it finds the edges of rows, and judges each row alone.

One NaN, raw control character, lone surrogate or absurd depth spoils a whole page for a strict parser. Brackets and
strings still show where rows begin and end; only what is wrong inside one row is set aside.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from hub.errors import UnreadablePageError
from hub.source.document import Document, steps, utf8_body
from hub.source.stream import RawRow

__all__ = ["NoBoundariesError", "TolerantDocument", "elements", "judge", "rows_apart", "tolerant_document"]

#: A string, a bracket or a comma; a lone quote is a string that never ends. Possessive: no backtracking on long
#: strings.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},"]', re.DOTALL)
_MEMBER = re.compile(rb'\s*("(?:[^"\\]|\\.)*+")\s*:\s*', re.DOTALL)
_CLOSER = {b"[": b"]", b"{": b"}"}
_OPENERS = (*_CLOSER, b'"')
"""What a JSON answer of rows can begin with."""
_skip = msgspec.json.Decoder(msgspec.Raw)


class NoBoundariesError(ValueError):
    """Brackets or strings do not close: where a row ends cannot be known."""


def elements(text: bytes) -> Iterator[bytes]:
    """The top-level elements of the array or object that `text` begins with, cut at its commas and stripped.

    Bracket- and string-aware, not recursive. Raises NoBoundariesError if brackets do not match or the container does
    not close.
    """
    opening = text[:1]
    if opening not in _CLOSER:
        raise NoBoundariesError
    expected = [_CLOSER[opening]]
    start = 1
    for token in _TOKEN.finditer(text, 1):
        sign = token.group()
        if sign in _CLOSER:
            expected.append(_CLOSER[sign])
        elif sign in (b"]", b"}"):
            if sign != expected.pop():
                raise NoBoundariesError
            if not expected:
                last = text[start : token.start()].strip()
                if last:
                    yield last
                return
        elif sign == b"," and len(expected) == 1:
            yield text[start : token.start()].strip()
            start = token.end()
        elif sign == b'"':
            raise NoBoundariesError
    raise NoBoundariesError


def judge(row: bytes) -> str:
    """Why a strict parser does not read this row; empty if it does."""
    try:
        _skip.decode(row)
        row.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    except RecursionError:
        return "nested too deeply"
    except msgspec.DecodeError as exc:
        return "not JSON: " + str(exc).removeprefix("JSON is malformed: ").split(" (byte")[0]
    return ""


class TolerantDocument(Document):
    """A document whose levels are found by scanning. Values that no parser reads are None."""

    def find(self, path: str) -> bytes | None:
        raw = self.text.strip()
        for key in steps(path):
            raw = _inner(raw)
            if not raw.startswith(b"{"):
                return None
            found = None
            for member in elements(raw):
                name = _MEMBER.match(member)
                if name and _loads(name.group(1)) == key:
                    # Of a key that stands twice the last one counts, as for a strict parser.
                    found = member[name.end() :].strip()
            if found is None:
                return None
            raw = found
        return raw

    def payload(self, path: str) -> bytes | None:
        raw = self.find(path)
        return None if raw is None else _inner(raw)

    def value(self, path: str) -> Any:
        raw = self.find(path)
        return None if raw is None or len(raw) > 10_000 else _loads(raw)

    def check(self) -> None:
        """Nothing to hold against it: it is known to be no strict JSON."""


def tolerant_document(body: bytes, encoding: str) -> TolerantDocument:
    """An answer that no strict parser takes. NoBoundariesError if it does not begin like one, UnreadablePageError if another
    document follows it."""
    text = _readable(body, encoding)
    if _behind(text)[:1] in _OPENERS:
        # Most likely the source failed half-way and said so, behind rows it had begun to send.
        raise UnreadablePageError(
            "a second document follows the answer",
            remedy="see the answer with hub preview; the cursor stays where it was",
        )  # fmt: skip
    if text.lstrip()[:1] not in _OPENERS:
        raise NoBoundariesError
    return TolerantDocument(text)


def rows_apart(array: bytes | None) -> tuple[list[bytes], tuple[RawRow, ...]]:
    """The rows of an array by their edges: those a strict parser reads, and the bad ones. NoBoundariesError without an array."""
    if array is None or not array.startswith(b"["):
        raise NoBoundariesError
    rows, bad = [], []
    for piece in elements(array):
        reason = judge(piece)
        if reason:
            bad.append(RawRow(piece, reason))
        else:
            rows.append(piece)
    return rows, tuple(bad)


def _behind(text: bytes) -> bytes:
    """What follows the document that the text begins with."""
    depth = 0
    for token in _TOKEN.finditer(text):
        sign = token.group()
        depth += (sign in _CLOSER) - (sign in (b"]", b"}"))
        if depth <= 0 and sign in (b"]", b"}"):
            return text[token.end() :].strip()
    return b""


def _readable(body: bytes, encoding: str) -> bytes:
    """The text to scan. A page that is whole in another encoding stays unreadable: its rows are not what is wrong."""
    try:
        return utf8_body(body, encoding)
    except UnreadablePageError:
        if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in _OPENERS:
            raise
        try:
            body.decode("gb18030")
        except UnicodeDecodeError:
            return body.removeprefix(b"\xef\xbb\xbf")
        raise


def _inner(raw: bytes) -> bytes:
    """The document inside a JSON string, as bytes; anything else as it is."""
    if not raw.startswith(b'"'):
        return raw
    text = _loads(raw)
    if not isinstance(text, str):
        raise NoBoundariesError
    try:
        return text.encode("utf-8", "surrogateescape").strip()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass").strip()


def _loads(raw: bytes) -> Any:
    """json.loads with raw control characters and broken UTF-8 let through; None if even that fails."""
    try:
        return json.loads(raw.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return None
