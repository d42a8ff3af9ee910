"""Rows told by the digest of the text they stand in, so that rows which come again byte for byte need not be split."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, overload

import msgspec

__all__ = ["STAND_IN", "Known", "KnownText", "RowsText", "TextRows", "decode_rows", "ends_of"]


class KnownText(NamedTuple):
    """What is remembered of a text: how many rows it holds, and `ends_of` them."""

    size: int
    ends: str


Known = Callable[[bytes], KnownText | None]
"""The text with this digest, if it was read and stored before."""

STAND_IN = b"0"
"""The row that stands for the text in a frame."""

#: A shorter text is split in less time than it takes to ask for it.
_WORTH_IT = 16 * 1024
decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode


class RowsText:
    """What stands between the first bracket of an answer and its last: the text of its rows, if they are its only array."""

    def __init__(self, body: bytes) -> None:
        self._body, self._start, self._end = body, body.find(b"[") + 1, body.rfind(b"]")

    def __len__(self) -> int:
        return max(0, self._end - self._start) if self._start else 0

    @property
    def worth_it(self) -> bool:
        return len(self) >= _WORTH_IT

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of the text."""
        return hashlib.sha256(memoryview(self._body)[self._start : self._end]).digest()

    @property
    def frame(self) -> bytes:
        """The answer with one row in place of the text. If that row is found among the rows, the text stands among them."""
        return b"".join((self._body[: self._start], STAND_IN, self._body[self._end :]))

    def holds(self, rows: Sequence[bytes]) -> bool:
        """Whether the text is exactly these rows with a comma between each two: it holds them, so any other text is longer."""
        return bool(rows) and len(self) == sum(map(len, rows)) + len(rows) - 1

    def split(self) -> list[bytes]:
        return list(map(bytes, decode_rows(self._body[self._start - 1 : self._end + 1])))


def ends_of(rows: Sequence[bytes], count: int) -> str:
    """What tells a page from the one after it: its size, first and last row. A page that comes again while something changed in
    its middle must still be noticed."""
    ends = b"\n".join((str(count).encode(), *rows[:1], *rows[-1:]))
    return hashlib.blake2b(ends, digest_size=8).hexdigest() if rows else ""


class TextRows(Sequence[bytes]):
    """The rows of a text, told from all others by its `digest`; known ones are split when one of them is first asked for.

    The digest belongs to just these rows: a connector that takes some out hands over a list, which has none.
    """

    def __init__(self, text: RowsText, known: KnownText, rows: list[bytes] | None = None) -> None:
        self._text, self._known, self._split = text, known, rows

    @property
    def digest(self) -> bytes:
        return self._text.digest

    @property
    def ends(self) -> str:
        """As `ends_of` says."""
        return self._known.ends

    def _rows(self) -> list[bytes]:
        if self._split is None:
            self._split = self._text.split()
        return self._split

    def __len__(self) -> int:
        return self._known.size

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        return self._rows()[place]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._rows() == list(other)
