"""What a database refuses, told so that the operator looks in the right place."""

import sqlite3
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from hub.errors import HubError, MisconfiguredError, StoreError, UnavailableError
from hub.store import Store
from hub.store.migrate import upgrade
from hub.store.refusals import translated

_AT = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (_AT + 'FATAL:  password authentication failed for user "hub"', MisconfiguredError),
        (_AT + "fe_sendauth: no password supplied", MisconfiguredError),
        (_AT + 'FATAL:  database "hup" does not exist', MisconfiguredError),
        (_AT + '致命错误:  用户 "hub" Password 认证失败', MisconfiguredError),
        (_AT + '致命错误:  数据库 "hup" 不存在', MisconfiguredError),
        (_AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.1"', MisconfiguredError),
        ('invalid connection option "sslmodd"', MisconfiguredError),
        (_AT + "FATAL:  sorry, too many clients already", UnavailableError),
        (_AT + "FATAL:  the database system is starting up", UnavailableError),
        (_AT + "Connection refused", UnavailableError),
    ],
)
def test_who_is_kept_out_need_not_come_again(said: str, kind: type[HubError]) -> None:
    error = DBAPIError.instance("", None, psycopg.OperationalError(said), psycopg.Error, hide_parameters=True)
    assert isinstance(error, DBAPIError)
    assert type(translated(error)) is kind


def test_a_password_with_an_at_sign_is_not_told_as_a_host() -> None:
    with pytest.raises(MisconfiguredError) as caught:
        Store("postgresql://hub:half@other-half@db/hub")
    assert "%40" in str(caught.value)
    assert "half" not in str(caught.value)


def test_a_disk_that_fails_is_no_reason_to_restore_a_backup() -> None:
    error = DBAPIError.instance(
        "", None, sqlite3.OperationalError("disk I/O error"), sqlite3.Error, hide_parameters=True
    )
    assert isinstance(error, DBAPIError)
    assert "quota" in str(translated(error))
    assert "backup" not in str(translated(error))


@pytest.mark.parametrize(
    ("limit", "statement", "kind", "remedy"),
    [
        ("statement_timeout=100", "SELECT pg_sleep(60)", UnavailableError, "statement_timeout"),
        ("lock_timeout=100", "UPDATE counter SET value = value", UnavailableError, "lock_timeout"),
        ("default_transaction_read_only=on", "UPDATE counter SET value = value", StoreError, "hub validate"),
        (
            "work_mem=64 -c temp_file_limit=64",
            "SELECT count(*) FROM (SELECT generate_series(1, 300000) ORDER BY 1 DESC) AS long", StoreError, "ALTER ROLE",
        ),
    ],
)  # fmt: skip
def test_what_a_role_is_not_granted_is_no_reason_to_restore_a_backup(
    postgres_url: str, limit: str, statement: str, kind: type[HubError], remedy: str
) -> None:
    store = Store(postgres_url)
    upgrade(store)
    limited = Store(f"{postgres_url}&options=-c%20{limit.replace(' ', '%20').replace('=', '%3D')}")
    with store.write() as other, pytest.raises(kind) as caught:
        other.run("UPDATE counter SET value = value")
        with limited.write() as transaction:
            transaction.run(statement)
    assert remedy in str(caught.value)
    assert "backup" not in str(caught.value)
    for one in (store, limited):
        one.close()


def test_a_value_that_cannot_be_used_is_not_repeated(postgres_url: str) -> None:
    store = Store(postgres_url)
    with pytest.raises(StoreError, match="InvalidTextRepresentation") as caught, store.write() as transaction:
        transaction.one("SELECT ?::bigint", ("a name",))
    assert "a name" not in str(caught.value)
    store.close()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_CN"])
def test_a_database_that_cannot_hold_every_text_becomes_no_store(postgres_url: str, encoding: str) -> None:
    name = f"in_{encoding.lower()}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        store = Store(make_url(postgres_url).set(database=name).render_as_string(hide_password=False))
        with pytest.raises(MisconfiguredError, match=f"{encoding}.*ENCODING 'UTF8'"):
            upgrade(store)
        store.close()
        admin.execute(f"DROP DATABASE {name}")


def test_the_encoding_of_somebodys_terminal_is_not_the_store_s(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = Store(postgres_url)
    with store.read() as transaction:
        assert transaction.one("SELECT ?", ("占道经营 𠮷",))[0] == "占道经营 𠮷"
    store.close()


def test_a_process_whose_connections_all_wait_is_no_defect(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(postgres_url)
    monkeypatch.setattr(store.engine.pool, "_timeout", 0.01)
    with ExitStack() as held, pytest.raises(UnavailableError, match="pg_stat_activity"):
        for _ in range(33):
            held.enter_context(store.read())
    store.close()
