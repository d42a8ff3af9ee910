"""The store equals the sandbox's truth: after the first sync, after moves, after withdrawals, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import Outcome
from hub.sync.result import RunResult
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
SYSTEM = "internet_supervision"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(systems=[SYSTEM], scale=200, until=UNTIL, directory=tmp_path / "city") as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, store_url: str) -> Iterator[HubProject]:
    with hub_project(tmp_path / "hub", sandbox, store_url) as project:
        yield project


def all_ok(results: list[RunResult]) -> list[RunResult]:
    assert [(result.stream, result.outcome, result.error) for result in results] == [
        (result.stream, Outcome.OK, None) for result in results
    ]
    return results


def test_the_first_sync_of_inspections(project: HubProject, sandbox: Sandbox) -> None:
    all_ok(project.sync(SYSTEM, stream="inspections"))
    assert len(project.incidents(SYSTEM, "inspections")) > 20
