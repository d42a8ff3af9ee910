"""Rows that were read before and come again byte for byte: told by the digest of the text they stand in, and split only if
somebody looks at them. What stands around them is read as ever."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

import msgspec

from hub.source.envelope import Envelope, Split

__all__ = ["Known", "KnownRows", "RowsText", "split_known"]

Known = Callable[[bytes], int | None]
"""How many rows the text with this digest holds, if it was read and stored before; else None."""

#: A shorter text is split in less time than it takes to ask for it.
_WORTH_IT = 16 * 1024
_STAND_IN = b"0"
_rows = msgspec.json.Decoder(list[msgspec.Raw])


class RowsText:
    """What stands between the first bracket of an answer and its last: the text of its rows, if they are its only array."""

    def __init__(self, body: bytes) -> None:
        self._body, self._start, self._end = body, body.find(b"[") + 1, body.rfind(b"]")

    def __len__(self) -> int:
        return max(0, self._end - self._start) if self._start else 0

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of the text."""
        return hashlib.sha256(memoryview(self._body)[self._start : self._end]).digest()

    @property
    def frame(self) -> bytes:
        """The answer with one row in place of the text. If that row is found among the rows, the text stands among them."""
        return b"".join((self._body[: self._start], _STAND_IN, self._body[self._end :]))

    def rows(self) -> list[bytes]:
        return list(map(bytes, _rows.decode(self._body[self._start - 1 : self._end + 1])))

    def holds(self, rows: Sequence[bytes]) -> bool:
        """Whether the text is exactly these rows with a comma between each two: it holds them, so any other text is longer."""
        return bool(rows) and len(self) == sum(map(len, rows)) + len(rows) - 1


class KnownRows(Sequence[bytes]):
    """The rows of a text, which are split when one of them is first asked for."""

    def __init__(self, text: RowsText, count: int) -> None:
        self._text, self._count = text, count

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _split(self) -> list[bytes]:
        return self._text.rows()

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        return self._split[place]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._split)


def split_known(envelope: Envelope, body: bytes, known: Known) -> Split:
    """`Envelope.split`, with the digest of the rows' text where one tells them, and without splitting rows that are known."""
    text = RowsText(body)
    if len(text) < _WORTH_IT or envelope.encoding != "utf-8":
        return envelope.split(body)
    count = known(text.digest)
    if count is not None:
        framed = envelope.split(text.frame)
        if _told(framed) and framed.rows == [_STAND_IN]:
            return replace(framed, rows=KnownRows(text, count), digest=text.digest)
    split = envelope.split(body)
    return replace(split, digest=text.digest) if _told(split) and text.holds(split.rows) else split


def _told(split: Split) -> bool:
    """Whether the rows were found as a plain array in the answer, not as JSON inside a string."""
    return split.document is not None and split.document.rows is not None
