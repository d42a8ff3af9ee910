"""Dropped files: every kind is read once and right, what cannot be read is set aside and said, zones are per file."""

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner
from written import code_table, incident_of, leaks, told

import cli
from hub.clock import now_ms
from hub.errors import Outcome
from hub.incident import Flag, Status
from hub.store.files import forget_files, list_files_aside
from hub.store.overview import stream_overviews
from hub.store.quarantine import list_quarantine
from hub.sync.reconcile import reconcile
from hub.sync.result import RunResult
from hub.testing.comparison import assert_store_equals_truth
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
HEADER = "事件编号,街道,类别,类别名称,描述,状态,发生时间,更新时间,经度,纬度,上报人,联系电话,处置单位"


def line(number: int, *, status: str = "处置中", updated: str = "2026-11-20 07:02:11", **columns: str) -> str:
    values = {
        "事件编号": f"JD-{number:06d}", "街道": "城西街道", "类别": "0102", "类别名称": "暴露垃圾", "描述": "垃圾一堆",
        "状态": status, "发生时间": "2026-11-19 17:10:00", "更新时间": updated, "经度": "119.637000",
        "纬度": "29.107000",
        "上报人": "陈测试", "联系电话": "13800000001", "处置单位": "婺城区综合行政执法局", **columns,
    }  # fmt: skip
    return ",".join(values.values())


def text(*lines: str) -> str:
    return "\r\n".join([HEADER, *lines, ""])


# -- the sandbox's folder -------------------------------------------------------------------------------------------


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed=5, scale=150, systems=["csv_drop"], until=UNTIL, directory=tmp_path / "city") as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, store_url: str) -> Iterator[HubProject]:
    quick = {"HUB_SOURCES__CSV_DROP__SETTLE": "0.05s"}
    with hub_project(tmp_path / "hub", sandbox, store_url, quick) as project:
        yield project


def test_every_kind_of_file_is_read_once(project: HubProject, sandbox: Sandbox) -> None:
    (first,) = project.sync()
    assert_store_equals_truth(project, sandbox, "csv_drop")
    assert first.outcome is Outcome.PARTIAL, "a summary nobody declared lies in the folder"
    assert [file.reason for file in list_files_aside(project.hub.store)] == ["fits no pattern"]
    (again,) = project.sync()
    assert (again.outcome, again.counts.fetched) == (Outcome.OK, 0)
    for steps in (1, 3, 6):
        sandbox.tick(steps)
        (moved,) = project.sync()
        assert moved.outcome is Outcome.OK
        assert moved.counts.new + moved.counts.changed == moved.counts.fetched > 0
        assert_store_equals_truth(project, sandbox, "csv_drop")
    (whole,) = project.sync(full_refresh=True)
    assert (whole.outcome, whole.counts.fetched, whole.counts.tombstoned) == (Outcome.OK, 0, 0)
    assert leaks(project, "csv_drop", "street_events") == []


def test_broken_files_are_set_aside_and_hurt_no_other(project: HubProject, sandbox: Sandbox) -> None:
    sandbox.fault("csv_drop", "broken_file")
    sandbox.fault("csv_drop", "broken_file", kind="xlsx")
    sandbox.tick()
    (result,) = project.sync()
    assert result.outcome is Outcome.PARTIAL
    assert_store_equals_truth(project, sandbox, "csv_drop")
    reasons = sorted(file.reason for file in list_files_aside(project.hub.store))
    assert len(reasons) == 3
    assert reasons[0].startswith("cannot be decoded as utf-8")
    assert reasons[1] == "fits no pattern"
    assert reasons[2].startswith("is no readable spreadsheet")


# -- a folder of one's own ------------------------------------------------------------------------------------------

TOML = """
[sources.drop]
connector = "csv_drop"
folder = "drop"
settle = "{settle}"
[[sources.drop.files]]
pattern = "*_east_*.csv"
stream = "street_events"
mapping = "street_events"
zone = "Asia/Shanghai"
encoding = "utf-8"
[[sources.drop.files]]
pattern = "*_west_*.csv"
stream = "street_events"
mapping = "street_events"
zone = "Asia/Shanghai"
encoding = "gbk"
[[sources.drop.files]]
pattern = "*_utc_*"
stream = "street_events"
mapping = "street_events"
zone = "UTC"
[[sources.drop.files]]
pattern = "*_la_*.csv"
stream = "street_events"
mapping = "street_events"
zone = "America/Los_Angeles"
"""


class Folder:
    """A drop folder, and the hub that reads it."""

    def __init__(self, folder: Path, settle: str = "0.02s") -> None:
        self.path = folder / "drop"
        self.path.mkdir(parents=True)
        self.project = hub_project(folder, TOML.format(settle=settle))
        self._clock = time.time() - 10_000

    def put(self, name: str, content: str | bytes) -> Path:
        """A file, younger than those before it."""
        path = self.path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self._clock += 10
        os.utime(path, (self._clock, self._clock))
        return path

    def sync(self, outcome: Outcome = Outcome.OK) -> RunResult:
        (result,) = self.project.sync()
        assert (result.outcome, str(result.error)) == (outcome, "None")
        return result

    def rows(self) -> dict[str, dict[str, Any]]:
        return {json.loads(row["native_id"]): row for row in self.project.incidents("drop", "street_events")}

    def aside(self) -> dict[str, str]:
        return {file.name: file.reason for file in list_files_aside(self.project.hub.store, source="drop")}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "hub")
    with folder.project:
        yield folder


def spreadsheet(path: Path, *lines: str) -> bytes:
    book = openpyxl.Workbook()
    for one in (HEADER, *lines):
        book.active.append(one.split(","))
    book.save(path)
    book.close()
    return path.read_bytes()


def test_bom_gbk_and_spreadsheet_say_the_same(folder: Folder, tmp_path: Path) -> None:
    folder.put("a_east_1.csv", text(line(1)).encode("utf-8-sig"))
    folder.put("a_west_1.csv", text(line(2)).encode("gbk"))
    utc = line(3, updated="2026-11-19 23:02:11").replace("2026-11-19 17:10:00", "2026-11-19 09:10:00")
    folder.put("a_utc_1.xlsx", spreadsheet(tmp_path / "book.xlsx", utc))
    folder.put("a_utc_2.csv", text(utc.replace("JD-000003", "JD-000004")).encode("utf-8"))
    assert folder.sync().counts.new == 4
    rows = folder.rows()
    values = [{key: value for key, value in row.items() if key not in ("id", "native_id")} for row in rows.values()]
    assert all(value == values[0] for value in values)
    assert values[0]["occurred_at"] == int(datetime(2026, 11, 19, 9, 10, tzinfo=UTC).timestamp() * 1000)


def test_a_file_that_fits_none_or_two_is_set_aside_whole(folder: Folder) -> None:
    folder.put("notes.txt", "anything")
    folder.put("a_east_west_1.csv", text(line(1)))
    folder.put("a_east_1.csv", text(line(2)))
    assert folder.sync(Outcome.PARTIAL).counts.new == 1
    assert folder.rows().keys() == {"JD-000002"}
    assert folder.aside() == {
        "notes.txt": "fits no pattern",
        "a_east_west_1.csv": "fits several patterns: *_east_*.csv, *_west_*.csv",
    }
    assert (folder.path / "notes.txt").read_text() == "anything", "nothing is touched"
    # Said once; the next run is clean.
    assert folder.sync().counts.fetched == 0


def test_files_cannot_be_compared_again(folder: Folder) -> None:
    """They are read once: a second look that shows nothing must not be taken for a difference."""
    folder.put("a_east_1.csv", text(line(1)))
    folder.sync()
    hub = folder.project.hub
    with hub.open("drop") as source:
        found = reconcile(hub.store, hub.job(source, source.streams[0]), since=None, until=None)
    assert (found.outcome, found.extra_count) == (Outcome.MISCONFIGURED, 0)


def test_the_operator_sees_files_set_aside_and_tries_them_again(folder: Folder) -> None:
    folder.put("notes.txt", "anything")
    folder.sync(Outcome.PARTIAL)
    assert stream_overviews(folder.project.hub.store, now_ms())["drop", "street_events"].quarantined == 1
    arguments = ["quarantine", "list", "--config", str(folder.project.config), "--output", "json"]
    answer = CliRunner(env={**folder.project.environment, "HUB_LANG": "en"}).invoke(cli.hub, arguments)
    (entry,) = [json.loads(found) for found in answer.stdout.splitlines()]
    assert (entry["source"], entry["stream"], entry["native_id"]) == ("drop", "street_events", "notes.txt")
    assert entry["reason"] == "fits no pattern"
    assert forget_files(folder.project.hub.store, "drop") == 1
    assert folder.aside() == {}
    folder.sync(Outcome.PARTIAL)
    assert folder.aside() == {"notes.txt": "fits no pattern"}


def test_content_is_what_is_remembered(folder: Folder) -> None:
    content = text(line(1))
    folder.put("a_east_1.csv", content)
    assert folder.sync().counts.new == 1
    folder.put("b_east_1.csv", content)
    assert folder.sync().counts.fetched == 0, "the same content under another name"
    folder.put("a_east_1.csv", text(line(1, status="已结案", updated="2026-11-20 08:00:00"), line(2)))
    result = folder.sync()
    assert (result.counts.new, result.counts.changed) == (1, 1), "the same name with other content"
    assert folder.rows()["JD-000001"]["status"] == "closed"


def test_the_newest_version_wins_in_whatever_order_files_come(folder: Folder) -> None:
    folder.put("a_east_2.csv", text(line(1, status="已结案", updated="2026-11-20 09:00:00")))
    folder.sync()
    folder.put("a_east_1.csv", text(line(1, status="处置中", updated="2026-11-20 08:00:00")))
    assert folder.sync().counts.stale == 1
    assert folder.rows()["JD-000001"]["status"] == "closed"


def test_files_are_applied_oldest_first_whichever_is_finished_first(folder: Folder) -> None:
    """Without times of change the later file counts, also where only it says that it is done."""
    folder.put("a_east_1.csv", text(line(1, updated="", status="待受理")))
    folder.put("a_east_2.csv", text(line(1, updated="", status="已结案")))
    folder.put("a_east_2.csv.done", "")
    folder.sync()
    assert (folder.rows()["JD-000001"]["status"], folder.rows()["JD-000001"]["revision"]) == ("closed", 2)


def test_a_half_written_file_waits(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "hub", settle="0.3s")
    with folder.project:
        path = folder.put("a_east_1.csv", text(line(1)))
        stop = threading.Event()

        def grow() -> None:
            number = 2
            while not stop.wait(0.02):
                with path.open("a", encoding="utf-8") as file:
                    file.write(line(number) + "\r\n")
                number += 1

        writer = threading.Thread(target=grow)
        writer.start()
        try:
            assert folder.sync().counts.fetched == 0
        finally:
            stop.set()
            writer.join()
        written = len(path.read_text("utf-8").splitlines()) - 1
        assert folder.sync().counts.new == written


def test_done_ends_the_waiting(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "hub", settle="1h")
    with folder.project:
        folder.put("a_east_1.csv", text(line(1)))
        folder.put("a_east_1.csv.done", "")
        assert folder.sync().counts.new == 1
        for name in ("b_east_1.csv.part", ".b_east_1.csv", "~b_east_1.csv"):
            folder.put(name, text(line(2)))
        assert folder.sync().counts.fetched == 0


def test_a_ragged_row_is_quarantined_and_the_others_are_read(folder: Folder) -> None:
    folder.put("a_east_1.csv", text(line(1), line(2) + ",zuviel", "JD-000003,城西街道", line(4)))
    result = folder.sync(Outcome.PARTIAL)
    assert (result.counts.fetched, result.counts.new, result.counts.quarantined) == (4, 2, 2)
    assert folder.rows().keys() == {"JD-000001", "JD-000004"}
    reasons = sorted(entry.reason for entry in list_quarantine(folder.project.hub.store))
    assert reasons == ["row 2: 14 fields where the header has 13", "row 3: 2 fields where the header has 13"]


def test_a_bad_value_and_a_missing_id_are_quarantined(folder: Folder) -> None:
    folder.put(
        "a_east_1.csv",
        text(
            line(1, updated="2026-02-30 25:61:00"), line(2).replace("JD-000002", ""), line(3, 经度="far east"), line(4)
        ),
    )
    result = folder.sync(Outcome.PARTIAL)
    assert (result.counts.new, result.counts.quarantined) == (1, 3)


def test_a_file_without_a_mapped_column(folder: Folder) -> None:
    """The header decides for every row: each is quarantined with the missing key's name."""
    content = text(line(1)).replace("状态", "现状")
    folder.put("a_east_1.csv", content)
    folder.sync(Outcome.PARTIAL)
    (entry,) = list_quarantine(folder.project.hub.store)
    assert entry.reason == "状态: missing"


def test_many_rows_come_in_several_pages(folder: Folder) -> None:
    folder.put("a_east_1.csv", text(*(line(number) for number in range(1, 2502))))
    folder.sync()
    assert len(folder.rows()) == 2501


# -- zones ----------------------------------------------------------------------------------------------------------

ZONES = {"east": "2026-11-19T23:02:11", "utc": "2026-11-20T07:02:11", "la": "2026-11-20T15:02:11"}


def test_each_kind_of_file_has_its_own_zone(folder: Folder) -> None:
    for number, kind in enumerate(ZONES, 1):
        folder.put(f"a_{kind}_1.csv", text(line(number)))
    folder.sync()
    for number, expected in enumerate(ZONES.values(), 1):
        wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC)
        row = folder.rows()[f"JD-{number:06d}"]
        assert row["source_updated_at"] == int(wanted.timestamp() * 1000)
        assert row["flags"] is None


#: Los Angeles changed its clocks on 8 March and 1 November 2026, at two in the morning.
CLOCK_CHANGES = {
    "2026-03-08 01:59:59": ("2026-03-08T09:59:59", False),
    "2026-03-08 02:30:00": ("2026-03-08T10:30:00", True),
    "2026-03-08 03:00:00": ("2026-03-08T10:00:00", False),
    "2026-11-01 00:59:59": ("2026-11-01T07:59:59", False),
    "2026-11-01 01:30:00": ("2026-11-01T08:30:00", True),
    "2026-11-01 02:00:00": ("2026-11-01T10:00:00", False),
}


def test_times_in_a_clock_change_are_flagged(folder: Folder) -> None:
    """A time that never was, or was twice, takes the first reading and says so."""
    folder.put("a_la_1.csv", text(*(line(number, updated=time) for number, time in enumerate(CLOCK_CHANGES, 1))))
    folder.put("a_east_1.csv", text(line(9, updated="2026-03-08 02:30:00")))
    folder.sync()
    rows = folder.rows()
    for number, (expected, doubtful) in enumerate(CLOCK_CHANGES.values(), 1):
        row = rows[f"JD-{number:06d}"]
        wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC)
        assert row["source_updated_at"] == int(wanted.timestamp() * 1000)
        assert json.loads(row["flags"] or "[]") == ([Flag.TIME_AMBIGUOUS] if doubtful else [])
    assert rows["JD-000009"]["flags"] is None


# -- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ('zone = "UTC"', 'zone = "Asia/Wucheng"', "Asia/Wucheng"),
        ('mapping = "street_events"', 'mapping = "street_event"', "street_event"),
        ('encoding = "gbk"', 'encodings = "gbk"', "encodings"),
        ('folder = "drop"', 'folder = "nowhere"', "nowhere"),
    ],
    ids=["zone", "mapping", "unknown key", "folder"],
)
def test_a_wrong_setting_is_named(tmp_path: Path, before: str, after: str, named: str) -> None:
    folder = Folder(tmp_path / "hub")
    folder.project.hub.store.close()
    folder.put("a_utc_1.csv", text(line(1)))
    toml = TOML.format(settle="0.02s").replace(before, after)
    with hub_project(tmp_path / "hub", toml) as project:
        (result,) = project.sync()
        assert result.outcome in (Outcome.MISCONFIGURED, Outcome.UNAVAILABLE)
        assert named in str(result.error)


# -- one row, field by field ----------------------------------------------------------------------------------------


def test_a_street_event_field_by_field() -> None:
    record = dict(zip(HEADER.split(","), line(123).split(","), strict=True))
    incident, people, gaps = incident_of("street_events", "street_events", '"JD-000123"', record)
    assert incident.kind == "grid_event"
    assert told(incident) == {
        "status": Status.IN_PROGRESS,
        "source_status": "处置中",
        "source_status_text": "处置中",
        "title": "暴露垃圾",
        "description": "垃圾一堆",
        "category": "0102",
        "source_category": "0102",
        "source_category_text": "暴露垃圾",
        "occurred_at": datetime(2026, 11, 19, 9, 10, tzinfo=UTC),
        "source_updated_at": datetime(2026, 11, 19, 23, 2, 11, tzinfo=UTC),
        "region": "330702003",
        "town": "330702003",
        "longitude": 119.637,
        "latitude": 29.107,
        "source_x": 119.637,
        "source_y": 29.107,
        "coordinate_system": "WGS-84",
        "unit": "婺城区综合行政执法局",
    }
    assert people == [{"role": "reporter", "name": "陈测试", "phone": "13800000001"}]
    assert gaps == []
    empty = record | {"经度": "", "纬度": "", "街道": "无此街道", "状态": "协商中"}
    incident, _, gaps = incident_of("street_events", "street_events", '"JD-000123"', empty)
    assert (incident.longitude, incident.region, incident.status) == (None, None, Status.UNMAPPED)
    assert sorted(gaps) == ["协商中", "无此街道"]


def test_every_state_of_the_wire_is_in_the_table_and_no_other() -> None:
    assert {code: rows[0].hub_code for code, rows in code_table("street_events_status").entries.items()} == {
        "待受理": "pending", "待派遣": "accepted", "处置中": "in_progress", "待核查": "awaiting_review",
        "已结案": "closed", "作废": "cancelled",
    }  # fmt: skip
