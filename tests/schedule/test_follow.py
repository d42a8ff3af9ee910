"""`hub sync` where many workers share a queue: it submits, follows from the run book, and leaves the run alone."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from answers import Run, call

from hub.plugins import load_plugins
from hub.schedule.follow import Follower
from hub.store.queue import list_workers, queue_figures
from hub.sync.result import RunResult
from hub.sync.run import RunOptions
from hub.sync.sources import Hub
from hub.testing.yard import Yard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def yard(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """One stream of eight pages; nothing is due by itself."""
    with Yard(tmp_path / "yard", postgres_url, {"one": {"pages": 8, "latency": 0.1}}, schedule="never") as yard:
        monkeypatch.syspath_prepend(str(yard.folder))
        monkeypatch.setenv("HUB_LANG", "en")
        yield yard


@pytest.fixture
def data(yard: Yard) -> Run:
    return lambda *words: call("--config", str(yard.config), "--output", "json", *words)


def start(yard: Yard) -> "subprocess.Popen[bytes]":
    """A worker that has joined: one that is still starting is none yet."""
    before = len(list_workers(yard.store))
    worker = yard.start()
    yard.until(lambda: len(list_workers(yard.store)) > before)
    return worker


def owners(yard: Yard) -> set[str]:
    return {row[1].split(":")[1] for row in yard.runs("one")}


def test_a_worker_does_it_and_the_command_answers_as_ever(yard: Yard, data: Run) -> None:
    worker = start(yard)
    answer = data("sync", "one")
    assert (answer.code, answer.err) == (0, "")
    assert (answer.line["outcome"], answer.line["fetched"], answer.line["new"]) == ("ok", 80, 80)
    assert answer.line["run_id"] == yard.query("SELECT id FROM run")[0][0]
    assert owners(yard) == {str(worker.pid)}
    yard.assert_equals_upstream()
    again = data("sync")
    assert (again.code, again.line["new"], again.line["outcome"]) == (0, 0, "ok")


def test_progress_is_told_page_by_page_from_the_store(yard: Yard) -> None:
    pages: list[int] = []
    ended: list[RunResult] = []
    follower = Follower(open_hub(yard), lambda result: pages.append(result.pages), ended.append)
    follower.submit(["one"], RunOptions(), None)
    yard.upstream.open.clear()
    start(yard)
    threading.Timer(1.0, yard.upstream.open.set).start()
    follower.follow(threading.Event())
    assert pages == sorted(set(pages))
    assert pages[-1] == ended[0].pages == 8
    assert len(pages) >= 2, "only the end was told"


def test_a_limit_and_a_full_refresh_travel_with_it(yard: Yard, data: Run) -> None:
    start(yard)
    first = data("sync", "one", "--limit", "20")
    assert first.line["outcome"] == "ok"
    assert 20 <= first.line["fetched"] < 80
    whole = data("sync", "one", "--full-refresh").line
    assert (whole["mode"], whole["partition"], whole["fetched"]) == ("full_refresh", "full refresh", 80)


def test_a_killed_worker_is_followed_into_the_next_run(yard: Yard, data: Run) -> None:
    first = start(yard)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(data("sync", "one").code))
    thread.start()
    yard.until(lambda: yard.pages() >= 2)
    first.kill()
    first.wait()
    yard.start()
    thread.join(60)
    assert answers == [0]
    assert [row[0] for row in yard.runs("one")] == ["dead", "ok"]
    yard.assert_equals_upstream()


def test_a_database_that_is_started_anew_ends_no_following(yard: Yard) -> None:
    start(yard)
    following = subprocess.Popen(
        [sys.executable, "-m", "cli", "--config", str(yard.config), "--output", "json", "sync", "one"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True,
        env={"PYTHONPATH": f"{ROOT}:{yard.folder}", "PATH": "/usr/bin:/bin", "HUB_LANG": "en", "PGAPPNAME": "follower"},
    )  # fmt: skip
    yard.processes.append(following)
    yard.until(lambda: yard.pages() >= 2)
    yard.upstream.open.clear()
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'follower'"
    for _ in range(3):
        yard.until(lambda: yard.query(ended))
    yard.upstream.open.set()
    out, said = following.communicate(timeout=60)
    assert (following.returncode, said) == (0, "")
    assert msgspec.json.decode(out)["fetched"] == 80


def test_without_a_worker_it_says_so_and_the_run_waits(yard: Yard, data: Run) -> None:
    answer = data("sync", "one")
    assert (answer.code, answer.line["outcome"]) == (5, "unavailable")
    assert "no worker serves the lane bulk" in answer.line["error"]
    assert queue_figures(yard.store).waiting == ("one/s00",)
    start(yard)
    yard.until(lambda: yard.settled() == 1)


def test_here_needs_no_worker(yard: Yard, data: Run) -> None:
    answer = data("sync", "one", "--here")
    assert (answer.code, answer.line["new"]) == (0, 80)
    assert queue_figures(yard.store).waiting == ()


def test_a_dry_run_is_made_here(yard: Yard, data: Run) -> None:
    assert data("sync", "one", "--dry-run").line["new"] == 80
    assert queue_figures(yard.store).waiting == ()


def test_ctrl_c_leaves_the_run_alone_and_says_how_to_stop_it(yard: Yard) -> None:
    start(yard)
    line = [sys.executable, "-m", "cli", "--config", str(yard.config), "sync", "one"]
    env = {"PYTHONPATH": f"{ROOT}:{yard.folder}", "PATH": "/usr/bin:/bin", "HUB_LANG": "en"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    yard.until(lambda: yard.pages() >= 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "one/s00 goes on without this command" in err
    assert "hub cancel one s00" in err
    yard.until(lambda: yard.settled() == 1)
    assert [row[0] for row in yard.runs("one")] == ["ok"]


def test_cancelled_is_interrupted(yard: Yard, data: Run) -> None:
    start(yard)
    answers: list[tuple[int, str]] = []

    def sync() -> None:
        answer = data("sync", "one")
        answers.append((answer.code, answer.line["outcome"]))

    thread = threading.Thread(target=sync)
    thread.start()
    yard.until(lambda: yard.pages() >= 1)
    call("--config", str(yard.config), "cancel", "one", "s00")
    thread.join(30)
    assert answers == [(130, "interrupted")]


def test_what_is_misconfigured_is_found_before_anything_waits(yard: Yard, data: Run) -> None:
    (yard.folder / "mappings" / "yard" / "records.toml").write_text("version = 1\n")
    answer = data("sync", "one")
    assert (answer.code, answer.line["outcome"]) == (2, "misconfigured")
    assert queue_figures(yard.store).waiting == ()


def test_two_who_ask_for_the_same_follow_the_same_run(yard: Yard) -> None:
    results: list[RunResult] = []
    followers = [Follower(open_hub(yard), lambda result: None, results.append) for _ in range(2)]
    for follower in followers:
        follower.submit(["one"], RunOptions(), None)
    assert queue_figures(yard.store).waiting == ("one/s00",)
    start(yard)
    yard.until(lambda: yard.settled() == 1 and not queue_figures(yard.store).running)
    for follower in followers:
        # Even one who looks only when all is over finds it.
        follower.follow(threading.Event())
    assert [result.outcome for result in results] == ["ok", "ok"]
    assert len({result.run_id for result in results}) == 1


def open_hub(yard: Yard) -> Hub:
    return Hub(yard.settings, load_plugins(yard.settings.plugins), yard.store)
