"""The counts of docs/compare.md are those of the files, and the hub's own file builds."""

import re
from pathlib import Path

from hub.source.declared import read_connector

ROOT = Path(__file__).parents[2]
FILES = ROOT / "examples" / "compare"


def test_counts_are_true() -> None:
    rows = re.findall(r"^\| [^|]+ \| (\d+) \| `([^`]+)`", (ROOT / "docs" / "compare.md").read_text("utf-8"), re.M)
    assert {name for _, name in rows} == {path.name for path in FILES.iterdir() if path.is_file()}
    for count, name in rows:
        lines = [line.strip() for line in (FILES / name).read_text("utf-8").splitlines()]
        assert len([line for line in lines if line and not line.startswith("#")]) == int(count), name


def test_the_hubs_file_builds() -> None:
    connector = read_connector(FILES / "connector.toml")()
    (stream,) = connector.streams(connector.Config(base_url="https://river.example", token="t"))
    assert stream.endpoint.path == "/api/findings"
