"""Opening a database: which there may be, how each is set up, and what is done about connections that die."""

import math
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from hub.errors import MisconfiguredError

__all__ = ["open_engine"]

#: A connection that was used so little ago is taken to live.
_REST_S = 1.0

# sqlite3 asks every None and every bytes how it wants to be stored. Unanswered that takes 0.6 µs a value, ten times what
# storing it takes, and a third of an incident's columns are null.
sqlite3.register_adapter(type(None), {None: None}.__getitem__)
sqlite3.register_adapter(bytes, bytes)


def open_engine(url: str, read_only: bool) -> sqlalchemy.Engine:
    """Connections to the store's database. MisconfiguredError for an address that is none, or of another kind of database."""
    try:
        parsed = make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        raise MisconfiguredError(
            "[store] url is not a database address", remedy="use sqlite:///hub.db or postgresql://…"
        ) from error
    if "@" in (parsed.host or ""):
        # The host would be half of a password, and every message about it would say it.
        raise MisconfiguredError("[store] url has more than one @", remedy="write @ in a password as %40")
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        engine = sqlalchemy.create_engine(
            parsed, isolation_level="AUTOCOMMIT", hide_parameters=True, pool_size=4, max_overflow=28,
            connect_args=_connection_limits(parsed),
        )  # fmt: skip
        _look_after_rest(engine)
        return engine
    if parsed.get_backend_name() != "sqlite":
        raise MisconfiguredError(
            "[store] url: {backend} is not supported",
            backend=parsed.get_backend_name(),
            remedy="use SQLite or PostgreSQL",
        )
    if parsed.database in (None, "", ":memory:"):
        raise MisconfiguredError("[store] url names no file", remedy="use sqlite:///hub.db or postgresql://…")
    if read_only:
        return sqlalchemy.create_engine(
            "sqlite://", isolation_level="AUTOCOMMIT", hide_parameters=True, creator=partial(_reader, Path(parsed.database))
        )  # fmt: skip
    engine = sqlalchemy.create_engine(
        parsed, isolation_level="AUTOCOMMIT", hide_parameters=True, connect_args={"timeout": 60}, max_overflow=60
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # synchronous=FULL: a consumer that has read a change must find it again after a power cut, or it would miss its
        # successor.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            # A page of an index whose order is not the records' is written anew by nearly every commit: ten commits share a copy.
            "wal_autocheckpoint=8000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _look_after_rest(engine: sqlalchemy.Engine) -> None:
    """A connection that has rested is tried before it is used again. One that was used a moment ago is not: looking would take
    as long as most statements do, several times a page."""

    @event.listens_for(engine, "checkin")
    def _note(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _look(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", math.inf) > _REST_S:
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error


def _reader(file: Path) -> sqlite3.Connection:
    """SQLite makes the files beside a database also for who only reads, and leaves them behind in the reader's name, which may
    be root's. It does not if it may take the file as unchangeable, which it is while nobody has it open: who has it open
    keeps both. A log that was copied along with a database stands alone, and what it adds is not looked at."""
    open_elsewhere = all(file.with_name(file.name + end).exists() for end in ("-wal", "-shm"))
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable={int(not open_elsewhere)}", uri=True)


def _connection_limits(url: URL) -> dict[str, object]:
    """A process that is frozen or cut off in the middle of a page must not hold the feed's row lock against all others: the
    server ends a transaction whose client says nothing for 15 s (statements of a page follow each other within
    milliseconds), and either side notices a dead network within half a minute. The address's own options come later and win."""
    own = url.query.get("options", "")
    return {
        "options": f"-c idle_in_transaction_session_timeout=15000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5"
        f" -c tcp_keepalives_count=3 {own if isinstance(own, str) else ' '.join(own)}".rstrip(),
        "connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
        # Not what the server or PGCLIENTENCODING says: a database without an encoding would answer in bytes.
        "client_encoding": "utf8",
        # Keepalives rest while something sent is not acknowledged; without this a cut line is noticed after a quarter of an hour.
        "tcp_user_timeout": 30_000,
    }  # fmt: skip
