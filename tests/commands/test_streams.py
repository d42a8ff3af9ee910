"""stdout and stderr as a process gets them: with a reader that goes away, on a full disk, closed, in another encoding."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from answers import Run

SYNC = ("sync", "grassroots_governance", "snapshot", "road_patrol")


def hub_of(project: Path, *words: str, shell: str = "", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """`hub WORDS…` in a process of its own; `shell` is what stands behind it in a shell."""
    line = ["sh", "-c", f'"$@" {shell}', "sh", sys.executable, "-m", "cli", "--config", str(project), *words]
    return subprocess.run(line, capture_output=True, timeout=60, env=os.environ | variables)


def test_a_reader_that_goes_away_ends_no_sync_and_is_no_error(project: Path, data: Run) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "cli", "--config", str(project), "--output", "json", *SYNC]
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {run["outcome"] for run in data("runs", "list").lines} == {"ok"}
    assert len(data("runs", "list").lines) == len(SYNC) - 1


@pytest.mark.parametrize("words", [("incidents", "list"), ("--output", "json", "plugins"), ("changes", "--follow")])
def test_a_reader_that_goes_away_ends_a_list_without_an_error(project: Path, hub: Run, words: tuple[str, ...]) -> None:
    assert hub(*SYNC).code == 0
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "cli", "--config", str(project), *words]
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("words", [("incidents", "list"), ("metrics",), ("--output", "json", "plugins")])
def test_a_full_disk_behind_stdout_is_one_line(project: Path, words: tuple[str, ...]) -> None:
    done = hub_of(project, *words, shell="> /dev/full")
    assert done.returncode == 1
    assert b"hub: the answer cannot be written: No space left on device" in done.stderr
    assert b"File " not in done.stderr


def test_a_full_disk_behind_stdout_ends_no_sync(project: Path, data: Run) -> None:
    done = hub_of(project, "--output", "json", *SYNC, shell="> /dev/full")
    assert done.returncode == 1
    assert b"the answer cannot be written" in done.stderr
    assert b"defect" not in done.stderr
    assert [run["outcome"] for run in data("runs", "list").lines] == ["ok"] * (len(SYNC) - 1)


@pytest.mark.parametrize("shell", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_end_no_command(project: Path, shell: str) -> None:
    assert hub_of(project, "doctor", shell=shell).returncode in (0, 6)
    assert hub_of(project, *SYNC, shell=shell).returncode == 0


def test_json_is_the_same_in_every_encoding(project: Path, hub: Run, data: Run) -> None:
    assert hub(*SYNC).code == 0
    there = data("incidents", "list").lines
    assert any(not incident["title"].isascii() for incident in there)
    for encoding in ("gbk", "latin-1"):
        answer = hub_of(project, "--output", "json", "incidents", "list", PYTHONIOENCODING=encoding)
        assert [json.loads(line) for line in answer.stdout.decode("utf-8").splitlines()] == there


def test_what_an_encoding_has_not_is_shown_by_number(project: Path, hub: Run) -> None:
    assert hub(*SYNC).code == 0
    answer = hub_of(project, "incidents", "list", PYTHONIOENCODING="latin-1")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert b"\\u" in answer.stdout
