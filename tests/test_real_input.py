"""Records nobody here wrote: 500 requests to the 311 line of Los Angeles, as dropped files and as Open311.

See tests/data/README.md for their source.
"""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from georeport_server import Served, georeport_server

from hub.errors import Outcome
from hub.mapping.columns import MAPPED_COLUMNS
from hub.testing.project import HubProject, hub_project

SAMPLE = Path(__file__).parent / "data" / "la311_sample.csv"
ROWS = list(csv.DictReader(SAMPLE.read_text("utf-8").splitlines()))

#: What GeoReport has no field for: how a request came in, and when it was closed.
NOT_IN_GEOREPORT = {"channel", "closed_at"}

HUB_TOML = """
[sources.la311_files]
connector = "csv_drop"
folder = "drop"
settle = "0.01s"
[[sources.la311_files.files]]
pattern = "la311_*.csv"
stream = "requests"
mapping = "la311/requests"
zone = "America/Los_Angeles"
encoding = "utf-8"

[sources.la311_json]
connector = "open311"
base_url = "{url}"
mapping = "la311/georeport"
start = "2010-01-01"

[sources.la311_xml]
connector = "open311"
base_url = "{url}"
mapping = "la311/georeport"
format = "xml"
start = "2010-01-01"
"""
SOURCES = ("la311_files", "la311_json", "la311_xml")


@pytest.fixture
def served() -> Iterator[Served]:
    with georeport_server(ROWS) as served:
        yield served


@pytest.fixture
def project(tmp_path: Path, served: Served, store_url: str) -> Iterator[HubProject]:
    folder = tmp_path / "hub"
    (folder / "drop").mkdir(parents=True)
    shutil.copy(SAMPLE, folder / "drop")
    with hub_project(folder, HUB_TOML.format(url=served.url), store_url) as project:
        yield project


def by_number(project: HubProject, source: str) -> dict[str, dict[str, Any]]:
    return {row["native_id"]: row for row in project.incidents(source, "requests")}


def truth_ms(text: str) -> int | None:
    """Epoch ms of a published time, read here by hand: `1/2/20 8:43` in Los Angeles."""
    if not text:
        return None
    date, time = text.split()
    month, day, year = date.split("/")
    hour, minute = time.split(":")
    local = datetime(
        2000 + int(year), int(month), int(day), int(hour), int(minute), tzinfo=ZoneInfo("America/Los_Angeles")
    )
    return int(local.astimezone(UTC).timestamp()) * 1000


def test_files_and_both_forms_of_open311_give_the_same(project: HubProject, served: Served) -> None:
    results = {result.source: result for result in project.sync()}
    assert {name: results[name].outcome for name in SOURCES} == dict.fromkeys(SOURCES, Outcome.OK)
    files, json, xml = (by_number(project, name) for name in SOURCES)
    assert len(files) == len(json) == len(xml) == 500
    assert files.keys() == json.keys() == xml.keys() == {f'"{row["srnumber"]}"' for row in ROWS}
    carried = [name for name in MAPPED_COLUMNS if name not in NOT_IN_GEOREPORT]
    for number, record in files.items():
        for name in carried:
            assert record[name] == json[number][name] == xml[number][name], (number, name)
    assert not {row["id"] for row in files.values()} & {row["id"] for row in json.values()}
    assert not {row["id"] for row in json.values()} & {row["id"] for row in xml.values()}


def test_times_are_right_to_the_second_in_utc(project: HubProject) -> None:
    project.sync("la311_files", "la311_json")
    for source in ("la311_files", "la311_json"):
        found = by_number(project, source)
        for row in ROWS:
            record = found[f'"{row["srnumber"]}"']
            assert record["occurred_at"] == record["reported_at"] == truth_ms(row["createddate"])
            assert record["source_updated_at"] == truth_ms(row["updateddate"])
            assert record["due_at"] == truth_ms(row["servicedate"])
            place = tuple(float(row[name]) if row[name] else None for name in ("longitude", "latitude"))
            assert (record["source_x"], record["source_y"]) == place
            assert (record["longitude"], record["latitude"]) == pytest.approx(place, abs=1e-7)
            assert record["flags"] is None
    first = by_number(project, "la311_files")['"1-1523590121"']
    assert first["occurred_at"] == int(datetime(2020, 1, 1, 8, 5, tzinfo=UTC).timestamp() * 1000)
    assert (first["status"], first["category"], first["unit"]) == ("closed", "0103", "BOS")


STATUS = {"Open": "accepted", "Pending": "pending", "Closed": "closed", "Cancelled": "cancelled"}
CATEGORY = {
    "Bulky Items": "0108",
    "Metal/Household Appliances": "0108",
    "Electronic Waste": "0108",
    "Illegal Dumping Pickup": "0103",
    "Graffiti Removal": "0201",
    "Dead Animal Removal": "0117",
    "Homeless Encampment": "0502",
}
#: Nothing in GB/T 30428's event classes or in the hub's statuses is the same, and we do not guess.
GAPS = {
    "la311_status": {"Referred Out"},
    "la311_request_types": {
        "Other", "Single Streetlight Issue", "Multiple Streetlight Issue", "Report Water Waste",
    },
}  # fmt: skip


def test_every_code_is_mapped_or_listed(project: HubProject) -> None:
    results = {result.source: result for result in project.sync()}
    for source in SOURCES:
        found = by_number(project, source)
        for row in ROWS:
            record = found[f'"{row["srnumber"]}"']
            assert record["status"] == STATUS.get(row["status"], "unmapped")
            assert record["source_status"] == row["status"]
            assert record["category"] == CATEGORY.get(row["requesttype"], "unmapped")
            assert record["source_category"] == row["requesttype"]
        with project.hub.store.read() as transaction:
            listed = {
                (table, code): count
                for table, code, count in transaction.all(
                    "SELECT code_table, code, count FROM code_gap WHERE source = ?", (source,)
                )
            }
        wanted = Counter(("la311_status", row["status"]) for row in ROWS if row["status"] not in STATUS)
        wanted += Counter(
            ("la311_request_types", row["requesttype"]) for row in ROWS if row["requesttype"] not in CATEGORY
        )
        assert listed == dict(wanted)
        assert {code for _, code in listed} == set().union(*GAPS.values())
        assert results[source].counts.unmapped == sum(wanted.values())


def test_the_sample_holds_every_code(project: HubProject) -> None:
    """Every code of the two tables occurs in the sample, so nothing above passes for want of a record."""
    tables = project.hub.mappings.get("la311/requests").tables
    assert set(tables["la311_status"].entries) == {row["status"] for row in ROWS}
    assert set(tables["la311_request_types"].entries) == {row["requesttype"] for row in ROWS}


def test_reading_again_changes_nothing(project: HubProject, served: Served) -> None:
    project.sync()
    before = len(served.asked)
    again = project.sync()
    assert {result.source: (result.counts.new, result.counts.changed) for result in again} == dict.fromkeys(
        SOURCES, (0, 0)
    )
    # The lookback only: not the whole city once more.
    assert len(served.asked) - before < 12
    full = project.sync("la311_json", full_refresh=True)[0]
    assert (full.outcome, full.counts.new, full.counts.changed, full.counts.tombstoned) == (Outcome.OK, 0, 0, 0)


def test_the_bare_standard_without_updated_after(tmp_path: Path, served: Served) -> None:
    toml = f"""
[sources.city]
connector = "open311"
base_url = "{served.url}"
mapping = "la311/georeport"
filter = "start_date"
earliest = "2019-12-01T00:00:00Z"
span = "30d"
lookback = "28d"
start = "2019-12-20"
"""
    with hub_project(tmp_path / "hub", toml) as project:
        # The server's clock is today's: keep the number of windows small by asking for a while only.
        result = project.sync("city", full_refresh=True)[0]
        assert (result.outcome, result.counts.new) == (Outcome.OK, 500)
        assert {"start_date", "end_date"} <= served.asked[0].keys()
        assert not any("updated_after" in query for query in served.asked)
        again = project.sync("city")[0]
        assert (again.outcome, again.counts.new, again.counts.changed) == (Outcome.OK, 0, 0)
