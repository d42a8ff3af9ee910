"""Incidents are looked up by native id, their keys compared byte by byte, and people have no search marks any more.

While this is the newest schema its tables are those of `hub.store.tables`; a third one must freeze them here.
"""

from alembic import op
from sqlalchemy import text

from hub.store.tables import INCIDENT_COLUMNS, incident
from hub.store.views import view_statements

revision = "0002"
down_revision = "0001"

_VIEWS, _INDICES = ("incident_v1", "change_v1"), ("incident_by_time", "incident_by_status")


def upgrade() -> None:
    connection = op.get_bind()
    for statement in (
        *(f"DROP VIEW {name}" for name in _VIEWS),
        *(f"DROP INDEX {name}" for name in _INDICES),
        "ALTER TABLE raw_page DROP COLUMN marks",
        "ALTER TABLE incident RENAME TO incident_0001",
    ):
        connection.execute(text(statement))
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER INDEX incident_pkey RENAME TO incident_0001_pkey"))
    incident.create(connection)
    names = ", ".join(INCIDENT_COLUMNS)
    connection.execute(text(f"INSERT INTO incident ({names}) SELECT {names} FROM incident_0001 ORDER BY key"))
    connection.execute(text("DROP TABLE incident_0001"))
    for statement in view_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
