"""The systemd units are what systemd accepts, and call commands that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import cli

DEPLOY = Path(__file__).parent.parent / "deploy"
UNITS = sorted(DEPLOY.iterdir())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    names = []
    for unit in UNITS:
        # Only the program's place differs: systemd wants it to exist.
        text = unit.read_text("utf-8").replace("/opt/hub/.venv/bin/hub", "/bin/true")
        names.append(unit.name.replace("@.", "@1."))
        (tmp_path / names[-1]).write_text(text, "utf-8")
    command = ["systemd-analyze", "verify", *names]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def test_the_units_call_commands_that_there_are() -> None:
    called = [found[1] for unit in UNITS for found in re.finditer(r"hub\.toml (\w+)", unit.read_text("utf-8"))]
    assert sorted(called) == ["metrics", "serve", "worker"]
    assert set(called) <= set(cli.COMMANDS)
