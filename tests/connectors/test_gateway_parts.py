"""A gateway stream read in parts: together they are what a sequential reading brings, and a full refresh proves deletions."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.errors import ConfigError, Outcome
from hub.testing.comparison import assert_store_equals_truth, differences
from hub.testing.project import HubProject
from hub.testing.sandbox import Sandbox

SYSTEM = "enforcement_supervision"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(systems=[SYSTEM], scale=300, until="2026-11-20T12:00:00", directory=tmp_path / "city") as sandbox:
        yield sandbox


@pytest.fixture
def towns(sandbox: Sandbox) -> list[str]:
    return sorted({event.town.code for event in sandbox.city.events})


def project(folder: Path, sandbox: Sandbox, store_url: str = "", parts: str = "") -> HubProject:
    """`parts`: more lines of hub.toml."""
    folder.mkdir()
    config = sandbox.config_path.with_name(f"{folder.name}.toml")
    config.write_text(sandbox.config_path.read_text("utf-8") + parts, "utf-8")
    return HubProject(folder, config, store_url, {"HUB_SOURCES__ENFORCEMENT_SUPERVISION__PAGE_SIZE": "9"})


def in_parts(towns: list[str]) -> str:
    return f'\n[sources.{SYSTEM}.parts.cases]\nparameter = "townCode"\nvalues = {towns}\n'


def test_the_parts_together_are_the_sequential_reading(
    tmp_path: Path, sandbox: Sandbox, store_url: str, towns: list[str]
) -> None:
    assert len(towns) > 3
    with (
        project(tmp_path / "parts", sandbox, store_url, in_parts(towns)) as parts,
        project(tmp_path / "whole", sandbox) as whole,
    ):
        for _ in range(3):
            runs = [run for run in parts.sync(SYSTEM) if run.stream == "cases"]
            assert [(run.partition, run.outcome) for run in runs] == [(town, Outcome.OK) for town in towns]
            whole.sync(SYSTEM)
            left, right = ({row["id"]: row for row in one.incidents(SYSTEM, "cases")} for one in (parts, whole))
            assert {key: row["source_status"] for key, row in left.items()} == {
                key: row["source_status"] for key, row in right.items()
            }
            assert len(left) > 50
            # Rows at the edge of a page come twice, no more: no part reads what is another's.
            assert sum(run.counts.fetched for run in runs) < 2 * len(left)
            lost = [line for line in differences(parts, sandbox, SYSTEM) if "withdrawn upstream" not in line]
            assert not lost
            sandbox.tick(4)
        with parts.hub.store.read() as transaction:
            positions = transaction.all("SELECT partition FROM state WHERE stream = 'cases' ORDER BY partition")
        assert [row[0] for row in positions] == towns, "a position a part"


def test_a_full_refresh_reads_the_whole_and_proves_deletions(
    tmp_path: Path, sandbox: Sandbox, store_url: str, towns: list[str]
) -> None:
    with project(tmp_path / "parts", sandbox, store_url, in_parts(towns)) as parts:
        parts.sync(SYSTEM)
        sandbox.tick(12)
        parts.sync(SYSTEM)
        assert any("withdrawn upstream" in line for line in differences(parts, sandbox, SYSTEM))
        runs = parts.sync(SYSTEM, full_refresh=True)
        assert [run.partition for run in runs if run.stream == "cases"] == ["full refresh"]
        assert sum(run.counts.tombstoned for run in runs) > 0
        assert_store_equals_truth(parts, sandbox, SYSTEM)


def test_a_stream_without_an_interface_has_no_parts(tmp_path: Path, sandbox: Sandbox) -> None:
    wrong = f'\n[sources.{SYSTEM}.parts.case]\nparameter = "townCode"\nvalues = ["1"]\n'
    with project(tmp_path / "parts", sandbox, parts=wrong) as parts:
        (run,) = parts.sync(SYSTEM)
        assert run.outcome is Outcome.MISCONFIGURED
        assert isinstance(run.error, ConfigError)
        assert "cases" in str(run.error)
