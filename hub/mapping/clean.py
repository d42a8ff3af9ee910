"""What must not stand in mapped text: U+0000, people's data in free text, and more of it than a column holds."""

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
_FREE_TEXT = tuple(MAPPED_COLUMNS.index(name) for name in ("title", "description", "result", "answer", "steps"))
_free_text = itemgetter(*_FREE_TEXT)
_TOLD = ("name", "phone", "id_number")
#: Not the source's words, or not words at all.
_FIXED_KEYS = frozenset({"at", "due_at", "status"})


def without_nul(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """U+0000 becomes U+FFFD, because PostgreSQL stores no NUL."""
    return tuple(_changed(place, value, _no_nul) for place, value in enumerate(row))


def without_people(row: tuple[Any, ...], people: list[PersonRecord]) -> tuple[Any, ...]:
    """Free text repeats whom it is about ("对…的处罚"): there a person's name, phone and ID number are masked."""
    free = "\n".join(filter(None, _free_text(row)))
    for person in people:
        for key in _TOLD:
            # One character is no name. In the JSON of steps a quote or backslash stands escaped: such a name is looked for
            # the long way.
            text = person.get(key, "")
            if len(text) > 1 and (text in free or (not text.isalnum() and ('"' in text or "\\" in text))):
                return _masked(row, people)
    return row


def _masked(row: tuple[Any, ...], people: list[PersonRecord]) -> tuple[Any, ...]:
    told = {person[key] for person in people for key in _TOLD if key in person}
    # Longest first, so that a name inside a longer one leaves no rest behind.
    texts = sorted((text for text in told if len(text) > 1), key=len, reverse=True)

    def masked(text: str) -> str:
        for personal in texts:
            text = text.replace(personal, _MASK)
        return text

    return tuple(_changed(place, value, masked) if place in _FREE_TEXT else value for place, value in enumerate(row))


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
