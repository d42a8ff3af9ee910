"""The tutorial is followed to the letter in a fresh folder; a small server stands for the real system."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "connectors" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", TUTORIAL, re.M | re.S)


@pytest.fixture
def river() -> Iterator[int]:
    answer = next(text for kind, _, text in BLOCKS if kind == "json").encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers["X-Api-Key"] == "k-tutorial"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(answer if allowed else b"{}")

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def installed(folder: Path, package: str) -> None:
    """What `pip install -e` leaves behind, without asking a package index."""
    info = folder / "site" / f"hub_connector_{package}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hub-connector-{package}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[hub.v1]\n{package} = hub_connector_{package}\n")


@pytest.mark.timeout(240)
def test_every_command_of_the_tutorial(tmp_path: Path, river: int) -> None:
    path = f"{tmp_path / 'site'}:{tmp_path / 'river_patrol' / 'src'}:{ROOT}"
    environment = {**os.environ, "PYTHONPATH": path, "RIVER_KEY": "k-tutorial", "HUB_LANG": "en"}
    environment |= {"HUB_SOURCES__RIVER__RATE": "1000"}
    said: dict[str, str] = {}
    for kind, name, text in BLOCKS:
        if kind in ("json", "markdown", "toml") and name != "hub.toml":
            (tmp_path / name).write_text(text, "utf-8")
        elif kind == "toml":
            with (tmp_path / name).open("a", encoding="utf-8") as file:
                file.write("\n" + text.replace("8765", str(river)))
        for command in [line[2:] for line in text.splitlines() if line.startswith("$ ")]:
            if command.startswith("pip install -e "):
                installed(tmp_path, command.split()[-1])
                continue
            words = command.split()
            assert words[0] == "hub"
            run = subprocess.run(
                [sys.executable, "-m", "cli", *words[1:]],
                cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
            said[command] = run.stdout
    assert "river_patrol earns: gold" in said["hub conformance river_patrol --record"]
    assert "river_patrol: gold" in said["hub plugins"]
    assert "水面漂浮物" in said["hub incidents list"]
    assert "测试甲" not in "".join(said.values())
    assert json.loads(next(text for kind, _, text in BLOCKS if kind == "json"))["data"]["total"] == 2
