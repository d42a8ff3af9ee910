"""Ground truth: what exists in the city now, told by the generator itself and by nobody who reads a wire."""

from __future__ import annotations

from typing import Any

from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import iso_z
from hub.testing.sandbox.records import Record, Shelf


def truth(city: City, system: str) -> dict[str, Any]:
    """`{"system", "clock", "streams": {name: {count, records, deleted, absurd}}}`; instants are UTC, money is yuan."""
    return {
        "system": system,
        "clock": iso_z(city.clock.now),
        "streams": {shelf.spec.name: _stream(shelf) for shelf in city.streams(system)},
    }


def _stream(shelf: Shelf) -> dict[str, Any]:
    present = [_record(record) for record in shelf.records if record.exists]
    return {
        "count": len(present),
        "records": present,
        "deleted": [record.native_id for record in shelf.records if not record.exists],
        "absurd": [{"id": record.native_id, "kind": record.absurd} for record in shelf.absurd],
    }


def _record(record: Record) -> dict[str, Any]:
    fine = record.fine()
    return {
        "id": record.native_id,
        "version": len(record.versions),
        "status": record.stage().status,
        "occurred_at": iso_z(record.occurred),
        "updated_at": iso_z(record.last.at),
        "region": record.region,
        "lon": record.lon,
        "lat": record.lat,
        "amount_yuan": None if fine is None else f"{fine:.2f}",
        "event": record.event.id,
    }
