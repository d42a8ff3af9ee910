"""What a source wrote, made harmless for terminals, logs and whoever reads them line by line.

A record may hold anything: an escape sequence that repaints the screen or answers for the keyboard, a line break that
forges a row or a log line, a mark that turns the reading direction so that a number reads backwards.
"""

import json
import re

__all__ = ["ascii_json", "harmless", "harmless_json", "harmless_lines"]

_DIRECTION = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SEPARATORS = (0x2028, 0x2029)
_C1 = range(0x80, 0xA0)
#: Control characters by the pictures that Unicode has for them; the others by their number.
_SHOWN = {number: 0x2400 + number for number in range(0x20)} | {0x7F: 0x2421}
_SHOWN_AS: dict[int, int | str] = _SHOWN | {number: f"\\u{number:04x}" for number in (*_C1, *_DIRECTION, *_SEPARATORS)}
_WITHIN_LINES = {number: shown for number, shown in _SHOWN_AS.items() if number != 0x0A}
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_WITHIN_JSON = {number: f"\\u{number:04x}" for number in (0x7F, *_C1, *_DIRECTION, *_SEPARATORS)}


def harmless(text: str) -> str:
    """The text on one line, every control character and every mark of direction made visible."""
    return text.translate(_SHOWN_AS)


def harmless_lines(text: str) -> str:
    """The same, but line breaks stay: for text that stands where no row and no log line can begin."""
    return text.translate(_WITHIN_LINES)


def harmless_json(text: str) -> str:
    """JSON that means the same, with what a terminal would obey written as an escape: JSON writers escape no more than
    U+0000 to U+001F."""
    return text.translate(_WITHIN_JSON)


def ascii_json(text: str) -> str:
    """JSON that means the same in ASCII alone, which nearly every encoding contains."""
    return _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
