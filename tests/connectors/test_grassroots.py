"""The four platforms: the store equals the truth, each record field by field, each code, each refusal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from written import code_table, leaks, wire_codes

from connectors.grassroots import (
    Grassroots,
    GrassrootsEnforcement,
    GrassrootsGovernance,
    GrassrootsMarket,
    GrassrootsServices,
)
from connectors.irs import IrsConfig, irs_endpoint
from hub.errors import Outcome, RefusedError
from hub.incident import Status
from hub.source import BgHmac
from hub.testing.comparison import assert_store_equals_truth, differences
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox

UNTIL = "2026-11-20T12:00:00"
PLATFORMS: dict[str, type[Grassroots]] = {
    one.name: one for one in (GrassrootsGovernance, GrassrootsMarket, GrassrootsEnforcement, GrassrootsServices)
}
#: Withdrawn rows of these vanish, and only a full refresh can tell.
VANISHING = ("grassroots_market", "grassroots_services")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed=4, scale=200, until=UNTIL, directory=tmp_path / "city", systems=PLATFORMS) as sandbox:
        yield sandbox


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, store_url: str) -> Iterator[HubProject]:
    with hub_project(tmp_path / "hub", sandbox, store_url) as project:
        yield project


@pytest.fixture
def on_sqlite(tmp_path: Path, sandbox: Sandbox) -> Iterator[HubProject]:
    """Pages of seven rows, for what does not depend on the database."""
    small = {f"HUB_SOURCES__{name.upper()}__PAGE_SIZE": "7" for name in sandbox.systems}
    with hub_project(tmp_path / "hub", sandbox, environment=small) as project:
        yield project


def sync(project: HubProject, **options: Any) -> dict[str, Any]:
    """Sync all four; every one ends well."""
    results = {result.source: result for result in project.sync(**options)}
    assert {name: (one.outcome, str(one.error)) for name, one in results.items()} == dict.fromkeys(
        PLATFORMS, (Outcome.OK, "None")
    )
    return results


# -- the store equals the truth -------------------------------------------------------------------------------------


def test_first_sync_moves_and_withdrawals(project: HubProject, sandbox: Sandbox) -> None:
    first = sync(project)
    for name in PLATFORMS:
        assert_store_equals_truth(project, sandbox, name)
        assert first[name].counts.new > 40

    again = sync(project)
    assert all(not one.counts.new and not one.counts.changed for one in again.values())

    sandbox.tick(4)
    moved = sync(project)
    for name in PLATFORMS:
        assert 0 < moved[name].counts.new + moved[name].counts.changed < first[name].counts.new
        left = differences(project, sandbox, name)
        assert name in VANISHING or not left
        assert all(line.endswith("withdrawn upstream, living in the store") for line in left)

    sync(project, full_refresh=True)
    for name in PLATFORMS:
        assert_store_equals_truth(project, sandbox, name)
        assert not leaks(project, name, "events")
    gone = {name: {row["deletion"] for row in project.incidents(name, "events")} - {None} for name in PLATFORMS}
    assert gone["grassroots_governance"] == gone["grassroots_enforcement"] == {"source"}
    assert gone["grassroots_market"] == gone["grassroots_services"] == {"enumeration"}


@pytest.mark.parametrize("fault", ["shifting_pages", "duplicate_page"])
def test_rows_that_move_while_pages_are_read(on_sqlite: HubProject, sandbox: Sandbox, fault: str) -> None:
    for name in PLATFORMS:
        sandbox.fault(name, fault, times=4)
    results = sync(on_sqlite)
    assert all(one.pages > 5 for one in results.values())
    sync(on_sqlite)
    for name in PLATFORMS:
        assert_store_equals_truth(on_sqlite, sandbox, name)


def test_nonsense_is_set_aside_and_the_rest_arrives(on_sqlite: HubProject, sandbox: Sandbox) -> None:
    for name in PLATFORMS:
        sandbox.fault(name, "absurd")
    results = {one.source: one for one in on_sqlite.sync()}
    for name in PLATFORMS:
        assert results[name].outcome is Outcome.PARTIAL
        assert 4 <= results[name].counts.new_quarantined <= 9
        assert_store_equals_truth(on_sqlite, sandbox, name)


# -- what the gateway and the platforms refuse ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("access_key", "BCDSGA_nobody", "does not know the access key"),
        ("secret_key", "BCDSGS_wrong", "does not accept our signature"),
        ("path", "/restapi/prod/IC33070220240101999999", "does not let this access key take the route"),
    ],
)
def test_the_gateway_refuses(tmp_path: Path, sandbox: Sandbox, setting: str, value: str, said: str) -> None:
    wrong = {f"HUB_SOURCES__GRASSROOTS_MARKET__{setting.upper()}": value}
    with hub_project(tmp_path / "hub", sandbox, environment=wrong) as project:
        (result,) = project.sync("grassroots_market")
    assert result.outcome is Outcome.REFUSED
    assert result.error is not None
    assert said in str(result.error)
    assert setting in result.error.remedy
    assert result.requests == 0 or sandbox.requests("grassroots_market")[-1].status == 401


def test_a_wrong_clock_is_told_by_how_much() -> None:
    now = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    auth = BgHmac("AK", SecretStr("SK"), now=lambda: now)
    request = httpx.Request("GET", "https://gateway.example/restapi/prod/IC1/event/page")
    flow = auth.auth_flow(request)
    next(flow)
    theirs = format_datetime(now - timedelta(seconds=600), usegmt=True)
    answer = httpx.Response(401, json={"message": "Clock skew exceeded"}, headers={"Date": theirs}, request=request)
    with pytest.raises(RefusedError, match="600 s away") as caught:
        flow.send(answer)
    assert "clock" in caught.value.remedy


@pytest.mark.parametrize("name", PLATFORMS)
@pytest.mark.parametrize(("code", "outcome"), [("400", Outcome.MISCONFIGURED), ("500", Outcome.UNAVAILABLE)])
def test_an_error_in_200_is_never_no_data(
    tmp_path: Path, sandbox: Sandbox, name: str, code: str, outcome: Outcome
) -> None:
    with hub_project(tmp_path / "hub", sandbox, environment={"HUB_DEFAULTS__RETRIES": "0"}) as project:
        sandbox.fault(name, "error_envelope", code=code)
        (result,) = project.sync(name)
        assert result.outcome is outcome
        assert "系统繁忙" in str(result.error)
        assert not project.incidents(name, "events")


def test_assumed_names_can_be_set() -> None:
    config = IrsConfig(
        base_url="http://gateway.example",
        access_key="AK",
        secret_key=SecretStr("SK"),
        path="/restapi/prod/IC1/",
        upstream="/v2/events",
        page_size=5000,
        params={"page": "p", "until": "before"},
    )
    endpoint = irs_endpoint(config, GrassrootsEnforcement.platform.listing)
    assert endpoint.path == "/restapi/prod/IC1/v2/events"
    # The platform would cut the size silently, and then a full page would look like the last one.
    assert endpoint.paging.ask({}).params == {"p": 1, "size": 500}
    since = datetime(2026, 11, 20, tzinfo=UTC)
    assert endpoint.window.params(since, since) == {
        "updatedAfter": "2026-11-20T07:59:59+08:00",
        "before": "2026-11-20T08:00:00+08:00",
    }


# -- code tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("grassroots_governance_status", "governance `status`"),
        ("grassroots_market_status", "market `eventStatus`"),
        ("grassroots_enforcement_status", "enforcement `state`"),
        ("grassroots_services_status", "services `zt`"),
    ],
)
def test_status_tables_are_total(table: str, field: str) -> None:
    told = {code: words[-1] for code, words in wire_codes(field).items()}
    entries = code_table(table).entries
    assert {code: rows[0].hub_code for code, rows in entries.items()} == told
    assert set(told.values()) <= set(Status)


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("grassroots_governance_types", "governance `eventType`"),
        ("grassroots_market_categories", "market `category`"),
        ("grassroots_services_categories", "services `sjlb`"),
    ],
)
def test_category_tables_are_total(table: str, field: str) -> None:
    told = {code: words[0] if words else code for code, words in wire_codes(field).items()}
    assert {code: rows[0].title for code, rows in code_table(table).entries.items()} == told
