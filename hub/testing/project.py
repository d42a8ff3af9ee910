"""A hub of one's own for a test: hub.toml, key, store and plugins in a folder, synced like the real one.

with Sandbox(systems=["snapshot"], until="2026-11-20T12:00:00", directory=folder / "city") as sandbox:
    with hub_project(folder, sandbox) as project:
        project.sync("snapshot")
        project.incidents("snapshot", "reports")
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hub.config import Environment, load
from hub.mapping.columns import MAPPED_COLUMNS
from hub.plugins import load_plugins
from hub.store.crypto import Keyring
from hub.store.migrate import upgrade
from hub.store.raw import people_of
from hub.store.store import Store
from hub.sync.result import RunResult
from hub.sync.run import RunOptions
from hub.sync.sources import Hub
from hub.testing.sandbox import Sandbox

__all__ = ["HubProject", "hub_project"]

#: A city's clock may stand anywhere, so a first sync reads everything; and loopback needs no politeness.
_OVERRIDES = {"HUB_DEFAULTS__RATE": "100000", "HUB_DEFAULTS__RETRIES": "2"}
_START = "2000-01-01"
_PROVENANCE = ("id", "native_id", "kind", "revision", "mapping", "mapping_version", "deleted_at", "deletion")


class HubProject:
    """A hub with a fresh store. `config`: the hub.toml; `environment`: variables laid over it (HUB_…__…), nothing else
    of the process environment is seen. `store_url` stands in for `[store] url`; by default an SQLite file in `folder`.
    """

    def __init__(
        self, folder: Path, config: Path, store_url: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.config = config
        key = base64.b64encode(hashlib.sha256(str(folder).encode()).digest()).decode()
        own = {"HUB_STORE__URL": store_url or f"sqlite:///{folder / 'hub.db'}", "HUB_STORE__KEY": key}
        self.environment = {**_OVERRIDES, **own, **(environment or {})}
        self.hub = self._open()
        upgrade(self.hub.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hub.store.close()

    def _open(self) -> Hub:
        settings = load(self.config, environment=Environment(self.environment))
        store = Store(settings.store.url, Keyring(settings.store.secret_key()))
        return Hub(settings, load_plugins(settings.plugins), store)

    def restart(self, **environment: str) -> None:
        """The same store seen by a new process, with further variables."""
        self.hub.store.close()
        self.environment |= environment
        self.hub = self._open()

    def sync(
        self,
        *sources: str,
        stream: str | None = None,
        full_refresh: bool = False,
        limit: int | None = None,
        dry_run: bool = False,
    ) -> list[RunResult]:
        """Sync these sources (all enabled ones if none is named): one result a stream, in the order they ended."""
        options = RunOptions(full_refresh=full_refresh, limit=limit, dry_run=dry_run)
        return self.hub.sync(self.hub.source_names(sources), options, stream=stream)

    def incidents(self, source: str, stream: str) -> list[dict[str, Any]]:
        """Every incident of a stream, tombstones too, as stored: instants epoch ms, money fen, lists JSON text."""
        columns = (*_PROVENANCE, *MAPPED_COLUMNS)
        with self.hub.store.read() as transaction:
            rows = transaction.all(
                f"SELECT {', '.join(columns)} FROM incident WHERE source = ? AND stream = ? ORDER BY key",
                (source, stream),
            )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def people(self, incident: str) -> list[dict[str, str]]:
        """The people of one incident, in clear."""
        return people_of(self.hub.store, incident)


def hub_project(
    folder: Path,
    upstream: Sandbox | str,
    store_url: str = "",
    environment: Mapping[str, str] | None = None,
) -> HubProject:
    """A project that reads a running sandbox, or that has the hub.toml given as text (`[store]` aside)."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(upstream, str):
        config = folder / "hub.toml"
        config.write_text(upstream, encoding="utf-8")
        return HubProject(folder, config, store_url, environment)
    starts = {f"HUB_SOURCES__{name.upper()}__START": _START for name in upstream.systems}
    return HubProject(folder, upstream.config_path, store_url, {**starts, **(environment or {})})
