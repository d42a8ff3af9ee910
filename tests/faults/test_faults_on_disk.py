"""Each case of dropped files, exchange tables and hub.toml, through the command line."""

from collections.abc import Callable
from typing import Any

import pytest
from faults_files import CONFIG, DROP, FILES, GOOD, FileCase, drop

CASES = (*FILES, *CONFIG)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_case(case: FileCase, trial: Callable[[str], Any]) -> None:
    bench = trial(case.toml)
    held = case.make(bench.file.parent)
    answer = bench.data("sync")
    del held
    assert answer.code == case.code, answer.out
    runs = answer.lines if answer.out else []
    spoken = answer.out + answer.err
    if case.aside:
        waiting = bench.data("quarantine", "list").lines
        assert len(waiting) == case.aside
        assert {entry["source"] for entry in waiting} == {"drop"}
        spoken += str(waiting)
    assert case.says in spoken
    assert "drop" in spoken or "hub.toml" in spoken
    assert sum(run.get("new", 0) for run in runs) == case.new
    assert len(bench.incidents()) == case.new
    bench.check()


def test_a_file_that_comes_again_with_other_content_is_read_again(trial: Callable[[str], Any]) -> None:
    bench = trial(DROP)
    drop(GOOD)(bench.file.parent)
    assert bench.data("sync").line["new"] == 2
    drop(GOOD.replace("门口", "后门").replace("09:01", "10:01"))(bench.file.parent)
    assert (bench.data("sync").line["changed"], bench.data("sync").line["fetched"]) == (2, 0)
