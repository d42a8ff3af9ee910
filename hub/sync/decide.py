"""Deciding a page: which of its records are unchanged, new, changed, stale or bad. Reads the store, writes nothing."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hub.mapping.mapping import Mapped, Mapper, UnmappableError
from hub.mapping.values import BadValueError, CodeGap, PersonRecord
from hub.source.stream import Page
from hub.store.known import Full, Known, full_rows, known, known_quarantine, old_hashes, stale_runs
from hub.store.page import (
    Change,
    Counts,
    NewIncident,
    OldVersion,
    PageWrite,
    Quarantined,
    RawPage,
    StaleVersion,
    UpdatedIncident,
)  # fmt: skip
from hub.store.quarantine import list_quarantine
from hub.store.store import Store
from hub.sync.identity import Head, HeadReader, NoIdentityError
from hub.sync.job import StreamJob
from hub.sync.versions import UPDATED_AT, Verdict, changed_fields, judge

__all__ = ["Decider", "Record"]


@dataclass(slots=True)
class Record:
    """One record of a page. `raw` is kept byte for byte, `flat` is what is decoded, `listed` the hash of its list row."""

    raw: bytes
    flat: bytes
    raw_hash: bytes
    head: Head | None
    problem: str = ""
    listed: bytes | None = None


@dataclass(slots=True)
class _Current:
    """The version of an incident that is current while the page is being decided."""

    head: Head
    row: tuple[Any, ...]
    revision: int
    raw_hash: bytes
    raw_index: int | None
    deletion: str | None
    listed: bytes | None
    stored: Full | None
    slot: int
    raw_only: bool = True


@dataclass(slots=True)
class _Draft:
    """What a page will write, as far as it is decided."""

    counts: Counts = field(default_factory=Counts)
    slices: list[bytes] = field(default_factory=list)
    people: list[list[PersonRecord]] = field(default_factory=list)
    current: dict[str, _Current] = field(default_factory=dict)
    old: list[OldVersion] = field(default_factory=list)
    stale: list[StaleVersion] = field(default_factory=list)
    bad: list[Quarantined] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    gaps: dict[CodeGap, tuple[int, str]] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)
    unidentified: bool = False

    def keep(self, raw: bytes, people: list[PersonRecord]) -> int:
        self.slices.append(raw)
        self.people.append(people)
        return len(self.slices) - 1


class Decider:
    """Decides the pages of one run, one after the other."""

    def __init__(self, store: Store, job: StreamJob, run: str) -> None:
        self._store, self._job, self._run = store, job, run
        self._heads: dict[str, HeadReader] = {}
        self._mappers: dict[tuple[str, str], Mapper] = {}
        self._cursor = job.cursor_reader()
        self._waiting = {
            entry.native_id
            for entry in list_quarantine(store, source=job.key, stream=job.stream.name)
            if entry.native_id
        }

    def records(self, page: Page) -> list[Record]:
        """Hash and identify every record of a page; one without identity carries the problem instead."""
        reshape, reader = self._job.stream.reshape, self._head_reader(page.mapping)
        sha256 = hashlib.sha256
        records = []
        for raw in page.rows:
            try:
                flat = reshape(raw) if reshape else raw
                head, problem = reader.read(flat), ""
            except (NoIdentityError, ValueError) as error:
                flat, head, problem = (
                    raw,
                    None,
                    str(error) if isinstance(error, NoIdentityError) else "cannot be reshaped",
                )
            records.append(Record(raw, flat, sha256(raw).digest(), head, problem))
        records += [Record(bad.raw, bad.raw, sha256(bad.raw).digest(), None, bad.reason) for bad in page.bad]
        return records

    def known(self, records: Iterable[Record]) -> dict[str, Known]:
        """What the store has of these records."""
        with self._store.read() as transaction:
            return known(transaction, [record.head.id for record in records if record.head is not None])

    def decide(self, page: Page, records: list[Record], stored: dict[str, Known], now: int) -> PageWrite:
        """Everything that has to be written for this page. May be called again after a conflict."""
        draft = _Draft()
        draft.counts.fetched = len(records)
        looked_at = self._skip_unchanged(draft, records, stored)
        if looked_at:
            self._look(draft, page, looked_at, stored)
        return self._page_write(draft, page, now)

    def _skip_unchanged(
        self, draft: _Draft, records: list[Record], stored: dict[str, Known]
    ) -> list[tuple[int, Record]]:
        """Count what the store holds byte for byte; the others, with their place in the seen list."""
        looked_at = []
        touched = set()
        for slot, record in enumerate(records):
            head = record.head
            found = stored.get(head.id) if head is not None else None
            draft.seen.append(found.key if found is not None else -1)
            same = found is not None and found.raw_hash == record.raw_hash
            if (
                same
                and found is not None
                and head is not None
                and head.id not in touched
                and found.deleted == head.withdrawn
            ):
                continue
            if head is not None:
                touched.add(head.id)
            looked_at.append((slot, record))
        draft.counts.unchanged = len(records) - len(looked_at)
        return looked_at

    def _look(self, draft: _Draft, page: Page, looked_at: list[tuple[int, Record]], stored: dict[str, Known]) -> None:
        heads = [record.head for _, record in looked_at if record.head is not None]
        keys = [stored[head.id].key for head in heads if head.id in stored]
        with self._store.read() as transaction:
            full = full_rows(transaction, keys)
            stale = stale_runs(transaction, keys)
            history = old_hashes(transaction, keys)
        for head in heads:
            if head.id in stored and stored[head.id].key in full:
                item = full[stored[head.id].key]
                draft.current[head.id] = _Current(
                    head,
                    item.row,
                    item.revision,
                    item.raw_hash,
                    None,
                    item.deletion,
                    stored[head.id].list_hash,
                    item,
                    -1,
                )
        mapper = self._mapper(page.mapping, page.zone)
        for slot, record in looked_at:
            self._one(draft, mapper, slot, record, stale, history)

    def _one(
        self,
        draft: _Draft,
        mapper: Mapper,
        slot: int,
        record: Record,
        stale: dict[tuple[int, bytes], str],
        history: set[tuple[int, bytes]],
    ) -> None:
        head = record.head
        if head is None or record.problem:
            draft.unidentified = draft.unidentified or head is None
            self._set_aside(draft, record, record.problem)
            return
        current = draft.current.get(head.id)
        if head.withdrawn and self._withdraw(draft, record, head, current):
            return
        try:
            mapped = mapper.map(record.flat)
        except UnmappableError as error:
            self._set_aside(draft, record, str(error))
            return
        self._note_gaps(draft, mapper, head.id)
        if current is None:
            self._insert(draft, record, head, mapped, slot)
            return
        key = current.stored.key if current.stored else None
        verdict = judge(
            row=mapped.row,
            current=current.row,
            current_deleted=current.deletion is not None,
            in_history=record.raw_hash == current.raw_hash or (key is not None and (key, record.raw_hash) in history),
            log=self._job.stream.log,
            stale_before=key is not None and stale.get((key, record.raw_hash), self._run) != self._run,
        )
        if verdict is Verdict.NEWER:
            self._replace(draft, record, current, mapped)
            return
        draft.counts.unchanged += 1
        if verdict is Verdict.STALE:
            draft.counts.stale += 1
            if key is not None:
                index = draft.keep(record.raw, mapped.people)
                draft.stale.append(StaleVersion(key, record.raw_hash, index, mapped.row[UPDATED_AT]))
        elif verdict is Verdict.RAW_ONLY:
            current.raw_hash, current.listed = record.raw_hash, record.listed
            current.raw_index = draft.keep(record.raw, mapped.people)

    def _set_aside(self, draft: _Draft, record: Record, reason: str) -> None:
        draft.counts.quarantined += 1
        index = -1
        again = any(bad.raw_hash == record.raw_hash for bad in draft.bad)
        if not again and not self._in_quarantine(record.raw_hash):
            draft.counts.new_quarantined += 1
            index = draft.keep(record.raw, [])
        native_id = record.head.native_id if record.head is not None else None
        draft.bad.append(Quarantined(record.raw_hash, native_id, reason, index))

    def _in_quarantine(self, raw_hash: bytes) -> bool:
        with self._store.read() as transaction:
            return known_quarantine(transaction, self._job.key, self._job.stream.name, raw_hash)

    def _withdraw(self, draft: _Draft, record: Record, head: Head, current: _Current | None) -> bool:
        """Carry out the source's own word that a record is gone. False: nothing is known of it, so it is mapped first."""
        if current is None:
            return False
        changed = self._instant(head)
        if current.deletion is not None or (changed is not None and (current.row[UPDATED_AT] or 0) > changed):
            draft.counts.unchanged += 1
            return True
        self._archive(draft, current)
        if changed is not None:
            current.row = (*current.row[:UPDATED_AT], changed, *current.row[UPDATED_AT + 1 :])
        self._advance(draft, current, record, [], "delete")
        current.deletion = "source"
        draft.counts.changed += 1
        draft.counts.tombstoned += 1
        return True

    def _insert(self, draft: _Draft, record: Record, head: Head, mapped: Mapped, slot: int) -> None:
        index = draft.keep(record.raw, mapped.people)
        deletion = "source" if head.withdrawn else None
        draft.current[head.id] = _Current(
            head, mapped.row, 1, record.raw_hash, index, deletion, record.listed, None, slot, raw_only=False
        )
        draft.counts.new += 1
        draft.counts.tombstoned += deletion is not None
        draft.changes.append(Change("delete" if deletion else "insert", head.id, 1))

    def _replace(self, draft: _Draft, record: Record, current: _Current, mapped: Mapped) -> None:
        fields = changed_fields(current.row, mapped.row)
        op = "restore" if current.deletion is not None else "update"
        self._archive(draft, current)
        current.row, current.deletion = mapped.row, None
        self._advance(draft, current, record, mapped.people, op, fields)
        draft.counts.changed += 1

    def _archive(self, draft: _Draft, current: _Current) -> None:
        """The version that is current now becomes history."""
        stored, mapping = current.stored, self._job.mapping
        untouched = stored is not None and current.revision == stored.revision and current.raw_index is None
        if stored is not None and untouched:
            draft.old.append(
                OldVersion(
                    stored.key, current.head.id, stored.revision, stored.row, stored.raw_hash, stored.raw_page, stored.raw_index,
                    stored.mapping, stored.mapping_version, stored.run, stored.changed_at, stored.deleted_at,
                )
            )  # fmt: skip
        else:
            draft.old.append(
                OldVersion(
                    stored.key if stored else None, current.head.id, current.revision, current.row, current.raw_hash, None,
                    current.raw_index or 0, mapping.name, mapping.version, self._run, 0, None,
                )
            )  # fmt: skip

    def _advance(
        self,
        draft: _Draft,
        current: _Current,
        record: Record,
        people: list[PersonRecord],
        op: str,
        fields: tuple[str, ...] = (),
    ) -> None:
        current.revision += 1
        current.raw_hash, current.listed = record.raw_hash, record.listed
        current.raw_index = draft.keep(record.raw, people)
        current.raw_only = False
        draft.changes.append(Change(op, current.head.id, current.revision, fields))

    def _note_gaps(self, draft: _Draft, mapper: Mapper, sample: str) -> None:
        for gap in mapper.gaps():
            count, first = draft.gaps.get(gap, (0, sample))
            draft.gaps[gap] = (count + 1, first)
            draft.counts.unmapped += 1

    def _instant(self, head: Head) -> int | None:
        try:
            return self._cursor(head.changed)
        except BadValueError:
            return None

    def _page_write(self, draft: _Draft, page: Page, now: int) -> PageWrite:
        mapping = self._job.mapping_of(page.mapping)
        clock = int(page.clock.timestamp() * 1000) if page.clock else None
        write = PageWrite(
            source=self._job.key, stream=self._job.stream.name, partition=self._job.partition, kind=mapping.kind,
            mapping=mapping.name, mapping_version=mapping.version, run=self._run, number=0, now=now,
            counts=draft.counts, requests=page.requests,
            raw=RawPage(draft.slices, draft.people, clock, mapping.name, page.zone, page.origin),
            old=draft.old, stale=draft.stale, quarantined=draft.bad, changes=draft.changes, gaps=draft.gaps, seen=draft.seen,
            file=page.file, unidentified=draft.unidentified, superseded=self._superseded(draft),
        )  # fmt: skip
        for item in draft.current.values():
            if item.stored is None:
                write.new.append(
                    NewIncident(
                        item.head.id, item.head.native_id, item.row, item.revision, item.raw_hash, item.raw_index or 0,
                        item.listed, item.deletion is not None, item.slot,
                    )
                )  # fmt: skip
            elif item.raw_index is not None:
                write.updated.append(
                    UpdatedIncident(
                        item.stored.key, item.stored.revision, None if item.raw_only else item.row, item.revision,
                        item.raw_hash, item.raw_index, item.listed, item.deletion,
                    )
                )  # fmt: skip
        return write

    def _superseded(self, draft: _Draft) -> list[str]:
        """Native ids of which a bad version waits in quarantine although a good one came with this page."""
        good = {item.head.native_id for item in draft.current.values() if item.raw_index is not None}
        return sorted(self._waiting & good) if self._waiting else []

    def _head_reader(self, mapping: str) -> HeadReader:
        if mapping not in self._heads:
            self._heads[mapping] = self._job.head_reader(mapping)
        return self._heads[mapping]

    def _mapper(self, mapping: str, zone: str) -> Mapper:
        if (mapping, zone) not in self._mappers:
            self._mappers[mapping, zone] = self._job.mapper(mapping, zone)
        return self._mappers[mapping, zone]
