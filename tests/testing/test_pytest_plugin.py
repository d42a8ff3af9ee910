"""The pytest plugin: its fixtures work in an author's tests, quality files become tests on demand, and it costs nothing."""

import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RIVER = ROOT / "examples" / "river_watch" / "src" / "hub_connector_river_watch"
PLUGIN = "hub.testing.pytest_plugin"
AUTHORS_TESTS = """
from pathlib import Path

CITY = {"scale": 40, "until": "2026-11-20T12:00:00"}
HERE = Path(__file__).parent


def test_a_project(hub_project, hub_sandbox):
    project = hub_project(hub_sandbox("snapshot", **CITY))
    (result,) = project.sync("snapshot")
    assert result.outcome == "ok"
    assert len(project.incidents("snapshot", "reports")) == result.counts.new


def test_settings_of_ones_own(hub_project):
    project = hub_project('[sources.drop]\\nconnector = "csv_drop"\\nfolder = "drop"\\n'
        'files = [{ pattern = "*.csv", stream = "street_events", mapping = "street_events" }]\\n')
    (project.folder / "drop").mkdir()
    assert [result.outcome for result in project.sync()] == ["ok"]


def test_a_record(hub_specimen):
    record = {"id": "A1", "title": "t", "state": "2", "foundAt": "2026-11-01 08:00:00",
        "updatedAt": "2026-11-01 08:00:00", "reporter": "a", "phone": "13800000001"}
    specimen = hub_specimen(HERE / "mappings", "river_watch/findings", record)
    assert specimen.fields["status"] == "closed"
"""


def pytest_in(folder: Path, *options: str) -> str:
    """What pytest says with this plugin and no other, as in an author's package."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-q", "-rA", *options],
        cwd=folder, env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    return run.stdout + run.stderr


@pytest.fixture
def package(tmp_path: Path) -> Path:
    shutil.copytree(RIVER, tmp_path / "river")
    return tmp_path / "river"


def test_fixtures(package: Path) -> None:
    (package / "test_river.py").write_text(AUTHORS_TESTS, "utf-8")
    said = pytest_in(package)
    assert "3 passed" in said, said


def test_a_quality_file_is_a_test_a_check(package: Path) -> None:
    chosen = "checks or both_languages or token_expiry"
    said = pytest_in(package, "--hub-conformance", "-k", chosen)
    assert "PASSED conformance/river_watch.toml::checks" in said, said
    assert "SKIPPED" in said
    assert "nothing that expires" in said
    declaration = package / "connector.toml"
    declaration.write_text(declaration.read_text("utf-8").replace("河道巡查", "River"), "utf-8")
    assert "title has no Chinese" in pytest_in(package, "--hub-conformance", "-k", chosen)


def test_without_the_option_quality_files_are_left_alone(package: Path) -> None:
    assert "no tests ran" in pytest_in(package)


def test_the_entry_point_is_this_module_and_loads_nothing_heavy() -> None:
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["pytest11"]
    assert entry == {PLUGIN: PLUGIN}
    assert import_module(PLUGIN).hub_project
    heavy = {"sqlalchemy", "httpx", "pydantic", "cryptography", "hub.plugins", "hub.testing.sandbox"}
    code = f"import sys, {PLUGIN}; print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
