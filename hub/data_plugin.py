"""A plugin of data only: a package with a connector.toml and no hooks of its own."""

from pathlib import Path
from typing import TYPE_CHECKING

from hub import hookspecs

if TYPE_CHECKING:
    from hub.source.connector import Connector

__all__ = ["HOOKS", "hooks_of"]

HOOKS = frozenset(name for name in hookspecs.__all__ if name.startswith("hub_"))


class _DeclaredPlugin:
    """What a package of data only brings: the connector of its connector.toml and its `mappings`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @hookspecs.hookimpl
    def hub_connectors(self) -> "list[type[Connector]]":
        from hub.source.declared import read_connector

        return [read_connector(self._file)]

    @hookspecs.hookimpl
    def hub_mappings(self) -> list[Path]:
        folder = self._file.parent / "mappings"
        return [folder] if folder.is_dir() else []


def hooks_of(module: object) -> object:
    """The module, or in its place what its connector.toml declares if it has one and no hooks of its own."""
    file = getattr(module, "__file__", None)
    declaration = Path(file).parent / "connector.toml" if file else None
    if declaration is None or not declaration.is_file() or HOOKS & set(dir(module)):
        return module
    return _DeclaredPlugin(declaration)
