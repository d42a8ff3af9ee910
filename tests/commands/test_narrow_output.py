"""What a terminal of 80 columns shows: nothing cut off, or a line a field."""

import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from answers import Run
from rich.console import Console

from hub.commands import output
from hub.commands.changes import COLUMNS as CHANGES
from hub.commands.output import Column, Output
from hub.commands.state import COLUMNS as STATES
from hub.commands.sync import RUN_COLUMNS
from hub.mapping.columns import MAPPED_COLUMNS

COLUMNS = [Column("run", "Run", "id"), Column("source", "Source", "name"), Column("error", "Error")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_console", lambda: Console(file=sys.stdout, highlight=False, width=80, no_color=True))


@pytest.mark.usefixtures("terminal")
def test_a_table_that_fits_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([{"run": "1a22", "source": "one", "error": "down"}], COLUMNS)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Run", "Source", "Error"], ["1a22", "one", "down"],
    ]  # fmt: skip


@pytest.mark.usefixtures("terminal")
def test_a_table_that_does_not_fit_is_a_line_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    long = {"run": "1a22", "source": "s" * 70, "error": "down"}
    Output().rows([long, {**long, "error": ""}], COLUMNS)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["Run", "1a22"],
        ["Source", "s" * 70],
        ["Error", "down"],
        [],
        ["Run", "1a22"],
        ["Source", "s" * 70],
        [],
    ]


SPARE = [
    Column("source", "Source", "name"), Column("title", "System", spare=2), Column("good_at", "Last good", "time"),
    Column("outcome", "Outcome", "outcome"), Column("new", "New", "count", spare=1), Column("error", "Error"),
]  # fmt: skip


@pytest.mark.usefixtures("terminal")
def test_a_list_does_without_what_can_be_spared(capsys: pytest.CaptureFixture[str]) -> None:
    """A column in which nothing stands goes first and unsaid, then what matters least, until it fits."""
    record = {"source": "s" * 50, "title": "city", "good_at": None, "outcome": "ok", "new": 1_234, "error": None}
    Output().rows([record, {**record, "new": 0}], SPARE)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["Source", "System", "Outcome", "New"], ["s" * 50, "city", "ok", "1,234"], ["s" * 50, "city", "ok", "0"],
    ]  # fmt: skip
    Output(lang="zh").rows([{**record, "error": "down " * 3}, record], SPARE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["数据源", "结果", "新增", "错误"]
    assert lines[-1] == "窗口较窄，未显示：系统"


def test_a_sync_is_a_table_in_sixty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With names as long as the built-in ones: twenty streams were 270 lines."""
    monkeypatch.setattr(output, "_console", lambda: Console(file=sys.stdout, highlight=False, width=60, no_color=True))
    run = {"source": "enforcement_supervision", "stream": "supervision_leads", "outcome": "ok", "fetched": 1_234}
    counts = dict.fromkeys(("new", "changed", "unchanged", "quarantined", "tombstoned", "unmapped"), 12)
    Output().rows([run | counts | {"duration_s": 1.5}] * 2, RUN_COLUMNS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Source", "Stream", "Outcome", "Read"]
    assert [line.split()[0] for line in lines[1:3]] == ["enforcement_supervision"] * 2


@pytest.mark.usefixtures("terminal")
def test_a_time_is_not_cut_at_its_blank(capsys: pytest.CaptureFixture[str]) -> None:
    """Two of them beside long names: the seconds were missing, and the ends of the names."""
    at = datetime(2026, 11, 28, tzinfo=UTC)
    position = {"source": "enforcement_supervision", "stream": "supervision_leads", "cursor": at, "updated_at": at}
    Output().rows([position] * 2, STATES)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["enforcement_supervision", "supervision_leads", "2026-11-28", "08:00:00"]
    assert lines[-1] == "too wide for this window without: Stored"


@pytest.mark.parametrize(("width", "spared"), [(60, {"Stored", "Revision"}), (80, {"Revision"}), (100, set())])
def test_changes_are_a_table_that_breaks_no_name_of_a_field(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, spared: set[str]
) -> None:
    monkeypatch.setattr(
        output, "_console", lambda: Console(file=sys.stdout, highlight=False, width=width, no_color=True)
    )
    at = datetime(2026, 11, 28, tzinfo=UTC)
    change = {"seq": 1_234, "at": at, "op": "update", "id": "inc_" + "a" * 26, "revision": 2, "fields": MAPPED_COLUMNS}
    Output().rows([change] * 2, CHANGES)
    said = capsys.readouterr().out
    assert set(said.splitlines()[0].split()) == {column.heading for column in CHANGES} - spared
    assert set(MAPPED_COLUMNS) <= set(said.replace(",", " ").split())


@pytest.mark.usefixtures("terminal")
def test_one_record_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([{"source": "s" * 60, "title": "a system", "outcome": "ok", "new": 5, "error": "down"}], SPARE)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:5]] == [
        "Source", "System", "Outcome", "New", "Error",
    ]  # fmt: skip


def test_a_port_in_use_is_said_in_one_line(run: Run, tmp_path: Path) -> None:
    run("init", str(tmp_path / "hub"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run("--config", str(tmp_path / "hub" / "hub.toml"), "metrics", "--port", str(port))
    assert answer.code == 2
    assert f"127.0.0.1:{port} cannot be listened on" in answer.err
