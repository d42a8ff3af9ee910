"""Pages made from code stand in the repository as the code makes them."""

import importlib.util
from pathlib import Path

import pytest

from hub.incident import Incident, incident_id
from hub.store.views import VIEW_COLUMNS

DOCS = Path(__file__).parents[2] / "docs"


def _build():
    spec = importlib.util.spec_from_file_location("docs_build", DOCS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["schema.md", "mapping.md", "faults.md"])
def test_the_page_is_current(name):
    assert (DOCS / name).read_text("utf-8") == _build().PAGES[name](), "run make docs"


def test_every_field_of_the_incident_is_in_the_view():
    assert set(Incident.model_fields) <= set(VIEW_COLUMNS)


def test_the_identity_on_the_page_is_true():
    assert incident_id("hotline_8890", "work_orders", '"250910171327424509"') in (DOCS / "schema.md").read_text("utf-8")
