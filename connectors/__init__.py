"""The built-in connectors, a plugin like any other: one file a family of systems, only wire facts."""

from importlib.resources import files
from pathlib import Path

from connectors.csv_drop import CsvDrop
from connectors.exchange import CaseHandling, DispatchDesk, IntegratedManagement, RoadPatrol
from connectors.gateway import EnforcementSupervision, InternetSupervision
from connectors.grassroots import (
    GrassrootsEnforcement,
    GrassrootsGovernance,
    GrassrootsMarket,
    GrassrootsServices,
)
from connectors.hotline import Hotline
from connectors.open311 import Open311
from connectors.singer import Singer
from connectors.snapshot import Snapshot
from hub.hookspecs import hookimpl
from hub.source.connector import Connector

__all__ = ["hub_connectors", "hub_mappings"]


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    return [
        CaseHandling,
        CsvDrop,
        DispatchDesk,
        EnforcementSupervision,
        GrassrootsEnforcement,
        GrassrootsGovernance,
        GrassrootsMarket,
        GrassrootsServices,
        Hotline,
        IntegratedManagement,
        InternetSupervision,
        Open311,
        RoadPatrol,
        Singer,
        Snapshot,
    ]


@hookimpl
def hub_mappings() -> list[Path]:
    return [Path(str(files("mappings")))]
