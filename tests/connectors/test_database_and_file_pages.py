"""The pages of exchange databases, Open311 and drop folders name every setting, stream, column and code table."""

from pathlib import Path

import pytest

from connectors.csv_drop import CsvDropConfig
from connectors.exchange import CaseHandling, DispatchDesk, ExchangeConfig, IntegratedManagement, RoadPatrol
from connectors.open311 import Open311Config
from hub.source import ConnectorConfig, FileSpec
from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.systems.exchange import TABLES
from hub.testing.sandbox.systems.exchange_rows import RENDERERS
from hub.testing.sandbox.systems.telling import exchange_columns

ROOT = Path(__file__).parent.parent.parent
PREFIXES = {
    "exchange": ("case_handling", "road_patrol", "integrated_management", "dispatch_desk"),
    "open311": ("open311",),
    "csv_drop": ("street_events", "la311"),
}
CONFIGS: dict[str, type[ConnectorConfig]] = {
    "exchange": ExchangeConfig, "open311": Open311Config, "csv_drop": CsvDropConfig
}  # fmt: skip


def page(name: str) -> str:
    return (ROOT / "docs" / "connectors" / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_and_code_table_is_named(name: str) -> None:
    settings = [*CONFIGS[name].model_fields, *(FileSpec.model_fields if name == "csv_drop" else ())]
    tables = [path.stem for path in (ROOT / "mappings" / "codes").glob("*.csv") if path.stem.startswith(PREFIXES[name])]
    assert tables
    assert not [word for word in (*settings, *tables) if f"`{word}`" not in page(name)]


def test_every_exchange_table_is_named() -> None:
    for connector in (CaseHandling, RoadPatrol, IntegratedManagement, DispatchDesk):
        for log in connector.logs:
            assert TABLES[f"{connector.name}.{log.stream}"] == log.table
            assert f"`{log.table}`" in page("exchange")


def test_every_column_sent_is_mapped_or_said_to_be_left(tmp_path: Path) -> None:
    with Sandbox(scale=40, systems=PREFIXES["exchange"], directory=tmp_path) as sandbox:
        for key, render in RENDERERS.items():
            system, _, stream = key.partition(".")
            record = next(shelf for shelf in sandbox.city.streams(system) if shelf.spec.name == stream).records[0]
            mapping = (ROOT / "mappings" / system / f"{stream}.toml").read_text("utf-8")
            sent = [*render(record, 0), *exchange_columns(record, 0)]
            assert not [name for name in sent if f'"{name}"' not in mapping and f"`{name}`" not in page("exchange")]
