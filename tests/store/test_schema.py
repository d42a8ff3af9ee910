"""Migrations and views: the same schema however it came to be, and the columns that consumers were promised."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from rig import KEY, open_store
from sqlalchemy import inspect

from hub.errors import MisconfiguredError, StoreVersionError
from hub.mapping.columns import MAPPED_COLUMNS
from hub.store.crypto import Keyring
from hub.store.migrate import check_schema, current_schema, newest_schema, upgrade
from hub.store.store import Store
from hub.store.tables import INCIDENT_COLUMNS, metadata
from hub.store.views import VIEW_COLUMNS

AT = 1_800_000_000_123


def test_migrated_schema_is_the_declared_one(store_url: str) -> None:
    store = Store(store_url, Keyring(KEY))
    assert upgrade(store) == (None, newest_schema())
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = [change for change in compare_metadata(context, metadata) if "_index" not in str(change[0])]
        made = {
            index["name"] for table in metadata.tables for index in inspect(connection).get_indexes(table)
        }  # fmt: skip
    store.close()
    assert found == []
    # What an index with an order is made of cannot be read back everywhere; its name can.
    assert {index.name for table in metadata.tables.values() for index in table.indexes} <= made


_MADE = {
    "sqlite": [
        "SELECT name, replace(replace(replace(sql, char(10), ''), char(9), ''), ' ', '') FROM sqlite_master ORDER BY name"
    ],
    "postgresql": [
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "SELECT sequencename, cache_size FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1",
        "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
    ],
}


def made(store: Store) -> list[list[object]]:
    with store.read() as transaction:
        version = transaction.all("SELECT version_num FROM alembic_version")
        counters = transaction.all("SELECT name, value FROM counter ORDER BY name")
        return [version, counters, *(transaction.all(statement) for statement in _MADE[store.dialect])]


#: The schema of the first stores, as the hub of that time made it.
FIRST = Path(__file__).parents[1] / "data"


@pytest.fixture
def first(store_url: str) -> Iterator[Store]:
    """A store as it was made at the first schema, with one incident and a known page."""
    store = Store(store_url, Keyring(KEY))
    with store.write() as transaction:
        for statement in (FIRST / f"schema_0001_{store.dialect}.sql").read_text("utf-8").split(";\n"):
            if statement.strip():
                transaction.connection.exec_driver_sql(statement)
        transaction.run("INSERT INTO known_page VALUES ('s', 't', ?, ?, 1, '', 1)", (b"d", b"k"))
    insert(store, title="kept", fine=150)
    yield store
    store.close()


def test_migrated_store_is_like_a_new_one_and_keeps_its_records(first: Store, tmp_path: Path) -> None:
    assert upgrade(first) == ("0001", newest_schema())
    migrated = made(first)
    assert (view(first, "title"), str(view(first, "fine"))) == ("kept", "1.50")
    with first.write() as transaction:
        for name in ("incident_v1", "change_v1"):
            transaction.run(f"DROP VIEW {name}")
    metadata.drop_all(first.engine)
    with first.write() as transaction:
        transaction.run("DROP TABLE alembic_version")
        for name in ("incident", "raw_page") if first.dialect == "postgresql" else ():
            transaction.run(f"DROP SEQUENCE {name}_numbers")
    assert upgrade(first) == (None, newest_schema())
    assert migrated == made(first)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_an_upgrade_leaves_consumers_their_rights(first: Store) -> None:
    role = f'reader "{secrets.token_hex(4)}" 100%'
    quoted = role.replace('"', '""')
    with first.write() as transaction:
        transaction.connection.exec_driver_sql(f'CREATE ROLE "{quoted}"'.replace("%", "%%"))
        transaction.connection.exec_driver_sql(f'GRANT SELECT ON incident_v1 TO PUBLIC, "{quoted}"'.replace("%", "%%"))
    upgrade(first)
    asked = "SELECT has_table_privilege(?, 'incident_v1', 'SELECT'), has_table_privilege(?, 'change_v1', 'SELECT')"
    try:
        with first.read() as transaction:
            assert tuple(transaction.one(asked, (role, role))) == (True, False)
            given = "SELECT table_name FROM information_schema.role_table_grants WHERE grantee = ? AND table_schema = 'public'"
            assert [row[0] for row in transaction.all(given, ("PUBLIC",))] == ["incident_v1"]
    finally:
        with first.write() as transaction:
            transaction.connection.exec_driver_sql(f'DROP OWNED BY "{quoted}"'.replace("%", "%%"))
            transaction.connection.exec_driver_sql(f'DROP ROLE "{quoted}"'.replace("%", "%%"))


def test_what_somebody_built_on_the_views_is_named_and_nothing_changed(first: Store) -> None:
    before = made(first)
    with first.write() as transaction:
        transaction.run("CREATE VIEW theirs AS SELECT id FROM incident_v1")
    with pytest.raises(MisconfiguredError) as caught:
        upgrade(first)
    assert "theirs" in str(caught.value)
    with first.write() as transaction:
        transaction.run("DROP VIEW theirs")
    assert made(first) == before
    assert upgrade(first) == ("0001", newest_schema())


def test_upgrading_again_changes_nothing(store: Store) -> None:
    assert upgrade(store) == (newest_schema(), newest_schema())
    check_schema(store)


def test_empty_database_is_refused_with_the_remedy(store_url: str) -> None:
    store = Store(store_url, Keyring(KEY))
    assert current_schema(store) is None
    with pytest.raises(StoreVersionError) as caught:
        check_schema(store)
    store.close()
    assert "the store holds nothing yet; run hub upgrade to make it; if there was one" in caught.value.render()


@pytest.mark.parametrize("act", [check_schema, upgrade], ids=["opened", "upgraded"])
def test_newer_schema_is_refused(store: Store, act: object) -> None:
    with store.write() as transaction:
        transaction.run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreVersionError):
        act(store)  # type: ignore[operator]
    with store.write() as transaction:
        transaction.run("UPDATE alembic_version SET version_num = ?", (newest_schema(),))
    check_schema(store)


def insert(store: Store, **values: object) -> None:
    row = dict.fromkeys(INCIDENT_COLUMNS)
    row |= {
        "key": 1, "id": "inc_x", "source": "s", "stream": "t", "native_id": '"1"', "kind": "case", "revision": 1,
        "raw_hash": b"h", "raw_page": 1, "raw_index": 0, "mapping": "m", "mapping_version": 1, "run": "r",
        "first_seen_at": AT, "changed_at": AT,
    }  # fmt: skip
    row |= values
    with store.write() as transaction:
        transaction.insert("incident", list(row), [tuple(row.values())])


def view(store: Store, column: str) -> object:
    with store.read() as transaction:
        return transaction.one(f"SELECT {column} FROM incident_v1")[0]


def test_view_has_exactly_the_documented_columns(store: Store) -> None:
    with store.engine.connect() as connection:
        for name, columns in (("incident_v1", VIEW_COLUMNS), ("change_v1", CHANGE_COLUMNS)):
            assert tuple(connection.exec_driver_sql(f"SELECT * FROM {name}").keys()) == columns
    assert set(MAPPED_COLUMNS) < set(VIEW_COLUMNS)
    assert not {"raw_hash", "raw_page", "list_hash", "key"} & set(VIEW_COLUMNS)


CHANGE_COLUMNS = ("seq", "op", "id", "revision", "fields", "at")


@pytest.mark.parametrize("column", ["occurred_at", "due_at", "first_seen_at", "changed_at"])
def test_instants_are_shown_to_the_millisecond_in_utc(store: Store, column: str) -> None:
    """ISO 8601 text on SQLite, `timestamptz` on PostgreSQL (docs/schema.md): the same instant."""
    insert(store, **{column: AT})
    shown = view(store, column)
    assert (shown if isinstance(shown, str) else as_iso(shown)) == "2027-01-15T08:00:00.123Z"
    assert view(store, "deleted_at") is None


def as_iso(shown: object) -> str:
    from datetime import UTC, datetime

    assert isinstance(shown, datetime)
    return shown.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


MONEY = {
    0: "0.00",
    5: "0.05",
    150: "1.50",
    200000: "2000.00",
    -5: "-0.05",
    -550: "-5.50",
    2**53 + 1: "90071992547409.93",
}


@pytest.mark.parametrize(("fen", "yuan"), MONEY.items())
def test_money_is_shown_in_yuan(store: Store, fen: int, yuan: str) -> None:
    insert(store, fine=fen)
    assert str(view(store, "fine")) == yuan
    assert view(store, "confiscated") is None


def test_row_that_breaks_the_accounting_is_refused_by_the_database(store: Store) -> None:
    from hub.store.refusals import ConflictError

    with pytest.raises(ConflictError), store.write() as transaction:
        transaction.run(
            "INSERT INTO run (id, source, stream, partition, mode, outcome, started_at, worker, token, fetched)"
            " VALUES ('r', 's', 't', '', 'm', 'ok', 0, 'w', 1, 5)"
        )


def test_schema_of_a_copied_template_is_whole(store_url: str) -> None:
    """What other tests start from."""
    store = open_store(store_url)
    check_schema(store)
    store.close()


@pytest.mark.parametrize("key", [KEY, bytes(32)], ids=["the same key", "another key"])
def test_a_key_bound_between_look_and_write_is_the_stores(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch, key: bytes
) -> None:
    with store.write() as transaction:
        transaction.run("DELETE FROM meta WHERE name = 'key_id'")
    other, write = Store(store_url, Keyring(key)), store.write

    def late() -> object:
        monkeypatch.setattr(store, "write", write)
        check_schema(other)
        return write()

    monkeypatch.setattr(store, "write", late)
    if key == KEY:
        check_schema(store)
    else:
        with pytest.raises(StoreVersionError, match="another key"):
            check_schema(store)
    other.close()


MAKE = """
import sys
from hub.store.crypto import Keyring
from hub.store.migrate import upgrade
from hub.store.store import Store

store = Store(sys.argv[1], Keyring(bytes(range(32))))
sys.stdin.readline()
print(upgrade(store)[1])
"""


def test_processes_that_make_the_schema_together_all_find_it(store_url: str) -> None:
    command = [sys.executable, "-c", MAKE, store_url]
    makers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    said = [maker.communicate(timeout=60)[0].strip() for maker in makers]
    assert said == [newest_schema()] * 3
    assert [maker.returncode for maker in makers] == [0, 0, 0]
