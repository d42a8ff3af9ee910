"""Where a connector is put to the test: a hub with a fresh store, an upstream that can be moved and broken, and what is
true upstream. One bench stands on the author's samples, another on the sandbox."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec
from pydantic import SecretStr

from hub import clock
from hub.config import Environment, SourceSettings, load
from hub.errors import ConfigError, HubError
from hub.plugins import load_plugins
from hub.source.connector import Connector, SourceContext
from hub.source.rest import Endpoint
from hub.store.crypto import Keyring
from hub.store.store import Store
from hub.sync.result import RunResult
from hub.sync.run import RunOptions
from hub.sync.sources import Hub, OpenSource
from hub.testing.comparison import differences
from hub.testing.project import HubProject
from hub.testing.quality import Quality
from hub.testing.sandbox import Sandbox
from hub.testing.simulated import SimulatedApi
from hub.testing.world import World, at_path

__all__ = ["Bench", "SampleBench", "SandboxBench", "open_bench"]

_RECORDS = 23
_CITY = "2026-11-20T12:00:00"


class Bench(Protocol):
    """What a check can do. Faults are those of the sandbox (`hub.testing.sandbox.faults.FAULTS`)."""

    source: str
    hub: Hub
    heard: list[str]

    def sync(self, *, full: bool = False, limit: int | None = None) -> list[RunResult]: ...
    def fault(self, name: str, **options: Any) -> None: ...
    def clear(self) -> None: ...
    def move(self) -> None:
        """Some records are new, some changed; time passes."""

    def tie(self) -> None:
        """Many records change in one second, more than a page holds; one more carries the cursor's own time."""

    def late(self) -> None:
        """A record turns up that is older than what was read, but not older than the lookback."""

    def withdraw(self) -> int:
        """Some records vanish, or are flagged as withdrawn; how many."""

    def differences(self) -> list[str]: ...
    def requests(self) -> int: ...


class _Heard(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        self.setFormatter(logging.Formatter("%(message)s %(args)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


class _TestedHub(Hub):
    """A hub whose sources speak to the simulation."""

    api: SimulatedApi | None = None

    def _context(self, name: str, settings: SourceSettings) -> SourceContext:
        context = super()._context(name, settings)
        return replace(context, transport=self.api) if self.api is not None else context

    @contextmanager
    def open(self, name: str) -> Iterator[OpenSource]:
        with super().open(name) as source:
            if self.api is not None:
                self.api.auth = getattr(source.transport, "_auth", self.api.auth)
            yield source


class _TestedProject(HubProject):
    """A project in which a connector takes part whether or not it is installed."""

    def __init__(self, folder: Path, config: Path, environment: dict[str, str], connector: type[Connector]) -> None:
        self._connector = connector
        self.api: SimulatedApi | None = None
        super().__init__(folder, config, "", environment)

    def _open(self) -> Hub:
        settings = load(self.config, environment=Environment(self.environment))
        plugins = load_plugins(settings.plugins)
        if self._connector.name not in plugins.connectors:
            folder = _mappings_beside(self._connector)
            plugins.mapping_folders += [folder] if folder.is_dir() else []
        plugins.connectors[self._connector.name] = self._connector
        hub = _TestedHub(settings, plugins, Store(settings.store.url, Keyring(settings.store.secret_key())))
        hub.api = self.api
        return hub

    def speak_to(self, api: SimulatedApi) -> None:
        self.api = api
        assert isinstance(self.hub, _TestedHub)
        self.hub.api = api


class _Common:
    """What both benches do alike."""

    source: str
    project: HubProject
    heard: list[str]

    @property
    def hub(self) -> Hub:
        return self.project.hub

    enumerated = False

    def sync(self, *, full: bool = False, limit: int | None = None) -> list[RunResult]:
        self.enumerated = full
        return self.hub.sync([self.source], RunOptions(full_refresh=full, limit=limit))

    def close(self) -> None:
        self.hub.store.close()


class SampleBench(_Common):
    """A REST connector against its own samples."""

    def __init__(self, connector: type[Connector], quality: Quality, home: Path, folder: Path) -> None:
        self.source, self.heard = connector.name, []
        settings = _settings(quality, folder)
        self.project = _TestedProject(
            folder, *_configured(connector.name, connector.name, settings, folder), connector
        )  # fmt: skip
        self.now = clock.now().replace(microsecond=0)
        self.worlds: dict[str, World] = {}
        with self.hub.open(self.source) as source:
            for stream in source.streams:
                if not isinstance(stream.endpoint, Endpoint):
                    raise ConfigError(
                        "the kit can simulate REST sources only; {stream} is none",
                        stream=stream.name,
                        remedy="name a system of the sandbox in the quality file, or test it with hub.testing.project",
                    )
                samples = _samples(home / quality.samples / f"{stream.name}.json")
                self.worlds[stream.name] = World(stream, samples, self.now)
        self.api = SimulatedApi(self.worlds, self.now)
        self.project.speak_to(self.api)
        for world in self.worlds.values():
            world.grow(max(_RECORDS, 2 * _per_page(world) + 3))

    def fault(self, name: str, **options: Any) -> None:
        if name == "expired_token":
            self.api.forget_tokens()
            return
        from hub.testing.sandbox.faults import Fault

        common = {key: options.pop(key) for key in ("times", "skip", "on") if key in options}
        self.api.faults.add(Fault(name, **common, options=options))

    def clear(self) -> None:
        self.api.faults.clear()

    def _pass(self, time: timedelta) -> None:
        self.now += time
        self.api.now = self.now
        for world in self.worlds.values():
            world.now = self.now

    def move(self) -> None:
        self._pass(timedelta(minutes=20))
        for world in self.worlds.values():
            world.grow(3, since=self.now - timedelta(minutes=15), apart=timedelta(minutes=1))
            for one in world.living[:2]:
                world.touch(one, self.now - timedelta(minutes=5))

    def tie(self) -> None:
        self._pass(timedelta(minutes=20))
        for world in self.worlds.values():
            world.grow(2 * _per_page(world) + 1, since=self.now - timedelta(minutes=10), apart=timedelta(0))
            cursor = self._cursor(world)
            if cursor is not None:
                world.grow(1, since=cursor, apart=timedelta(0))

    def late(self) -> None:
        self._pass(timedelta(minutes=20))
        for world in self.worlds.values():
            cursor = self._cursor(world)
            if cursor is not None and world.stream.cursor is not None:
                world.grow(1, since=cursor - world.stream.cursor.lookback * 0.8, apart=timedelta(0))

    def withdraw(self) -> int:
        self._pass(timedelta(minutes=20))
        count = 0
        for world in self.worlds.values():
            for one in world.living[:2]:
                count += 1
                operation = world.stream.operation
                if operation:
                    from hub.testing.world import put_path

                    put_path(one.record, operation, world.stream.deletes[0])
                    world.touch(one, self.now - timedelta(minutes=5))
                else:
                    one.gone = True
        return count

    def differences(self) -> list[str]:
        lines: list[str] = []
        for name, world in self.worlds.items():
            stored = {row["native_id"]: row for row in self.project.incidents(self.source, name)}
            living = {row: one for row, one in stored.items() if one["deleted_at"] is None}
            operation = world.stream.operation
            true = {
                _native(one.native): one
                for one in world.living
                if not (operation and str(at_path(one.record, operation)) in world.stream.deletes)
            }
            lines += [f"{name} {native}: not in the store" for native in sorted(true.keys() - living.keys())]
            lines += [f"{name} {native}: nobody upstream knows it" for native in sorted(living.keys() - true.keys())]
            for native in true.keys() & living.keys():
                at = living[native]["source_updated_at"]
                if world.stream.cursor and at is not None and at != int(true[native].at.timestamp() * 1000):
                    lines.append(f"{name} {native}: an older version is stored")
        return lines

    def requests(self) -> int:
        return self.api.served

    def _cursor(self, world: World) -> datetime | None:
        from hub.store.state import read_state

        state = read_state(self.hub.store, self.source, world.stream.name, "")
        return datetime.fromtimestamp(state.cursor / 1000, UTC) if state and state.cursor is not None else None


class SandboxBench(_Common):
    """A built-in connector against the sandbox, which shares nothing with it."""

    def __init__(self, connector: type[Connector], quality: Quality, sandbox: Sandbox, folder: Path) -> None:
        self.source, self.heard, self.sandbox = quality.sandbox, [], sandbox
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"start": "2000-01-01", **_settings(quality, folder)}
        variables = {_variable(self.source, name): _text(value) for name, value in settings.items()}
        self.project = _TestedProject(folder, sandbox.config_path, variables, connector)

    def fault(self, name: str, **options: Any) -> None:
        self.sandbox.fault(self.source, name, **options)

    def clear(self) -> None:
        self.sandbox.clear()

    def move(self) -> None:
        self.sandbox.tick(3)

    def tie(self) -> None:
        self.sandbox.tick(6)

    def late(self) -> None:
        self.sandbox.tick(2)

    def withdraw(self) -> int:
        def gone() -> int:
            return sum(len(stream["deleted"]) for stream in self.sandbox.truth(self.source)["streams"].values())

        before = gone()
        for _ in range(40):
            self.sandbox.tick(3)
            if gone() > before:
                break
        return gone() - before

    def differences(self) -> list[str]:
        found = differences(self.project, self.sandbox, self.source)
        # What vanished without a word shows only in a full reading.
        return [line for line in found if self.enumerated or "withdrawn upstream" not in line]

    def requests(self) -> int:
        return len(self.sandbox.requests(self.source))


@contextmanager
def open_bench(connector: type[Connector], quality: Quality, home: Path, folder: Path) -> Iterator[Bench]:
    """A fresh bench of either kind; what the hub logs meanwhile is in `heard`."""
    root = logging.getLogger("hub")
    level = root.level
    if quality.sandbox:
        with Sandbox(systems=[quality.sandbox], scale=60, until=_CITY, directory=folder / "city") as sandbox:
            bench: SampleBench | SandboxBench = SandboxBench(connector, quality, sandbox, folder / "hub")
            yield from _listening(bench, root, level)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield from _listening(SampleBench(connector, quality, home, folder), root, level)


def _listening(bench: Any, root: logging.Logger, level: int) -> Iterator[Bench]:
    handler = _Heard(bench.heard)
    root.addHandler(handler)
    # What a tested connector says is a finding, not a message of this process.
    root.propagate = False
    root.setLevel(logging.DEBUG)
    try:
        yield bench
    finally:
        root.removeHandler(handler)
        root.propagate = True
        root.setLevel(level)
        bench.close()


def _configured(source: str, connector: str, settings: dict[str, Any], folder: Path) -> tuple[Path, dict[str, str]]:
    config = folder / "hub.toml"
    config.write_text(f'[sources.{source}]\nconnector = "{connector}"\nstart = "2000-01-01"\n', "utf-8")
    return config, {_variable(source, name): _text(value) for name, value in settings.items()}


def _settings(quality: Quality, folder: Path) -> dict[str, Any]:
    return {
        name: value.replace("{folder}", str(folder)) if isinstance(value, str) else value
        for name, value in quality.config.items()
    }


def _variable(source: str, setting: str) -> str:
    return f"HUB_SOURCES__{source.upper()}__{setting.upper()}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _samples(path: Path) -> list[dict[str, Any]]:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            "the samples {path} cannot be read: {why}",
            path=path,
            why=type(error).__name__,
            remedy="write a JSON list of records as the source sends them",
        ) from error
    if not found:
        raise ConfigError("there are no samples in {path}", path=path, remedy="add at least one record")
    return found


def _per_page(world: World) -> int:
    return min(int(getattr(world.stream.endpoint.paging, "per_page", 10)), 200)


def _native(native: tuple[Any, ...]) -> str:
    return msgspec.json.encode(native[0] if len(native) == 1 else list(native)).decode()


def _mappings_beside(connector: type[Connector]) -> Path:
    from hub.testing.quality import quality_file

    return quality_file(connector).parent.parent / "mappings"


def secrets_of(hub: Hub, source: str) -> list[str]:
    """The secret settings of a source, in clear, for looking whether they got out."""
    settings = hub.settings.sources[source]
    try:
        config = settings.connector_config(hub.plugins.connector(settings.connector).Config)
    except HubError:
        return []
    values = [getattr(config, name) for name in type(config).model_fields]
    return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
