"""The texts of a raw record, for those of whose people nothing is known."""

import json
import re
from collections.abc import Iterator

__all__ = ["texts_of"]

# A string whole, or a word outside of strings: so a number, and what stands in a record that is no JSON.
_TEXT = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"|[^\s",:;<>=\[\]{}]+', re.DOTALL)


def texts_of(raw: bytes) -> Iterator[str]:
    """Every text in a record, also in one that no parser reads, and in JSON that is itself a text in JSON."""
    for found in _TEXT.finditer(raw):
        inner = found[1]
        text = (found[0] if inner is None else inner).decode("utf-8", "replace")
        if inner is not None:
            if b"\\" in inner:
                text = _unescaped(text)
            if text.lstrip()[:1] in ("{", "["):
                yield from texts_of(text.encode())
        yield text


def _unescaped(text: str) -> str:
    try:
        # Half a character, which JSON can escape, is none.
        return str(json.loads(f'"{text}"', strict=False)).encode("utf-8", "replace").decode()
    except ValueError:
        return text
