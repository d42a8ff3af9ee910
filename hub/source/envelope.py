"""What an answer wraps its rows in: where they are, what says that all went well, and what each code means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, Protocol

import msgspec

from hub.errors import (
    EnvelopeError,
    HubError,
    MisconfiguredError,
    QuotaSpentError,
    RateLimitedError,
    RefusedError,
    TokenExpiredError,
    UnavailableError,
    UnreadablePageError,
)
from hub.source.document import PARSE_ERRORS, Document, Shape, steps, utf8_body
from hub.source.rows import STAND_IN, Known, KnownText, RowsText, TextRows, decode_rows, ends_of
from hub.source.said import quiet, quiet_code
from hub.source.scanner import NoBoundariesError, rows_apart, tolerant_document
from hub.source.stream import RawRow

__all__ = ["Check", "Envelope", "ErrorKind", "Opened", "Split", "source_error"]

ErrorKind = Literal["expired", "refused", "rate_limited", "quota", "misconfigured", "unavailable", "failed"]
"""What a source's code means to the engine: sign in again, refused, come back later, the day's quota is spent, a
setting is wrong, the source is down, or (like every code not listed) the answer cannot be used."""


@dataclass(frozen=True, slots=True)
class Split:
    """The rows of one answer, byte for byte, and what it says the whole window holds. `value` reads the rest of it."""

    rows: Sequence[bytes]
    total: int | None = None
    bad: tuple[RawRow, ...] = ()
    document: Document | None = None

    def value(self, path: str) -> Any:
        return self.document.value(path) if self.document else None

    @property
    def plain(self) -> bool:
        """Whether the rows were found as an array in the answer itself, not as JSON inside a string."""
        return self.document is not None and self.document.rows is not None


class Opened(Protocol):
    """What every kind of envelope can do with a body."""

    def split(self, body: bytes) -> Split:
        """The rows. EnvelopeError if they are missing or a check fails, UnreadablePageError if no strict parser reads
        it."""

    def scan(self, body: bytes) -> Split:
        """The same, tolerantly: what no strict parser reads becomes `bad`. UnreadablePageError without row
        boundaries."""

    def record(self, body: bytes) -> bytes:
        """The one record a detail answer holds."""


@dataclass(frozen=True, slots=True)
class Check:
    """The value at `path` must be one of `ok` (type and all: `"00"` is not `0`); `errors` says what other values mean.

    A code that is not listed is an EnvelopeError. A number is also looked up in `errors` as text.
    """

    path: str
    ok: tuple[str | int | bool | None, ...]
    errors: Mapping[str, ErrorKind] = field(default_factory=dict)

    def passes(self, value: object) -> bool:
        return any(type(value) is type(good) and value == good for good in self.ok)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """JSON. Dotted paths walk objects and go through JSON texts inside JSON strings (domain.md §1.3); "" is the whole
    answer.

    `rows`: the array of rows (for a detail answer: the record). `total`: how many rows the whole window holds, a
    number or text. `checks` in order, outermost first. `message`: where the source says what went wrong. `empty`:
    what stands anywhere on the way to the rows instead of them when there are none ("" , None, "[]"); checks below
    such a value do not apply. `encoding` is what the source really sends; rows are then UTF-8. The content type is
    not looked at: real sources lie in it. `error_row`: the keys (code, message) of the element that stands in place of
    rows when the source refuses, and `error_codes` what a code means (Open311).
    """

    rows: str = ""
    total: str | None = None
    checks: tuple[Check, ...] = ()
    message: tuple[str, ...] | str = ("message", "msg", "errorMsg", "description", "des")
    empty: tuple[str | None, ...] = ()
    error_row: tuple[str, str] | None = None
    error_codes: Mapping[str, ErrorKind] = field(default_factory=dict)
    encoding: str = "utf-8"

    def split(self, body: bytes) -> Split:
        document = self._checked(body, self._shape())
        rows = self._rows_of(document) if document.rows is None else document.rows
        if self.error_row is not None and rows:
            self._refuse_error_row(bytes(rows[0]), self.error_row)
        return Split(list(map(bytes, rows)), self.total_of(document), document=document)

    def split_known(self, body: bytes, known: Known) -> Split:
        """The same without splitting rows that are known: one row stands in for their text, and the rest is read as ever. Rows
        that can be known later are told by their text; what else stands between an answer's brackets is read each time."""
        text = RowsText(body)
        if not text.worth_it or self.encoding != "utf-8":
            return self.split(body)
        found = known(text.digest)
        if found is not None and (framed := self._framed(text)) is not None:
            return replace(framed, rows=TextRows(text, found))
        split = self.split(body)
        if split.plain and text.holds(split.rows):
            rows = list(split.rows)
            return replace(split, rows=TextRows(text, KnownText(len(rows), ends_of(rows, len(rows))), rows))
        return split

    def _framed(self, text: RowsText) -> Split | None:
        """What stands around a text, if the text stands among the rows of an answer without fault; faults are told of the whole
        answer."""
        try:
            framed = self.split(text.frame)
        except HubError:
            return None
        return framed if framed.plain and framed.rows == [STAND_IN] else None

    def _rows_of(self, document: Document) -> list[msgspec.Raw]:
        if self.no_rows(document):
            return []
        raw = document.payload(self.rows)
        if raw is None or not raw.lstrip().startswith(b"["):
            document.check()
            raise self._missing(document)
        try:
            return decode_rows(raw)
        except PARSE_ERRORS as exc:
            raise document.unreadable(self.rows) from exc

    def scan(self, body: bytes) -> Split:
        try:
            document = tolerant_document(body, self.encoding)
            self.check_values(document)
            rows, bad = rows_apart(b"[]" if self.no_rows(document) else document.payload(self.rows))
        except NoBoundariesError:
            raise UnreadablePageError(
                "the rows of the answer cannot be told apart at {path}",
                path=self.rows or "its top",
                remedy="see the answer with hub preview; the cursor stays where it was",
            ) from None
        return Split(rows, self.total_of(document), bad, document)

    def record(self, body: bytes) -> bytes:
        """The value at `rows`; out of an array with one element, that element."""
        document = self._checked(body)
        raw = document.payload(self.rows)
        if raw is None or raw.strip() in (b"null", b'""'):
            raise self._missing(document)
        try:
            if not raw.lstrip().startswith(b"["):
                return bytes(msgspec.json.decode(raw, type=msgspec.Raw))
            found = decode_rows(raw)
        except PARSE_ERRORS as exc:
            raise document.unreadable(self.rows) from exc
        if len(found) != 1:
            raise EnvelopeError("{count} records where one was asked for", count=len(found))
        return bytes(found[0])

    def check_values(self, document: Document) -> None:
        """Raise what the first failing check means."""
        for check in self.checks:
            if self._below_empty(document, check.path):
                continue
            value = document.value(check.path)
            if value is None and None not in check.ok and document.find(check.path) is None:
                raise EnvelopeError(
                    "the answer has no {path}",
                    path=check.path,
                    remedy="see the answer with hub preview; the source may have changed",
                )
            if not check.passes(value):
                code = value if isinstance(value, str | int) else type(value).__name__
                raise source_error(check.errors.get(str(code), "failed"), str(code), check.path, self.said(document))

    def said(self, document: Document) -> str:
        """The source's own message, shortened and without what may be private."""
        for path in (self.message,) if isinstance(self.message, str) else self.message:
            value = document.value(path)
            if isinstance(value, str) and value:
                return quiet(value)
        return ""

    def _shape(self) -> Shape | None:
        return _shape_of(self.rows, (*(check.path for check in self.checks), *((self.total,) if self.total else ())))

    def _checked(self, body: bytes, shape: Shape | None = None) -> Document:
        document = Document(utf8_body(body, self.encoding), shape)
        self.check_values(document)
        return document

    def no_rows(self, document: Document) -> bool:
        """Whether something declared as `empty` stands at or above the rows."""
        return bool(self.empty) and (self._below_empty(document, self.rows) or self._is_empty(document, self.rows))

    def _below_empty(self, document: Document, path: str) -> bool:
        """Whether a value that stands for "no rows" is on the way to `path`."""
        if not self.empty:
            return False
        keys = steps(path)
        return any(self._is_empty(document, ".".join(keys[:depth])) for depth in range(1, len(keys)))

    def _is_empty(self, document: Document, path: str) -> bool:
        raw = document.find(path)
        if raw is None or len(raw) > 8:
            return False
        return (raw == b"[]" and "[]" in self.empty) or any(raw == msgspec.json.encode(value) for value in self.empty)

    def total_of(self, document: Document) -> int | None:
        if self.total is None:
            return None
        value = document.value(self.total)
        if value is None or value == "":
            return None
        try:
            return int(value)
        except (TypeError, ValueError):
            raise EnvelopeError("the total at {path} is no number", path=self.total) from None

    def _refuse_error_row(self, row: bytes, keys: tuple[str, str]) -> None:
        try:
            found = msgspec.json.decode(row)
        except PARSE_ERRORS:
            return
        if isinstance(found, dict) and keys[0] in found and found.keys() <= set(keys):
            code, said = (str(found.get(key, "")) for key in keys)
            raise source_error(self.error_codes.get(code, "failed"), code, keys[0], quiet(said))

    def _missing(self, document: Document) -> EnvelopeError:
        return EnvelopeError(
            "no rows at {path} in the answer; the source says: {said}",
            path=self.rows or "its top",
            said=self.said(document) or "-",
            remedy="see the answer with hub preview; a missing row list is never taken for no rows",
        )


@cache
def _shape_of(rows: str, paths: tuple[str, ...]) -> Shape | None:
    """None where one path leads through another: then only walking tells what stands there."""
    asked = (rows, *paths)
    through = any(one != other and f"{other}.".startswith(f"{one}." if one else "") for one in asked for other in asked)
    return None if through else Shape(rows, paths)


def source_error(kind: ErrorKind, code: str, path: str, said: str) -> HubError:
    """The error a source's own code stands for; every message names where, which code, and the source's words."""
    values: dict[str, Any] = {"code": quiet_code(code), "path": path, "said": said or "-"}
    match kind:
        case "expired":
            return TokenExpiredError("the source wants a fresh token: {path} is {code}: {said}", **values)
        case "refused":
            return RefusedError(
                "the source refuses: {path} is {code}: {said}",
                remedy="check the key and what the source's owner granted",
                **values,
            )
        case "rate_limited":
            return RateLimitedError("the source was asked too often: {path} is {code}: {said}", **values)
        case "quota":
            return QuotaSpentError(
                "the quota of this key is spent: {path} is {code}: {said}",
                remedy="wait for the next quota period or ask the source's owner for more",
                **values,
            )
        case "misconfigured":
            return MisconfiguredError(
                "the source does not accept the request: {path} is {code}: {said}",
                remedy="compare the source's settings with its interface description",
                **values,
            )
        case "unavailable":
            return UnavailableError("the source has trouble: {path} is {code}: {said}", **values)
        case _:
            return EnvelopeError(
                "the source says it failed: {path} is {code}: {said}",
                remedy="see the answer with hub preview",
                **values,
            )
