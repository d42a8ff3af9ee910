"""A page while it is being decided: its records, the versions that are current meanwhile, and what will be written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.mapping.mapping import Mapped, UnmappableError
from hub.mapping.values import CodeGap, PersonRecord
from hub.store.known import Full
from hub.store.page import Change, Counts, OldVersion, Quarantined, StaleVersion
from hub.sync.identity import Head
from hub.sync.versions import UPDATED_AT

__all__ = ["ITS_DETAIL", "Current", "Draft", "Record"]

#: How a problem begins for which a list row was set aside, because of its detail.
ITS_DETAIL = "its detail"


class Record(msgspec.Struct, gc=False):
    """One record of a page. `raw` is kept byte for byte, `flat` is what is decoded, `listed` the hash of its list row; `mapped`
    is None until it is mapped, with the codes nobody knew in `gaps`."""

    raw: bytes
    flat: bytes
    raw_hash: bytes
    head: Head | None
    problem: str = ""
    listed: bytes | None = None
    mapped: Mapped | UnmappableError | None = None
    gaps: Sequence[CodeGap] = ()


class Current(msgspec.Struct, gc=False):
    """The version of an incident that is current while the page is being decided. `fields`: in which columns it may differ from
    the stored one."""

    head: Head
    id: str
    row: tuple[Any, ...]
    revision: int
    raw_hash: bytes
    raw_index: int | None
    deletion: str | None
    listed: bytes | None
    stored: Full | None
    slot: int
    raw_only: bool = True
    fields: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """What a page will write, as far as it is decided. `ids`: of records that are not stored yet, by native id; `unmoved`: the
    raw page of each living record that it shows as it is."""

    counts: Counts = field(default_factory=Counts)
    slices: list[bytes] = field(default_factory=list)
    people: list[list[PersonRecord]] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    current: dict[str, Current] = field(default_factory=dict)
    old: list[OldVersion] = field(default_factory=list)
    stale: list[StaleVersion] = field(default_factory=list)
    bad: list[Quarantined] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    gaps: dict[CodeGap, tuple[int, str]] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)
    recalled: bool = False
    unmoved: list[int] = field(default_factory=list)
    unidentified: bool = False
    past: set[tuple[str, bytes]] = field(default_factory=set)
    confirmed: set[int] = field(default_factory=set)
    superseded: set[str] = field(default_factory=set)

    def keep(self, raw: bytes, people: list[PersonRecord]) -> int:
        self.slices.append(raw)
        self.people.append(people)
        return len(self.slices) - 1

    def keep_stale(self, record: Record, current: Current, people: list[PersonRecord], changed: int | None) -> None:
        """Keep a version that does not become current: as history, and to know it when it is read again."""
        self.past.add((current.id, record.raw_hash))
        key, index = current.stored.key if current.stored else None, self.keep(record.raw, people)
        self.stale.append(StaleVersion(key, current.id, record.raw_hash, None, index, changed))

    def remember(self, current: Current) -> None:
        """Keep the current raw record as history before another takes its place, because a log may repeat it."""
        self.past.add((current.id, current.raw_hash))
        stored, page, index = current.stored, None, current.raw_index or 0
        if stored is not None and current.raw_index is None:
            page, index = stored.raw_page, stored.raw_index
        key = stored.key if stored else None
        at = current.row[UPDATED_AT]
        self.stale.append(StaleVersion(key, current.id, current.raw_hash, page, index, at))
