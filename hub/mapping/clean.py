"""What must not stand in mapped text: U+0000, people's data in free text, and more of it than a column holds."""

import re
import unicodedata
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import msgspec

from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.values import PersonRecord

__all__ = ["LONGEST_TEXT", "within_length", "without_nul", "without_people"]

#: Characters; `hub.incident.Text`.
LONGEST_TEXT = 100_000
_MASK = "***"
_LISTS = frozenset(
    MAPPED_COLUMNS.index(name)
    for name in ("flags", "officers", "measures", "parties", "reference_numbers", "steps", "attachments")
)
_FREE_TEXT = tuple(
    MAPPED_COLUMNS.index(name) for name in ("title", "description", "result", "answer", "steps", "attachments")
)
_free_text = itemgetter(*_FREE_TEXT)
_TOLD = ("name", "phone", "id_number")
_BLANKS = " \t\n\r\u00a0\u3000"
_DASHES = "-.\u2010\u2011\u2013\u2014\uff0d"
#: A Chinese keyboard writes digits of full width as well.
_WIDE = {digit: chr(ord(digit) + 0xFEE0) for digit in "0123456789"}
_NARROW = str.maketrans({**{wide: digit for digit, wide in _WIDE.items()}, "x": "X", "\uff38": "X", "\uff58": "X"})
#: What may stand between the characters of each.
_WITHIN = {"name": _BLANKS + "\u00b7\u2022", "phone": _BLANKS + _DASHES, "id_number": _BLANKS + _DASHES}
_NUMBER = re.compile(r"\d{7,}X?")
_COUNTRY = re.compile(r"(?:00)?86(?=1\d{10}$)")
#: Not the source's words, or not words at all.
_FIXED_KEYS = frozenset({"at", "due_at", "status", "kind"})


def without_nul(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """U+0000 becomes U+FFFD, because PostgreSQL stores no NUL."""
    return tuple(_changed(place, value, _no_nul) for place, value in enumerate(row))


def without_people(row: tuple[Any, ...], people: list[PersonRecord]) -> tuple[Any, ...]:
    """Free text repeats whom it is about ("对…的处罚"): there a person's name, phone and ID number are masked, also where
    they are spelt in another way than the source's own field has them."""
    free = "\n".join(filter(None, _free_text(row)))
    for person in people:
        if _perhaps(person, free):
            return _masked(row, people, free)
    return row


def _perhaps(person: PersonRecord, free: str) -> object:
    """True in a test if the text may tell of the person. It runs for every record: nearly all end here, by a part that stands
    in every spelling. Numbers are written in groups: the last four digits of a phone; what follows the region of an ID
    number, whose end may be x or X; one of their digits where all are of full width."""
    name, phone, number = person.get("name"), person.get("phone"), person.get("id_number")
    return (
        (name and ((name[-1] in free and name[0] in free) or not name.isalnum()))
        or (
            phone
            and (phone[-4:] in free or not (phone.isalnum() and phone.isascii()) or _WIDE.get(phone[-1], phone) in free)
        )
        or (
            number
            and (
                number[6:12] in free
                or not (number.isalnum() and number.isascii())
                or _WIDE.get(number[0], number) in free
            )
        )
    )


def _masked(row: tuple[Any, ...], people: list[PersonRecord], free: str) -> tuple[Any, ...]:
    told = {(key, person[key]) for person in people for key in _TOLD if key in person}
    # Longest first, so that a name inside a longer one leaves no rest behind.
    texts = sorted({text for _, value in told for text in _spellings(value)}, key=len, reverse=True)
    rest = free
    for text in texts:
        rest = rest.replace(text, _MASK)
    loose: list[tuple[str, str]] = []
    if any(_perhaps(person, rest) for person in people):
        cores = {(core, _WITHIN[key]) for key, value in told for core in _cores(key, value)}
        loose = sorted((item for item in cores if item[0] in _squeezed(rest, item[1])), key=_longest_first)
    # In the JSON of lists a quote or backslash stands escaped: such a name is looked for the long way.
    if rest == free and not loose and not any('"' in text or "\\" in text for text in texts):
        return row

    def masked(text: str) -> str:
        for personal in texts:
            text = text.replace(personal, _MASK)
        for core, within in loose:
            text = _hidden(text, core, within)
        return text

    return tuple(_changed(place, value, masked) if place in _FREE_TEXT else value for place, value in enumerate(row))


def _longest_first(core: tuple[str, str]) -> tuple[int, str]:
    return -len(core[0]), core[0]


def _spellings(value: str) -> list[str]:
    """The value, and what it is without needless blanks. One character is no name."""
    if value.isalnum():
        return [value] if len(value) > 1 else []
    plain = unicodedata.normalize("NFKC", value).split()
    return [text for text in (value, value.strip(), " ".join(plain), "".join(plain)) if len(text) > 1]


def _cores(key: str, value: str) -> set[str]:
    """What is left of a value when blanks and the like are taken out: looked for in texts of which they are taken out too."""
    plain = value if value.isalnum() else unicodedata.normalize("NFKC", value)
    if key == "name":
        # Of a name in Latin letters the parts of other words would do.
        core = _squeezed(plain, _WITHIN[key])
        return {core} if len(core) > 1 and core.isalpha() and not core.isascii() else set()
    found = [*_NUMBER.findall(plain.replace("x", "X")), *_NUMBER.findall(_squeezed(plain, _WITHIN[key]))]
    return {_COUNTRY.sub("", number) for number in found}


def _squeezed(text: str, within: str) -> str:
    for sign in within:
        text = text.replace(sign, "")
    return text.translate(_NARROW)


def _hidden(text: str, core: str, within: str) -> str:
    """The text with a mask wherever the core stands, whatever is `within` it."""
    squeezed = _squeezed(text, within)
    at = squeezed.find(core)
    if at < 0:
        return text
    places = [place for place, sign in enumerate(text) if sign not in within]
    pieces, rest = [], 0
    while at >= 0:
        pieces += [text[rest : places[at]], _MASK]
        rest = places[at + len(core) - 1] + 1
        at = squeezed.find(core, at + len(core))
    return "".join(pieces) + text[rest:]


def within_length(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Text is cut at LONGEST_TEXT; lists stay whole."""
    return tuple(
        value[:LONGEST_TEXT] if isinstance(value, str) and place not in _LISTS else value
        for place, value in enumerate(row)
    )


def _no_nul(text: str) -> str:
    return text.replace("\0", "\ufffd")


def _changed(place: int, value: Any, change: Callable[[str], str]) -> Any:
    if not isinstance(value, str):
        return value
    if place not in _LISTS:
        return change(value)
    return msgspec.json.encode(_deep(msgspec.json.decode(value), change)).decode()


def _deep(value: Any, change: Callable[[str], str]) -> Any:
    """Texts inside a list column: in the JSON itself a name could be a key, a phone number part of a time."""
    if isinstance(value, list):
        return [_deep(item, change) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _FIXED_KEYS else _deep(item, change) for key, item in value.items()}
    return change(value) if isinstance(value, str) else value
