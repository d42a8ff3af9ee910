"""Whether floor and hub really do the same work: the same values in the columns they share, record by record."""

import json
import sqlite3

from contestants import Floor, Hub, Place
from floor import COLUMNS

__all__ = ["check"]

_RECORDS = 2_000
_SHARED = [name for name in COLUMNS if not name.startswith("reporter_")]


def check(place: Place) -> None:
    """RuntimeError with the first difference."""
    floor, hub = Floor(place, "sqlite"), Hub(place, "sqlite")
    for contestant in (floor, hub):
        contestant.fresh()
        contestant.first(_RECORDS)
    columns = ", ".join(_SHARED)
    ours = _rows(str(hub.folder / "hub.db"), f"SELECT json_extract(native_id, '$'), {columns} FROM incident")
    theirs = _rows(str(place.folder / "floor.db"), f"SELECT id, {columns} FROM incident")
    if ours.keys() != theirs.keys() or len(ours) != _RECORDS:
        raise RuntimeError(f"hub has {len(ours)} records, floor {len(theirs)}")
    for key, row in ours.items():
        for name, one, other in zip(_SHARED, row, theirs[key], strict=True):
            if _value(name, one) != _value(name, other):
                raise RuntimeError(f"{key} {name}: hub {one!r}, floor {other!r}")


def _value(name: str, stored: object) -> object:
    """Lists are compared as lists: two encoders may order keys differently."""
    return json.loads(str(stored)) if name == "steps" else stored


def _rows(path: str, statement: str) -> dict[str, tuple[object, ...]]:
    with sqlite3.connect(path) as database:
        return {row[0]: row[1:] for row in database.execute(statement)}
