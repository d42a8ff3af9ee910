"""A plugin that would harm the hub's process is found out in another one."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hub.probing import probe


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import time; time.sleep(30)", "was still importing after 1 s"),
        ("import os; os._exit(3)", "ended its process while importing, with 3"),
        ("1 / 0", "ended its process while importing, with 1"),
    ],
    ids=["hangs", "exits", "raises"],
)
def test_what_harms_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, problem: str) -> None:
    (tmp_path / "harmful_plugin.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe(EntryPoint("bad", "harmful_plugin", "hub.v1"), deadline_s=1)
    assert problem in str(found.problem)


def test_what_an_import_costs_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_plugin.py").write_text("print('noise')\nweight = bytearray(b'x' * 50_000_000)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe(EntryPoint("heavy", "heavy_plugin", "hub.v1"))
    assert found.problem is None
    assert found.bytes > 40_000_000
    assert found.seconds < 20
