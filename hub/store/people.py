"""People as they are kept: sealed a page at a time, found again by marks."""

from collections.abc import Iterable

from hub.mapping.values import PersonRecord
from hub.store.crypto import Keyring

__all__ = ["SEARCHABLE", "holds_mark", "sealed_people", "searchable"]

SEARCHABLE = frozenset({"name", "phone", "id_number", "account"})
_MARK = 8


def searchable(person: PersonRecord) -> Iterable[str]:
    """What a person can be found by."""
    return (text for name, text in person.items() if name in SEARCHABLE)


def sealed_people(keyring: Keyring, people: list[list[PersonRecord]]) -> tuple[bytes, bytes]:
    """The people of a page, and the sorted marks by which one of them can be found."""
    marks = {keyring.mark(text) for persons in people for person in persons for text in searchable(person)}
    return keyring.seal(people, "people"), b"".join(sorted(marks))


def holds_mark(marks: bytes, wanted: bytes) -> bool:
    """Whether a page's marks have this one, at a mark's boundary."""
    at = marks.find(wanted)
    while at >= 0 and at % _MARK:
        at = marks.find(wanted, at + 1)
    return at >= 0
