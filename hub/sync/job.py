"""One stream of one source, with everything a run of it needs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.config import SourceSettings
from hub.errors import MappingError
from hub.mapping.instants import Instant
from hub.mapping.mapping import Mapper, Mapping, Mappings
from hub.mapping.values import Leaf, Notes
from hub.source.stream import Stream, Transport
from hub.store.leases import lease_name
from hub.sync.enrich import Enrich
from hub.sync.identity import HeadReader

__all__ = ["Hooks", "StreamJob"]


@dataclass(frozen=True, slots=True)
class Hooks:
    """What plugins want to be told. `enrich` is None unless somebody implements it, so that it costs nothing."""

    enrich: Enrich | None = None
    committed: Callable[[list[dict[str, Any]]], None] | None = None
    finished: Callable[[dict[str, Any]], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamJob:
    """`source` is the section's name, `key` what the store calls it. `start` is how far back a first sync goes.
    `lease_ms`: how long the partition stays with the run after each page."""

    source: str
    key: str
    stream: Stream
    transport: Transport
    mappings: Mappings
    settings: SourceSettings
    start: datetime
    zone: str
    partition: str = ""
    hooks: Hooks = field(default_factory=Hooks)
    lease_ms: int = 90_000

    @property
    def lease_name(self) -> str:
        return lease_name(self.key, self.stream.name, self.partition)

    @property
    def mapping(self) -> Mapping:
        """The stream's mapping, for what does not depend on a file. MappingError if it is missing or wrong."""
        return self.mappings.get(self.stream.mapping)

    def mapping_of(self, page_mapping: str) -> Mapping:
        return self.mappings.get(page_mapping or self.stream.mapping)

    def outdated(self, mapping: str, version: int) -> bool:
        """Whether the mapping of that name is newer now; one that is not there any more, or wrong, will not read anything."""
        try:
            return self.mappings.get(mapping).version > version
        except MappingError:
            return False

    def mapper(self, page_mapping: str, zone: str) -> Mapper:
        return self.mapping_of(page_mapping).mapper(zone)

    def head_reader(self, page_mapping: str = "") -> HeadReader:
        stream = self.stream
        paths = stream.id_paths or self.mapping_of(page_mapping).file.native_id
        cursor = stream.cursor.path if stream.cursor else None
        return HeadReader(paths, stream.operation, stream.deletes, cursor)

    def cursor_reader(self) -> Callable[[Leaf], int | None]:
        """From the cursor's leaf to epoch ms."""
        cursor = self.stream.cursor
        if cursor is None:
            return lambda leaf: None
        return Instant(cursor.zone, cursor.format, Notes()).read
