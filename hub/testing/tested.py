"""A hub for the conformance kit: one connector takes part whether or not it is installed, and each page can be watched."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from hub.config import Environment, SourceSettings, load
from hub.plugins import load_plugins
from hub.source.connector import Connector, SourceContext
from hub.source.stream import Page, Position, Stream, Transport, Window
from hub.store.crypto import Keyring
from hub.store.store import Store
from hub.sync.sources import Hub, OpenSource
from hub.testing.project import HubProject
from hub.testing.quality import Quality, quality_file

__all__ = ["TestedHub", "TestedProject", "configured", "settings_of"]


class _Watched:
    """A transport whose pages somebody sees first."""

    def __init__(self, transport: Transport, after_page: Callable[[Page], None]) -> None:
        self._transport, self._after_page = transport, after_page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        page = self._transport.fetch(stream, window, position)
        self._after_page(page)
        return page


class TestedHub(Hub):
    """A hub whose source may speak to a simulation in place of a network."""

    __test__ = False
    network: httpx.BaseTransport | None = None
    after_page: Callable[[Page], None] | None = None

    def _context(self, name: str, settings: SourceSettings) -> SourceContext:
        context = super()._context(name, settings)
        return context if self.network is None else replace(context, transport=self.network)

    @contextmanager
    def open(self, name: str) -> Iterator[OpenSource]:
        with super().open(name) as source:
            watched = self.after_page and _Watched(source.transport, self.after_page)
            yield replace(source, transport=watched) if watched else source


class TestedProject(HubProject):
    """A project of one connector."""

    __test__ = False

    def __init__(
        self, folder: Path, config: Path, connector: type[Connector], environment: dict[str, str] | None = None
    ) -> None:
        self._connector = connector
        super().__init__(folder, config, "", environment)

    @property
    def tested(self) -> TestedHub:
        assert isinstance(self.hub, TestedHub)
        return self.hub

    def _open(self) -> Hub:
        settings = load(self.config, environment=Environment(self.environment))
        plugins = load_plugins(settings.plugins)
        if self._connector.name not in plugins.connectors:
            folder = quality_file(self._connector).parent.parent / "mappings"
            plugins.mapping_folders += [folder] if folder.is_dir() else []
        plugins.connectors[self._connector.name] = self._connector
        return TestedHub(settings, plugins, Store(settings.store.url, Keyring(settings.store.secret_key())))


def configured(connector: type[Connector], settings: dict[str, Any], folder: Path) -> tuple[Path, dict[str, str]]:
    """A hub.toml of one source, and the variables its secrets come from: they may stand in no file."""
    secrets: dict[str, str] = {}
    lines = [f"[sources.{connector.name}]", f'connector = "{connector.name}"', 'start = "2000-01-01"']
    for name, value in settings.items():
        field = connector.Config.model_fields.get(name)
        secret = field is not None and SecretStr.__name__ in str(field.annotation)
        lines.append(f"{name} = {_inline(value, secrets if secret else None)}")
    path = folder / "hub.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path, secrets


def _inline(value: Any, secrets: dict[str, str] | None) -> str:
    """TOML on one line: JSON but for tables; secret texts are left to variables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_inline(item, secrets)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item, secrets) for item in value) + "]"
    if isinstance(value, str) and secrets is not None:
        name = f"KIT_{len(secrets)}"
        secrets[name] = value
        return f'"${{env:{name}}}"'
    return json.dumps(value, ensure_ascii=False)


def settings_of(quality: Quality, places: dict[str, str]) -> dict[str, Any]:
    """The quality file's settings with `{folder}` and the like filled in, at any depth."""
    filled: dict[str, Any] = _filled(quality.config, places)
    return filled


def _filled(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, places) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, places) for item in value]
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace(f"{{{name}}}", text)
    return value
