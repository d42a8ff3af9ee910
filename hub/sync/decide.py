"""Deciding a page: which of its records are unchanged, new, changed, stale or bad. Reads the store, writes nothing."""

import hashlib
from collections.abc import Iterable, Sequence

from hub.mapping.compile import MAPPED_COLUMNS
from hub.mapping.mapping import Mapped, Mapper, UnmappableError
from hub.mapping.values import BadValueError, PersonRecord
from hub.source.stream import Page
from hub.store.known import Known, doubted, full_rows, known, known_quarantine, old_hashes, stale_runs
from hub.store.known_pages import find_page, page_digest
from hub.store.page import Change, NewIncident, OldVersion, PageWrite, Quarantined, RawPage, UpdatedIncident
from hub.store.quarantine import list_quarantine
from hub.store.store import Store
from hub.sync.draft import Current, Draft, Record
from hub.sync.identity import Head, HeadReader, NoIdentityError
from hub.sync.job import StreamJob
from hub.sync.versions import UPDATED_AT, Verdict, changed_fields, judge

__all__ = ["Decider"]


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
        with store.read() as transaction:
            self._doubted = set() if job.stream.log else doubted(transaction, job.key, job.stream.name)

    @staticmethod
    def hashes(page: Page) -> list[bytes]:
        """The SHA-256 of every row of a page."""
        sha256 = hashlib.sha256
        return [sha256(raw).digest() for raw in page.rows]

    def records(self, page: Page, hashes: Sequence[bytes] | None = None) -> list[Record]:
        """Hash (unless that is done) and identify every record of a page; one without identity carries the problem instead."""
        reshape, reader = self._job.stream.reshape, self._head_reader(page.mapping)
        records = []
        for raw, raw_hash in zip(page.rows, hashes or self.hashes(page), strict=True):
            flat, head, problem = raw, None, ""
            try:
                flat = reshape(raw) if reshape else raw
                head = reader.read(flat)
            except NoIdentityError as error:
                problem = str(error)
            except Exception as error:
                # A connector's own code: whatever it stumbles over is the record's fault and stops nothing else.
                flat, problem = raw, f"cannot be reshaped ({type(error).__name__})"
            records.append(Record(raw, flat, raw_hash, head, problem))
        records += [Record(bad.raw, bad.raw, hashlib.sha256(bad.raw).digest(), None, bad.reason) for bad in page.bad]
        return records

    def digest(self, page: Page, hashes: Sequence[bytes]) -> bytes | None:
        """What the page is recalled by. None for rows of a log, which are versions, and for list rows: details count there."""
        stream = self._job.stream
        return None if stream.log or stream.two_step else page_digest(page, hashes)

    def recall(self, digest: bytes | None) -> list[int] | None:
        """The incident keys of a page's records if it was read before and nothing of it changed here; else None."""
        if digest is None or self._doubted:
            return None
        with self._store.read() as transaction:
            return find_page(transaction, self._job.key, self._job.stream.name, digest)

    def unchanged(self, page: Page, keys: list[int], now: int, digest: bytes | None) -> PageWrite:
        """What has to be written for a page that was recalled."""
        draft = Draft(seen=list(keys), recalled=True)
        draft.counts.fetched = draft.counts.unchanged = len(keys)
        return self._page_write(draft, page, now, digest)

    def changed_at(self, head: Head) -> int | None:
        """When the row of a log was written, epoch ms; None if it does not say."""
        try:
            return self._cursor(head.changed)
        except BadValueError:
            return None

    def known(self, records: Iterable[Record]) -> dict[str, Known]:
        """What the store has of these records."""
        with self._store.read() as transaction:
            return known(transaction, [record.head.id for record in records if record.head is not None])

    def decide(
        self, page: Page, records: list[Record], stored: dict[str, Known], now: int, digest: bytes | None = None
    ) -> PageWrite:
        """Everything that has to be written for this page. May be called again after a conflict."""
        draft = Draft()
        draft.counts.fetched = len(records)
        looked_at = self._skip_unchanged(draft, records, stored)
        if looked_at:
            self._look(draft, page, looked_at, stored)
        return self._page_write(draft, page, now, digest)

    def _skip_unchanged(
        self, draft: Draft, records: list[Record], stored: dict[str, Known]
    ) -> list[tuple[int, Record]]:
        """Count what the store holds byte for byte; the others, with their place in the seen list."""
        looked_at = []
        touched = set()
        for slot, record in enumerate(records):
            head = record.head
            found = stored.get(head.id) if head is not None else None
            draft.seen.append(found.key if found is not None else -1)
            if head is not None:
                if found is not None and found.raw_hash == record.raw_hash:
                    if found.key in self._doubted:
                        draft.confirmed.add(found.key)
                    known_so = found.deleted == head.withdrawn and found.list_hash == record.listed
                    if known_so and head.id not in touched:
                        continue
                touched.add(head.id)
            looked_at.append((slot, record))
        draft.counts.unchanged = len(records) - len(looked_at)
        return looked_at

    def _look(self, draft: Draft, page: Page, looked_at: list[tuple[int, Record]], stored: dict[str, Known]) -> None:
        heads = [record.head for _, record in looked_at if record.head is not None]
        keys = [stored[head.id].key for head in heads if head.id in stored]
        with self._store.read() as transaction:
            full = full_rows(transaction, keys)
            stale = stale_runs(transaction, keys)
            history = old_hashes(transaction, keys)
        for head in heads:
            if head.id in stored and stored[head.id].key in full:
                item = full[stored[head.id].key]
                draft.current[head.id] = Current(
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
        draft: Draft,
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
        if current is None:
            if (mapped := self._mapped(draft, mapper, record, head)) is not None:
                self._insert(draft, record, head, mapped, slot)
            return
        key = current.stored.key if current.stored else None
        version = (key, record.raw_hash) if key is not None else None
        old = version in history or version in stale or (head.id, record.raw_hash) in draft.past
        if head.withdrawn:
            self._withdraw(draft, record, head, current, repeated=old and self._job.stream.log)
            return
        if (mapped := self._mapped(draft, mapper, record, head)) is None:
            return
        verdict = judge(
            row=mapped.row,
            current=current.row,
            current_deleted=current.deletion is not None,
            in_history=old or record.raw_hash == current.raw_hash,
            log=self._job.stream.log,
            stale_before=version in stale and stale[version] not in ("", self._run) and key not in draft.confirmed,
        )
        if verdict is Verdict.NEWER:
            self._replace(draft, record, current, mapped)
            return
        draft.counts.unchanged += 1
        if verdict is Verdict.STALE:
            draft.keep_stale(record, current, mapped.people, mapped.row[UPDATED_AT])
            draft.counts.stale += 1
        elif verdict is Verdict.RAW_ONLY:
            self._refresh(draft, record, current, mapped.people)

    def _mapped(self, draft: Draft, mapper: Mapper, record: Record, head: Head) -> Mapped | None:
        """The record in the store's terms; None if it cannot be mapped and was counted as what it then is."""
        try:
            mapped = mapper.map(record.flat)
        except UnmappableError as error:
            if head.withdrawn:
                draft.counts.unchanged += 1  # the end of a record that never was here, told by its key alone
            else:
                self._set_aside(draft, record, str(error))
            return None
        for gap in mapper.gaps():
            count, first = draft.gaps.get(gap, (0, head.id))
            draft.gaps[gap] = (count + 1, first)
            draft.counts.unmapped += 1
        return mapped

    def _refresh(self, draft: Draft, record: Record, current: Current, people: list[PersonRecord]) -> None:
        """Other bytes that say the same: the raw record is replaced."""
        if self._job.stream.log:
            draft.remember(current)
        current.raw_hash, current.listed = record.raw_hash, record.listed
        current.raw_index = draft.keep(record.raw, people)
        self._good(draft, current.head)

    def _set_aside(self, draft: Draft, record: Record, reason: str) -> None:
        draft.counts.quarantined += 1
        index = -1
        again = any(bad.raw_hash == record.raw_hash for bad in draft.bad)
        if not again and not self._in_quarantine(record.raw_hash):
            draft.counts.new_quarantined += 1
            index = draft.keep(record.raw, [])
        native_id = record.head.native_id if record.head is not None else None
        if native_id is not None:
            self._waiting.add(native_id)
            draft.superseded.discard(native_id)
        draft.bad.append(Quarantined(record.raw_hash, native_id, reason, index))

    def _in_quarantine(self, raw_hash: bytes) -> bool:
        with self._store.read() as transaction:
            return known_quarantine(transaction, self._job.key, self._job.stream.name, raw_hash)

    def _withdraw(self, draft: Draft, record: Record, head: Head, current: Current, *, repeated: bool) -> None:
        """Carry out the source's own word that a record is gone, unless a newer version says otherwise or a log only
        repeats it: a record that came back with the same timestamp must not go again. That a log ends a record once
        more, later, is a version too: what it says of the time between must not bring the record back."""
        changed, before = self.changed_at(head), current.row[UPDATED_AT] or 0
        late = changed is not None and before > changed
        again = current.deletion is not None and not (self._job.stream.log and changed is not None and changed > before)
        if late or repeated or again:
            draft.counts.unchanged += 1
            if not repeated and (late or self._job.stream.log):
                draft.keep_stale(record, current, [], changed)
                draft.counts.stale += late
            return
        self._archive(draft, current)
        if changed is not None:
            current.row = (*current.row[:UPDATED_AT], changed, *current.row[UPDATED_AT + 1 :])
            current.fields += (MAPPED_COLUMNS[UPDATED_AT],)
        self._advance(draft, current, record, [], "delete")
        current.deletion = "source"
        draft.counts.changed += 1
        draft.counts.tombstoned += 1

    def _insert(self, draft: Draft, record: Record, head: Head, mapped: Mapped, slot: int) -> None:
        index = draft.keep(record.raw, mapped.people)
        deletion = "source" if head.withdrawn else None
        draft.current[head.id] = Current(
            head, mapped.row, 1, record.raw_hash, index, deletion, record.listed, None, slot, raw_only=False
        )
        draft.counts.new += 1
        self._good(draft, head)
        draft.counts.tombstoned += deletion is not None
        draft.changes.append(Change("delete" if deletion else "insert", head.id, 1))

    def _replace(self, draft: Draft, record: Record, current: Current, mapped: Mapped) -> None:
        fields = changed_fields(current.row, mapped.row)
        op = "restore" if current.deletion is not None else "update"
        self._archive(draft, current)
        current.row, current.deletion = mapped.row, None
        current.fields += fields
        self._advance(draft, current, record, mapped.people, op, fields)
        draft.counts.changed += 1

    def _archive(self, draft: Draft, current: Current) -> None:
        """The version that is current now becomes history. Its raw record is where this page found or put it."""
        stored, mapping = current.stored, self._job.mapping
        draft.past.add((current.head.id, current.raw_hash))
        raw_page, raw_index = None, current.raw_index or 0
        if stored is not None and current.raw_index is None:
            raw_page, raw_index = stored.raw_page, stored.raw_index
        made: tuple[str, int, str, int, int | None] = (mapping.name, mapping.version, self._run, 0, None)
        if stored is not None and current.revision == stored.revision:
            made = (stored.mapping, stored.mapping_version, stored.run, stored.changed_at, stored.deleted_at)
        old = OldVersion(
            stored.key if stored else None, current.head.id, current.revision, current.row, current.raw_hash,
            raw_page, raw_index, *made, current.deletion is not None,
        )  # fmt: skip
        draft.old.append(old)

    def _advance(
        self,
        draft: Draft,
        current: Current,
        record: Record,
        people: list[PersonRecord],
        op: str,
        fields: tuple[str, ...] = (),
    ) -> None:
        current.revision += 1
        current.raw_hash, current.listed = record.raw_hash, record.listed
        current.raw_index = draft.keep(record.raw, people)
        current.raw_only = False
        self._good(draft, current.head)
        draft.changes.append(Change(op, current.head.id, current.revision, fields))

    def _good(self, draft: Draft, head: Head) -> None:
        """A good version came: bad ones of the record that wait in quarantine are settled by it."""
        if head.native_id in self._waiting:
            draft.superseded.add(head.native_id)

    def _page_write(self, draft: Draft, page: Page, now: int, digest: bytes | None) -> PageWrite:
        counts = draft.counts
        exact = not (counts.quarantined or counts.stale)
        mapping = self._job.mapping_of(page.mapping)
        clock = int(page.clock.timestamp() * 1000) if page.clock else None
        write = PageWrite(
            source=self._job.key, stream=self._job.stream.name, partition=self._job.partition, kind=mapping.kind.value,
            mapping=mapping.name, mapping_version=mapping.version, run=self._run, number=0, now=now,
            counts=draft.counts, requests=page.requests,
            raw=RawPage(draft.slices, draft.people, clock, mapping.name, page.zone, page.origin),
            old=draft.old, stale=draft.stale, quarantined=draft.bad, changes=draft.changes, gaps=draft.gaps, seen=draft.seen,
            file=page.file, unidentified=draft.unidentified, superseded=sorted(draft.superseded),
            confirmed=sorted(draft.confirmed), digest=digest if exact else None, recalled=draft.recalled,
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
                        item.stored.key, item.stored.revision, None if item.raw_only else item.row, item.fields, item.revision,
                        item.raw_hash, item.raw_index, item.listed, item.deletion,
                    )
                )  # fmt: skip
        return write

    def _head_reader(self, mapping: str) -> HeadReader:
        if mapping not in self._heads:
            self._heads[mapping] = self._job.head_reader(mapping)
        return self._heads[mapping]

    def _mapper(self, mapping: str, zone: str) -> Mapper:
        if (mapping, zone) not in self._mappers:
            self._mappers[mapping, zone] = self._job.mapper(mapping, zone)
        return self._mappers[mapping, zone]
