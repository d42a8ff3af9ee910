"""A tier counts for the files that earned it, for no others, and only as it was earned."""

import shutil
from pathlib import Path

import pytest

from connectors.snapshot import Snapshot
from hub.source import Connector
from hub.source.declared import read_connector
from hub.testing import quality
from hub.testing.materials import materials, modules_of
from hub.testing.quality import Tier, earned_tier, record_tier

ROOT = Path(__file__).parents[2]
RIVER = ROOT / "examples" / "river_watch" / "src" / "hub_connector_river_watch"


@pytest.fixture
def graded(tmp_path: Path) -> type[Connector]:
    """A connector in a folder of its own whose gold is on record."""
    shutil.copytree(RIVER, tmp_path / "river")
    connector = read_connector(tmp_path / "river" / "connector.toml")
    record_tier(connector, Tier.GOLD, materials(connector))
    assert earned_tier(connector) is Tier.GOLD
    return connector


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("connector.toml", "safety_lag", "lookback = '0s', safety_lag"),
        ("mappings/river_watch/findings.toml", "version = 1", "version = 2"),
        ("mappings/codes/river_watch_state.csv", "closed", "cancelled"),
        ("conformance/samples/findings.json", "{", "{ "),
        ("conformance/river_watch.toml", "[config]", "[exempt]\nties = 'no'\n[config]"),
        ("conformance/river_watch.toml", 'tier = "gold"', 'tier = "silver"'),
    ],
    ids=["declaration", "mapping", "code table", "samples", "exemption", "tier written by hand"],
)
def test_a_tier_ends_with_a_change(graded: type[Connector], tmp_path: Path, file: str, before: str, after: str) -> None:
    path = tmp_path / "river" / file
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")
    assert earned_tier(graded) is Tier.NONE


def test_a_tier_ends_with_a_missing_file(graded: type[Connector], tmp_path: Path) -> None:
    (tmp_path / "river" / "mappings" / "codes" / "river_watch_state.csv").unlink()
    assert earned_tier(graded) is Tier.NONE


def test_a_tier_ends_with_another_interface(graded: type[Connector], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "API_VERSION", 2)
    assert earned_tier(graded) is Tier.NONE


def test_other_files_do_not_matter(graded: type[Connector], tmp_path: Path) -> None:
    (tmp_path / "river" / "another.py").write_text("")
    (tmp_path / "river" / "README.md").write_text("")
    assert earned_tier(graded) is Tier.GOLD


def test_what_was_recorded_before_is_replaced(graded: type[Connector]) -> None:
    path = record_tier(graded, Tier.NONE, materials(graded))
    assert path.read_text("utf-8").count("[earned]") == 1
    assert earned_tier(graded) is Tier.NONE


def test_modules_are_followed_within_the_package_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_connectors"
    (package / "wire").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("import json\nfrom some_connectors.wire import odd\nfrom .two import TWO\n")
    (package / "two.py").write_text("TWO = 2\n")
    (package / "unused.py").write_text("")
    (package / "wire" / "__init__.py").write_text("")
    (package / "wire" / "odd.py").write_text("from ..three import *\n")
    (package / "three.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    found = [path.relative_to(package).as_posix() for path in modules_of("some_connectors.one")]
    assert found == ["one.py", "three.py", "two.py", "wire/__init__.py", "wire/odd.py"]


def test_what_a_built_in_connector_is_made_of() -> None:
    found = [path.relative_to(ROOT).as_posix() for path in materials(Snapshot)]
    assert found == [
        "connectors/irs.py",
        "connectors/snapshot.py",
        "mappings/snapshot/reports.toml",
        "mappings/codes/event_classes.csv",
        "mappings/codes/snapshot_status.csv",
    ]
