"""Comparing the store with the sandbox's ground truth, record by record and field by field."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from hub.testing.project import HubProject
from hub.testing.sandbox import Sandbox

__all__ = ["assert_store_equals_truth", "differences"]

#: Six decimals on the wire, and the way back from GCJ-02.
_DEGREES = 2e-6
_SHOWN = 20


def assert_store_equals_truth(project: HubProject, sandbox: Sandbox, system: str) -> None:
    """Every stream of the system: the living records, their fields, and a tombstone for each that was withdrawn."""
    found = differences(project, sandbox, system)
    assert not found, "\n".join([f"{len(found)} differences from the truth of {system}:", *found[:_SHOWN]])


def differences(project: HubProject, sandbox: Sandbox, system: str) -> list[str]:
    """What the store has otherwise than the truth, one line each. Planted nonsense (`absurd`) is left out."""
    lines: list[str] = []
    for stream, truth in sandbox.truth(system)["streams"].items():
        stored = {row["native_id"]: row for row in project.incidents(system, stream)}
        living = {_native(record["id"]): record for record in truth["records"]}
        gone = {_native(native) for native in truth["deleted"]}
        absurd = {_native(record["id"]) for record in truth["absurd"]}
        for native, record in living.items():
            row = stored.get(native)
            if row is None:
                lines.append(f"{stream} {native}: not in the store")
            elif row["deleted_at"] is not None:
                lines.append(f"{stream} {native}: tombstoned by {row['deletion']}, but it exists")
            else:
                lines += [f"{stream} {native}: {line}" for line in _fields(record, row)]
        for native, row in stored.items():
            if native in gone and row["deleted_at"] is None:
                lines.append(f"{stream} {native}: withdrawn upstream, living in the store")
            elif native not in living and native not in gone and native not in absurd:
                lines.append(f"{stream} {native}: nobody upstream knows it")
    return lines


def _native(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _fields(truth: dict[str, Any], row: dict[str, Any]) -> list[str]:
    fine = row["fine"]
    found = {
        "status": row["status"],
        "occurred_at": _iso(row["occurred_at"]),
        "updated_at": _iso(row["source_updated_at"]),
        "region": row["region"],
        "amount_yuan": None if fine is None else f"{Decimal(fine) / 100:.2f}",
    }
    lines = [f"{name} is {value!r}, true {truth[name]!r}" for name, value in found.items() if value != truth[name]]
    for name, column in (("lon", "longitude"), ("lat", "latitude")):
        true, value = truth[name], row[column]
        if (true is None) != (value is None) or (true is not None and abs(true - value) > _DEGREES):
            lines.append(f"{name} is {value!r}, true {true!r}")
    return lines


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ("Z" if ms % 1000 == 0 else f".{ms % 1000:03d}Z")
