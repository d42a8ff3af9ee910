"""Open311 GeoReport v2: the store equals the truth in both forms, one id in both, and a refusal is never no data."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from written import code_table, incident_of, told

from connectors.open311 import Open311, Open311Config, request_record
from hub.errors import Outcome
from hub.incident import Attachment, Status
from hub.source import xml_to_flat
from hub.sync.result import RunResult
from hub.testing.comparison import assert_store_equals_truth, differences
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
FORMATS = ("json", "xml")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed=2, scale=150, systems=["open311"], until=UNTIL, directory=tmp_path / "city") as sandbox:
        yield sandbox


def project_of(folder: Path, sandbox: Sandbox, store_url: str = "", **settings: str) -> HubProject:
    variables = {f"HUB_SOURCES__OPEN311__{name.upper()}": value for name, value in settings.items()}
    return hub_project(folder / "hub", sandbox, store_url, variables)


def sync(project: HubProject, **options: Any) -> RunResult:
    (result,) = project.sync(**options)
    assert (result.outcome, str(result.error)) == (Outcome.OK, "None")
    return result


def lost(project: HubProject, sandbox: Sandbox) -> list[str]:
    """Differences, but for withdrawals: only a whole enumeration shows those."""
    return [line for line in differences(project, sandbox, "open311") if "withdrawn upstream" not in line]


# -- the store equals the truth -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_first_sync_moves_and_withdrawals(tmp_path: Path, sandbox: Sandbox, store_url: str, form: str) -> None:
    with project_of(tmp_path, sandbox, store_url, format=form) as project:
        assert sync(project).counts.new > 100
        assert_store_equals_truth(project, sandbox, "open311")
        again = sync(project)
        assert (again.counts.new, again.counts.changed) == (0, 0)
        for steps in (1, 4, 12):
            sandbox.tick(steps)
            assert sync(project).counts.changed > 0
            assert not lost(project, sandbox)
        whole = sync(project, full_refresh=True)
        assert (whole.counts.new, whole.counts.changed) == (0, 0)
        assert whole.counts.tombstoned > 0
        assert_store_equals_truth(project, sandbox, "open311")


@pytest.mark.parametrize("page_size", ["1", "7"])
def test_small_pages_late_rows_and_equal_times(tmp_path: Path, sandbox: Sandbox, page_size: str) -> None:
    with project_of(tmp_path, sandbox, page_size=page_size) as project:
        for _ in range(6):
            sync(project)
            sandbox.tick()
        sync(project)
        assert not lost(project, sandbox)


def test_pages_that_shift_and_repeat_lose_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    with project_of(tmp_path, sandbox, page_size="10") as project:
        sandbox.fault("open311", "shifting_pages", times=4)
        sync(project)
        sandbox.fault("open311", "duplicate_page", times=2, skip=1)
        sync(project, full_refresh=True)
        sandbox.clear()
        sync(project)
        assert not lost(project, sandbox)


def test_a_reading_in_parts_while_the_city_moves(tmp_path: Path, sandbox: Sandbox) -> None:
    with project_of(tmp_path, sandbox, page_size="20") as project:
        for _ in range(30):
            if sync(project, limit=20).counts.fetched < 20:
                break
            sandbox.tick()
        sync(project)
        sync(project, full_refresh=True)
        assert_store_equals_truth(project, sandbox, "open311")


def test_a_server_that_filters_on_requests_only(tmp_path: Path, sandbox: Sandbox) -> None:
    """The bare standard: windows of start_date and end_date, newest first, no time of change."""
    settings = {"filter": "start_date", "earliest": "2026-06-01T00:00:00Z", "span": "P30D", "lookback": "P120D"}
    with project_of(tmp_path, sandbox, page_size="25", start="2026-06-01", **settings) as project:
        sync(project)
        assert_store_equals_truth(project, sandbox, "open311")
        sandbox.tick(12)
        sync(project)
        assert_store_equals_truth(project, sandbox, "open311")


def test_an_incident_is_the_same_in_both_formats(tmp_path: Path, sandbox: Sandbox) -> None:
    with project_of(tmp_path, sandbox) as project:
        sync(project)
        before = {row["id"]: row for row in project.incidents("open311", "requests")}
        project.restart(HUB_SOURCES__OPEN311__FORMAT="xml")
        whole = sync(project, full_refresh=True)
        assert (whole.counts.new, whole.counts.changed, whole.counts.tombstoned) == (0, 0, 0)
        assert {row["id"]: row for row in project.incidents("open311", "requests")} == before


def test_nonsense_goes_to_quarantine_and_the_rest_is_right(tmp_path: Path, sandbox: Sandbox) -> None:
    sandbox.fault("open311", "absurd")
    with project_of(tmp_path, sandbox, page_size="10") as project:
        (result,) = project.sync()
        assert result.outcome is Outcome.PARTIAL
        assert result.counts.quarantined > 0
        assert_store_equals_truth(project, sandbox, "open311")


# -- refusals -------------------------------------------------------------------------------------------------------

REFUSED = {
    "wrong key": ({"api_key": "k-7d31f0"}, Outcome.REFUSED, "api_key"),
    "wrong jurisdiction": ({"jurisdiction_id": "elsewhere.example"}, Outcome.FAILED, "jurisdiction_id was not found"),
    "no jurisdiction": ({"jurisdiction_id": ""}, Outcome.FAILED, "jurisdiction_id was not provided"),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_why(tmp_path: Path, sandbox: Sandbox, case: str, form: str) -> None:
    settings, outcome, said = REFUSED[case]
    with project_of(tmp_path, sandbox, format=form, **settings) as project:
        (result,) = project.sync()
        assert result.outcome is outcome
        if form == "json":
            assert said in str(result.error)
        assert "k-7d31f0" not in str(result.error)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"name": "error_envelope", "code": "403"}, Outcome.REFUSED),
        ({"name": "error_envelope"}, Outcome.UNAVAILABLE),
        ({"name": "login_page"}, Outcome.REFUSED),
        ({"name": "empty_body"}, Outcome.FAILED),
        ({"name": "http_503"}, Outcome.UNAVAILABLE),
    ],
    ids=lambda value: value["name"] + value.get("code", "") if isinstance(value, dict) else None,
)
def test_a_fault_is_not_no_data(tmp_path: Path, sandbox: Sandbox, fault: dict[str, Any], outcome: Outcome) -> None:
    with project_of(tmp_path, sandbox, retries="0") as project:
        sync(project)
        sandbox.fault("open311", times=None, **fault)
        (result,) = project.sync(full_refresh=True)
        assert result.outcome is outcome
        sandbox.clear()
        assert_store_equals_truth(project, sandbox, "open311")


def test_a_bad_setting_is_named(tmp_path: Path, sandbox: Sandbox) -> None:
    with project_of(tmp_path, sandbox, format="yaml") as project:
        (result,) = project.sync()
        assert result.outcome is Outcome.MISCONFIGURED
        assert "format" in str(result.error)


# -- records --------------------------------------------------------------------------------------------------------

RECORD: dict[str, Any] = {
    "service_request_id": "WC-2026-000123",
    "status": "closed",
    "status_notes": "Resolved on site.",
    "service_name": "暴露垃圾",
    "service_code": "0102",
    "description": "路边垃圾 < 一堆 & 未清",
    "agency_responsible": "婺城区综合行政执法局",
    "service_notice": None,
    "requested_datetime": "2026-11-19T17:10:00+08:00",
    "updated_datetime": "2026-11-20T04:02:11Z",
    "expected_datetime": "2026-11-26T01:10:00-08:00",
    "address": "城西街道虚构路1号",
    "address_id": None,
    "zipcode": "321000",
    "lat": 29.107,
    "long": 119.637,
    "media_url": "http://photos.example/1.jpg",
}
WHOLE = {
    "status": Status.CLOSED,
    "source_status": "closed",
    "source_status_text": "closed",
    "title": "暴露垃圾",
    "description": "路边垃圾 < 一堆 & 未清",
    "category": "0102",
    "source_category": "0102",
    "source_category_text": "暴露垃圾",
    "occurred_at": datetime(2026, 11, 19, 9, 10, tzinfo=UTC),
    "reported_at": datetime(2026, 11, 19, 9, 10, tzinfo=UTC),
    "source_updated_at": datetime(2026, 11, 20, 4, 2, 11, tzinfo=UTC),
    "due_at": datetime(2026, 11, 26, 9, 10, tzinfo=UTC),
    "address": "城西街道虚构路1号",
    "longitude": 119.637,
    "latitude": 29.107,
    "source_x": 119.637,
    "source_y": 29.107,
    "coordinate_system": "WGS-84",
    "unit": "婺城区综合行政执法局",
    "answer": "Resolved on site.",
    "attachments": [Attachment(kind="image", url="http://photos.example/1.jpg")],
}


def as_xml(record: dict[str, Any]) -> bytes:
    children = (f"<{name}>{'' if value is None else escape(str(value))}</{name}>" for name, value in record.items())
    return f"<request>{''.join(children)}</request>".encode()


@pytest.mark.parametrize("raw", [json.dumps(RECORD).encode(), as_xml(RECORD)], ids=FORMATS)
def test_a_record_field_by_field(raw: bytes) -> None:
    flat = xml_to_flat(raw) if raw.startswith(b"<") else request_record(raw)
    incident, people, gaps = incident_of("open311/requests", "requests", '"WC-2026-000123"', flat)
    assert incident.kind == "service_request"
    assert told(incident) == WHOLE
    assert (people, gaps) == ([], [])


def test_what_the_standard_leaves_to_the_server_may_be_absent() -> None:
    needed = (
        "service_request_id", "status", "service_name", "service_code", "requested_datetime", "updated_datetime",
        "lat", "long",
    )  # fmt: skip
    record = {name: RECORD[name] for name in needed} | {"updated_datetime": None, "lat": None, "long": None}
    incident, _, gaps = incident_of("open311/requests", "requests", '"1"', record | {"status": "duplicate"})
    assert incident.source_updated_at == incident.occurred_at
    assert (incident.status, incident.source_status, gaps) == (Status.UNMAPPED, "duplicate", ["duplicate"])
    assert (incident.longitude, incident.address, incident.attachments) == (None, None, [])


def test_an_id_is_text_in_every_form() -> None:
    """Servers write numbers too, also above 2^53; nothing else of the record changes."""
    number = b'{"service_request_id":18590000000000000001,"lat":34.10,"status":"open"}'
    assert request_record(number) == b'{"service_request_id":"18590000000000000001","lat":34.10,"status":"open"}'
    for untouched in (b'{"service_request_id":"5"}', b'{"service_request_id":null}', b"{}", b"[1]", b"nonsense"):
        assert request_record(untouched) == untouched
    flat = json.loads(xml_to_flat(b"<request><service_request_id>5</service_request_id></request>"))
    assert flat == {"service_request_id": "5"}


def test_every_status_of_the_wire_is_in_the_table_and_no_other() -> None:
    entries = code_table("open311_status").entries
    assert {code: rows[0].hub_code for code, rows in entries.items()} == {"open": "accepted", "closed": "closed"}


def test_the_stream_follows_the_settings() -> None:
    config = Open311Config(base_url="http://city.example", filter="start_date")
    (stream,) = Open311().streams(config)
    assert stream.window_field == "reported_at"
    (stream,) = Open311().streams(Open311Config(base_url="http://city.example"))
    assert (stream.window_field, stream.complete) == ("", True)
