"""A bench on the author's samples: a simulated upstream that speaks as the connector declares."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from hub import clock
from hub.errors import ConfigError
from hub.mapping.mapping import Mapping
from hub.source.connector import Connector
from hub.source.files import FileSpec
from hub.source.rest import Endpoint
from hub.source.singer import Tap
from hub.source.stream import Cursor, Page, Stream
from hub.source.table import Table
from hub.store.state import read_state
from hub.sync.sources import OpenSource
from hub.testing.bench import CommonBench
from hub.testing.quality import Quality
from hub.testing.simulated import SimulatedApi
from hub.testing.simulated_folder import SimulatedFolder
from hub.testing.simulated_tables import SimulatedTables
from hub.testing.simulated_tap import SimulatedTap
from hub.testing.tested import TestedProject, configured, settings_of
from hub.testing.upstream import Upstream, Worlds
from hub.testing.world import World, at_path, put_path

__all__ = ["SampleBench"]

_RECORDS = 23
#: An upstream that tells no time is measured by our clock; nothing it shows may lie ahead of that.
_BEHIND = timedelta(hours=12)


class SampleBench(CommonBench):
    """A connector against its own samples."""

    planted: frozenset[str] = frozenset()

    def __init__(self, connector: type[Connector], quality: Quality, home: Path, folder: Path) -> None:
        self.source, self.heard = connector.name, []
        self._folder, self._samples = folder, home / quality.samples
        settings = settings_of(quality, {"folder": str(folder), "python": sys.executable})
        config, secrets = configured(connector, settings, folder)
        self.project = TestedProject(folder, config, connector, secrets)
        self.now = clock.now().replace(microsecond=0)
        with self.hub.open(self.source) as source:
            self.worlds, self.upstream = self._simulated(source)
            auth = getattr(source.transport, "_auth", None)
            self.renews = isinstance(self.upstream, SimulatedApi) and (auth is None or auth.renewable)
        self.refusals = self.upstream.refusals
        self.throttles = isinstance(self.upstream, SimulatedApi)
        if isinstance(self.upstream, SimulatedApi):
            self.project.tested.network = self.upstream
        if not self.upstream.tells_time:
            self._pass(-_BEHIND)
        self._begin()

    def _begin(self) -> None:
        """Three lots, so that what tells of changes one after the other does so."""
        count = max(_RECORDS, 2 * self._page + 3)
        self.few = max(5, count // 15)
        for lot in (count // 3, count // 3, count - 2 * (count // 3)):
            for world in self.worlds.values():
                left = count - len(world.kept)
                world.grow(lot, since=self.now - timedelta(days=2) - left * timedelta(minutes=7))
            self.upstream.write()

    def _simulated(self, source: OpenSource) -> tuple[Worlds, Upstream]:
        endpoints = {type(stream.endpoint) for stream in source.streams}
        # An author's transport may stand in front of the kit's own.
        kinds: tuple[FileSpec, ...] | None = getattr(source.transport, "kinds", None)
        if kinds is not None:
            worlds = self._worlds(source, self._as_mapped)
            return worlds, SimulatedFolder(worlds, kinds, self._folder / "drop")
        worlds = self._worlds(source, lambda stream: stream)
        if endpoints == {Endpoint}:
            return worlds, SimulatedApi(worlds, getattr(source.transport, "_auth", None))
        if endpoints == {Table}:
            return worlds, SimulatedTables(worlds, self._folder / "upstream.db")
        if endpoints == {Tap}:
            return worlds, SimulatedTap(worlds, self._folder)
        raise ConfigError(
            "the kit cannot simulate what {connector} reads from",
            connector=source.connector.name,
            remedy="use a transport of hub.source, or test it with hub.testing.project",
        )

    def _worlds(self, source: OpenSource, seen: Callable[[Stream], Stream]) -> Worlds:
        return {
            stream.name: World(seen(stream), _samples(self._samples / f"{stream.name}.json"), self.now)
            for stream in source.streams
        }

    def _as_mapped(self, stream: Stream) -> Stream:
        """A stream of files with the id and the time of change that only its mapping knows."""
        mapping = self.hub.mappings.get(stream.mapping)
        return replace(stream, native_id=mapping.file.native_id, cursor=_mapped_cursor(mapping))

    @property
    def _page(self) -> int:
        return self.upstream.page_rows

    def fault(self, name: str, **options: Any) -> None:
        self.upstream.fault(name, **options)

    def clear(self) -> None:
        self.upstream.clear()

    def shift(self) -> None:
        left = iter(range(2))

        def after_page(page: Page) -> None:
            if page.next is not None and next(left, None) is not None:
                self.upstream.shift()

        self.watch(after_page)

    def _pass(self, time: timedelta) -> None:
        self.now += time
        for world in self.worlds.values():
            world.now = self.now

    def move(self) -> None:
        self._pass(timedelta(minutes=20))
        for world in self.worlds.values():
            world.grow(3, since=self.now - timedelta(minutes=15), apart=timedelta(minutes=1))
            for one in world.living[:2]:
                world.touch(one, self.now - timedelta(minutes=5))
        self.upstream.write()

    def tie(self) -> None:
        self._pass(timedelta(minutes=20))
        for world in self.worlds.values():
            world.grow(2 * self._page + 1, since=self.now - timedelta(minutes=10), apart=timedelta(0))
            cursor = self._cursor(world)
            if cursor is not None:
                world.grow(1, since=cursor, apart=timedelta(0))
        self.upstream.write()

    def late(self) -> None:
        self._pass(timedelta(minutes=20))
        for world in self.worlds.values():
            cursor = self._cursor(world)
            if world.stream.cursor is not None:
                late = cursor - world.stream.cursor.lookback * 0.8 if cursor else self.now - timedelta(days=1)
                world.grow(1, since=late, apart=timedelta(0))
        self.upstream.late()

    def withdraw(self) -> int:
        self._pass(timedelta(minutes=20))
        count = 0
        for world in self.worlds.values():
            operation = world.stream.operation
            if isinstance(self.upstream, SimulatedFolder):
                # A row that is in no later file is no word about its record.
                continue
            for one in world.living[:2]:
                count += 1
                if operation:
                    put_path(one.record, operation, world.stream.deletes[0])
                    world.touch(one, self.now - timedelta(minutes=5))
                else:
                    one.gone = True
        self.upstream.write()
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

    def _cursor(self, world: World) -> datetime | None:
        state = read_state(self.hub.store, self.source, world.stream.name, "")
        return datetime.fromtimestamp(state.cursor / 1000, UTC) if state and state.cursor is not None else None


def _mapped_cursor(mapping: Mapping) -> Cursor | None:
    spec = mapping.file.fields.get("source_updated_at")
    if spec is None or len(spec.path) != 1:
        return None
    return Cursor(
        path=spec.path[0], zone=spec.zone or mapping.file.zone, format=spec.format or mapping.file.time_format
    )  # fmt: skip


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


def _native(native: tuple[Any, ...]) -> str:
    return msgspec.json.encode(native[0] if len(native) == 1 else list(native)).decode()
