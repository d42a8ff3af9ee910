"""A new store's schema, made whole at the newest version; a store that is older is brought up to it by the migrations."""

from sqlalchemy import Connection, text

from hub.store.tables import metadata
from hub.store.views import view_statements

__all__ = ["create_schema", "stamp"]

_COUNTERS = ("feed", "incident", "raw_page")


def create_schema(connection: Connection) -> None:
    """Every table, the counters, the consumer views."""
    metadata.create_all(connection)
    for counter in _COUNTERS:
        connection.execute(text("INSERT INTO counter (name, value) VALUES (:name, 0)"), {"name": counter})
    if connection.dialect.name == "postgresql":
        for name in ("incident", "raw_page"):
            connection.execute(text(f"CREATE SEQUENCE {name}_numbers CACHE 1"))
    for statement in view_statements(connection.dialect.name):
        connection.exec_driver_sql(statement)


def stamp(connection: Connection, version: str) -> None:
    """Note the schema's version where Alembic looks for it, in the table that it would make itself."""
    connection.execute(
        text(
            "CREATE TABLE alembic_version"
            " (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:version)"), {"version": version})
