"""Pruning, copying and metrics: what grows is cut back without breaking the feed or provenance, on both databases."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from hub.clock import now, now_ms
from hub.config import RetentionSettings
from hub.errors import BreachedError, MisconfiguredError
from hub.mapping.columns import MAPPED_COLUMNS
from hub.store.copy import copy_store
from hub.store.crypto import Keyring
from hub.store.feed import changes_after, feed_head
from hub.store.metrics import metrics_text
from hub.store.migrate import upgrade
from hub.store.raw import raw_of
from hub.store.retention import Pruned, prune
from hub.store.store import Store
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

SYSTEM = "internet_supervision"
STREAM = "inspections"
ALL = RetentionSettings.model_validate(dict.fromkeys(("feed", "revisions", "quarantine", "runs"), "1d"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("city")
    with Sandbox(systems=[SYSTEM], scale=200, until="2026-11-20T12:00:00", directory=folder) as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, store_url: str) -> Iterator[HubProject]:
    with hub_project(tmp_path / "hub", sandbox, store_url) as project:
        project.sync(SYSTEM, stream=STREAM)
        yield project


def count(store: Store, table: str) -> int:
    with store.read() as transaction:
        return int(transaction.one(f"SELECT count(*) FROM {table}")[0])


def later() -> datetime:
    return now() + timedelta(days=3)


def make_revisions(store: Store) -> None:
    """Every incident replaced once, as if its old version came from a raw page of its own."""
    with store.write() as transaction:
        columns = "key, revision, raw_hash, raw_index, mapping, mapping_version, run, changed_at"
        body = msgspec.json.encode([None] * len(MAPPED_COLUMNS)).decode()
        rows = transaction.all(f"SELECT {columns} FROM incident")
        transaction.run(
            "INSERT INTO raw_page (id, source, stream, run, fetched_at, mapping, zone, origin, key_id, body)"
            " SELECT 9999, source, stream, run, fetched_at, mapping, zone, origin, key_id, body FROM raw_page"
            " ORDER BY id LIMIT 1"
        )
        transaction.run_many(
            "INSERT INTO revision (incident, revision, body, raw_hash, raw_index, mapping, mapping_version, run,"
            f" changed_at, raw_page) VALUES (?, ?, '{body}', ?, ?, ?, ?, ?, ?, 9999)",
            [tuple(row) for row in rows],
        )
        transaction.run("UPDATE incident SET revision = revision + 1")


def test_nothing_goes_without_a_limit(project: HubProject) -> None:
    assert prune(project.hub.store, RetentionSettings(), later()) == Pruned()


def test_nothing_young_goes(project: HubProject) -> None:
    assert prune(project.hub.store, ALL, now()) == Pruned()


def test_the_feed_says_from_where_it_is_whole(project: HubProject) -> None:
    store = project.hub.store
    head = feed_head(store)
    done = prune(store, ALL, later())
    assert done.changes == head - 1
    assert feed_head(store) == head
    with pytest.raises(BreachedError):
        changes_after(store, 0)
    assert [change.seq for change in changes_after(store, head - 1)] == [head]
    assert prune(store, ALL, later()) == Pruned()


def test_every_incident_keeps_its_raw_record_and_its_run(project: HubProject) -> None:
    store = project.hub.store
    before = count(store, "raw_page")
    make_revisions(store)
    revisions = count(store, "revision")
    done = prune(store, ALL, later())
    assert (done.revisions, done.raw_pages) == (revisions, 1)
    assert count(store, "raw_page") == before
    for row in project.incidents(SYSTEM, STREAM):
        assert raw_of(store, row["id"]) is not None
    with store.read() as transaction:
        orphans = transaction.all("SELECT id FROM incident WHERE run NOT IN (SELECT id FROM run)")
    assert orphans == []


def test_runs_that_brought_nothing_go_but_the_last_stays(project: HubProject) -> None:
    store = project.hub.store
    for _ in range(3):
        project.sync(SYSTEM, stream=STREAM)
    done = prune(store, ALL, later())
    assert done.runs == 2
    assert done.pages > 0
    assert count(store, "run") == 2


def test_a_version_counts_from_when_it_was_replaced(project: HubProject) -> None:
    store = project.hub.store
    make_revisions(store)
    with store.write() as transaction:
        transaction.run("UPDATE revision SET changed_at = 0 WHERE raw_page = 9999")
    prune(store, ALL, now())
    with store.read() as transaction:
        kept = transaction.one("SELECT count(*) FROM revision WHERE raw_page = 9999")[0]
    assert kept == count(store, "incident")


def test_a_copy_is_equal_and_goes_on_where_the_store_stands(
    tmp_path: Path, sandbox: Sandbox, postgres_url: str
) -> None:
    with hub_project(tmp_path / "hub", sandbox) as project:
        project.sync(SYSTEM, stream=STREAM)
        source = project.hub.store
        head, state = feed_head(source), count(source, "state")
        target = Store(postgres_url, Keyring(project.hub.settings.store.secret_key()))
        try:
            tables = {table.table: table for table in copy_store(source, target)}
            assert tables["incident"].rows == len(project.incidents(SYSTEM, STREAM)) > 0
            assert tables["change"].rows == head == feed_head(target)
            assert count(target, "state") == state
            with pytest.raises(MisconfiguredError):
                copy_store(source, target)
        finally:
            target.close()
        project.restart(HUB_STORE__URL=postgres_url)
        (again,) = project.sync(SYSTEM, stream=STREAM)
        assert (again.outcome, again.counts.new, again.counts.changed) == ("ok", 0, 0)
        results = project.sync(SYSTEM)
        assert {result.outcome for result in results} == {"ok"}, "new rows get numbers that were not given before"
        assert [change.seq for change in changes_after(project.hub.store, head)][:1] == [head + 1]


def test_a_postgresql_store_goes_on_counting_in_sqlite(tmp_path: Path, sandbox: Sandbox, postgres_url: str) -> None:
    with hub_project(tmp_path / "hub", sandbox, postgres_url) as project:
        project.sync(SYSTEM, stream=STREAM)
        address = f"sqlite:///{tmp_path / 'copy.db'}"
        target = Store(address, Keyring(project.hub.settings.store.secret_key()))
        copy_store(project.hub.store, target)
        target.close()
        project.restart(HUB_STORE__URL=address)
        assert {result.outcome for result in project.sync(SYSTEM)} == {"ok"}


def test_metrics_are_prometheus_text(project: HubProject) -> None:
    text = metrics_text(project.hub.store, now_ms(), queue=False)
    living = len([row for row in project.incidents(SYSTEM, STREAM) if row["deleted_at"] is None])
    assert f'hub_stream_incidents{{source="{SYSTEM}",stream="{STREAM}"}} {living}' in text.splitlines()
    assert f"hub_feed_head {feed_head(project.hub.store)}" in text.splitlines()
    for line in text.splitlines():
        assert line.startswith("# ") or len(line.rsplit(" ", 1)) == 2


def test_an_empty_store_has_metrics(store_url: str) -> None:
    store = Store(store_url)
    upgrade(store)
    assert "hub_feed_head 0" in metrics_text(store, now_ms(), queue=False)
    store.close()
