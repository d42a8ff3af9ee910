"""The first schema: every table, the consumer views, the counters."""

import sqlalchemy as sa
from alembic import op

from hub.store.tables import metadata
from hub.store.views import view_statements

revision = "0001"
down_revision = None

_COUNTERS = ("feed", "incident", "raw_page")


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)
    for counter in _COUNTERS:
        connection.execute(sa.text("INSERT INTO counter (name, value) VALUES (:name, 0)"), {"name": counter})
    if connection.dialect.name == "postgresql":
        for name in ("incident", "raw_page"):
            connection.execute(sa.text(f"CREATE SEQUENCE {name}_numbers CACHE 1"))
    for statement in view_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
