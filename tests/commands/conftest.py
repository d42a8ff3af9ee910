"""The command line as an operator meets it: real files, a small sandbox city, exit code and both streams."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from answers import Run, call

from hub.testing.sandbox import Sandbox

SYSTEMS = ("grassroots_governance", "snapshot", "road_patrol")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_LANG", "en")


@pytest.fixture
def run() -> Run:
    """`run("sync", "--dry-run")`."""
    return call


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Three systems of a small city; tests of one module share it and leave it without faults."""
    with Sandbox(seed=7, scale=60, directory=tmp_path_factory.mktemp("city"), systems=SYSTEMS) as sandbox:
        yield sandbox


@pytest.fixture
def project(city: Sandbox, tmp_path: Path) -> Iterator[Path]:
    """hub.toml of a project of its own that reads the city, its store made."""
    text = city.config_path.read_text("utf-8").replace(f"{city.directory}/hub.db", f"{tmp_path}/hub.db")
    file = tmp_path / "hub.toml"
    file.write_text(text, "utf-8")
    assert call("--config", str(file), "upgrade").code == 0
    yield file
    city.clear()


@pytest.fixture
def hub(project: Path) -> Run:
    """As `run`, with that project's hub.toml."""
    return lambda *words: call("--config", str(project), *words)


@pytest.fixture
def data(project: Path) -> Run:
    """As `hub`, with `--output json`."""
    return lambda *words: call("--config", str(project), "--output", "json", *words)
