"""One answer's body as JSON, walked by dotted paths without decoding what lies beside them."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from hub.errors import LoginPageError, UnreadablePageError

__all__ = ["PARSE_ERRORS", "Document", "Shape", "leaf_reader", "reads_as_utf8", "steps", "utf8_body"]

PARSE_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises for a text that is no JSON, too deep, or no UTF-8."""

_BOM = b"\xef\xbb\xbf"
_PIECE = 64 * 1024
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_skip = msgspec.json.Decoder(msgspec.Raw)


def steps(path: str) -> list[str]:
    """The keys of a dotted path; none for the whole document."""
    return path.split(".") if path else []


def _check_utf8(text: bytes) -> None:
    """UnicodeDecodeError, with its place in the whole text. Piece by piece: a string of the whole page costs twice the time,
    most of it for fresh memory."""
    decode, pieces = getincrementaldecoder("utf-8")().decode, memoryview(text)
    try:
        for start in range(0, len(text), _PIECE):
            decode(pieces[start : start + _PIECE])
        decode(b"", final=True)
    except UnicodeDecodeError:
        text.decode()
        raise


def reads_as_utf8(pieces: Iterable[bytes]) -> bool:
    """Whether bytes said to be GB are UTF-8 with Chinese in it. Two bytes alone may be both; no text of some length is."""
    decode, chinese = getincrementaldecoder("utf-8")().decode, False
    try:
        for piece in pieces:
            chinese = max(decode(piece), default="") >= "\u0800" or chinese
        decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return chinese


def utf8_body(body: bytes, encoding: str = "utf-8") -> bytes:
    """The body as UTF-8 without a BOM. Raises LoginPageError for HTML, UnreadablePageError for another encoding."""
    text = body.removeprefix(_BOM)
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        try:
            text = body.decode(encoding).encode()
        except UnicodeDecodeError as exc:
            raise UnreadablePageError("the answer is not {encoding}", encoding=encoding) from exc
        if encoding.lower().startswith("gb") and not body.isascii() and reads_as_utf8([body]):
            raise UnreadablePageError(
                "the answer is UTF-8, not {encoding}", encoding=encoding, remedy="leave encoding out of the source"
            )
    elif not text.isascii():
        # msgspec does not look at the bytes inside the strings it skips.
        try:
            _check_utf8(text)
        except UnicodeDecodeError as exc:
            raise UnreadablePageError(
                "the answer is not UTF-8 at byte {byte}",
                byte=exc.start,
                remedy='if the source always sends GBK, declare encoding = "gb18030"',
            ) from exc
    if text[:256].lstrip()[:1] == b"<":
        raise LoginPageError(
            "an HTML or XML page came where JSON was asked for",
            remedy="most likely the session or key is not valid any more; check the source's credentials",
        )
    return text


class Shape:
    """Where an answer usually has what is asked of it, so that one pass over the text finds all of it. Objects all the way;
    an answer of any other shape is walked level by level. No path may lead through another one."""

    def __init__(self, rows: str, paths: Iterable[str]) -> None:
        self._rows, self._paths = tuple(steps(rows)), {path: tuple(steps(path)) for path in paths}
        self._nodes = {keys[:depth] for keys in (self._rows, *self._paths.values()) for depth in range(len(keys) + 1)}
        self._names = {node: f"f{number}" for number, node in enumerate(sorted(self._nodes))}
        self._decode = msgspec.json.Decoder(self._type(())).decode

    def read(self, text: bytes) -> tuple[dict[str, msgspec.Raw | None], list[msgspec.Raw] | None]:
        """What stands at each path (None: nothing) and the rows; nothing at all if the text is of another shape."""
        try:
            document = self._decode(text)
        except PARSE_ERRORS:
            return {}, None
        return {path: self._at(document, keys) for path, keys in self._paths.items()}, self._at(document, self._rows)

    def _type(self, node: tuple[str, ...]) -> Any:
        if node == self._rows:
            return list[msgspec.Raw]
        below = sorted(found for found in self._nodes if found[:-1] == node and found)
        if not below:
            return msgspec.Raw
        fields = [
            (self._names[found], self._type(found), *(() if found == self._rows[: len(found)] else (None,)))
            for found in below
        ]
        names = {self._names[found]: found[-1] for found in below}
        return msgspec.defstruct("Shape", fields, rename=names, kw_only=True, gc=False)

    def _at(self, found: Any, keys: tuple[str, ...]) -> Any:
        for depth in range(len(keys)):
            found = getattr(found, self._names[keys[: depth + 1]]) if found is not None else None
        return found


@cache
def leaf_reader(path: str) -> Callable[[bytes], Any]:
    """A function to the leaf at a path of one record, None if it is missing: as `Document.value`, in a fraction of its time where
    objects lead to it."""
    *parents, last = steps(path)
    kind: Any = msgspec.defstruct(
        "Leaf", [("leaf", bool | int | float | str | None, None)], rename={"leaf": last}, gc=False
    )
    for name in reversed(parents):
        kind = msgspec.defstruct("Node", [("leaf", kind | None, None)], rename={"leaf": name}, gc=False)
    decode = msgspec.json.Decoder(kind).decode

    def read(text: bytes) -> Any:
        try:
            found = decode(text)
        except msgspec.ValidationError:
            return Document(text).value(path)
        for _ in range(len(parents) + 1):
            found = found.leaf if found is not None else None
        return found

    return read


class Document:
    """A JSON text (UTF-8). `find` walks objects; a JSON *string* on the way is decoded as JSON and walked on
    (domain.md §1.3).

    Each level is split once into raw slices; only what a path names is looked at.
    """

    def __init__(self, text: bytes, shape: Shape | None = None) -> None:
        self.text = text
        self._levels: dict[str, dict[str, msgspec.Raw] | None] = {}
        self._inner: dict[str, bytes] = {}
        self._told: dict[str, msgspec.Raw | None] = {}
        #: The elements of the shape's rows, where the text is of that shape.
        self.rows: list[msgspec.Raw] | None = None
        if shape is not None:
            self._told, self.rows = shape.read(text)

    def find(self, path: str) -> bytes | None:
        """The raw JSON at a path, exactly as sent; None if it is missing. UnreadablePageError if a level is no JSON."""
        if not path:
            return self.text
        if path in self._told:
            raw = self._told[path]
            return None if raw is None else bytes(raw)
        parent, _, key = path.rpartition(".")
        level = self._level(parent)
        found = level.get(key) if level is not None else None
        return None if found is None else bytes(found)

    def value(self, path: str) -> Any:
        """The decoded value at a path, None if it is missing or null."""
        raw = self.find(path)
        try:
            return None if raw is None else msgspec.json.decode(raw)
        except PARSE_ERRORS as exc:
            raise self.unreadable(path) from exc

    def payload(self, path: str) -> bytes | None:
        """Like `find`, but a JSON string is replaced by the document inside it."""
        if path in self._inner:
            return self._inner[path]
        raw = self.find(path)
        if raw is None or not raw.lstrip().startswith(b'"'):
            return raw
        try:
            inner = _text.decode(raw).encode()
        except PARSE_ERRORS as exc:
            raise self.unreadable(path) from exc
        self._inner[path] = inner
        return inner

    def _level(self, path: str) -> dict[str, msgspec.Raw] | None:
        """The members of the object at a path; None if there is no object."""
        if path not in self._levels:
            raw = self.payload(path)
            level = None
            if raw is not None and raw.lstrip().startswith(b"{"):
                try:
                    level = _object.decode(raw)
                except PARSE_ERRORS as exc:
                    raise self.unreadable(path) from exc
            elif not path:
                self.check()
            self._levels[path] = level
        return self._levels[path]

    def check(self) -> None:
        """Raise UnreadablePageError if the whole text is no JSON document."""
        try:
            _skip.decode(self.text)
        except PARSE_ERRORS as exc:
            raise self.unreadable("") from exc

    def unreadable(self, path: str) -> UnreadablePageError:
        return UnreadablePageError(
            "the answer cannot be read as JSON at {path}",
            path=path or "its top",
            remedy="see the answer with hub preview",
        )
