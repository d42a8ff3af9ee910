"""One page of a stream, fully decided and ready to be written: plain values between `hub.sync` and `hub.store`.

What there is one of for each record is a struct: made in a fraction of a dataclass's or named tuple's time, and unknown to the
garbage collector (nothing here is cyclic).
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from hub.mapping.values import CodeGap, PersonRecord
from hub.source.stream import FileMark

__all__ = [
    "COUNTED",
    "Change",
    "Counts",
    "Lease",
    "NewIncident",
    "OldVersion",
    "PageWrite",
    "Quarantined",
    "RawPage",
    "Rewrite",
    "Seal",
    "StaleVersion",
    "UpdatedIncident",
]

COUNTED = (
    "fetched",
    "new",
    "changed",
    "unchanged",
    "quarantined",
    "tombstoned",
    "stale",
    "unmapped",
    "new_quarantined",
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one partition. `token` rises with every owner; a page under an older token is refused."""

    name: str
    owner: str
    token: int
    ttl_ms: int


@dataclass(slots=True)
class Counts:
    """What became of the records of a page or run; fetched = new + changed + unchanged + quarantined."""

    fetched: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    tombstoned: int = 0
    stale: int = 0
    unmapped: int = 0
    new_quarantined: int = 0

    def add(self, other: "Counts") -> None:
        for name in COUNTED:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def closed(self) -> bool:
        return self.fetched == self.new + self.changed + self.unchanged + self.quarantined


@dataclass(frozen=True, slots=True)
class RawPage:
    """The raw slices of a page that must be kept, with the people of each (same order), and where they came from."""

    slices: list[bytes]
    people: list[list[PersonRecord]]
    source_clock: int | None
    mapping: str
    zone: str
    origin: str


class Seal(NamedTuple):
    """By what a raw page is known to be still as it was opened: the key it was sealed with and its people as sealed, which come
    out differently each time."""

    key_id: str
    people: bytes | None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """New people for an older raw page that was read under this seal. `slices` None leaves its raw records as they are."""

    read: Seal
    people: list[list[PersonRecord]]
    slices: list[bytes] | None = None


class NewIncident(msgspec.Struct, frozen=True, gc=False):
    """`raw_index` points into the page's slices; `slot` is its place in the page's seen list (or -1)."""

    id: str
    native_id: str
    row: tuple[Any, ...]
    revision: int
    raw_hash: bytes
    raw_index: int
    list_hash: bytes | None
    deleted: bool
    slot: int


class UpdatedIncident(msgspec.Struct, frozen=True, gc=False):
    """A known incident's new values. `row` None: only the raw record is newer, nothing a consumer sees; else `fields` names every
    column of it in which it may differ from what is stored. `raw_page` None: the raw record came with this page. Its row must
    still be the one that was looked at: of revision `was_revision`, its raw record on page `was_raw_page`."""

    key: int
    was_revision: int
    was_raw_page: int
    row: tuple[Any, ...] | None
    fields: tuple[str, ...]
    revision: int
    raw_hash: bytes
    raw_index: int
    list_hash: bytes | None
    deletion: str | None
    raw_page: int | None = None


class OldVersion(msgspec.Struct, frozen=True, gc=False):
    """A version that is no longer current. Stored ones carry their raw page and times; what this very page made has
    None and 0: the page's own stand in, also for `deleted_at` if it was `deleted`."""

    key: int | None
    id: str
    revision: int
    row: tuple[Any, ...]
    raw_hash: bytes
    raw_page: int | None
    raw_index: int
    mapping: str
    mapping_version: int
    run: str
    changed_at: int
    deleted_at: int | None
    deleted: bool = False


class StaleVersion(msgspec.Struct, frozen=True, gc=False):
    """A version that came and did not become (or stay) current. `key` None: its incident is new with this page;
    `raw_page` None: so is its raw record."""

    key: int | None
    id: str
    raw_hash: bytes
    raw_page: int | None
    raw_index: int
    source_updated_at: int | None


class Quarantined(msgspec.Struct, frozen=True, gc=False):
    """A record set aside; `raw_index` -1 if exactly these bytes are in quarantine already."""

    raw_hash: bytes
    native_id: str | None
    reason: str
    raw_index: int


class Change(msgspec.Struct, frozen=True, gc=False):
    """One entry of the feed. `op`: insert, update, delete or restore; `fields` are the changed columns of an update."""

    op: str
    id: str
    revision: int
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class PageWrite:
    """One page, fully decided. `number` counts the pages of its run, `reading_page` those of its reading. `state` None leaves the
    partition's state as it is; `rewrites` are of older raw pages. `digest` is remembered (see `known_pages`), or was
    found if `recalled`; `unmoved` is the sum of the raw pages of the records that this page shows as they are stored, `ends` what
    its text is told by."""

    source: str
    stream: str
    partition: str
    kind: str
    mapping: str
    mapping_version: int
    run: str
    number: int
    now: int
    counts: Counts
    requests: int
    raw: RawPage
    new: list[NewIncident] = field(default_factory=list)
    updated: list[UpdatedIncident] = field(default_factory=list)
    old: list[OldVersion] = field(default_factory=list)
    stale: list[StaleVersion] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    gaps: dict[CodeGap, tuple[int, str]] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)
    enumeration: str | None = None
    reading_page: int = 0
    state: str | None = None
    cursor: int | None = None
    position: str | None = None
    file: FileMark | None = None
    unidentified: bool = False
    superseded: list[str] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    rewrites: dict[int, Rewrite] = field(default_factory=dict)
    digest: bytes | None = None
    recalled: bool = False
    unmoved: int = 0
    ends: str = ""
