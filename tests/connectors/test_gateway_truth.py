"""The store equals the sandbox's truth: after the first sync, after moves, after withdrawals, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import Outcome
from hub.store.deletions import decide, list_held
from hub.sync.result import RunResult
from hub.testing.comparison import assert_store_equals_truth, differences
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
LOGS = "internet_supervision"
STATES = "enforcement_supervision"
STREAMS = {
    LOGS: ["inspections", "penalties", "coercions", "other_acts", "check_tasks"],
    STATES: ["cases", "supervision_leads", "referrals"],
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(systems=[LOGS, STATES], scale=300, until=UNTIL, directory=tmp_path / "city") as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, store_url: str) -> Iterator[HubProject]:
    with hub_project(tmp_path / "hub", sandbox, store_url) as project:
        yield project


@pytest.fixture
def on_sqlite(tmp_path: Path, sandbox: Sandbox) -> Iterator[HubProject]:
    """Pages of nine rows, for what does not depend on the database."""
    small = {f"HUB_SOURCES__{name.upper()}__PAGE_SIZE": "9" for name in sandbox.systems}
    with hub_project(tmp_path / "hub", sandbox, environment=small) as project:
        yield project


def all_ok(results: list[RunResult]) -> list[RunResult]:
    assert [(result.stream, result.outcome, str(result.error)) for result in results] == [
        (result.stream, Outcome.OK, "None") for result in results
    ]
    return results


def total(results: list[RunResult], count: str) -> int:
    return sum(getattr(result.counts, count) for result in results)


@pytest.mark.parametrize("system", STREAMS)
def test_moves_and_repeated_syncs(project: HubProject, sandbox: Sandbox, system: str) -> None:
    first = all_ok(project.sync(system))
    assert [result.stream for result in first] == STREAMS[system]
    assert_store_equals_truth(project, sandbox, system)
    assert total(first, "new") > 70
    again = all_ok(project.sync(system))
    assert (total(again, "new"), total(again, "changed"), total(again, "stale")) == (0, 0, 0)
    for steps in (1, 4, 9):
        sandbox.tick(steps)
        moved = all_ok(project.sync(system, full_refresh=system == STATES))
        assert total(moved, "changed") > 0
        assert_store_equals_truth(project, sandbox, system)
    assert total(moved, "tombstoned") > 0
    last = all_ok(project.sync(system, full_refresh=True))
    assert (total(last, "new"), total(last, "changed"), total(last, "tombstoned")) == (0, 0, 0)
    assert_store_equals_truth(project, sandbox, system)


def test_an_incremental_sync_sees_no_withdrawal_of_states(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    on_sqlite.sync(STATES)
    sandbox.tick(12)
    all_ok(on_sqlite.sync(STATES))
    found = differences(on_sqlite, sandbox, STATES)
    assert found
    assert all(line.endswith("withdrawn upstream, living in the store") for line in found)


@pytest.mark.parametrize("system", STREAMS)
def test_small_pages_and_late_rows(on_sqlite: HubProject, sandbox: Sandbox, system: str) -> None:
    """Ticks bring rows older than the last reading; with pages of nine many page edges fall on equal times."""
    for _ in range(12):
        all_ok(on_sqlite.sync(system))
        sandbox.tick()
    all_ok(on_sqlite.sync(system))
    lost = [line for line in differences(on_sqlite, sandbox, system) if "withdrawn upstream" not in line]
    assert not lost
    all_ok(on_sqlite.sync(system, full_refresh=True))
    assert_store_equals_truth(on_sqlite, sandbox, system)


@pytest.mark.parametrize("system", STREAMS)
def test_a_source_that_ends_with_an_empty_page(tmp_path: Path, sandbox: Sandbox, system: str) -> None:
    settings = {"PAGE_SIZE": "7", "LAST_PAGE": "empty", "LOOKBACK": "1h"}
    environment = {f"HUB_SOURCES__{system.upper()}__{name}": value for name, value in settings.items()}
    with hub_project(tmp_path / "hub", sandbox, environment=environment) as project:
        for _ in range(3):
            all_ok(project.sync(system, full_refresh=system == STATES))
            assert_store_equals_truth(project, sandbox, system)
            sandbox.tick(2)


@pytest.mark.parametrize("system", STREAMS)
def test_a_reading_in_parts(on_sqlite: HubProject, sandbox: Sandbox, system: str) -> None:
    """--limit stops after a page; the next runs go on, while the city moves."""
    for _ in range(60):
        results = all_ok(on_sqlite.sync(system, limit=20))
        sandbox.tick()
        if all(result.counts.fetched < 20 for result in results):
            break
    all_ok(on_sqlite.sync(system))
    all_ok(on_sqlite.sync(system, full_refresh=True))
    assert_store_equals_truth(on_sqlite, sandbox, system)


def test_many_missing_records_wait_for_a_person(tmp_path: Path, sandbox: Sandbox, store_url: str) -> None:
    careful = {
        f"HUB_SOURCES__{STATES.upper()}__DELETION_ROWS": "0",
        f"HUB_SOURCES__{STATES.upper()}__DELETION_SHARE": "0",
    }
    with hub_project(tmp_path / "hub", sandbox, store_url, careful) as project:
        all_ok(project.sync(STATES))
        sandbox.tick(20)
        results = project.sync(STATES, full_refresh=True)
        assert {result.outcome for result in results} == {Outcome.PARTIAL}
        assert total(results, "tombstoned") == 0
        gone = [line for line in differences(project, sandbox, STATES) if "withdrawn upstream" in line]
        held = list_held(project.hub.store)
        assert sum(deletion.records for deletion in held) == len(gone) > 0
        for deletion in held:
            decide(project.hub.store, deletion.id, approve=True, actor="a tester", now=1_800_000_000_000)
        assert_store_equals_truth(project, sandbox, STATES)


@pytest.mark.parametrize("system", STREAMS)
def test_rows_that_move_between_pages(on_sqlite: HubProject, sandbox: Sandbox, system: str) -> None:
    sandbox.fault(system, "shifting_pages", times=5)
    sandbox.fault(system, "duplicate_page", times=3, skip=7)
    all_ok(on_sqlite.sync(system))
    all_ok(on_sqlite.sync(system, full_refresh=True))
    assert_store_equals_truth(on_sqlite, sandbox, system)


@pytest.mark.parametrize("system", STREAMS)
def test_nonsense_is_set_aside_and_hurts_no_neighbour(project: HubProject, sandbox: Sandbox, system: str) -> None:
    """NaN, raw control characters, lone surrogates in doubly encoded payloads: eight bad rows a stream, new once."""
    sandbox.fault(system, "absurd")
    first = project.sync(system)
    assert {(result.outcome, result.counts.new_quarantined) for result in first} == {(Outcome.PARTIAL, 8)}
    assert_store_equals_truth(project, sandbox, system)
    again = all_ok(project.sync(system, full_refresh=True))
    assert {(result.counts.quarantined, result.counts.new_quarantined) for result in again} == {(8, 0)}
    assert_store_equals_truth(project, sandbox, system)
