"""What mappings pass around: leaves of a source's record, notes taken while mapping, and the error of one bad value."""

from dataclasses import dataclass, field

from hub.incident import Flag

__all__ = ["BadValueError", "CodeGap", "Leaf", "Notes", "PersonRecord"]

Leaf = str | int | float | bool | None
"""What may stand at the end of a mapped path. Objects and arrays there are a type error."""

PersonRecord = dict[str, str]
"""role, name, phone, id_number, address: whatever the source gave. Never leaves the person table in clear."""


class BadValueError(ValueError):
    """One value cannot be read; the text is a reason, never the value."""


@dataclass(frozen=True, slots=True)
class CodeGap:
    """A code that no table knows: which table, the code as sent, the source's text for it if it sent one."""

    table: str
    code: str
    text: str = ""


@dataclass(slots=True)
class Notes:
    """Taken by transforms while a record is mapped. `flags` and `people` are emptied before each record, `gaps` gathers."""

    flags: list[Flag] = field(default_factory=list)
    people: list[PersonRecord] = field(default_factory=list)
    gaps: list[CodeGap] = field(default_factory=list)
