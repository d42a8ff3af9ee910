"""What `hub validate` finds about a store, on both databases, and that finding it changes nothing."""

import base64
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rig import KEY, open_store, postgresql
from sqlalchemy.engine import make_url

from hub.config import Environment, Settings, load
from hub.errors import ConfigError, HubError, StoreError, StoreVersionError, UnavailableError
from hub.store import Store
from hub.store.crypto import Keyring
from hub.store.look import look
from hub.store.migrate import check_schema, upgrade
from hub.store.queue_schema import upgrade_queue


def settings(folder: Path, url: str, key: bytes | None = KEY) -> Settings:
    file = folder / "hub.toml"
    file.write_text("[store]\n", "utf-8")
    variables = {"HUB_STORE__URL": url} | ({"HUB_STORE__KEY": base64.b64encode(key).decode()} if key else {})
    return load(file, environment=Environment(variables))


def found(folder: Path, url: str, key: bytes | None = KEY) -> list[HubError]:
    looked_at = settings(folder, url, key)
    before = contents(folder)
    errors = list(look(looked_at))
    assert contents(folder) == before, "nothing was made, written or left behind"
    assert all(error.remedy for error in errors)
    return errors


def contents(folder: Path) -> dict[str, bytes]:
    """Every file; the one by which SQLite's processes agree is theirs while they read."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: b"" if path.name.endswith("-shm") else path.read_bytes() for path in files}


def test_nothing_is_wrong(tmp_path: Path, store_url: str) -> None:
    store = open_store(store_url)
    check_schema(store)
    assert found(tmp_path, store_url) == [], "while somebody has it open"
    store.close()
    assert found(tmp_path, store_url) == []


def test_a_copy_of_a_store_with_its_log(tmp_path: Path) -> None:
    """SQLite would make the file by which its processes agree, in the name of who looks."""
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    check_schema(store)
    (tmp_path / "copy").mkdir()
    for name in ("hub.db", "hub.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    store.close()
    assert found(tmp_path / "copy", f"sqlite:///{tmp_path / 'copy' / 'hub.db'}") == []


@pytest.mark.parametrize(
    ("schema", "says", "remedy"),
    [("9999", "which this hub does not know", "install the newer hub"), ("0002", "this hub needs", "run hub upgrade")],
    ids=["newer", "older"],
)
def test_another_schema(tmp_path: Path, store_url: str, schema: str, says: str, remedy: str) -> None:
    store = open_store(store_url)
    with store.write() as transaction:
        transaction.run("UPDATE alembic_version SET version_num = ?", (schema,))
    store.close()
    [error] = found(tmp_path, store_url)
    assert isinstance(error, StoreVersionError)
    assert f"the store has schema {schema}" in str(error)
    assert says in str(error)
    assert remedy in str(error)


def test_a_key_that_is_another_or_none(tmp_path: Path, store_url: str) -> None:
    store = open_store(store_url)
    check_schema(store)
    store.close()
    [error] = found(tmp_path, store_url, bytes(reversed(KEY)))
    assert "made with another key" in str(error)
    [error] = found(tmp_path, store_url, KEY[:16])
    assert isinstance(error, ConfigError)
    assert "not 32 bytes" in str(error)
    [error] = found(tmp_path, store_url, None)
    assert "key is missing" in str(error)


def test_a_store_without_a_key_yet_is_bound_to_none(tmp_path: Path, store_url: str) -> None:
    store = open_store(store_url)
    with store.write() as transaction:
        transaction.run("DELETE FROM meta WHERE name = 'key_id'")
    store.close()
    assert found(tmp_path, store_url) == []
    store = Store(store_url, Keyring(bytes(reversed(KEY))))
    check_schema(store)
    store.close()


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    [error] = found(tmp_path, f"sqlite:///{tmp_path / 'none.db'}")
    assert f"the store {tmp_path / 'none.db'} does not exist" in str(error)
    [error] = found(tmp_path, "postgresql://me:the-password@127.0.0.1:9/hub")
    assert isinstance(error, UnavailableError)
    assert "cannot be reached" in str(error)
    assert "the-password" not in str(error)
    [error] = found(tmp_path, "postgresql://me:the-password@nosuch.invalid/hub")
    assert isinstance(error, UnavailableError)
    [error] = found(tmp_path, "mysql://me:the-password@127.0.0.1:9/hub")
    assert "mysql is not supported" in str(error)
    for nowhere in ("sqlite://", "sqlite:///:memory:"):
        [error] = found(tmp_path, nowhere)
        assert "[store] url names no file" in str(error)


@pytest.mark.parametrize("kind", ["a folder", "no text"])
def test_a_key_of_a_rotation_that_cannot_be_read(tmp_path: Path, kind: str) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    check_schema(store)
    store.close()
    (tmp_path / "store.key").write_bytes(base64.b64encode(KEY))
    (tmp_path / "store.key").chmod(0o600)
    (tmp_path / "hub.toml").write_text('[store]\nkey = "${file:store.key}"\n', "utf-8")
    written = tmp_path / "store.key.next"
    written.mkdir() if kind == "a folder" else written.write_bytes(b"\xff")
    [error] = look(load(tmp_path / "hub.toml", environment=Environment({})))
    assert isinstance(error, ConfigError)
    assert f"{written} cannot be read" in str(error)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_text("no database at all, but long enough to be looked at as one" * 20)
    [error] = found(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    assert isinstance(error, StoreError)
    assert "is not a database" in str(error)


@pytest.fixture
def role(postgres_url: str) -> Iterator[tuple[str, str]]:
    """A role without rights, and the address with which it comes."""
    name = f"plain_{make_url(postgres_url).database}"
    granted(postgres_url, f"CREATE ROLE {name} LOGIN")
    yield name, make_url(postgres_url).set(username=name).render_as_string(hide_password=False)
    granted(postgres_url, f"DROP OWNED BY {name}; DROP ROLE {name}")


def granted(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(statements.encode())


def test_a_role_that_may_make_no_tables(tmp_path: Path, postgres_url: str, role: tuple[str, str]) -> None:
    name, url = role
    granted(postgres_url, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    [error] = found(tmp_path, url)
    assert f"the database role {name} may use no schema of its search_path" in str(error)
    granted(postgres_url, f"GRANT USAGE ON SCHEMA public TO {name}")
    [error] = found(tmp_path, url)
    assert f"the database role {name} may make no tables in the schema public" in str(error)
    granted(postgres_url, f"GRANT CREATE ON SCHEMA public TO {name}")
    [error] = found(tmp_path, url)
    assert isinstance(error, StoreVersionError)
    store = open_store(url)
    check_schema(store)
    store.close()
    assert found(tmp_path, url) == []


def test_a_role_that_may_only_read(tmp_path: Path, postgres_url: str, role: tuple[str, str]) -> None:
    name, url = role
    store = open_store(postgres_url)
    check_schema(store)
    store.close()
    [error] = found(tmp_path, url)
    assert f"{name} has no right to SELECT, INSERT, UPDATE, DELETE, USAGE in the store's tables" in str(error)
    granted(postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    [error] = found(tmp_path, url)
    assert f"{name} has no right to INSERT, UPDATE, DELETE, USAGE in the store's tables" in str(error)
    granted(postgres_url, str(error).split("as their owner: ")[1])
    assert found(tmp_path, url) == [], "what the remedy says is enough"
    granted(postgres_url, "CREATE TABLE somebodys (a int); CREATE SEQUENCE somebodys_numbers")
    assert found(tmp_path, url) == []
    granted(postgres_url, f"REVOKE USAGE ON SEQUENCE incident_numbers FROM {name}")
    [error] = found(tmp_path, url)
    assert f"{name} has no right to USAGE" in str(error)


def test_a_connection_that_only_reads(tmp_path: Path, postgres_url: str) -> None:
    store = open_store(postgres_url)
    check_schema(store)
    store.close()
    options = {"options": "-c default_transaction_read_only=on"}
    url = make_url(postgres_url).update_query_dict(options).render_as_string(hide_password=False)
    (error,) = found(tmp_path, url)
    assert "default_transaction_read_only is on" in str(error)
    refused = pytest.raises(StoreError, match="hub validate says why")
    with closing(Store(url, Keyring(KEY))) as reader, refused, reader.write() as transaction:
        transaction.run("DELETE FROM run")


def test_a_standby(tmp_path: Path) -> None:
    """A server of its own that only repeats what another one does."""
    with standby() as url:
        (error,) = found(tmp_path, url)
    assert "a standby of PostgreSQL" in str(error)


@contextmanager
def standby() -> Iterator[str]:
    """A PostgreSQL with a store, stopped and begun again as the standby of a server that never says anything."""
    folder = Path(tempfile.mkdtemp(prefix="hubpg"))
    try:
        with postgresql(folder) as url:
            store = open_store(url)
            check_schema(store)
            store.close()
        (folder / "standby.signal").touch()
        with postgresql(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_statement_that_the_role_has_no_right_to(postgres_url: str, role: tuple[str, str]) -> None:
    open_store(postgres_url).close()
    with closing(Store(role[1])) as store, pytest.raises(StoreError) as refused, store.read() as transaction:
        transaction.one("SELECT 1 FROM incident")
    assert str(refused.value) == (
        "the store's database role lacks rights: permission denied for table incident; hub validate says which GRANT it needs"
    )


def test_a_queue_that_the_role_may_not_make(postgres_url: str, role: tuple[str, str]) -> None:
    name, url = role
    granted(postgres_url, f"GRANT CREATE ON SCHEMA public TO {name}")
    with closing(Store(url)) as store:
        upgrade(store)
        with pytest.raises(StoreError, match="permission denied for database"):
            upgrade_queue(store)


@pytest.mark.parametrize("name", ["hub.db", "hub.db-wal", "."], ids=["file", "log beside it", "folder"])
def test_what_the_user_may_not_write_to(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rights are the test's own words: who runs it may be root, whom nothing is forbidden."""
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    check_schema(store)
    allowed = os.access
    refused = tmp_path / name
    monkeypatch.setattr(
        os, "access", lambda path, mode: not (path == refused and mode & os.W_OK) and allowed(path, mode)
    )
    [error] = found(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    store.close()
    assert isinstance(error, StoreError)
    assert f"{tmp_path / name} of the store cannot be written to by the user {os.geteuid()}" in str(error)


def test_a_folder_that_the_user_may_not_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is in it the system does not even say whether it is there."""
    shut, allowed, stat = tmp_path / "shut", os.access, os.stat
    shut.mkdir()

    def refusing(path: Any, **how: Any) -> os.stat_result:
        if not isinstance(path, int) and shut in Path(os.fsdecode(path)).parents:
            raise PermissionError(13, "Permission denied", path)
        return stat(path, **how)

    monkeypatch.setattr(os, "access", lambda path, mode: path != shut and allowed(path, mode))
    monkeypatch.setattr(os, "stat", refusing)
    [error] = found(tmp_path, f"sqlite:///{shut / 'deeper' / 'hub.db'}")
    assert isinstance(error, StoreError)
    assert f"the store is in {shut}, which the user {os.geteuid()} cannot enter" in str(error)
