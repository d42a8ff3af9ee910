"""The tutorial is followed to the letter in a fresh folder, the server that stands for the real system included."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "connectors" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", TUTORIAL, re.M | re.S)


@pytest.fixture
def port() -> int:
    """A free one: nobody knows who else uses the tutorial's."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(script: Path, port: int) -> Iterator[None]:
    with subprocess.Popen([sys.executable, script.name], cwd=script.parent, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield
        finally:
            server.kill()


def installed(folder: Path, package: str) -> None:
    """What `pip install -e` leaves behind, without asking a package index."""
    info = folder / "site" / f"hub_connector_{package}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hub-connector-{package}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[hub.v1]\n{package} = hub_connector_{package}\n")


def followed(command: str, folder: Path, environment: dict[str, str]) -> str:
    words = command.split()
    assert words[0] == "hub"
    run = subprocess.run(
        [sys.executable, "-m", "cli", *words[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
    return run.stdout


@pytest.mark.timeout(240)
def test_every_command_of_the_tutorial(tmp_path: Path, port: int) -> None:
    path = f"{tmp_path / 'site'}:{tmp_path / 'river_patrol' / 'src'}:{ROOT}"
    environment = {**os.environ, "PYTHONPATH": path, "HUB_LANG": "en", "HUB_SOURCES__RIVER__RATE": "1000"}
    said: dict[str, str] = {}
    with ExitStack() as running:
        for kind, name, text in BLOCKS:
            if name == "hub.toml":
                with (tmp_path / name).open("a", encoding="utf-8") as file:
                    file.write("\n" + text.replace("8765", str(port)))
            elif name:
                (tmp_path / name).write_text(text.replace("8765", str(port)), "utf-8")
            for command in [line[2:] for line in text.splitlines() if kind == "console" and line.startswith("$ ")]:
                if command.startswith("pip install -e "):
                    installed(tmp_path, command.split()[-1])
                elif command.startswith("python "):
                    running.enter_context(served(tmp_path / command.split()[1], port))
                elif command.startswith("export "):
                    environment |= [command.removeprefix("export ").split("=")]
                else:
                    said[command] = followed(command, tmp_path, environment)
    assert "river_patrol earns: gold" in said["hub conformance river_patrol --record"]
    assert "river_patrol: gold" in said["hub plugins"]
    assert "水面漂浮物" in said["hub incidents list"]
    assert "测试甲" not in "".join(said.values())
    assert json.loads(next(text for kind, _, text in BLOCKS if kind == "json"))["data"]["total"] == 2
