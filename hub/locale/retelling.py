"""Errors that the store keeps as English text, said in another language: which template made one is told by its shape."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from string import Formatter

from hub.locale import Language, error_templates

__all__ = ["retell"]


def retell(text: str, lang: Language) -> str:
    """A rendered error in that language; what no template can have made stays as it is."""
    if lang == "en":
        return text
    told = [_told(text), *(_with_remedy(text, found.start()) for found in re.finditer("; ", text))]
    return max((one for one in told if one is not None), default=(0, text))[1]


def _with_remedy(text: str, end: int) -> tuple[int, str] | None:
    message, remedy = _told(text[:end]), _told(text[end + 2 :])
    return (message[0] + remedy[0], f"{message[1]}; {remedy[1]}") if message and remedy else None


def _told(part: str) -> tuple[int, str] | None:
    """By the template that explains most of it word for word, and how many letters those are."""
    found = [
        (fixed, chinese.format_map(match.groupdict()))
        for pattern, fixed, chinese in _shapes()
        if (match := pattern.fullmatch(part))
    ]
    return max(found, default=None)


@cache
def _shapes() -> tuple[tuple[re.Pattern[str], int, str], ...]:
    shapes = []
    for english, chinese in error_templates().items():
        parts = list(Formatter().parse(english))
        fixed = sum(len(literal) for literal, *_ in parts)
        shapes.append((re.compile("".join(_pieces(parts)), re.DOTALL), fixed, chinese))
    return tuple(shapes)


def _pieces(parts: Iterable[tuple[str, str | None, str | None, str | None]]) -> Iterator[str]:
    seen: set[str] = set()
    for literal, name, *_ in parts:
        yield re.escape(literal)
        if name is not None:
            yield f"(?P={name})" if name in seen else f"(?P<{name}>.*?)"
            seen.add(name)
