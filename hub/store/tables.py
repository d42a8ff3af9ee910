"""Every table of the store, the same on SQLite and PostgreSQL.

Instants are epoch milliseconds UTC, money is fen (1/100 yuan), lists are JSON text; the consumer views (`views.py`) show
them as ISO text and yuan. Consumers read views, never these tables.
"""

from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)  # fmt: skip
from sqlalchemy.types import TypeEngine

from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS

__all__ = ["INCIDENT_COLUMNS", "NO_PAGE", "column_types", "incident", "metadata", "read_indices"]

metadata = MetaData()
#: Stands for the raw page of a version of which only the hash was kept (`retention.py`); pages count from 1.
NO_PAGE = 0

_FLOATS = {"longitude", "latitude", "source_x", "source_y"}
_SQL = {BigInteger: "bigint", Integer: "integer", Float: "float8", Text: "text", LargeBinary: "bytea"}
_NUMBERS = INSTANTS | {"fine", "confiscated"}
_CODES = {"status", "category", "region", "town"}


def _code() -> Text:
    """Text that is compared byte by byte, whatever the language of a PostgreSQL database: as SQLite does, and in less time."""
    return Text().with_variant(Text(collation="C"), "postgresql")


def _type(name: str) -> TypeEngine[Any]:
    if name in _NUMBERS:
        return BigInteger()
    return Float() if name in _FLOATS else _code() if name in _CODES else Text()


def _mapped() -> list[Column[Any]]:
    return [Column(name, _type(name)) for name in MAPPED_COLUMNS]


def _instant(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


incident = Table(
    "incident",
    metadata,
    Column("key", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", _code(), nullable=False),
    # What tells a known record stands in front: SQLite reads a row from its beginning.
    Column("raw_hash", LargeBinary, nullable=False),
    _instant("deleted_at", nullable=True),
    Column("list_hash", LargeBinary),
    Column("raw_page", BigInteger, nullable=False),
    Column("source", _code(), nullable=False),
    Column("stream", _code(), nullable=False),
    Column("native_id", _code(), nullable=False),
    Column("kind", Text, nullable=False),
    *_mapped(),
    Column("revision", Integer, nullable=False),
    Column("raw_index", Integer, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("run", Text, nullable=False),
    _instant("first_seen_at"),
    _instant("changed_at"),
    Column("deletion", Text),
)
INCIDENT_COLUMNS = tuple(column.name for column in incident.columns)

# What a sync looks records up by. Sources count their records up, so it grows at its end; the id, a hash, is scattered. The
# native id stands first: with the source in front SQLite, which keeps no statistics, would take it for lists of a source too.
Index("incident_by_native_id", incident.c.native_id, incident.c.stream, incident.c.source, unique=True)


def _read_indices(dialect: str) -> dict[str, Index]:
    # Youngest first, without a time last. SQLite puts null there by itself and takes no NULLS in an index; PostgreSQL must be
    # told.
    youngest = incident.c.occurred_at.desc()
    last = (youngest if dialect == "sqlite" else youngest.nulls_last(), incident.c.id.desc())
    made = (
        Index("incident_by_id", incident.c.id, unique=True),
        Index("incident_by_time", *last),
        Index("incident_by_status", incident.c.status, incident.c.town, *last),
    )
    return {str(index.name): index.ddl_if(dialect=dialect) for index in made}


_READ_INDICES = {dialect: _read_indices(dialect) for dialect in ("sqlite", "postgresql")}


def read_indices(dialect: str) -> dict[str, Index]:
    """Indices of incidents that only readers need, by name; they are left off while a store is first filled (`filling.py`)."""
    return _READ_INDICES[dialect]


# Only older versions; revision 1 of a record that never changed is the incident row itself.
Table(
    "revision",
    metadata,
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    Column("raw_hash", LargeBinary, nullable=False),
    Column("raw_page", BigInteger, nullable=False),
    Column("raw_index", Integer, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("run", Text, nullable=False),
    _instant("changed_at"),
    _instant("deleted_at", nullable=True),
)

# Versions that arrived after a newer one: history, and the evidence that a second reading in a row is a correction;
# refuted once the source shows the current version again in between.
Table(
    "stale_version",
    metadata,
    Column("incident", BigInteger, primary_key=True, autoincrement=False),
    Column("raw_hash", LargeBinary, primary_key=True),
    Column("raw_page", BigInteger, nullable=False),
    Column("raw_index", Integer, nullable=False),
    Column("source_updated_at", BigInteger),
    Column("run", Text, nullable=False),
    _instant("seen_at"),
    _instant("refuted_at", nullable=True),
)

Table(
    "change",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("op", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("fields", Text),
    _instant("at"),
)

Table(
    "raw_page",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("run", Text, nullable=False),
    _instant("fetched_at"),
    _instant("source_clock", nullable=True),
    Column("mapping", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("people", LargeBinary),
)

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("partition", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    *[
        Column(name, Integer, nullable=False, server_default="0")
        for name in ("fetched", "new", "changed", "unchanged", "quarantined", "tombstoned", "stale", "unmapped")
    ],
    Column("new_quarantined", Integer, nullable=False, server_default="0"),
    Column("requests", Integer, nullable=False, server_default="0"),
    Column("pages", Integer, nullable=False, server_default="0"),
    _instant("started_at"),
    _instant("finished_at", nullable=True),
    _instant("cursor", nullable=True),
    Column("error", Text),
    Column("worker", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    CheckConstraint("fetched = new + changed + unchanged + quarantined", name="run_accounting"),
)
Index("run_by_stream", run.c.source, run.c.stream, run.c.started_at.desc())

Table(
    "page",
    metadata,
    Column("run", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    _instant("at"),
    Column("rows", Integer, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("position", Text),
)

# What a complete enumeration has seen: incident keys, 8 bytes each, one row a page; gone once it is proven or dropped.
Table(
    "seen_page",
    metadata,
    Column("enumeration", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("keys", LargeBinary, nullable=False),
)

# Pages that stand in the store just as they were read (`known_pages.py`); `keys` as in `seen_page`.
Table(
    "known_page",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("keys", LargeBinary, nullable=False),
    Column("state", BigInteger, nullable=False),
    Column("ends", Text, nullable=False),
    Column("enumeration", Text, nullable=False),
    _instant("used_at"),
)

Table(
    "state",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("partition", Text, primary_key=True),
    _instant("cursor", nullable=True),
    Column("body", Text, nullable=False),
    _instant("updated_at"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("raw_hash", LargeBinary, nullable=False),
    Column("native_id", Text),
    Column("reason", Text, nullable=False),
    Column("raw_page", BigInteger, nullable=False),
    Column("raw_index", Integer, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("times", Integer, nullable=False),
    Column("run", Text, nullable=False),
    _instant("first_seen_at"),
    _instant("last_seen_at"),
    UniqueConstraint("source", "stream", "raw_hash"),
)

Table(
    "code_gap",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("code_table", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("text", Text),
    Column("count", BigInteger, nullable=False),
    Column("sample", Text),
    _instant("first_seen_at"),
    _instant("last_seen_at"),
)

Table(
    "deletion",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("partition", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("living", Integer, nullable=False),
    Column("keys", LargeBinary, nullable=False),
    _instant("held_at"),
    _instant("decided_at", nullable=True),
    Column("decided_by", Text),
)

Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    _instant("expires_at"),
)

Table(
    "token",
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    _instant("expires_at", nullable=True),
)

Table(
    "dropped_file",
    metadata,
    Column("source", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run", Text, nullable=False),
    _instant("read_at"),
)

Table(
    "schedule",
    metadata,
    Column("source", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("partition", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    _instant("next_due_at"),
    _instant("planned_at", nullable=True),
)

# What is amiss, from when to when; `detail` is JSON. Who has still to be told of it stands in `alarm_notice`.
Table(
    "alarm",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("detail", Text, nullable=False),
    _instant("raised_at"),
    _instant("cleared_at", nullable=True),
)
Table(
    "alarm_notice",
    metadata,
    Column("alarm", Text, primary_key=True),
    Column("event", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    _instant("at"),
    _instant("next_at"),
    Column("tries", Integer, nullable=False),
    _instant("told_at", nullable=True),
)

# Who was erased: keyed marks that later syncs obey. The key is sealed in `meta`, so that it survives a rotation.
Table("erased", metadata, Column("mark", LargeBinary, primary_key=True), _instant("at"))

Table("counter", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False))
Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))
Table(
    "source_key", metadata, Column("source", Text, primary_key=True), Column("key", Text, nullable=False, unique=True)
)

Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _instant("at"),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("hash", Text, nullable=False),
)


@cache
def column_types(table: str) -> dict[str, str]:
    """PostgreSQL's names for the types of a table's columns."""
    return {column.name: _SQL[type(column.type)] for column in metadata.tables[table].columns}
