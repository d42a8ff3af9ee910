"""Statements that go to the database together do what they would do one by one; a connection that died is told or replaced."""

import io

import psycopg
import pytest

import hub.store.engine as engine
from hub.commands.logs import start_logging
from hub.errors import UnavailableError
from hub.store.migrate import upgrade
from hub.store.refusals import ConflictError
from hub.store.store import Hold, Statement, Store

TAKE = Statement("UPDATE counter SET value = value + ? WHERE name = 'feed' RETURNING value", (5,))
NOTE = Statement("INSERT INTO meta (name, value) VALUES (?, ?)", ("note", "50 % of it?"))


def _feed(store: Store) -> int:
    with store.read() as transaction:
        return int(transaction.one("SELECT value FROM counter WHERE name = 'feed'")[0])


def test_each_sees_what_the_one_before_it_did(store: Store) -> None:
    read = Statement("SELECT value FROM meta WHERE name = ?", ("note",))
    with store.write() as transaction:
        rows = transaction.together(TAKE, read, NOTE, read, TAKE)
    assert [row and tuple(row) for row in rows] == [(5,), None, None, ("50 % of it?",), (10,)]
    assert _feed(store) == 10


def test_a_row_that_exists_is_a_conflict_and_undoes_them_all(store: Store) -> None:
    with pytest.raises(ConflictError), store.write() as transaction:
        transaction.together(TAKE, NOTE, NOTE, TAKE)
    assert _feed(store) == 0
    with store.write() as transaction:
        assert transaction.together(TAKE)[0][0] == 5


def test_what_cannot_be_held_undoes_what_went_with_it(store: Store) -> None:
    def refuse(row: object) -> None:
        assert row is None
        raise LookupError("not held")

    lost = Hold(Statement("SELECT 1 FROM meta WHERE name = 'nothing'"), refuse)
    with pytest.raises(LookupError, match="not held"), store.write() as transaction:
        transaction.hold(lost, then=[TAKE])
    assert _feed(store) == 0


def test_the_first_hold_that_fails_is_told_and_the_rest_comes_back(store: Store) -> None:
    held: list[object] = []
    hold = Hold(TAKE, lambda row: held.append(row[0]))
    with store.write() as transaction:
        assert [row[0] for row in transaction.hold(hold, hold, then=[TAKE, TAKE])] == [15, 20]
    assert held == [5, 10]


def _cut_all(url: str) -> None:
    """End every session of this database, as a restart of the server does."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture
def postgres(postgres_url: str) -> Store:
    store = Store(postgres_url)
    upgrade(store)
    return store


def test_a_connection_that_dies_between_them_is_told(postgres: Store, postgres_url: str) -> None:
    with pytest.raises(UnavailableError), postgres.write() as transaction:
        transaction.together(TAKE)
        _cut_all(postgres_url)
        transaction.together(TAKE, TAKE)
    assert _feed(postgres) == 0
    postgres.close()


def test_a_line_that_fell_silent_is_told_as_such_whatever_the_driver_calls_it(postgres: Store) -> None:
    """No loopback address falls silent: what is said of one that did stands here as libpq says it."""
    with pytest.raises(UnavailableError), postgres.write() as transaction, transaction._driver_errors("several"):
        transaction._driver().close()
        raise psycopg.OperationalError("could not receive data from server: Connection timed out")
    assert _feed(postgres) == 0
    postgres.close()


def test_an_error_among_them_is_told_by_who_met_it_and_nobody_else(postgres: Store) -> None:
    """The driver would say where the database is and who asks it, at every page that meets another writer."""
    said = io.StringIO()
    start_logging("warning", as_json=False, stream=said)
    with pytest.raises(ConflictError), postgres.write() as transaction:
        # So many that the refusal arrives while they are still being sent.
        transaction.together(NOTE, NOTE, *[TAKE] * 500)
    assert said.getvalue() == ""
    postgres.close()


def test_a_connection_that_died_while_it_rested_is_not_noticed(
    postgres: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_REST_S", 0.0)
    assert _feed(postgres) == 0
    _cut_all(postgres_url)
    assert _feed(postgres) == 0
    postgres.close()


def test_one_that_died_just_after_its_use_is_told_once(postgres: Store, postgres_url: str) -> None:
    assert _feed(postgres) == 0
    _cut_all(postgres_url)
    with pytest.raises(UnavailableError):
        _feed(postgres)
    assert _feed(postgres) == 0
    postgres.close()
