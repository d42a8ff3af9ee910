"""Letting plugins complete a page's rows before they are stored (hook hub_enrich)."""

from collections.abc import Callable
from math import isfinite
from typing import Any

from msgspec.structs import replace

from hub.mapping.columns import MAPPED_COLUMNS
from hub.store.page import PageWrite
from hub.store.tables import column_types

__all__ = ["Enrich", "enriched"]

_PYTHON = {"text": str, "bigint": int, "float8": float}
Enrich = Callable[[list[dict[str, Any]]], list[list[dict[str, Any]]]]
"""Storage-ready rows → one answer a plugin, each as long as the rows."""


def enriched(write: PageWrite, enrich: Enrich) -> PageWrite:
    """The page with what plugins added to mapped columns; an answer of another length is left out, and so is a value that is not
    of its column's type."""
    stored = [item.row for item in write.new] + [item.row for item in write.updated if item.row is not None]
    rows = [dict(zip(MAPPED_COLUMNS, row, strict=True)) for row in stored]
    for answer in enrich([dict(row) for row in rows]) if rows else []:
        if len(answer) == len(rows):
            for row, added in zip(rows, answer, strict=True):
                row.update({name: value for name, value in added.items() if name in row and _fits(name, value)})
    made = iter([tuple(row[name] for name in MAPPED_COLUMNS) for row in rows])
    write.new = [replace(item, row=next(made)) for item in write.new]
    write.updated = [
        replace(item, row=next(made), fields=MAPPED_COLUMNS) if item.row is not None else item for item in write.updated
    ]
    return write


def _fits(name: str, value: object) -> bool:
    if type(value) is float and not isfinite(value):
        return False
    return value is None or type(value) is _PYTHON[column_types("incident")[name]]
