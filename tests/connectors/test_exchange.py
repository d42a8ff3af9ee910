"""The district's four platforms behind exchange databases: the store equals the truth, whatever order rows come in."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from written import leaks

from connectors.exchange import CaseHandling, DispatchDesk, IntegratedManagement, RoadPatrol
from hub.errors import Outcome
from hub.sync.reconcile import reconcile
from hub.sync.result import RunResult
from hub.testing.comparison import assert_store_equals_truth, differences
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
STREAMS = {
    one.name: [log.stream for log in one.logs] for one in (CaseHandling, RoadPatrol, IntegratedManagement, DispatchDesk)
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed=3, scale=300, systems=STREAMS, until=UNTIL, directory=tmp_path / "city") as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, store_url: str) -> Iterator[HubProject]:
    with hub_project(tmp_path / "hub", sandbox, store_url) as project:
        yield project


@pytest.fixture
def small_pages(tmp_path: Path, sandbox: Sandbox) -> Iterator[HubProject]:
    """Pages of seven rows, for what does not depend on the database."""
    small = {f"HUB_SOURCES__{name.upper()}__PAGE_SIZE": "7" for name in STREAMS}
    with hub_project(tmp_path / "hub", sandbox, environment=small) as project:
        yield project


def sync(project: HubProject, **options: Any) -> list[RunResult]:
    """Sync everything; every run ends well."""
    results = project.sync(**options)
    assert [(one.stream, one.outcome, str(one.error)) for one in results] == [
        (one.stream, Outcome.OK, "None") for one in results
    ]
    return results


def total(results: list[RunResult], count: str) -> int:
    return sum(getattr(one.counts, count) for one in results)


# -- the store equals the truth -------------------------------------------------------------------------------------


def test_first_sync_moves_and_d_rows(project: HubProject, sandbox: Sandbox) -> None:
    first = sync(project)
    assert {one.source: 0 for one in first} == dict.fromkeys(STREAMS, 0)
    for name in STREAMS:
        assert_store_equals_truth(project, sandbox, name)
    assert total(first, "tombstoned") > 0
    assert total(first, "unmapped") > 0
    again = sync(project)
    assert (total(again, "new"), total(again, "changed"), total(again, "stale")) == (0, 0, 0)
    tombstoned = 0
    for steps in (1, 4, 9):
        sandbox.tick(steps)
        moved = sync(project)
        assert total(moved, "changed") > 0
        tombstoned += total(moved, "tombstoned")
        for name in STREAMS:
            assert_store_equals_truth(project, sandbox, name)
    assert tombstoned > 0
    whole = sync(project, full_refresh=True)
    assert (total(whole, "new"), total(whole, "changed"), total(whole, "tombstoned")) == (0, 0, 0)
    assert total(whole, "fetched") > total(first, "fetched")
    for name in STREAMS:
        assert_store_equals_truth(project, sandbox, name)


def test_small_pages_late_rows_and_equal_times(small_pages: HubProject, sandbox: Sandbox) -> None:
    """Each tick brings rows up to ten minutes older than what was read; pages of seven cut runs of equal times."""
    for _ in range(12):
        sync(small_pages)
        sandbox.tick()
    sync(small_pages)
    for name in STREAMS:
        assert_store_equals_truth(small_pages, sandbox, name)


def test_a_reading_in_parts_while_the_city_moves(small_pages: HubProject, sandbox: Sandbox) -> None:
    for _ in range(40):
        if all(one.counts.fetched < 60 for one in sync(small_pages, limit=60)):
            break
        sandbox.tick()
    sync(small_pages)
    for name in STREAMS:
        assert_store_equals_truth(small_pages, sandbox, name)


def test_the_exchange_database_may_be_postgresql(tmp_path: Path, postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    systems = ["integrated_management"]
    with (
        Sandbox(
            systems=systems, scale=80, until=UNTIL, directory=tmp_path / "city", databases={systems[0]: url}
        ) as sandbox,
        hub_project(tmp_path / "hub", sandbox) as project,
    ):
        for _ in range(4):
            sync(project)
            assert_store_equals_truth(project, sandbox, systems[0])
            sandbox.tick(3)


def test_people_are_in_the_person_table_only(small_pages: HubProject) -> None:
    sync(small_pages)
    # Rectifications name companies and officers only.
    for source, stream in (
        ("case_handling", "cases"),
        ("road_patrol", "findings"),
        ("integrated_management", "checks"),
        ("dispatch_desk", "alarms"),
    ):
        assert leaks(small_pages, source, stream) == []
    assert not [
        row for row in small_pages.incidents("integrated_management", "rectifications") if small_pages.people(row["id"])
    ]


def test_nonsense_goes_to_quarantine_and_the_rest_is_right(small_pages: HubProject, sandbox: Sandbox) -> None:
    for name in STREAMS:
        sandbox.fault(name, "absurd")
    results = small_pages.sync()
    assert {one.outcome for one in results} <= {Outcome.OK, Outcome.PARTIAL}
    assert total(results, "quarantined") > 0
    for name in STREAMS:
        assert_store_equals_truth(small_pages, sandbox, name)


def test_tables_that_are_away_are_no_deletion(project: HubProject, sandbox: Sandbox) -> None:
    sync(project)
    sandbox.fault("road_patrol", "table_missing")
    (result,) = project.sync("road_patrol", full_refresh=True)
    assert result.outcome is Outcome.MISCONFIGURED
    assert "lm_event_exchange" in str(result.error)
    assert_store_equals_truth(project, sandbox, "road_patrol")
    sandbox.clear("road_patrol")
    sandbox.tick()
    sync(project)
    assert_store_equals_truth(project, sandbox, "road_patrol")


def test_reconcile_takes_the_last_word_of_a_log(small_pages: HubProject, sandbox: Sandbox) -> None:
    """Contents and withdrawal of one record are both in the log: it is not missing in the store."""
    sync(small_pages)
    sandbox.tick(9)
    sync(small_pages)
    hub = small_pages.hub
    for name, streams in STREAMS.items():
        with hub.open(name) as source:
            for stream in streams:
                found = reconcile(hub.store, hub.job(source, source.stream(stream)), since=None, until=None)
                living = sandbox.truth(name)["streams"][stream]["count"]
                assert (found.outcome, found.upstream, found.stored) == (Outcome.OK, living, living)
    sandbox.tick(3)
    with hub.open("road_patrol") as source:
        found = reconcile(hub.store, hub.job(source, source.stream("findings")), since=None, until=None)
        assert found.outcome is Outcome.BREACHED
        assert found.missing_count > 0


# -- single rows, written by hand -----------------------------------------------------------------------------------

COLUMNS = (
    "cd_seq", "cd_id", "cd_time", "cd_source", "cd_batch", "cd_operation", "order_no", "item_no", "check_uid",
    "problem", "requirement", "state", "issue_time", "limit_time", "finish_time", "review_opinion", "ent_name",
    "uni_code", "dept", "officer", "town_code",
)  # fmt: skip
EMPTY_CHECKS = (
    "CREATE TABLE zg_check_exchange (cd_seq INTEGER PRIMARY KEY, cd_time TEXT, cd_operation TEXT, check_uid TEXT)"
)


class Orders:
    """An exchange database with one table of rectification orders, and the hub that reads it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._path = folder / "exchange.db"
        columns = ", ".join(f"{name} TEXT" for name in COLUMNS[1:])
        self._execute(f"CREATE TABLE orders (cd_seq INTEGER PRIMARY KEY, {columns})")
        self._execute(EMPTY_CHECKS)
        toml = """
[sources.integrated_management]
connector = "integrated_management"
url = "${env:EXCHANGE_URL}"
start = "2026-01-01"
page_size = 2
[sources.integrated_management.tables]
rectifications = "orders"
"""
        self.project = hub_project(folder / "hub", toml, environment={"EXCHANGE_URL": f"sqlite:///{self._path}"})

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        connection = sqlite3.connect(self._path)
        with connection:
            connection.execute(statement, values)
        connection.close()

    def put(self, time: str, item: str, state: str = "整改中", operation: str = "i") -> None:
        """Write a row at a time of 2026-11-20, Shanghai. A d row has its keys only."""
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {"cd_time": time if len(time) > 8 else f"2026-11-20 {time}", "cd_operation": operation}
        row |= {"order_no": "ZG202600007", "item_no": item}
        if operation != "d":
            row |= {
                "state": state,
                "issue_time": "2026-11-20 08:00:00",
                "problem": f"第{item}项",
                "town_code": "330702003",
            }
        names = [name for name in COLUMNS if name != "cd_seq"]
        self._execute(
            f"INSERT INTO orders ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
            tuple(row[name] for name in names),
        )

    def sync(self, **options: Any) -> RunResult:
        (result,) = self.project.sync(stream="rectifications", **options)
        assert str(result.error) == "None"
        return result

    def states(self) -> dict[str, str | None]:
        """Item → status, or None for one that was withdrawn."""
        rows = self.project.incidents("integrated_management", "rectifications")
        return {row["native_id"].split('"')[3]: None if row["deleted_at"] else row["status"] for row in rows}


@pytest.fixture
def orders(tmp_path: Path) -> Iterator[Orders]:
    orders = Orders(tmp_path / "orders")
    with orders.project:
        yield orders


def test_a_composite_id_is_an_array(orders: Orders) -> None:
    orders.put("09:00:00", "1")
    orders.put("09:00:00", "2")
    assert orders.sync().counts.new == 2
    rows = orders.project.incidents("integrated_management", "rectifications")
    assert [row["native_id"] for row in rows] == ['["ZG202600007","1"]', '["ZG202600007","2"]']


def test_every_version_of_a_page_is_a_revision(orders: Orders) -> None:
    for time, state in (("09:00:00", "整改中"), ("09:00:00", "待复查"), ("09:00:00", "已销号")):
        orders.put(time, "1", state)
    result = orders.sync()
    assert (result.counts.new, result.counts.changed) == (1, 2)
    (row,) = orders.project.incidents("integrated_management", "rectifications")
    assert (row["revision"], row["status"]) == (3, "closed")
    assert orders.sync().counts.changed == 0


def test_many_rows_of_one_second_over_page_and_run_edges(orders: Orders) -> None:
    for item in "123":
        orders.put("09:00:00", item)
    orders.sync()
    for item in "45":
        orders.put("09:00:00", item)
    result = orders.sync()
    assert (result.counts.new, result.counts.changed) == (2, 0)
    assert orders.states() == dict.fromkeys("12345", "in_progress")


def test_a_late_row_is_found_and_an_older_version_overwrites_nothing(orders: Orders) -> None:
    orders.put("09:00:00", "1", "待复查")
    orders.sync()
    orders.put("08:45:00", "1", "整改中", "u")
    orders.put("08:40:00", "2")
    result = orders.sync()
    assert (result.counts.new, result.counts.stale, result.counts.changed) == (1, 1, 0)
    assert orders.states() == {"1": "awaiting_review", "2": "in_progress"}


def test_a_d_row_removes_and_a_later_row_brings_back(orders: Orders) -> None:
    orders.put("09:00:00", "1")
    orders.sync()
    orders.put("09:10:00", "1", operation="d")
    result = orders.sync()
    assert (result.counts.changed, result.counts.tombstoned) == (1, 1)
    assert orders.states() == {"1": None}
    (row,) = orders.project.incidents("integrated_management", "rectifications")
    assert (row["deletion"], row["status"]) == ("source", "in_progress"), "the last contents stay"
    assert orders.sync().counts.changed == 0, "the lookback shows i and d again"
    assert orders.states() == {"1": None}
    orders.put("09:20:00", "1", "待复查")
    assert orders.sync().counts.changed == 1
    assert orders.states() == {"1": "awaiting_review"}


def test_a_d_row_of_an_unknown_record_is_a_tombstone(orders: Orders) -> None:
    """A first sync may begin behind a record's contents: only its withdrawal is left in the window."""
    orders.put("09:00:00", "1", operation="d")
    orders.put("09:00:00", "2")
    result = orders.sync()
    assert (result.outcome, result.counts.quarantined) == (Outcome.OK, 0)
    assert orders.states() == {"1": None, "2": "in_progress"}
    orders.put("09:10:00", "1")
    orders.sync()
    assert orders.states() == {"1": "in_progress", "2": "in_progress"}


def test_a_late_row_after_a_d_row_stays_withdrawn(orders: Orders) -> None:
    orders.put("09:00:00", "1")
    orders.put("09:10:00", "1", operation="d")
    orders.sync()
    orders.put("09:05:00", "1", "待复查", "u")
    orders.sync()
    assert orders.states() == {"1": None}


def test_a_row_dated_far_ahead_does_not_take_the_cursor_with_it(orders: Orders) -> None:
    orders.put("2098-01-01 00:00:00", "1")
    orders.sync()
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    orders.put(now.strftime("%Y-%m-%d %H:%M:%S"), "2")
    result = orders.sync()
    assert (result.mode, result.counts.new) == ("incremental", 1)


def test_a_setting_for_a_stream_there_is_not(tmp_path: Path) -> None:
    toml = """
[sources.road_patrol]
connector = "road_patrol"
url = "${env:EXCHANGE_URL}"
[sources.road_patrol.tables]
finding = "lm_event_exchange"
"""
    with hub_project(tmp_path / "hub", toml, environment={"EXCHANGE_URL": "sqlite:///exchange.db"}) as project:
        (result,) = project.sync()
        assert result.outcome is Outcome.MISCONFIGURED
        assert "finding" in str(result.error)
        assert "findings" in str(result.error)


def test_differences_would_be_seen(small_pages: HubProject, sandbox: Sandbox) -> None:
    """The comparison itself: an unread move is a difference."""
    sync(small_pages)
    sandbox.tick(3)
    assert all(differences(small_pages, sandbox, name) for name in STREAMS)
