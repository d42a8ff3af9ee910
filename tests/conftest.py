"""Stores to test on: an SQLite file and a fresh PostgreSQL database."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from rig import postgresql

from hub.config import redactor
from hub.source import rows
from hub.store import known_pages

_numbers = count(1)


@pytest.fixture(autouse=True)
def nothing_secret_yet() -> None:
    """A process learns secrets for good; a password "wrong" of one test must not mask the words of the next."""
    redactor.forget()


@pytest.fixture(autouse=True)
def every_page_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of tests are small; each is to be recalled like a large one, so that every promise is tried that way too."""
    monkeypatch.setattr(known_pages, "_WORTH_IT", 1)
    monkeypatch.setattr(rows, "_WORTH_IT", 1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of one PostgreSQL server for this test process (under xdist: for this worker); gone at the end."""
    # Not pytest's own folder: the socket lies in it, and its path may be 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="hubpg"))
    try:
        with postgresql(folder) as address:
            with psycopg.connect(address, autocommit=True) as connection:
                # Tests kill no machines.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET synchronous_commit = off")
                connection.execute("SELECT pg_reload_conf()")
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database on that server."""
    name = f"hub_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """`[store] url` of an empty store: every test that takes it runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
