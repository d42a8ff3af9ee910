"""The counts of docs/compare.md are those of the files, and the hub's own file builds."""

import re
import subprocess
import sys
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


def test_the_hubs_file_reads_all_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """`make compare` runs the other tools' files too; here they are not installed."""
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "compare_run.py", tmp_path],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    lines, rows, requests, again = re.findall(r"declarative \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|", run.stdout)[0]
    assert (int(lines), int(requests), int(again)) == (16, 3, 11)
    assert int(rows) >= 450
    assert run.stdout.count("not here") == 3


def test_the_meaning_beside_it_is_counted_right() -> None:
    folder = ROOT / "examples" / "river_watch" / "src" / "hub_connector_river_watch" / "mappings"
    counts = [
        len(path.read_text("utf-8").split("\n")) - 1 for path in (*folder.glob("*/*.toml"), *folder.glob("codes/*"))
    ]
    assert counts == [11, 3]
    assert "eleven lines and three" in (ROOT / "docs" / "compare.md").read_text("utf-8")
