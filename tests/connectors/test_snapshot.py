"""Snapshot reports: the store equals the truth, one report field by field, every code, photographs and coordinates."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from written import code_table, incident_of, leaks, told, wire_codes

from hub.errors import Outcome
from hub.incident import Attachment, Status
from hub.testing.comparison import assert_store_equals_truth
from hub.testing.project import hub_project
from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.places import gcj02

UNTIL = "2026-11-20T12:00:00"
NAME = "snapshot"


def city(folder: Path) -> Sandbox:
    return Sandbox(seed=6, scale=120, until=UNTIL, directory=folder / "city", systems=[NAME])


def test_first_sync_moves_and_withdrawals(tmp_path: Path, store_url: str) -> None:
    with city(tmp_path) as sandbox, hub_project(tmp_path / "hub", sandbox, store_url) as project:
        for step in range(3):
            (result,) = project.sync(NAME, full_refresh=step == 2)
            assert (result.outcome, str(result.error)) == (Outcome.OK, "None")
            if step != 1:
                assert_store_equals_truth(project, sandbox, NAME)
            sandbox.tick(5)
        rows = project.incidents(NAME, "reports")
        assert {row["deletion"] for row in rows} == {None, "enumeration"}
        assert not leaks(project, NAME, "reports")
        # 19 digits are more than a float holds: the id is the number as it was written.
        assert all(row["native_id"].isdigit() and int(row["native_id"]) > 2**53 for row in rows)
        assert len({row["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("fault", ["shifting_pages", "duplicate_page", "truncated", "bad_encoding", "http_503"])
def test_a_troubled_source_loses_nothing(tmp_path: Path, fault: str) -> None:
    small = {"HUB_SOURCES__SNAPSHOT__PAGE_SIZE": "9"}
    with city(tmp_path) as sandbox, hub_project(tmp_path / "hub", sandbox, environment=small) as project:
        sandbox.fault(NAME, fault, skip=2)
        project.sync(NAME)
        sandbox.clear()
        (result,) = project.sync(NAME)
        assert (result.outcome, str(result.error)) == (Outcome.OK, "None")
        assert_store_equals_truth(project, sandbox, NAME)


def test_an_error_in_200_is_never_no_data(tmp_path: Path) -> None:
    once = {"HUB_DEFAULTS__RETRIES": "0"}
    with city(tmp_path) as sandbox, hub_project(tmp_path / "hub", sandbox, environment=once) as project:
        sandbox.fault(NAME, "error_envelope")
        (result,) = project.sync(NAME)
        assert result.outcome is Outcome.UNAVAILABLE
        assert not project.incidents(NAME, "reports")


def test_the_status_table_is_total() -> None:
    told_there = {code: words[-1] for code, words in wire_codes("`auditStatus`").items()}
    assert {code: rows[0].hub_code for code, rows in code_table("snapshot_status").entries.items()} == told_there
    assert set(told_there.values()) <= set(Status)


def report(**changes: Any) -> dict[str, Any]:
    lon, lat = gcj02(119.637, 29.107)
    record = {
        "reportId": 1859000000004194305,
        "bigClass": "01",
        "smallClass": "2",
        "className": "暴露垃圾",
        "content": "路边有垃圾",
        "photos": ["http://photos.example/1.jpg", "http://photos.example/2.jpg"],
        "lng": f"{lon:.6f}",
        "lat": f"{lat:.6f}",
        "address": "城西街道虚构路1号",
        "townCode": "330702003",
        "anonymous": False,
        "openid": "oTEST0001",
        "nickName": "陈先生",
        "phone": "13800000001",
        "auditStatus": "DONE",
        "auditOpinion": "已清理",
        "points": 10,
        "happenTime": 1795079400000,
        "createTime": 1795079607000,
        "updateTime": 1795129331000,
        "handlePhotos": ["http://photos.example/done.jpg"],
    }
    return record | changes


def test_a_report() -> None:
    incident, people, gaps = incident_of("snapshot/reports", "reports", "1859000000004194305", report())
    assert incident.kind == "report"
    fields = told(incident)
    assert fields.pop("longitude") == pytest.approx(119.637, abs=2e-6)
    assert fields.pop("latitude") == pytest.approx(29.107, abs=2e-6)
    assert fields == {
        "title": "暴露垃圾",
        "description": "路边有垃圾",
        "status": Status.CLOSED,
        "source_status": "DONE",
        "source_status_text": "已办结",
        "category": "0102",
        "source_category": "0102",
        "source_category_text": "暴露垃圾",
        "occurred_at": datetime(2026, 11, 19, 9, 10, tzinfo=UTC),
        "reported_at": datetime(2026, 11, 19, 9, 13, 27, tzinfo=UTC),
        "source_updated_at": datetime(2026, 11, 19, 23, 2, 11, tzinfo=UTC),
        "region": "330702003",
        "town": "330702003",
        "address": "城西街道虚构路1号",
        "source_x": float(report()["lng"]),
        "source_y": float(report()["lat"]),
        "coordinate_system": "GCJ-02",
        "result": "已清理",
        "attachments": [
            Attachment(kind="image", url="http://photos.example/1.jpg", step="上报"),
            Attachment(kind="image", url="http://photos.example/2.jpg", step="上报"),
            Attachment(kind="image", url="http://photos.example/done.jpg", step="处置"),
        ],
    }
    assert people == [{"role": "reporter", "name": "陈先生", "phone": "13800000001", "account": "oTEST0001"}]
    assert not gaps


@pytest.mark.parametrize(
    ("big", "small", "category", "gaps"),
    [("05", "10", "0510", []), ("01", "99", "0199", []), ("06", "1", "unmapped", ["0601"]), ("01", "", None, [])],
)
def test_class_and_sub_class_make_the_category(big: str, small: str, category: str | None, gaps: list[str]) -> None:
    incident, people, found = incident_of(
        "snapshot/reports", "reports", "1", report(bigClass=big, smallClass=small, anonymous=True, phone=None)
    )
    assert (incident.category, found) == (category, gaps)
    assert "phone" not in people[0]
