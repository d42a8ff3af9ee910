"""Deciding about codes in a spreadsheet, and finding every mistake with its file and line before a source is asked."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.config import Environment, load
from hub.errors import MappingError
from hub.mapping.decisions import Decision, read_decisions, spreadsheet
from hub.plugins import load_plugins
from hub.store.overview import list_gaps
from hub.sync.approve import approve
from hub.sync.validation import validate
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[HubProject]:
    with (
        Sandbox(systems=["snapshot"], scale=80, until="2026-11-20T12:00:00", directory=tmp_path / "city") as sandbox,
        hub_project(tmp_path / "hub", sandbox) as project,
    ):
        # A code nobody has mapped, as a source brings one overnight.
        codes = tmp_path / "city" / "mappings" / "codes"
        codes.mkdir(parents=True)
        (codes / "snapshot_status.csv").write_text(
            "source_code,hub_code,title\nPENDING,pending,待审核\nHANDLING,in_progress,处置中\nDONE,closed,已办结\n",
            "utf-8",
        )
        project.restart()
        project.sync()
        yield project


def test_a_spreadsheet_and_back(project: HubProject, tmp_path: Path) -> None:
    gaps = [gap for gap in list_gaps(project.hub.store) if gap.code_table == "snapshot_status"]
    assert {"PASSED", "BACK"} & {gap.code for gap in gaps}
    unmapped = [row["id"] for row in project.incidents("snapshot", "reports") if row["status"] == "unmapped"]
    rows = [{"code_table": gap.code_table, "source_code": gap.code, "count": gap.count} for gap in gaps]
    sheet = list(csv.DictReader(io.StringIO(spreadsheet(rows).decode("utf-8-sig"))))
    for row in sheet:
        row["hub_code"], row["title"] = "returned", "某状态"
    file = tmp_path / "decided.csv"
    with file.open("w", encoding="gb18030", newline="") as out:  # as a Chinese spreadsheet saves it
        writer = csv.DictWriter(out, sheet[0])
        writer.writeheader()
        writer.writerows(sheet)
    found = approve(project.hub, read_decisions(file))
    assert [path.name for path in found.written] == ["snapshot_status.csv"]
    assert found.remapped[0].run.counts.changed == len(unmapped)
    assert not [gap for gap in list_gaps(project.hub.store) if gap.code_table == "snapshot_status"]
    now = {row["id"]: row["status"] for row in project.incidents("snapshot", "reports")}
    assert {now[incident] for incident in unmapped} == {"returned"}
    text = found.written[0].read_text("utf-8")
    assert "PENDING,pending,待审核" in text, "what was known stays"


def test_a_wrong_decision_changes_nothing(project: HubProject) -> None:
    table = project.hub.own_mappings / "codes" / "snapshot_status.csv"
    before = table.read_bytes()
    with pytest.raises(MappingError, match="none of the hub's codes"):
        approve(project.hub, [Decision("snapshot_status", "PASSED", "opened", "")])
    assert table.read_bytes() == before


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(MappingError, match="no column code_table"):
        read_decisions(file)


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    own = tmp_path / "mappings" / "own"
    (own / "codes").mkdir(parents=True)
    (own / "odd.toml").write_text('version = 1\nkind = "report"\n\n[fields]\ntitle = { paht = "name" }\n')
    (own / "torn.toml").write_text("version = \n")
    (own / "codes" / "twice.csv").write_text("source_code,hub_code,title\n1,pending,a\n1,closed,b\n")
    (tmp_path / "hub.toml").write_text(
        '[sources.good]\nconnector = "csv_drop"\nfolder = "in"\n'
        'files = [{ pattern = "*.csv", stream = "rows", mapping = "no/such" }]\n'
        '[sources.odd]\nconnector = "csv_dorp"\n[sources.late]\nconnector = "csv_drop"\nschedule = "often"\n'
    )
    settings = load(tmp_path / "hub.toml", environment=Environment({}))
    plugins = load_plugins()
    found = list(validate(settings, plugins, [*plugins.mapping_folders, tmp_path / "mappings"]))
    lines = [f"{one.place}: {one.error.render()}" for one in found]
    for said in (
        "late: hub.toml:9: sources.late.schedule is no schedule", "codes/twice.csv:3: ", "own/odd.toml:5: ",
        "fields.title.paht", "own/torn.toml: mapping torn.toml is not TOML",
        "good: stream rows names the mapping no/such",
        "odd: there is no connector csv_dorp; did you mean csv_drop?",
    ):  # fmt: skip
        assert any(said in line for line in lines), "\n".join(lines)
    assert len(found) == 6


def test_the_shipped_mappings_are_in_order(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text("")
    plugins = load_plugins()
    settings = load(tmp_path / "hub.toml", environment=Environment({}))
    assert not list(validate(settings, plugins, plugins.mapping_folders))


def test_the_command_writes_the_table_and_notes_who_did(tmp_path: Path) -> None:
    def hub(*words: str) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "cli", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HUB_LANG": "en"},
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        return run.stdout

    hub("init", ".")
    decided = "code_table,source_code,hub_code,title\nsnapshot_status,NEW,pending,新\n"
    (tmp_path / "decided.csv").write_text(decided, "utf-8")
    assert "no incident waited" in hub("codes", "approve", "decided.csv")
    assert "NEW,pending,新" in (tmp_path / "mappings" / "codes" / "snapshot_status.csv").read_text("utf-8")
    assert "approve codes" in hub("audit", "list")
    assert "nothing is wrong" in hub("validate")
