"""Fixtures for tests of connectors, loaded by pytest wherever the hub is installed; nothing is imported before it is used.

With `pytest --hub-conformance` every quality file (`conformance/NAME.toml`) below the tested folders becomes one test a
check, so that a package of data only needs no test of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hub.source.connector import Connector
    from hub.testing.project import HubProject
    from hub.testing.sandbox import Sandbox
    from hub.testing.specimen import Specimen

__all__ = ["hub_project", "hub_sandbox", "hub_specimen"]

_OPTION = "--hub-conformance"


@pytest.fixture
def hub_sandbox(tmp_path: Path) -> "Iterator[Callable[..., Sandbox]]":
    """Starts simulated upstream systems: `hub_sandbox("snapshot", scale=60)`; the arguments after the names are
    Sandbox's. They stop at the end of the test."""
    from hub.testing.sandbox import Sandbox

    with ExitStack() as running:

        def start(*systems: str, **options: Any) -> Sandbox:
            folder = tmp_path / f"sandbox-{'-'.join(systems) or 'city'}"
            return running.enter_context(Sandbox(systems=systems or None, directory=folder, **options))

        yield start


@pytest.fixture
def hub_project(tmp_path: Path) -> "Iterator[Callable[..., HubProject]]":
    """Makes a hub with a fresh store: `hub_project(sandbox)`, or `hub_project(text)` with a hub.toml. It has `sync`,
    `incidents` and `people`, and is closed at the end of the test."""
    from hub.testing import project

    with ExitStack() as open_projects:

        def make(
            upstream: "Sandbox | str", store_url: str = "", environment: Mapping[str, str] | None = None
        ) -> "HubProject":
            return open_projects.enter_context(project.hub_project(tmp_path / "hub", upstream, store_url, environment))

        yield make


@pytest.fixture
def hub_specimen() -> "Callable[[Path, str, dict[str, Any] | bytes], Specimen]":
    """Maps one record: `hub_specimen(folder, "river_watch/findings", {"id": "A1", …}).fields` is what the incident says."""
    from hub.mapping.mapping import Mappings
    from hub.testing.specimen import map_specimen

    def map_one(folder: Path, name: str, record: dict[str, Any] | bytes) -> "Specimen":
        return map_specimen(Mappings([folder]).get(name), record)

    return map_one


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("hub").addoption(
        _OPTION, action="store_true", help="grade the connectors whose conformance/NAME.toml is found"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "pytest.File | None":
    wanted = file_path.suffix == ".toml" and file_path.parent.name == "conformance"
    if not wanted or not parent.config.getoption(_OPTION):
        return None
    made: pytest.File = _QualityFile.from_parent(parent, path=file_path)
    return made


class _QualityFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        from hub.testing.conformance import NAMES

        connector = _connector(self.path)
        for name in NAMES:
            item: _CheckItem = _CheckItem.from_parent(self, name=name)
            item.connector = connector
            yield item


class _CheckItem(pytest.Item):
    connector: "type[Connector]"

    def runtest(self) -> None:
        from hub.testing.conformance import Verdict, run_check

        result = run_check(self.connector, self.name)
        if result.verdict is Verdict.EXEMPT:
            pytest.skip(result.said)
        if result.verdict is Verdict.FAILED:
            pytest.fail(result.said, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.connector.name}: {self.name}"


def _connector(path: Path) -> "type[Connector]":
    """The connector declared beside its quality file, or the installed one of that name."""
    from hub.plugins import load_plugins
    from hub.source.declared import FILE_NAME, read_connector

    declaration = path.parent.parent / FILE_NAME
    return read_connector(declaration) if declaration.is_file() else load_plugins().connector(path.stem)
