"""Which step towards a table failed, against real sockets and a real PostgreSQL: name, route, port, connection, login, table."""

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc as sa_exc

from hub.errors import ConfigError, DeadlineError, FailedError, HubError, RefusedError, UnavailableError
from hub.locale import translator
from hub.source import SourceContext, Stream, Table, TableTransport, Window
from hub.source.databases import FOREIGN_ERRORS, not_let_in, peer_of, translated

STREAM = Stream(name="cases", title="案件", mapping="cases", endpoint=Table(name="t", order=("id",)))


def refused(context: SourceContext, url: str) -> HubError:
    """What comes of reading there; never with user or password."""
    transport = TableTransport(url.replace("://", "://the_user:the_password@", 1), replace(context, deadline_s=0.5))
    try:
        with pytest.raises(HubError) as caught:
            transport.fetch(STREAM, Window(), None)
    finally:
        transport.close()
    error = caught.value
    for lang in ("en", "zh"):
        said = error.render(translator(lang))  # type: ignore[arg-type]
        assert "the_user" not in said
        assert "the_password" not in said
        assert bool(re.search("[一-鿿]", said)) == (lang == "zh")
    return error


def plain(url: str) -> str:
    return url.replace("postgres:@", "").replace("postgresql://", "postgresql+psycopg://")


def test_a_name_nobody_knows(context: SourceContext) -> None:
    error = refused(context, "postgresql+psycopg://nosuch.invalid/x")
    assert isinstance(error, UnavailableError)
    assert "the host name of nosuch.invalid:5432 cannot be resolved" in str(error)


def test_a_port_where_nobody_listens(context: SourceContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = f"127.0.0.1:{server.getsockname()[1]}"
    error = refused(context, f"postgresql+psycopg://{peer}/x")
    assert isinstance(error, UnavailableError)
    assert f"nothing listens at {peer} (connection refused)" in str(error)


def test_a_network_without_a_way_to_it(context: SourceContext) -> None:
    error = refused(context, "postgresql+psycopg://224.0.0.1/x")
    assert isinstance(error, UnavailableError)
    assert "the network of 224.0.0.1:5432 cannot be reached from here" in str(error)


def test_a_connection_that_does_not_come_about(context: SourceContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = f"127.0.0.1:{server.getsockname()[1]}"
        error = refused(context, f"postgresql+psycopg://{peer}/x")
    assert type(error) is UnavailableError
    assert f"no connection to {peer} came about in time" in str(error)


@contextmanager
def saying(text: str) -> Iterator[str]:
    """Address of a database that answers whoever comes with this fatal error."""
    body = (
        b"".join(kind + said.encode() + b"\0" for kind, said in ((b"S", "FATAL"), (b"C", "28P01"), (b"M", text)))
        + b"\0"
    )

    def serve() -> None:
        with server.accept()[0] as connection:
            while (asked := connection.recv(8192)) and struct.unpack("!I", asked[4:8])[0] in (80877103, 80877104):
                connection.sendall(b"N")  # neither TLS nor Kerberos
            connection.sendall(b"E" + struct.pack("!I", len(body) + 4) + body)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"postgresql+psycopg://127.0.0.1:{server.getsockname()[1]}/x"
        thread.join()


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ('password authentication failed for user "the_user"', RefusedError, "does not let us in"),
        ('用户 "the_user" Password 认证失败', RefusedError, "does not let us in"),
        ('no pg_hba.conf entry for host "10.0.0.9"', RefusedError, "does not let us in"),
        ('数据库 "x" 不存在', ConfigError, "there is no such database at 127.0.0.1:"),
        ("sorry, too many clients already", UnavailableError, "the database with t cannot be read"),
        ("什么", UnavailableError, "the database with t cannot be read"),
    ],
)
def test_a_database_that_does_not_take_us(context: SourceContext, text: str, kind: type[HubError], says: str) -> None:
    with saying(text) as url:
        error = refused(context, url)
    assert type(error) is kind
    assert says in str(error)
    assert text not in str(error)


def test_login_and_table_on_postgresql(context: SourceContext, postgres_url: str) -> None:
    url = plain(postgres_url)
    assert isinstance(refused(context, url), RefusedError), "there is no such role"
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE the_user LOGIN")
        try:
            error = refused(context, url)
            assert isinstance(error, ConfigError)
            assert "the database has no table t that we may see" in str(error)
            owner.execute("CREATE TABLE t (id bigint PRIMARY KEY)")
            error = refused(context, url)
            assert isinstance(error, RefusedError)
            assert "the database does not let us read t (InsufficientPrivilege); its owner must grant SELECT" in str(
                error
            )
            error = refused(context, url.replace(sa.make_url(url).database or "", "nothere"))
            assert "there is no such database at " in str(error)
        finally:
            owner.execute("DROP ROLE the_user")


def test_a_driver_of_python_says_it_by_the_error_below(context: SourceContext) -> None:
    for below, says in (
        (
            socket.gaierror(-2, "Name or service not known"),
            "the host name of a.example:3306 cannot be resolved (Name or",
        ),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens at a.example:3306 (connection refused)"),
        (TimeoutError("timed out"), "no connection to a.example:3306 came about in time"),
    ):
        driver = Exception(2003, "the_password")
        driver.__context__ = below
        wrapped = sa_exc.OperationalError("SELECT", {}, driver)
        wrapped.__cause__ = driver
        assert says in str(not_let_in(wrapped, "t", peer_of(sa.make_url("mysql://a.example/x"))))


def every_error() -> list[type[Exception]]:
    found = (getattr(sa_exc, name) for name in dir(sa_exc))
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, sa_exc.SQLAlchemyError)]


@pytest.mark.parametrize("error", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_of_sqlalchemy_is_translated(error: type[Exception]) -> None:
    assert any(cls in FOREIGN_ERRORS for cls in error.__mro__)
    if issubclass(error, sa_exc.DBAPIError) and error is not sa_exc.DBAPIError:
        assert error in FOREIGN_ERRORS
    assert isinstance(translated(error.__new__(error), "t"), HubError)


@pytest.mark.parametrize(
    ("state", "error"),
    [("28P01", RefusedError), ("42501", RefusedError), ("57014", DeadlineError), ("22012", FailedError)],
)
def test_states_of_postgresql(state: str, error: type[HubError]) -> None:
    class DriverError(Exception):
        sqlstate = state

    wrapped = sa_exc.DataError("SELECT", {}, DriverError())
    assert type(translated(wrapped, "t")) is error
