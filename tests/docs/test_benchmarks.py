"""The stages that `benchmarks/stages.py` puts timers around are still parts of the hub; it runs in an environment of its own."""

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

TREE = ast.parse((Path(__file__).parents[2] / "benchmarks" / "stages.py").read_text())
TIMED = [
    (ast.unparse(call.args[0]), ast.literal_eval(call.args[1]))
    for call in ast.walk(TREE)
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "stages.around"
]


def _imported(wanted: str) -> Any:
    for node in ast.walk(TREE):
        if isinstance(node, ast.ImportFrom) and wanted in [name.name for name in node.names]:
            return getattr(importlib.import_module(str(node.module)), wanted)
        if isinstance(node, ast.Import) and wanted in [name.asname for name in node.names]:
            return importlib.import_module(next(name.name for name in node.names if name.asname == wanted))
    raise LookupError(wanted)


@pytest.mark.parametrize(("owner", "name"), TIMED)
def test_each_stage_is_still_there(owner: str, name: str) -> None:
    assert callable(getattr(_imported(owner), name))


def test_there_are_stages() -> None:
    assert len(TIMED) > 10
