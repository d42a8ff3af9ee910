"""Incidents are looked up by native id, their keys compared byte by byte, and people have no search marks any more."""

from alembic import op
from sqlalchemy import text

revision = "0002"
down_revision = "0001"

_INDICES = ("incident_by_time", "incident_by_status")
_TYPES = {
    "sqlite": {"key": "INTEGER", "int": "BIGINT", "small": "INTEGER", "text": "TEXT", "code": "TEXT", "bytes": "BLOB"},
    "postgresql": {
        "key": "BIGINT", "int": "BIGINT", "small": "INTEGER", "text": "TEXT", "code": 'TEXT COLLATE "C"', "bytes": "BYTEA",
    },
}  # fmt: skip
#: Name and type of each column, in the table's order; * is not null.
_COLUMNS = """
    "key" key*, id code*, raw_hash bytes*, deleted_at int, list_hash bytes, raw_page int*, source code*, stream code*,
    native_id code*, kind text*, status code, source_status text, source_status_text text, flags text, title text,
    description text, category code, source_category text, source_category_text text, channel text, occurred_at int,
    reported_at int, source_updated_at int, closed_at int, due_at int, region code, town code, grid text, address text,
    longitude float, latitude float, source_x float, source_y float, coordinate_system text, unit text, unit_code text,
    officers text, subject_kind text, subject_name text, subject_code text, parties text, document_number text,
    measures text, basis text, fine int, confiscated int, result text, answer text, reference_numbers text, steps text,
    attachments text, revision small*, raw_index small*, mapping text*, mapping_version small*, run text*,
    first_seen_at int*, changed_at int*, deletion text
"""


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    columns = [item.split() for item in _COLUMNS.split(",")]
    declared = ", ".join(f"{name} {_type(dialect, type_)}" for name, type_ in columns)
    names = ", ".join(name for name, _ in columns)
    last = "occurred_at DESC" if dialect == "sqlite" else "occurred_at DESC NULLS LAST"
    for statement in (
        *(f"DROP INDEX {name}" for name in _INDICES),
        "ALTER TABLE raw_page DROP COLUMN marks",
        "ALTER TABLE incident RENAME TO incident_0001",
        *(["ALTER INDEX incident_pkey RENAME TO incident_0001_pkey"] if dialect == "postgresql" else []),
        f'CREATE TABLE incident ({declared}, PRIMARY KEY ("key"))',
        "CREATE UNIQUE INDEX incident_by_native_id ON incident (native_id, stream, source)",
        "CREATE UNIQUE INDEX incident_by_id ON incident (id)",
        f"CREATE INDEX incident_by_time ON incident ({last}, id DESC)",
        f"CREATE INDEX incident_by_status ON incident (status, town, {last}, id DESC)",
        f"INSERT INTO incident ({names}) SELECT {names} FROM incident_0001 ORDER BY key",
        "DROP TABLE incident_0001",
    ):
        connection.execute(text(statement))


def _type(dialect: str, name: str) -> str:
    bare = name.removesuffix("*")
    return _TYPES[dialect].get(bare, bare.upper()) + (" NOT NULL" if name.endswith("*") else "")
