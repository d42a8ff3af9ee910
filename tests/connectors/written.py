"""Hand-written records through the shipped mappings, what docs/wire.md says of codes, and whether people leak."""

import re
from pathlib import Path
from typing import Any

import msgspec

from hub.incident import Incident, incident_id
from hub.mapping.codes import CodeTable, load_code_table
from hub.mapping.mapping import Mappings
from hub.store.incidents import mapped_fields
from hub.testing.project import HubProject

__all__ = ["ROOT", "code_table", "incident_of", "leaks", "told", "wire_codes"]

ROOT = Path(__file__).parent.parent.parent
_LISTS = ("flags", "officers", "measures", "parties", "reference_numbers", "steps", "attachments")


def incident_of(
    mapping: str, stream: str, native_id: str, record: dict[str, Any] | bytes
) -> tuple[Incident, list[dict[str, str]], list[str]]:
    """The incident (checked by the schema itself), its people, and the codes that are in no table."""
    found = Mappings([ROOT / "mappings"]).get(mapping)
    mapper = found.mapper()
    mapped = mapper.map(record if isinstance(record, bytes) else msgspec.json.encode(record))
    source = mapping.partition("/")[0]
    fields = mapped_fields(mapped.row)
    identity = {
        "id": incident_id(source, stream, native_id),
        "source": source,
        "stream": stream,
        "native_id": native_id,
        "kind": found.kind,
    }
    fields |= {name: fields[name] or [] for name in _LISTS}
    return Incident.model_validate({**fields, **identity}), list(mapped.people), [gap.code for gap in mapper.gaps()]


def told(incident: Incident) -> dict[str, Any]:
    """The fields that say something, identity and kind aside: what is not listed in a test must be empty."""
    identity = {"id", "source", "stream", "native_id", "kind"}
    values = {name: getattr(incident, name) for name in Incident.model_fields if name not in identity}
    return {name: value for name, value in values.items() if value is not None and value != []}


def code_table(name: str) -> CodeTable:
    return load_code_table(ROOT / "mappings" / "codes" / f"{name}.csv")


def wire_codes(field: str) -> dict[str, tuple[str, ...]]:
    """Code → the words behind it, from the line of docs/wire.md that begins with `field`: `code word hub-status · …`.

    Codes with the same words are joined by commas there; remarks in brackets are left out.
    """
    text = (ROOT / "docs" / "wire.md").read_text("utf-8")
    line = re.search(rf"{re.escape(field)}: ([^\n]*?)(?:\.(?: |\n)|\n)", text)
    assert line, field
    codes = {}
    for entry in re.sub(r" \([^)]*\)", "", line[1]).split(" · "):
        *shared, last = re.split(r", ?", entry.strip().rstrip("."))
        code, *words = last.split()
        codes |= {one: tuple(words) for one in (*shared, code)}
    return codes


def leaks(project: HubProject, source: str, stream: str) -> list[str]:
    """Incidents in whose row a person's name, telephone, ID number, account or address can be read; the column each.

    Where a person lives may also be where something happened: their address counts only in the column of that name.
    """
    found, known = [], 0
    for row in project.incidents(source, stream):
        for person in project.people(row["id"]):
            known += 1
            told = [person[key] for key in ("name", "phone", "id_number", "account") if key in person]
            found += [
                f"{row['native_id']} {column}"
                for column, text in row.items()
                if isinstance(text, str)
                and (any(one in text for one in told) or (column == "address" and person.get("address") == text))
            ]
    assert known, "nobody was told of, so nothing is proven"
    return found
