"""The versioned views that consumers read: instants as ISO 8601 text, money in yuan, no personal data, no raw."""

from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS

__all__ = ["VIEW_COLUMNS", "view_statements"]

_SEEN = ("first_seen_at", "changed_at", "deleted_at")
_MONEY = ("fine", "confiscated")
_PROVENANCE = ("revision", "mapping", "mapping_version", "run")
VIEW_COLUMNS = (
    "id",
    "source",
    "stream",
    "native_id",
    "kind",
    *MAPPED_COLUMNS,
    *_SEEN,
    "deletion",
    *_PROVENANCE,
    "occurred_ms",
)


def view_statements(dialect: str) -> list[str]:
    """`CREATE VIEW` statements for "sqlite" or "postgresql"."""
    columns = ", ".join(_column(name, dialect) for name in VIEW_COLUMNS)
    at = _instant("at", dialect)
    return [
        f"CREATE VIEW incident_v1 AS SELECT {columns} FROM incident",
        f"CREATE VIEW change_v1 AS SELECT seq, op, id, revision, fields, {at} AS at FROM change",
    ]


def _column(name: str, dialect: str) -> str:
    if name == "occurred_ms":
        return "occurred_at AS occurred_ms"
    if name in INSTANTS or name in _SEEN:
        return f"{_instant(name, dialect)} AS {name}"
    if name in _MONEY:
        text = (
            f"printf('%s%d.%02d', CASE WHEN {name} < 0 THEN '-' ELSE '' END, abs({name}) / 100, abs({name}) % 100)"
            if dialect == "sqlite"
            else f"({name}::numeric / 100)::numeric(20,2)"
        )
        return f"CASE WHEN {name} IS NOT NULL THEN {text} END AS {name}"
    return name


def _instant(name: str, dialect: str) -> str:
    if dialect == "sqlite":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {name} / 1000.0, 'unixepoch')"
    return f"to_timestamp({name} / 1000.0)"
