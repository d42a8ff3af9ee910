"""sync, check, preview, serve: the contract of keys, outcomes and exit codes, on a real city."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from answers import Run

from hub.testing.sandbox import Sandbox

KEYS = [
    "run_id", "source", "stream", "partition", "mode", "outcome", "fetched", "new", "changed", "unchanged",
    "quarantined", "tombstoned", "unmapped", "requests", "duration_s", "cursor", "error",
]  # fmt: skip


def add(project: Path, text: str) -> None:
    project.write_text(project.read_text("utf-8") + text, "utf-8")


# --- sync ------------------------------------------------------------------------------------------------------------


def test_sync_prints_one_object_a_run_with_the_keys_of_the_contract(data: Run) -> None:
    answer = data("sync")
    assert answer.code == 0
    assert answer.err == ""
    assert {(line["source"], line["stream"]) for line in answer.lines} == {
        ("grassroots_governance", "events"), ("snapshot", "reports"), ("road_patrol", "findings")
    }  # fmt: skip
    for line in answer.lines:
        assert list(line)[: len(KEYS)] == KEYS
        assert line["fetched"] == line["new"] + line["changed"] + line["unchanged"] + line["quarantined"]
        assert line["outcome"] == "ok"
        assert line["new"] > 0


def test_a_second_sync_finds_nothing_new(data: Run) -> None:
    data("sync")
    assert {line["new"] + line["changed"] for line in data("sync").lines} == {0}


def test_sync_takes_the_named_sources_and_stream_only(data: Run) -> None:
    assert [line["source"] for line in data("sync", "snapshot").lines] == ["snapshot"]
    answer = data("sync", "snapshot", "--stream", "nonsense")
    assert (answer.code, answer.line["outcome"]) == (2, "misconfigured")
    assert "reports" in answer.line["error"]


def test_an_unknown_source_is_exit_2(hub: Run) -> None:
    answer = hub("sync", "nonsense")
    assert answer.code == 2
    assert "there is no source nonsense; hub.toml has" in answer.err


def test_a_dry_run_decides_and_writes_nothing(data: Run) -> None:
    answer = data("sync", "--dry-run", "snapshot")
    assert answer.line["new"] > 0
    assert data("incidents", "list").out == ""
    assert data("runs", "list").out == ""


def test_a_full_refresh_says_so(data: Run) -> None:
    assert data("sync", "--full-refresh", "snapshot").line["mode"] == "full_refresh"


def test_one_faulty_section_is_misconfigured_and_the_others_run(data: Run, project: Path) -> None:
    add(project, '\n[sources.broken]\nconnector = "snapshot"\nschedule = "sometimes"\n')
    answer = data("sync")
    outcomes = {line["source"]: line["outcome"] for line in answer.lines}
    assert outcomes == {
        "broken": "misconfigured", "grassroots_governance": "ok", "snapshot": "ok", "road_patrol": "ok"
    }  # fmt: skip
    assert answer.code == 2


def test_an_unknown_connector_is_misconfigured_with_the_nearest_name(data: Run, project: Path) -> None:
    add(project, '\n[sources.odd]\nconnector = "snapshto"\n')
    answer = data("sync", "odd")
    assert (answer.code, answer.line["outcome"]) == (2, "misconfigured")
    assert "did you mean snapshot?" in answer.line["error"]


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [("login_page", "refused", 4), ("http_503", "unavailable", 5)],
)
def test_the_exit_code_is_the_worst_outcomes(
    data: Run, city: Sandbox, monkeypatch: pytest.MonkeyPatch, fault: str, outcome: str, code: int
) -> None:
    monkeypatch.setenv("HUB_DEFAULTS__RETRIES", "0")
    city.fault("snapshot", fault, times=None)
    answer = data("sync")
    outcomes = {line["source"]: line["outcome"] for line in answer.lines}
    assert outcomes == {"snapshot": outcome, "grassroots_governance": "ok", "road_patrol": "ok"}
    assert answer.code == code


def test_a_disabled_source_is_left_out(data: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SOURCES__SNAPSHOT__ENABLED", "false")
    assert "snapshot" not in {line["source"] for line in data("sync").lines}


def test_tables_speak_both_languages(hub: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Outcome" in hub("sync", "snapshot").out
    monkeypatch.setenv("HUB_LANG", "zh")
    shown = hub("sync", "snapshot").out
    assert "结果" in shown
    assert "正常" in shown


def test_errors_of_runs_speak_both_languages(data: Run, city: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    city.fault("snapshot", "login_page", times=None)
    monkeypatch.setenv("HUB_LANG", "zh")
    assert "请检查该数据源的凭据" in data("sync", "snapshot").line["error"]
    kept = [data("runs", "list").line, data("runs", "show", data("runs", "list").line["run_id"]).line]
    kept += [line for line in data("status").lines if line["source"] == "snapshot"]
    assert [("请检查该数据源的凭据" in line["error"], line["error"].isascii()) for line in kept] == [(True, False)] * 3
    monkeypatch.setenv("HUB_LANG", "en")
    assert data("runs", "list").line["error"].isascii()


def test_sigint_finishes_the_page_in_hand_and_ends_with_130(project: Path, city: Sandbox) -> None:
    city.fault("snapshot", "slow", times=None, seconds=3)
    before = len(city.requests("snapshot"))
    line = [sys.executable, "-m", "cli", "--config", str(project), "--output", "json", "sync", "snapshot"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(city.requests("snapshot")) > before)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert json.loads(out.splitlines()[-1])["outcome"] in ("ok", "interrupted")


# --- check and preview -----------------------------------------------------------------------------------------------


def test_check_tries_every_stream_and_stores_nothing(data: Run) -> None:
    answer = data("check")
    assert answer.code == 0
    assert {line["source"] for line in answer.lines} == {"grassroots_governance", "snapshot", "road_patrol"}
    for line in answer.lines:
        assert line["rows"] > 0
        assert line["sample"]["source_status"] is not None
    assert data("incidents", "list").out == ""


def test_check_says_what_is_wrong_and_what_to_do(data: Run, city: Sandbox) -> None:
    city.fault("snapshot", "login_page", times=None)
    answer = data("check", "snapshot")
    assert (answer.code, answer.line["outcome"]) == (4, "refused")
    assert "check the source's credentials" in answer.line["error"]


def test_preview_masks_people(data: Run, hub: Run) -> None:
    lines = data("preview", "grassroots_governance", "--limit", "5").lines
    assert len(lines) == 5
    assert all(line["incident"]["occurred_at"] for line in lines)
    assert "***" in json.dumps([line["raw"] for line in lines])
    assert "occurred_at: " in hub("preview", "grassroots_governance").out


def test_unmasking_needs_a_reason_and_is_noted(data: Run) -> None:
    assert data("preview", "grassroots_governance", "--unmask").code == 2
    answer = data("preview", "grassroots_governance", "--limit", "5", "--unmask", "--reason", "training")
    assert "***" not in answer.out


# --- serve -----------------------------------------------------------------------------------------------------------


def test_serve_runs_what_is_due_and_ends_on_sigterm(project: Path) -> None:
    line = [sys.executable, "-m", "cli", "--config", str(project), "--output", "json", "serve"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    runs = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert {run["source"] for run in runs} == {"grassroots_governance", "snapshot", "road_patrol"}
    assert {run["outcome"] for run in runs} == {"ok"}


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError
