"""A JSON API nobody here built, read by a connector.toml: Datasette serving real requests of Los Angeles.

Needs a `datasette` program: on the path, or named by HUB_DATASETTE (`make datasette` sets one up and runs this).
HUB_LA_FILE may name a larger extract of the same columns.
"""

import csv
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.errors import Outcome
from hub.source.declared import read_connector
from hub.sync.result import RunResult
from hub.testing.tested import TestedProject

ROOT = Path(__file__).parents[2]
CONNECTOR = ROOT / "examples" / "datasette_la" / "src" / "hub_connector_datasette_la" / "connector.toml"
DATASETTE = os.environ.get("HUB_DATASETTE") or shutil.which("datasette")
FILE = Path(os.environ.get("HUB_LA_FILE") or ROOT / "tests" / "data" / "la311_sample.csv")
CONFIG = """[defaults]
retries = 0
[sources.la]
connector = "datasette_la"
base_url = "{url}"
page_size = 100
"""

pytestmark = pytest.mark.skipif(not DATASETTE, reason="there is no datasette here: `make datasette` brings one")


class Served:
    """The file in an SQLite database, and Datasette in front of it."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "la.db"
        with FILE.open(encoding="utf-8-sig", newline="") as file:
            self.rows = list(csv.DictReader(file))
        columns = list(self.rows[0])
        with closing(sqlite3.connect(self.database)) as connection, connection:
            names = ", ".join(f'"{name}" TEXT' for name in columns)
            connection.execute(f"CREATE TABLE requests ({names}, PRIMARY KEY (srnumber))")
            places = ", ".join("?" * len(columns))
            connection.executemany(
                f"INSERT INTO requests VALUES ({places})", [tuple(row.values()) for row in self.rows]
            )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [str(DATASETTE), "serve", str(self.database), "--port", str(port), "--setting", "max_returned_rows", "1000"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self) -> None:
        for _ in range(150):
            try:
                httpx.get(f"{self.url}/la.json", timeout=2, trust_env=False)
                return
            except httpx.TransportError:
                time.sleep(0.2)
        pytest.fail("datasette did not come up")

    def change(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement, values)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    try:
        served.wait()
        yield served
    finally:
        served.stop()


@pytest.fixture
def project(tmp_path: Path, served: Served) -> Iterator[TestedProject]:
    (tmp_path / "hub.toml").write_text(CONFIG.format(url=served.url))
    with TestedProject(tmp_path, tmp_path / "hub.toml", read_connector(CONNECTOR)) as project:
        yield project


def counted(result: RunResult) -> tuple[str, int, int, int, int]:
    counts = result.counts
    return str(result.outcome), counts.new, counts.changed, counts.unchanged, counts.tombstoned


@pytest.mark.timeout(300)
def test_it_is_read_like_any_other_source(project: TestedProject, served: Served) -> None:
    count = len(served.rows)
    (first,) = project.sync("la")
    assert counted(first) == ("ok", count, 0, 0, 0)
    stored = {row["native_id"]: row for row in project.incidents("la", "requests")}
    assert stored.keys() == {f'"{row["srnumber"]}"' for row in served.rows}
    one = served.rows[0]
    assert stored[f'"{one["srnumber"]}"']["title"] == one["requesttype"]
    (again,) = project.sync("la")
    assert counted(again) == ("ok", 0, 0, count, 0)

    served.change("UPDATE requests SET status = 'Open', actiontaken = 'again' WHERE srnumber = ?", one["srnumber"])
    served.change("DELETE FROM requests WHERE srnumber = ?", served.rows[1]["srnumber"])
    (moved,) = project.sync("la")
    assert counted(moved) == ("ok", 0, 1, count - 2, 1)

    served.stop()
    (gone,) = project.sync("la")
    assert gone.outcome is Outcome.UNAVAILABLE
    living = [row for row in project.incidents("la", "requests") if row["deleted_at"] is None]
    assert len(living) == count - 1
