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
from hub.errors import MappingError, Outcome
from hub.mapping.decisions import Decision, read_decisions, spreadsheet
from hub.mapping.definition import mistakes
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


def test_a_broken_table_among_those_decided_changes_nothing(project: HubProject) -> None:
    table = project.hub.own_mappings / "codes" / "snapshot_status.csv"
    before = table.read_bytes()
    (table.parent / "snapshot_place.csv").write_text("1,pending,a\n", "utf-8")
    project.restart()
    with pytest.raises(MappingError, match="has no column source_code"):
        approve(project.hub, [Decision(name, "PASSED", "closed", "") for name in ("snapshot_status", "snapshot_place")])
    assert table.read_bytes() == before


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(MappingError, match="no column code_table"):
        read_decisions(file)


def test_a_broken_table_stops_only_the_mappings_that_use_it(tmp_path: Path) -> None:
    with (
        Sandbox(systems=["snapshot", "open311"], scale=80, until="2026-11-20T12:00:00", directory=tmp_path) as sandbox,
        hub_project(tmp_path / "hub", sandbox) as project,
    ):
        table = project.hub.own_mappings / "codes" / "snapshot_status.csv"
        table.parent.mkdir(parents=True)
        table.write_text("source_code,hub_code,title\nNEW,pending,a\nNEW,closed,b\n", "utf-8")
        project.restart()
        ended = {run.source: run for run in project.sync()}
        assert ended["open311"].outcome is Outcome.OK
        error = ended["snapshot"].error
        assert isinstance(error, MappingError)
        assert str(error) == (
            "snapshot/reports: code table snapshot_status.csv, line 3: code NEW stands twice;"
            " the mapping snapshot/reports needs it; `hub validate` lists every broken table"
        )
        table.write_text("source_code,hub_code,title\nNEW,pending,a\n", "utf-8")
        ended = {run.source: run for run in project.sync()}
        assert ended["snapshot"].outcome is Outcome.OK, "put right, it counts at the next run"


HUB = """[sources.good]
connector = "csv_drop"
folder = "in"
files = [{ pattern = "*.csv", stream = "rows", mapping = "no/such" }]
[sources.odd]
connector = "csv_dorp"
[sources.late]
connector = "csv_drop"
schedule = "often"
[sources.city]
connector = "open311"
base_url = "https://311.example"
mapping = "own/gone"
[sources.extra]
connector = "open311"
base_uri = "https://311.example"
[sources.drop]
connector = "csv_drop"
folder = "in"
files = [{ pattern = "*.csv", stream = "rows", mapping = "street_events", encodng = "gbk" }]
"""
HEAD = 'version = 1\nkind = "report"\n\n[fields]\n'
#: File → its text, and what is said of it, with the line.
MISTAKES = {
    "own/a.toml": (f'{HEAD}titel = "name"', "5: mapping a.toml: fields.titel: no field of the incident; did you mean title?"),
    "own/b.toml": (f'{HEAD}title = {{ paht = "name" }}', "5: mapping b.toml: fields.title.paht: not a key here; did you mean"),
    "own/c.toml": ('version = 1\nkind = "reports"\n', "2: mapping c.toml: kind: must be one of "),
    "own/d.toml": ("version = 1\nkind = \n", "2: mapping d.toml is not TOML"),
    "own/e.toml": (f'{HEAD}unit = {{ path = "u", codes = "nowhere" }}', "5: unknown code table nowhere"),
    "own/f.toml": (f'{HEAD}unit = {{ path = "u", transform = "upside_down" }}', "5: unknown transform upside_down"),
    "own/g.toml": (f'{HEAD}occurred_at = {{ path = "t", zone = "Asia/Shangai" }}', "5: unknown time zone Asia/Shangai"),
    "own/h.toml": (f'{HEAD}title = "t"\nstatus = "state"', "6: a status needs `codes`"),
    "own/j.toml": (f'{HEAD}title = "t"\n[[steps]]\nwho = "w"', "7: mapping j.toml: steps.0.who: unknown key; one of "),
    "codes/worded.csv": ("source_code,hub_code,title\n1,pending,a\n2,opened,b", "3: code table worded.csv, line 3: opened"),
    "codes/twice.csv": ("source_code,hub_code,title\n1,pending,a\n1,closed,b", "3: code table twice.csv, line 3: code 1"),
    "codes/dated.csv": ("source_code,hub_code,title,valid_from\n1,pending,a,soon", "2: code table dated.csv, line 2: not a"),
    "codes/brief.csv": ("source_code,hub_code,title,valid_from\n1,pending,a,1/5/26", "2: code table brief.csv, line 2: not a"),
    "codes/unlike.csv": ("source_code,hub_code,title\n1,pending,a\n2,pend\ring,b", "3: code table unlike.csv, line 3: not CSV"),
    "codes/headless.csv": ("1,pending,a\n", " code table headless.csv has no column source_code"),
}  # fmt: skip
#: Mappings that are right but for a table of theirs; what is wrong is said once, of the table.
USERS = {"own/k.toml": "worded", "own/l.toml": "twice"}
IN_HUB_TOML = (
    "late: hub.toml:9: sources.late.schedule is no schedule",
    "hub.toml:4: stream rows names the mapping no/such",
    "hub.toml:6: there is no connector csv_dorp; did you mean csv_drop?",
    "hub.toml:13: stream requests names the mapping own/gone",
    "extra: hub.toml:16: sources.extra.base_uri is not a setting; did you mean base_url?",
    "extra: hub.toml:16: sources.extra.base_url is missing; base_uri stands there: did you mean base_url?",
    "drop: hub.toml:20: sources.drop.files.0.encodng is not a setting; did you mean encoding?",
)


def test_every_mistake_has_its_place(tmp_path: Path) -> None:
    users = {name: f'{HEAD}status = {{ path = "s", codes = "{table}" }}' for name, table in USERS.items()}
    for name, text in {**users, **{name: text for name, (text, _) in MISTAKES.items()}}.items():
        path = tmp_path / "mappings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", "utf-8")
    (tmp_path / "hub.toml").write_text(HUB)
    settings = load(tmp_path / "hub.toml", environment=Environment({}))
    plugins = load_plugins()
    found = list(validate(settings, plugins, [*plugins.mapping_folders, tmp_path / "mappings"]))
    lines = [f"{one.place}: {one.error.render()}" for one in found]
    wanted = [*IN_HUB_TOML, *(f"{name}:{said}" for name, (_, said) in MISTAKES.items())]
    for said in wanted:
        assert len([line for line in lines if line.startswith(said)]) == 1, "\n".join([said, "is not in", *lines])
    assert len(found) == len(wanted), "\n".join(lines)


def test_every_wrong_key_of_a_mapping_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "many.toml"
    path.write_text('version = 0\nkind = "report"\n[fields]\ntitel = "a"\naddres = "b"\n')
    said = [error.render() for error in mistakes(path)]
    assert [line.split(":")[1].strip() for line in said] == ["version", "fields.titel", "fields.addres"]


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
