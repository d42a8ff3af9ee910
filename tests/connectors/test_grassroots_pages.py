"""The pages of the IRS systems and the hotline name every setting and every code table."""

import pytest
from written import ROOT

from connectors.hotline import HotlineConfig
from connectors.irs import IrsConfig
from hub.mapping.mapping import Mappings
from hub.source import ConnectorConfig

PAGES: dict[str, tuple[type[ConnectorConfig], tuple[str, ...]]] = {
    "grassroots": (
        IrsConfig,
        tuple(f"grassroots_{one}/events" for one in ("governance", "market", "enforcement", "services")),
    ),
    "snapshot": (IrsConfig, ("snapshot/reports",)),
    "hotline_8890": (HotlineConfig, ("hotline_8890/work_orders",)),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_every_setting_and_code_table(page: str) -> None:
    text = (ROOT / "docs" / "connectors" / f"{page}.md").read_text("utf-8")
    settings, names = PAGES[page]
    for name, info in settings.model_fields.items():
        assert f"`{name}`" in text, name
        assert info.description
    mappings = Mappings([ROOT / "mappings"])
    for name in names:
        assert f"`{name}`" in text
        specs = mappings.get(name).file.fields.values()
        assert not [spec.codes for spec in specs if spec.codes and f"`{spec.codes}`" not in text]
