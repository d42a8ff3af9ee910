"""Code tables of both gateway systems are whole, and no natural person gets into an incident row."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import mappings
from connectors.gateway import EnforcementSupervision, InternetSupervision
from hub.incident import Status
from hub.mapping.codes import load_code_table
from hub.source import Connector
from hub.testing.project import HubProject, hub_project
from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.systems.gateway_rows import RENDERERS

FOLDER = Path(mappings.__file__ or "").parent

# --- code tables -----------------------------------------------------------------------------------------------------

#: Every code that docs/wire.md (and domain.md §4.4, §4.5) names, by table.
CODES: dict[str, str] = {
    "internet_supervision_check_form": "01 02",
    "internet_supervision_case_source": "1 2 3",
    "internet_supervision_punish_type": "1 2 3 4 5 6 7 8 9",
    "internet_supervision_coercion_kind": "1 2",
    "internet_supervision_coercion_measure": "1 2 3 4 9",
    "internet_supervision_close_status": "未结案 已结案",
    "internet_supervision_audit_state": "1 2 3 4 5",
    "zhejiang_check_result": "1 A 2 B C D 6 3 4 5 G E F 7 8 9 10 11 12",
    "enforcement_supervision_case_state": "10 20 30 40 50 60 70 80",
    "enforcement_supervision_lead_state": "1 2 3 4 5 6 7",
    "enforcement_supervision_copy_state": "dsh yshth ycgfkz ycgfkwc qxcg ycgwc",
    "enforcement_supervision_copy_type": "wzwz qywfaj qt",
    "enforcement_supervision_feedback_need": "0 1",
}
STATUS_TABLES = ("close_status", "audit_state", "case_state", "lead_state", "copy_state")


@pytest.mark.parametrize("name", CODES)
def test_every_code_is_mapped(name: str) -> None:
    entries = load_code_table(FOLDER / "codes" / f"{name}.csv").entries
    assert set(entries) == set(CODES[name].split())
    assert all(rows[0].hub_code for rows in entries.values())
    if name.endswith(STATUS_TABLES):
        assert {rows[0].hub_code for rows in entries.values()} <= set(Status) - {Status.UNMAPPED}
    else:
        assert all(rows[0].title for rows in entries.values())


def test_every_table_of_both_systems_is_checked_here() -> None:
    own = {path.stem for path in FOLDER.rglob("codes/*.csv") if path.stem.startswith(("internet_", "enforcement_"))}
    assert own <= set(CODES)


# --- people ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, HubProject]]:
    folder = tmp_path_factory.mktemp("people")
    systems = ["internet_supervision", "enforcement_supervision"]
    with Sandbox(systems=systems, scale=400, until="2026-11-20T12:00:00", directory=folder / "city") as sandbox:
        sandbox.tick(3)
        with hub_project(folder / "hub", sandbox) as project:
            project.sync()
            yield sandbox, project


def test_no_natural_person_is_in_an_incident_row(city: tuple[Sandbox, HubProject]) -> None:
    """The city's people by name, phone and ID number: in the person table, never in incident, revision or run."""
    sandbox, project = city
    hub = project.hub
    with hub.store.read() as transaction:
        rows = [
            str(row) for table in ("incident", "revision", "run") for row in transaction.all(f"SELECT * FROM {table}")
        ]
        ids = [row[0] for row in transaction.all("SELECT id FROM incident WHERE subject_kind = 'person'")]
    assert len(ids) > 20
    everything = "\n".join(rows)
    shown = [
        text
        for person in sandbox.city.population.people
        for text in (person.name, person.phone, person.id_number)
        if text in everything
    ]
    assert not shown
    assert all(project.people(identity)[0]["id_number"] for identity in ids[:20])


# --- documentation ---------------------------------------------------------------------------------------------------

DOCS = FOLDER.parent / "docs" / "connectors"


@pytest.mark.parametrize("system", ["internet_supervision", "enforcement_supervision"])
def test_every_field_sent_is_mapped_or_said_to_be_left(city: tuple[Sandbox, HubProject], system: str) -> None:
    page = (DOCS / f"{system}.md").read_text("utf-8")
    for shelf in city[0].city.streams(system):
        mapping = (FOLDER / system / f"{shelf.spec.name}.toml").read_text("utf-8")
        sent = RENDERERS[shelf.spec.key](shelf.records[0], 0)
        forgotten = [key for key in sent if f'"{key}"' not in mapping and f"`{key}`" not in page]
        assert not forgotten, shelf.spec.key


@pytest.mark.parametrize("connector", [InternetSupervision, EnforcementSupervision])
def test_every_setting_and_table_is_documented(connector: type[Connector]) -> None:
    """The second page refers to the first for what both share."""
    pages = [(DOCS / f"{name}.md").read_text("utf-8") for name in ("internet_supervision", connector.name)]
    documented = "\n".join(pages)
    for name in connector.Config.model_fields:
        assert f"`{name}`" in documented or f"`{name}." in documented, name
    for table in (name for name in CODES if name.startswith(connector.name)):
        assert f"`{table}`" in documented or f"`…_{table.rpartition('_')[2]}`" in documented, table
