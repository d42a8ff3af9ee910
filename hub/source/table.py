"""Front-end exchange databases (前置库, domain.md §3): the partner writes rows, the hub only reads them.

Any SQLAlchemy dialect. A row becomes canonical JSON `{column: text}`: sorted keys, null stays null.
"""

import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy import exc as sa_exc
from sqlalchemy.pool import NullPool

from hub.errors import ConfigError, EnvelopeError
from hub.source.connector import SourceContext
from hub.source.databases import not_let_in, peer_of, translated
from hub.source.instants import write_instant
from hub.source.stream import Page, Position, RawRow, Stream, Window

__all__ = ["Table", "TableTransport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table or view to read. A stream's `endpoint`.

    `order`: columns that are unique together and never null; rows are read and applied in this order, and paging goes
    on behind the last one read. For a log table that is its row number, so that late rows with an old time still come
    last. `cursor`: the column windows filter on (the stream's cursor says how it is written; `cursor_format`
    overrides the format for a text column); rows without a value there are read every time. `columns`: what to read,
    everything if empty.
    """

    name: str
    order: tuple[str, ...]
    schema: str | None = None
    cursor: str | None = None
    cursor_format: str = ""
    columns: tuple[str, ...] = ()
    page_size: int = 1000


class TableTransport:
    """The transport of exchange databases (hub.source.stream.Transport). Never writes. `Page.clock` is None: a table
    tells no time.

    SQLite files are opened read-only, afresh for each page: partners like to replace the file. PostgreSQL runs
    read-only transactions under the request deadline.
    """

    def __init__(self, url: str | SecretStr, context: SourceContext) -> None:
        self._context = context
        self._tables: dict[str, sa.Table] = {}
        try:
            self._url = sa.make_url(url.get_secret_value() if isinstance(url, SecretStr) else url)
            self._engine = self._connectable()
        except (sa_exc.SQLAlchemyError, ImportError) as exc:
            raise translated(exc, "the database URL") from exc

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        declared = _table(stream)
        self._context.acquire(self._url.host or "localhost")
        try:
            with self._connected(declared) as connection:
                self._limit(connection)
                table = self._reflected(connection, declared)
                if position is None:
                    _refuse_nulls(connection, table, declared)
                query = _query(table, declared, stream, window, position)
                result = connection.execute(query)
                names = list(map(str, result.keys()))
                found = [dict(zip(names, row, strict=True)) for row in result]
        except sa_exc.SQLAlchemyError as exc:
            raise translated(exc, declared.name) from exc
        following = _after(found, declared) if len(found) > declared.page_size else None
        rows: list[bytes] = []
        bad: list[RawRow] = []
        for row in found[: declared.page_size]:
            raw, reason = _canonical(row)
            if reason:
                bad.append(RawRow(raw, reason))
            else:
                rows.append(raw)
        return Page(rows, following, bad=tuple(bad))

    def detail(self, stream: Stream, row: bytes) -> bytes:
        """A row is the whole record."""
        return row

    def renew(self) -> None:
        """There is no session to renew."""

    def close(self) -> None:
        self._engine.dispose()

    def _connectable(self) -> sa.Engine:
        if self._url.get_backend_name() != "sqlite":
            options = {"postgresql_readonly": True} if self._url.get_backend_name() == "postgresql" else {}
            return sa.create_engine(
                self._url,
                pool_pre_ping=True,
                hide_parameters=True,
                execution_options=options,
                connect_args=self._patience(),
            )
        path = self._context.base_folder / (self._url.database or "")
        seconds = self._context.deadline_s

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=min(10.0, seconds)
            )
            ends = time.monotonic() + seconds
            connection.set_progress_handler(lambda: time.monotonic() > ends, 10_000)
            connection.text_factory = _sqlite_text
            return connection

        return sa.create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)

    def _patience(self) -> dict[str, int]:
        """PostgreSQL's driver waits for a connection as long as the system does, minutes, unless it is told otherwise."""
        told = "connect_timeout" in self._url.query or self._url.get_dialect().driver != "psycopg"
        return {} if told else {"connect_timeout": max(2, math.ceil(self._context.deadline_s))}

    def _connected(self, declared: Table) -> sa.Connection:
        try:
            return self._engine.connect()
        except sa_exc.SQLAlchemyError as exc:
            raise not_let_in(exc, declared.name, peer_of(self._url)) from exc

    def _limit(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            milliseconds = int(self._context.deadline_s * 1000)
            connection.execute(sa.text(f"SET LOCAL statement_timeout = {milliseconds}"))

    def _reflected(self, connection: sa.Connection, declared: Table) -> sa.Table:
        """The table with its columns and their types, looked up once."""
        key = f"{declared.schema or ''}.{declared.name}"
        if key not in self._tables:
            table = sa.Table(
                declared.name, sa.MetaData(), schema=declared.schema, autoload_with=connection, resolve_fks=False
            )
            wanted = (*declared.columns, *declared.order, *((declared.cursor,) if declared.cursor else ()))
            missing = [name for name in wanted if name not in table.columns]
            if missing:
                raise ConfigError(
                    "table {table} has no column {columns}", table=declared.name, columns=", ".join(missing),
                    remedy="compare the source's tables in hub.toml with the database",
                )  # fmt: skip
            if connection.dialect.name == "sqlite":
                _untyped(table)
            self._tables[key] = table
        return self._tables[key]


def _table(stream: Stream) -> Table:
    if not isinstance(stream.endpoint, Table):
        raise ConfigError("stream {stream} has no table", stream=stream.name, remedy="give it a hub.source.Table")
    return stream.endpoint


def _query(
    table: sa.Table, declared: Table, stream: Stream, window: Window, position: Position | None
) -> sa.Select[Any]:
    names = dict.fromkeys((*declared.columns, *declared.order)) if declared.columns else table.columns.keys()
    order = [table.columns[name] for name in declared.order]
    query = sa.select(*(table.columns[name] for name in names)).order_by(*order)
    # One row more shows whether the page's edge lies between rows that cannot be told apart.
    query = query.limit(declared.page_size + 1)
    if position:
        query = query.where(
            _behind(order, [_bound(column, value) for column, value in zip(order, position["after"], strict=True)])
        )
    if declared.cursor:
        column = table.columns[declared.cursor]
        if window.since:
            query = query.where(sa.or_(column >= _edge(column, window.since, declared, stream), column.is_(None)))
        if window.until:
            query = query.where(sa.or_(*_before(column, window.until, declared, stream), column.is_(None)))
    return query


def _before(
    column: sa.Column[Any], moment: datetime, declared: Table, stream: Stream
) -> Sequence[sa.ColumnElement[bool]]:
    """Conditions for rows before the end of a window. ISO text may have a T in place of the blank, and then lies behind it."""
    edge = _edge(column, moment, declared, stream, up=True)
    if not isinstance(edge, str) or " " not in edge or declared.cursor_format:
        return (column < edge,)
    return column < edge, sa.and_(
        sa.func.substr(column, edge.index(" ") + 1, 1) == "T", column < edge.replace(" ", "T")
    )


def _behind(columns: list[sa.Column[Any]], values: list[Any]) -> sa.ColumnElement[bool]:
    """Rows after these values in the order of the columns; spelt out, because not every dialect compares tuples."""
    alternatives = []
    for number, column in enumerate(columns):
        equal = [before == value for before, value in zip(columns[:number], values[:number], strict=True)]
        alternatives.append(sa.and_(*equal, column > values[number]))
    return sa.or_(*alternatives)


def _edge(column: sa.Column[Any], moment: datetime, declared: Table, stream: Stream, *, up: bool = False) -> Any:
    """An end of the window as a value of the column's type, rounded outward."""
    zone, form = (stream.cursor.zone, stream.cursor.format) if stream.cursor else ("Asia/Shanghai", "iso")
    if isinstance(column.type, sa.DateTime):
        local = moment.astimezone(ZoneInfo(zone))
        return local if column.type.timezone else local.replace(tzinfo=None)
    form = column.info.get("form") or form
    return write_instant(moment, declared.cursor_format or ("local" if form == "iso" else form), zone, up=up)


def _untyped(table: sa.Table) -> None:
    """SQLite keeps what was written, whatever a column is declared as: converting that would change or refuse it."""
    for column in table.columns:
        column.info["form"] = "%Y-%m-%d" if isinstance(column.type, sa.Date) else ""
        column.type = sa.types.NullType()


def _refuse_nulls(connection: sa.Connection, table: sa.Table, declared: Table) -> None:
    """A row without a value there stands behind no other: no page but the first would have it, where nulls come first."""
    columns = [table.columns[name] for name in declared.order if table.columns[name].nullable]
    query = sa.select(sa.literal(1)).select_from(table).where(sa.or_(False, *(column.is_(None) for column in columns)))
    if columns and connection.execute(query.limit(1)).first() is not None:
        raise EnvelopeError(
            "an order column of {table} is null",
            table=declared.name,
            remedy="order by columns that are unique and never null",
        )


def _after(found: Sequence[Mapping[str, Any]], declared: Table) -> Position:
    """The position behind the last row of a page, where another row follows."""
    last, behind = ([row[name] for name in declared.order] for row in found[-2:])
    if last == behind:
        raise EnvelopeError(
            "rows of {table} are alike in its order columns",
            table=declared.name,
            remedy="order by columns that are unique and never null",
        )
    if any(isinstance(value, bytes | memoryview | bytearray) for value in last):
        # As text it would stand before or behind every row, and the same page come again without end, or none.
        raise EnvelopeError(
            "an order column of {table} is no text", table=declared.name, remedy="order by numbers, or by text in UTF-8"
        )
    return {"after": [value if isinstance(value, str | int | float) else _text(value) for value in last]}


def _bound(column: sa.Column[Any], value: Any) -> Any:
    """A value from a stored position in the column's own type."""
    if isinstance(value, str) and isinstance(column.type, sa.DateTime):
        return datetime.fromisoformat(value)
    if isinstance(value, str) and isinstance(column.type, sa.Date):
        return date.fromisoformat(value)
    return Decimal(value) if isinstance(value, str) and isinstance(column.type, sa.Numeric) else value


def _canonical(row: Mapping[str, Any]) -> tuple[bytes, str]:
    """The row's bytes, and why it is none of ours: binary values have no text."""
    record: dict[str, str | None] = {}
    binary = []
    for name, value in row.items():
        if value is None or value.__class__ is str:
            record[name] = value
        elif isinstance(value, bytes | memoryview | bytearray):
            record[name] = None
            binary.append(name)
        else:
            record[name] = _text(value)
    return msgspec.json.encode(record, order="sorted"), f"no text in column {', '.join(binary)}" if binary else ""


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    Decimal: lambda value: format(value, "f"),
    # With a zone: in UTC, because the database shows it in the session's own.
    datetime: lambda value: (value.astimezone(UTC) if value.tzinfo else value).isoformat(),
    dict: lambda value: msgspec.json.encode(value, order="sorted").decode(),
    list: lambda value: msgspec.json.encode(value, order="sorted").decode(),
    date: lambda value: value.isoformat(),
}


def _text(value: Any) -> str:
    return _TEXTS.get(type(value), str)(value)


def _sqlite_text(value: bytes) -> Any:
    """Text as it should be, or the bytes themselves, which then set one row aside and not the page."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
