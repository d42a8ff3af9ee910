"""Ctrl-C in the middle of commands that walk the store, each a real process: told as such, never as a defect or by a traceback,
and the same command goes on. A lock on a table holds each where it is; the database tells when it waits for it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from rig import wait_until

from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
PARTIAL, BREACHED, INTERRUPTED = 3, 6, 130


@pytest.fixture
def project(tmp_path: Path, postgres_url: str) -> Iterator[HubProject]:
    with (
        Sandbox(seed=7, scale=60, directory=tmp_path / "city", systems=["road_patrol"]) as sandbox,
        hub_project(tmp_path / "hub", sandbox, postgres_url) as project,
    ):
        sandbox.fault("road_patrol", "absurd")
        project.sync()
        yield project


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def ctrl_c_is_heeded() -> Iterator[None]:
    """In the background of a shell it is ignored, and so it would be by every process that the tests start."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture
def start(project: HubProject) -> Iterator[Start]:
    """Begin `hub WORDS…` in a process of its own."""
    begun = []

    def start(*words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "--config", str(project.config), *words],
            env={**project.environment, "PYTHONPATH": str(ROOT), "PATH": os.defpath, "HUB_LANG": "en"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=project.folder,
        )  # fmt: skip
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def interrupted(project: HubProject, start: Start, table: str, *words: str) -> tuple[str, str]:
    """What a command said that met Ctrl-C while it waited for a table."""
    with psycopg.connect(project.hub.store.url) as holder, psycopg.connect(project.hub.store.url) as other:
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        process = start(*words)

        def waits() -> bool:
            assert process.poll() is None, process.communicate()
            found = other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone()
            other.rollback()
            return found is not None

        wait_until(waits, 30)
        process.send_signal(signal.SIGINT)
        if process.poll() is None:
            # Who finishes the page in hand first needs the table for it.
            holder.rollback()
        out, err = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED, (out, err)
    assert "defect" not in out + err
    assert 'File "' not in err
    return out, err


#: The table it waits for, its words, what says that it was stopped (a line, or the run's own), and its code when run again.
LINE, ROW = "hub: stopped; run the command again", "stopped after a whole page; run the command again"
WALKS = {
    "remap": ("incident", ("remap",), ROW, 0),
    "dry remap": ("incident", ("remap", "--dry-run"), ROW, 0),
    "replay": ("incident", ("quarantine", "replay", "--all"), ROW, PARTIAL),
    "reconcile": ("incident", ("reconcile", "road_patrol"), "", BREACHED),
    "prune": ("revision", ("prune",), LINE, 0),
    "rotate": ("raw_page", ("key", "rotate", "--reason", "a test"), LINE, 0),
    "backup": ("incident", ("store", "backup", "copy.db"), LINE, 0),
    "copy": ("incident", ("store", "copy", "--to", "sqlite:///copy.db"), LINE, 0),
    "erase": ("raw_page", ("person", "erase", "--reason", "a test", "--yes", "--text", "nobody at all"), LINE, 0),
    "find": ("raw_page", ("person", "find", "--reason", "a test", "--text", "nobody at all"), LINE, 0),
    "verify": ("audit", ("audit", "verify"), LINE, 0),
    "list": ("incident", ("incidents", "list"), LINE, 0),
}


@pytest.mark.parametrize(("table", "words", "said", "code"), WALKS.values(), ids=WALKS)
def test_ctrl_c_is_told_as_such(
    project: HubProject, start: Start, table: str, words: tuple[str, ...], said: str, code: int
) -> None:
    out, err = interrupted(project, start, table, *words)
    assert said in (err if said is LINE else out)
    with project.hub.store.read() as transaction:
        again = transaction.all("SELECT mode, outcome, error FROM run WHERE outcome NOT IN ('ok', 'partial')")
    expected = [words[0] if words[0] == "remap" else "replay"] if said is ROW and "--dry-run" not in words else []
    assert again == [(mode, "interrupted", ROW) for mode in expected]
    process = start(*words)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err


def test_changes_that_are_cut_short_are_not_all(project: HubProject, start: Start) -> None:
    with project.hub.store.write() as transaction:
        transaction.run(
            "INSERT INTO change (seq, op, id, revision, at)"
            " SELECT 10000 + number, 'update', 'inc_a', number, 0 FROM generate_series(1, 1000) AS number"
        )
    out, err = interrupted(project, start, "change", "changes", "--limit", "5000")
    assert (LINE in err, "11,000" in out) == (True, False)


def test_ctrl_c_while_the_hub_is_loaded_is_quiet(tmp_path: Path) -> None:
    """What it needs lies on a slow disk."""
    (tmp_path / "click.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "status"], env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == INTERRUPTED
