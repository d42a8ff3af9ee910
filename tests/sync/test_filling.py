"""A store's first filling: indices of readers are left off meanwhile, are there afterwards, and nobody reads anything else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import START, BenchHub, Clock, open_store, write_mapping
from upstream import Upstream

from hub.config import Environment, load
from hub.schedule.serve import Planner
from hub.store.filling import missing_read_indices
from hub.store.incidents import IncidentFilter, list_incidents, read_incident
from hub.store.tables import read_indices
from hub.sync.run import RunOptions

TOML = """
[defaults]
retries = 0
start = "2000-01-01"
[sources.one]
connector = "csv_drop"
"""


@pytest.fixture
def hub(tmp_path: Path, store_url: str, clock: Clock, upstream: Upstream) -> Iterator[BenchHub]:
    for number in range(7):
        upstream.put(f"r{number}", START - 1000 + number)
    (tmp_path / "hub.toml").write_text(TOML, "utf-8")
    settings = load(tmp_path / "hub.toml", environment=Environment({}))
    store = open_store(store_url)
    yield BenchHub.over(settings, store, {"one": upstream}, write_mapping(tmp_path / "mappings"))
    store.close()


def sync(hub: BenchHub, *, dry: bool = False) -> list[list[str]]:
    """Which indices were missing after each page."""
    missing: list[list[str]] = []
    options = RunOptions(dry_run=dry)
    hub.sync(["one"], options, progress=lambda _: missing.append(missing_read_indices(hub.store)))
    return missing


def lose(hub: BenchHub) -> None:
    """As a killed first filling leaves them."""
    with hub.store.write() as transaction:
        for name in read_indices(hub.store.dialect):
            transaction.run(f"DROP INDEX {name}")


def test_read_indices_are_made_at_the_end_of_the_first_filling_only(hub: BenchHub, upstream: Upstream) -> None:
    everyone = list(read_indices(hub.store.dialect))
    assert sync(hub) == [everyone] * 3
    assert missing_read_indices(hub.store) == []
    upstream.put("late", START + 5)
    assert sync(hub) == [[], [], []]


def test_a_dry_run_leaves_them_alone(hub: BenchHub) -> None:
    assert sync(hub, dry=True) == [[]] * 3


def test_a_sync_that_fails_makes_them_too(hub: BenchHub, upstream: Upstream) -> None:
    upstream.before_fetch = lambda _: 1 / 0  # type: ignore[assignment, return-value]
    sync(hub)
    assert missing_read_indices(hub.store) == []


@pytest.mark.parametrize("begins", ["hub sync", "hub serve"])
def test_what_a_killed_filling_left_off_is_made_by_whatever_begins_next(hub: BenchHub, begins: str) -> None:
    sync(hub)
    lose(hub)
    if begins == "hub sync":
        sync(hub)
    else:
        Planner(hub)
    assert missing_read_indices(hub.store) == []


def test_readers_find_the_same_without_them(hub: BenchHub) -> None:
    sync(hub)
    listed = list_incidents(hub.store, IncidentFilter())
    after = listed[2]["id"]
    behind, one = list_incidents(hub.store, IncidentFilter(), after=after), read_incident(hub.store, after[:12])
    assert len(listed) == 7
    lose(hub)
    assert list_incidents(hub.store, IncidentFilter()) == listed
    assert list_incidents(hub.store, IncidentFilter(), after=after) == behind == listed[3:]
    assert read_incident(hub.store, after[:12]) == one


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_filling_does_not_wait_for_a_reader(hub: BenchHub, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody reads the empty store in a transaction that stays open: the filling goes on with all indices."""
    with hub.store.read() as reader:
        reader.all("SELECT id FROM incident_v1")
        assert sync(hub) == [[], [], []]
    assert "read indices stay as they are" in caplog.text
