"""Errors that the store keeps as English text, said in another language: which template made one is told by its shape."""

import re
from collections.abc import Callable, Iterable
from functools import cache
from itertools import islice
from string import Formatter

from hub.locale import Language, error_templates, reason_templates

__all__ = ["retell", "retell_reason"]

_CLASS = re.compile(r"(.*) \(([^()]*)\)")

#: At how many semicolons a remedy is looked for. Ours have a few; a text of a connector may have any number.
_MOST_PLACES = 30


def retell(text: str, lang: Language) -> str:
    """A rendered error in that language; what no template can have made stays as it is."""
    if lang == "en":
        return text
    places = islice(re.finditer("; ", text), _MOST_PLACES)
    told = [_told(text), *(_with_remedy(text, found.start()) for found in places)]
    return max((one for one in told if one is not None), default=(0, text))[1]


def retell_reason(text: str, lang: Language) -> str:
    """Why a record or a file was set aside, in that language: several fields are told one by one."""
    if lang == "en":
        return text
    where, mark, said = text.partition(": ")
    if mark and where in reason_templates() and (told := retell(said, lang)) != said:
        # The answer with a record's detail was refused as a whole page is.
        return f"{_reason(where)}：{told}"
    return "；".join(_reason(part) or part for part in text.split("; "))


def _reason(part: str) -> str | None:
    """One reason, after the place it is about and before the class of value that stood there, if any."""
    if (told := _told(part, reason_templates)) is not None:
        return told[1]
    if (found := _CLASS.fullmatch(part)) is not None and (before := _reason(found[1])) is not None:
        return f"{before}（{found[2]}）"
    where, mark, said = part.partition(": ")
    if mark and (after := _reason(said)) is not None:
        return f"{_reason(where) or where}：{after}"
    return None


def _with_remedy(text: str, end: int) -> tuple[int, str] | None:
    remedy = _told(text[end + 2 :])
    message = _told(text[:end]) if remedy else None
    return (message[0] + remedy[0], f"{message[1]}; {remedy[1]}") if message and remedy else None


def _told(part: str, templates: Callable[[], dict[str, str]] = error_templates) -> tuple[int, str] | None:
    """By the template that explains most of it word for word, and how many letters those are."""
    found = [
        (fixed, chinese.format_map(match.groupdict()))
        for pattern, fixed, chinese in _shapes(templates)
        if (match := pattern.fullmatch(part))
    ]
    return max(found, default=None)


@cache
def _shapes(templates: Callable[[], dict[str, str]]) -> tuple[tuple[re.Pattern[str], int, str], ...]:
    shapes = []
    for english, chinese in templates().items():
        parts = list(Formatter().parse(english))
        fixed = sum(len(literal) for literal, *_ in parts)
        shapes.append((re.compile(_pattern(parts), re.DOTALL), fixed, chinese))
    return tuple(shapes)


def _pattern(parts: Iterable[tuple[str, str | None, str | None, str | None]]) -> str:
    """What stands between two places is taken where it stands first, and nowhere else is looked for it: if there is a match,
    that is one, and a long text that nearly is one costs no more than its length."""
    texts, names = [""], []
    for literal, name, *_ in parts:
        texts[-1] += re.escape(literal)
        if name is not None:
            names.append(name)
            texts.append("")
    *places, last = [f"(?P<{name}>.*?){text}" for name, text in zip(names, texts[1:], strict=True)] or [""]
    return texts[0] + "".join(f"(?>{place})" for place in places) + last
