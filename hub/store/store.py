"""The store: explicit transactions on one engine, errors of the database turned into the hub's own."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from operator import itemgetter, methodcaller
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub.errors import MisconfiguredError, StoreError, UnavailableError
from hub.store.crypto import Keyring
from hub.store.engine import open_engine
from hub.store.refusals import translated

if TYPE_CHECKING:
    import psycopg

__all__ = ["Hold", "Statement", "Store", "Transaction"]

_ALL, _FIRST = methodcaller("fetchall"), methodcaller("fetchone")
#: Of so few columns a list each costs less than COPY, which also takes three messages each way.
_NARROW = 8


class Statement(NamedTuple):
    """What is to be executed; `?` for parameters."""

    text: str
    parameters: Sequence[Any] = ()


class Hold(NamedTuple):
    """A statement by which a transaction holds on to something; `check` raises if its first row says that it cannot."""

    statement: Statement
    check: Callable[[Any], None]


class Transaction:
    """One transaction on one connection. Statements use `?` for parameters in both databases."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._percent = connection.dialect.name == "postgresql"
        self.dialect = connection.dialect.name
        self._driver_error: type[Exception] = connection.dialect.loaded_dbapi.Error

    @property
    def connection(self) -> Connection:
        """The connection itself, for Alembic."""
        return self._connection

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Execute once; the number of rows touched."""
        return self._connection.exec_driver_sql(self._text(statement), tuple(parameters)).rowcount

    def together(self, *statements: Statement) -> list[Any]:
        """Execute statements one after the other; the first row of each, None where there is none. On PostgreSQL with one message
        each way for all of them: waiting for an answer costs more than most of them do."""
        if self.dialect != "postgresql":
            return [self.one(*statement) for statement in statements]
        driver = self._driver()
        with self._driver_errors("several statements"):
            with driver.pipeline():
                cursors = [driver.execute(self._text(text).encode(), tuple(values)) for text, values in statements]
            return [cursor.fetchone() if cursor.description else None for cursor in cursors]

    def hold(self, *holds: Hold, then: Sequence[Statement] = ()) -> list[Any]:
        """Hold on to something until the transaction ends; the first rows of what is executed together with that. Raises what the
        first hold does that fails."""
        rows = self.together(*(hold.statement for hold in holds), *then)
        for hold, row in zip(holds, rows, strict=False):
            hold.check(row)
        return rows[len(holds) :]

    def run_script(self, script: str) -> None:
        """Several statements at once, as they stand (PostgreSQL only)."""
        with self._driver_errors("a script"):
            self._driver().execute(script.encode())

    def run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        """Execute for every row; the number of rows touched. Nothing happens for no rows."""
        if not rows:
            return 0
        return self._connection.exec_driver_sql(self._text(statement), [tuple(row) for row in rows]).rowcount

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows that are known to be new: executemany on SQLite, COPY on PostgreSQL, or lists where the rows are narrow.
        ConflictError if one exists."""
        if not rows:
            return
        if self.dialect == "postgresql":
            by_name = _column_types(table)
            types = [by_name[name.strip('"')] for name in columns]
            narrow = len(types) <= _NARROW and "bytea" not in types
            (self._insert_lists if narrow else self._copy)(table, columns, types, rows)
            return
        columns, rows = _without_empty(columns, rows)
        names, places = ", ".join(columns), ", ".join("?" * len(columns))
        self._connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({places})", list(rows))

    def update(self, table: str, columns: Sequence[str], match: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Give rows new values; how many there were. Each of `rows` has the values of `columns` (to be set) and of `match` (which
        row), in that order. One statement for all on PostgreSQL, where every single one would cost a message each way."""
        if not rows:
            return 0
        if self.dialect != "postgresql":
            sets, where = ", ".join(f"{name} = ?" for name in columns), " AND ".join(f"{name} = ?" for name in match)
            return self.run_many(f"UPDATE {table} SET {sets} WHERE {where}", rows)
        # UPDATE incident SET title = given.v0, run = ? FROM json_to_recordset(?) AS given (v0 text, v2 bigint)
        # WHERE incident.key = given.v2 AND incident.revision = ?
        key, types = len(columns), [_column_types(table)[name] for name in (*columns, *match)]
        # What all rows share is said once.
        shared = [place for place in range(len(types)) if place != key and _alike(rows, place)]
        own = {place: f"v{place}" for place in range(len(types)) if place not in shared}
        terms = [f"given.{own[place]}" if place in own else f"?::{type_}" for place, type_ in enumerate(types)]
        sets = ", ".join(f"{name} = {term}" for name, term in zip(columns, terms, strict=False))
        where = " AND ".join(f"{table}.{name} = {term}" for name, term in zip(match, terms[key:], strict=True))
        typed = ", ".join(f"{name} {types[place]}" for place, name in own.items())
        body = msgspec.json.encode([{name: _as_json(row[place]) for place, name in own.items()} for row in rows])
        said = [rows[0][place] for place in shared]
        before = sum(place < key for place in shared)
        return self.run(
            f"UPDATE {table} SET {sets} FROM json_to_recordset(?) AS given ({typed}) WHERE {where}",
            (*said[:before], body.decode(), *said[before:]),
        )

    def _copy(self, table: str, columns: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
        with self._driver_errors(statement), self._driver().cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def _insert_lists(
        self, table: str, columns: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        # INSERT INTO change (seq, op, id) SELECT v0::bigint, ?::text, v2::text
        # FROM ROWS FROM (json_array_elements_text(?), json_array_elements_text(?)) AS given (v0, v2)
        shared = {place: rows[0][place] for place in range(1, len(types)) if _alike(rows, place)}
        own = [place for place in range(len(types)) if place not in shared]
        terms = [f"{'?' if place in shared else f'v{place}'}::{type_}" for place, type_ in enumerate(types)]
        lists = [self.list_value([row[place] for row in rows]) for place in own]
        self.run(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(terms)}"
            f" FROM ROWS FROM ({', '.join(['json_array_elements_text(?)'] * len(own))})"
            f" AS given ({', '.join(f'v{place}' for place in own)})",
            (*shared.values(), *lists),
        )

    def _driver(self) -> "psycopg.Connection[Any]":
        driver: Any = self._connection.connection.driver_connection
        return driver  # type: ignore[no-any-return]

    @contextmanager
    def _driver_errors(self, statement: str) -> Iterator[None]:
        """What the driver raises where SQLAlchemy does not stand between, as SQLAlchemy raises it."""
        try:
            yield
        except self._driver_error as error:
            dialect: Any = self._connection.dialect
            lost = dialect.is_disconnect(error, self._driver(), None)
            raise DBAPIError.instance(
                statement, None, error, self._driver_error, hide_parameters=True, connection_invalidated=lost
            ) from error

    def all(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Every row."""
        return list(self._fetched(statement, parameters, _ALL))

    def one(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        """The first row, or None."""
        return self._fetched(statement, parameters, _FIRST)

    def _fetched(self, statement: str, parameters: Sequence[Any], fetch: Callable[[Any], Any]) -> Any:
        """What the driver itself fetches: SQLAlchemy's own rows cost as much again."""
        result = self._connection.exec_driver_sql(self._text(statement), tuple(parameters))
        with closing(result), self._driver_errors(statement):
            return fetch(result.cursor) if result.returns_rows else None

    def stream(self, statement: str, parameters: Sequence[Any] = (), size: int = 10_000) -> Iterator[Sequence[Any]]:
        """Batches of rows without holding them all."""
        result = self._connection.exec_driver_sql(
            self._text(statement), tuple(parameters), execution_options={"stream_results": True}
        )
        while batch := result.fetchmany(size):
            yield batch

    def any_of(self, column: str, type_: str = "bigint") -> str:
        """A condition that takes one list parameter (see `list_value`)."""
        if self.dialect == "postgresql":
            return f"{column} = ANY(ARRAY(SELECT json_array_elements_text(?)::{type_}))"
        return f"{column} IN (SELECT value FROM json_each(?))"

    @staticmethod
    def list_value(values: Sequence[Any]) -> str:
        """The parameter for `any_of`: JSON text, which a driver's own arrays cost sixty times as much as."""
        return msgspec.json.encode(values).decode()

    def _text(self, statement: str) -> str:
        return statement.replace("%", "%%").replace("?", "%s") if self._percent else statement


def _column_types(table: str) -> dict[str, str]:
    # Loaded by who writes: whoever only reads starts sooner.
    from hub.store.tables import column_types

    return column_types(table)


def _alike(rows: Sequence[Sequence[Any]], place: int) -> bool:
    """Whether all rows have the same value there."""
    value = rows[0][place]
    return rows[-1][place] == value and [row[place] for row in rows].count(value) == len(rows)


def _without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """Without the columns that are null in every row: handing a null to SQLite takes as long as handing it a value."""
    empty = {place for place, value in enumerate(rows[0]) if value is None and _alike(rows, place)}
    kept = [place for place in range(len(columns)) if place not in empty]
    if not empty or len(kept) < 2:
        return columns, rows
    keep = itemgetter(*kept)
    return keep(columns), list(map(keep, rows))


def _as_json(value: Any) -> Any:
    """A value as PostgreSQL reads it from JSON: bytes in its own hexadecimal form."""
    return f"\\x{value.hex()}" if value.__class__ is bytes else value


class Store:
    """The unified store. `keyring` seals raw pages, people and tokens; None only where none of them is touched. `read_only`: not
    even a file beside the database is made."""

    def __init__(self, url: str, keyring: Keyring | None = None, *, read_only: bool = False) -> None:
        self.url = url
        self.read_only = read_only
        self._keyring = keyring
        self._closed = False
        self.engine = open_engine(url, read_only)
        self.dialect = self.engine.dialect.name
        #: Whether the database works in processes of its own, so that this one can do something else meanwhile.
        self.apart = self.dialect != "sqlite"
        # SQLite lets one write at a time, and who finds it busy sleeps up to 100 ms before looking again: threads of this
        # process wait for each other here instead, and are woken.
        self._turn: AbstractContextManager[object] = threading.Lock() if self.dialect == "sqlite" else nullcontext()

    @property
    def has_key(self) -> bool:
        return self._keyring is not None

    @property
    def keyring(self) -> Keyring:
        if self._keyring is None:
            raise MisconfiguredError("the store key is needed for this", remedy="set key in hub.toml")
        return self._keyring

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A consistent snapshot for reading."""
        yield from self._transaction(
            "BEGIN" if self.dialect == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )

    @contextmanager
    def glance(self) -> Iterator[Transaction]:
        """For a single statement, which is a snapshot by itself; several see what is committed between them."""
        try:
            with self._connection() as connection:
                yield Transaction(connection)
        except DBAPIError as error:
            raise translated(error) from error

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """One transaction; committed at the end of the block, rolled back if it raises."""
        with self._turn:
            yield from self._transaction("BEGIN IMMEDIATE" if self.dialect == "sqlite" else "BEGIN")

    def _transaction(self, begin: str) -> Iterator[Transaction]:
        try:
            with self._connection() as connection:
                connection.exec_driver_sql(begin)
                try:
                    yield Transaction(connection)
                except BaseException:
                    # A lost connection or a full disk has ended the transaction already; that is what must be told.
                    if not connection.invalidated:
                        _roll_back(connection)
                    raise
                connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            raise translated(error) from error

    def _connection(self) -> Connection:
        if self._closed:
            # A call that was left behind comes back to it: nothing may be opened, or made anew, any more.
            raise StoreError("this store is closed", remedy="open it again")
        try:
            return self.engine.connect()
        except PoolTimeoutError as error:
            raise UnavailableError(
                "every connection of this process to the store is waiting for an answer",
                remedy="run the command again; see in pg_stat_activity who holds a lock, or set fewer [defaults] workers",
            ) from error

    def close(self) -> None:
        self._closed = True
        self.engine.dispose()


def _roll_back(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        connection.invalidate()
