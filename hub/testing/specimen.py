"""One record through one mapping, so that a test can say field by field what it must become.

specimen = map_specimen(Mappings([folder]).get("snapshot/reports"), {"reportId": 5, …})
assert specimen.fields == {"status": "closed", …}
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from hub.incident import Incident, incident_id
from hub.mapping.mapping import Mapping
from hub.mapping.values import CodeGap, PersonRecord
from hub.store.incidents import mapped_fields

__all__ = ["Specimen", "map_specimen"]


@dataclass(frozen=True, slots=True)
class Specimen:
    """`fields`: what is filled of the incident, as the schema reads it (instants aware UTC, money in yuan, parts as
    dictionaries without their empty fields). `row` is what the store would keep."""

    fields: dict[str, Any]
    people: list[PersonRecord]
    gaps: list[CodeGap]
    row: tuple[Any, ...]


def map_specimen(mapping: Mapping, record: dict[str, Any] | bytes, native_id: str = '"1"') -> Specimen:
    """Map a (reshaped) record and validate it as an Incident. UnmappableError or ValidationError if it is none."""
    raw = record if isinstance(record, bytes) else msgspec.json.encode(record)
    mapper = mapping.mapper()
    found = mapper.map(raw)
    source, _, stream = mapping.name.partition("/")
    identity = {"id": incident_id(source, stream, native_id), "source": source, "stream": stream}
    incident = Incident(**identity, native_id=native_id, kind=mapping.kind, **mapped_fields(found.row))
    values = incident.model_dump(exclude={*identity, "native_id", "kind"})
    filled = {name: _filled(value) for name, value in values.items() if value is not None and value != []}
    return Specimen(filled, found.people, mapper.gaps(), found.row)


def _filled(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {name: inner for name, inner in part.items() if inner is not None} if isinstance(part, dict) else part
        for part in value
    ]
