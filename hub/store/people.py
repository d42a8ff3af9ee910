"""What a person can be found by."""

from collections.abc import Iterable

from hub.mapping.values import PersonRecord

__all__ = ["searchable"]

_SEARCHABLE = frozenset({"name", "phone", "id_number", "account"})


def searchable(person: PersonRecord) -> Iterable[str]:
    """The texts that say who a person is, as the source wrote them."""
    return (text for name, text in person.items() if name in _SEARCHABLE)
