"""The built-in connectors, a plugin like any other: one file a family of systems, only wire facts."""

from importlib.resources import files
from pathlib import Path

from hub.hookspecs import hookimpl
from hub.source.connector import Connector

__all__ = ["hub_connectors", "hub_mappings"]


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    return []


@hookimpl
def hub_mappings() -> list[Path]:
    return [Path(str(files("mappings")))]
