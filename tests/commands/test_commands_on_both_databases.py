"""What commands read and copy is the same on SQLite and PostgreSQL."""

from pathlib import Path

import psycopg
import pytest
from answers import Run
from sqlalchemy.engine import make_url


@pytest.fixture
def synced(data: Run, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A synced project whose store lives at `store_url`."""
    monkeypatch.setenv("HUB_STORE__URL", store_url)
    assert data("upgrade").code == 0
    assert data("sync").code == 0
    return data


def test_reading(synced: Run) -> None:
    assert [line["outcome"] for line in synced("status").lines] == ["ok"] * 3
    listed = synced("incidents", "list", "--limit", "1000", "--since", "P30D", "--text", "路").lines
    times = [line["occurred_at"] for line in listed]
    assert times == sorted(times, reverse=True)
    shown = synced("incidents", "show", listed[0]["id"][:20]).line
    assert shown["id"] == listed[0]["id"]
    assert shown["provenance"]["fetched_at"]
    assert synced("changes", "--limit", "3").lines[-1]["seq"] == 3
    assert len(synced("runs", "list").lines) == 3
    assert len(synced("state", "list").lines) == 3
    assert synced("codes", "unmapped").code == 0
    assert synced("quarantine", "list").code == 0
    assert synced("deletions", "list").code == 0


def test_a_backup_restores_into_either_database(
    synced: Run, data: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_url: str, postgres_url: str
) -> None:
    before = synced("incidents", "list", "--limit", "1000").out
    assert synced("store", "backup", str(tmp_path / "copy.db")).line["incidents"] == before.count("\n")
    for url in {f"sqlite:///{tmp_path}/again.db", postgres_url} - {store_url}:
        monkeypatch.setenv("HUB_STORE__URL", url)
        assert data("store", "restore", str(tmp_path / "copy.db")).code == 0
        assert data("incidents", "list", "--limit", "1000").out == before
        again = data("sync").lines
        assert {(line["outcome"], line["new"]) for line in again} == {("ok", 0)}


def test_many_workers_begin_with_an_upgrade(data: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As scale.md has it: the engine in hub.toml, then `hub upgrade`, which makes the queue's tables."""
    monkeypatch.setenv("HUB_STORE__URL", postgres_url)
    monkeypatch.setenv("HUB_ENGINE__KIND", "procrastinate")
    assert data("upgrade").code == 0
    assert data("upgrade").code == 0
    assert data("workers").code == 0
    assert data("status").code == 0


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("REVOKE INSERT ON change FROM current_user", "has no right to INSERT"),
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", "so nothing can be written"),
    ],
)
def test_a_store_that_can_no_longer_be_written_to_is_found(
    data: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch, change: str, finding: str
) -> None:
    """Its role has lost a right, or the server has become a standby: what is read is there as ever."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"CREATE ROLE keeper_of_{name} LOGIN")
        admin.execute(f"ALTER DATABASE {name} OWNER TO keeper_of_{name}")
        own = make_url(postgres_url).set(username=f"keeper_of_{name}").render_as_string(hide_password=False)
        monkeypatch.setenv("HUB_STORE__URL", own)
        assert data("upgrade").code == 0
        with psycopg.connect(own.replace("+psycopg", ""), autocommit=True) as keeper:
            keeper.execute(change.format(name=name))
        answer = data("doctor")
        assert answer.code == 1
        assert [finding in line["finding"] for line in answer.lines if line["check"] == "store"] == [True]
        assert data("status").code == 0
        admin.execute(f"ALTER DATABASE {name} OWNER TO postgres")
        admin.execute(f"REASSIGN OWNED BY keeper_of_{name} TO postgres; DROP ROLE keeper_of_{name}")
