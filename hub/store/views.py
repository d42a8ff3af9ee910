"""The versioned views that consumers read: instants as ISO 8601 text, money in yuan, no personal data, no raw."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from hub.errors import MisconfiguredError
from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS

__all__ = ["VIEW_COLUMNS", "view_statements", "views_apart"]

_VIEWS = ("incident_v1", "change_v1")
#: Views and materialized views of others that are made of ours.
_BUILT_ON_OURS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'view' AND name NOT IN ('incident_v1', 'change_v1')"
    " AND (sql LIKE '%incident_v1%' OR sql LIKE '%change_v1%') ORDER BY name",
    "postgresql": "SELECT DISTINCT c.oid::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid"
    " JOIN pg_class c ON c.oid = r.ev_class WHERE d.refobjid IN (to_regclass('incident_v1'), to_regclass('change_v1'))"
    " AND c.oid NOT IN (to_regclass('incident_v1'), to_regclass('change_v1')) ORDER BY 1",
}
#: The rights that others were given on ours, as the statements that give them.
_RIGHTS = (
    "SELECT format('GRANT %s ON %I TO %s%s', privilege_type, table_name,"
    " CASE WHEN grantee = 'PUBLIC' THEN grantee ELSE quote_ident(grantee) END,"
    " CASE WHEN is_grantable = 'YES' THEN ' WITH GRANT OPTION' ELSE '' END)"
    " FROM information_schema.role_table_grants WHERE table_schema = current_schema() AND grantee <> current_user"
    " AND table_name IN ('incident_v1', 'change_v1') ORDER BY 1"
)

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


@contextmanager
def views_apart(connection: Connection) -> Iterator[None]:
    """Around a change of tables: the views are taken away and made anew, with the rights that consumers were given on them.
    MisconfiguredError names what somebody built on them, which would stand in the way."""
    dialect = connection.dialect.name
    built = [row[0] for row in connection.execute(text(_BUILT_ON_OURS[dialect]))]
    if built:
        raise MisconfiguredError(
            "the store's tables are to change, and {views} is made of the views on them", views=", ".join(built),
            remedy="keep its definition, drop it, run hub upgrade again, and make it anew",
        )  # fmt: skip
    rights = [] if dialect == "sqlite" else [row[0] for row in connection.execute(text(_RIGHTS))]
    for name in _VIEWS:
        connection.exec_driver_sql(f"DROP VIEW {name}")
    yield
    for statement in view_statements(dialect):
        connection.exec_driver_sql(statement)
    for statement in rights:
        connection.exec_driver_sql(statement.replace("%", "%%"))


def _column(name: str, dialect: str) -> str:
    if name == "occurred_ms":
        return "occurred_at AS occurred_ms"
    if name in INSTANTS or name in _SEEN:
        return f"{_instant(name, dialect)} AS {name}"
    if name in _MONEY:
        yuan = (
            f"printf('%s%d.%02d', CASE WHEN {name} < 0 THEN '-' ELSE '' END, abs({name}) / 100, abs({name}) % 100)"
            if dialect == "sqlite"
            else f"({name}::numeric / 100)::numeric(20,2)"
        )
        return f"CASE WHEN {name} IS NOT NULL THEN {yuan} END AS {name}"
    return name


def _instant(name: str, dialect: str) -> str:
    if dialect == "sqlite":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {name} / 1000.0, 'unixepoch')"
    return f"to_timestamp({name} / 1000.0)"
