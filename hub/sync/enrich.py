"""Letting plugins complete mapped rows before they are compared with what is stored (hook hub_enrich)."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from hub.mapping.columns import MAPPED_COLUMNS
from hub.store.tables import column_types

__all__ = ["Enrich", "enriched"]

_PYTHON = {"text": str, "bigint": int, "float8": float}
Enrich = Callable[[list[dict[str, Any]]], list[list[dict[str, Any]]]]
"""Storage-ready rows → one answer a plugin, each as long as the rows."""


def enriched(stored: Sequence[tuple[Any, ...]], enrich: Enrich | None) -> Sequence[tuple[Any, ...]]:
    """The rows (in the order of MAPPED_COLUMNS) with what plugins added to mapped columns; an answer of another length is left
    out, and so is a value that is not of its column's type."""
    if enrich is None or not stored:
        return stored
    rows = [dict(zip(MAPPED_COLUMNS, row, strict=True)) for row in stored]
    for answer in enrich([dict(row) for row in rows]):
        if len(answer) == len(rows):
            for row, added in zip(rows, answer, strict=True):
                row.update({name: value for name, value in added.items() if name in row and _fits(name, value)})
    return [tuple(row[name] for name in MAPPED_COLUMNS) for row in rows]


def _fits(name: str, value: object) -> bool:
    if type(value) is float and not isfinite(value):
        return False
    return value is None or type(value) is _PYTHON[column_types("incident")[name]]
