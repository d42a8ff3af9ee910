"""Deciding a page: which of its records are unchanged, new, changed, stale or bad. Reads the store, writes nothing."""

from hub.incident import IncidentIds
from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.mapping import Mapped
from hub.mapping.values import PersonRecord
from hub.source.rows import TextRows
from hub.source.stream import Page
from hub.store.known import (
    Full,
    doubted,
    full_rows,
    known,
    known_quarantine,
    old_hashes,
    replaced_at_once,
    stale_pages,
)
from hub.store.page import Change, NewIncident, OldVersion, PageWrite, Quarantined, RawPage, UpdatedIncident
from hub.store.quarantine import list_quarantine
from hub.store.store import Store
from hub.sync.draft import Current, Draft, Record
from hub.sync.identity import Head
from hub.sync.job import StreamJob
from hub.sync.prepare import Prepared, Preparer
from hub.sync.versions import UPDATED_AT, Verdict, changed_fields, judge, older

__all__ = ["Decider"]


class Decider:
    """Decides the pages of one run, one after the other. `preparer` is its own, for what cannot be done ahead. `mark`: the newest
    raw page as the reading began (0: no reading)."""

    def __init__(self, store: Store, job: StreamJob, run: str, mark: int = 0) -> None:
        self._store, self._job, self._run, self._mark = store, job, run, mark
        self._ids = IncidentIds(job.key, job.stream.name)
        self._waiting = {
            entry.native_id
            for entry in list_quarantine(store, source=job.key, stream=job.stream.name)
            if entry.native_id
        }
        with store.read() as transaction:
            self._doubted = set() if job.stream.log else doubted(transaction, job.key, job.stream.name)
            waiting = known(transaction, job.key, job.stream.name, sorted(self._waiting)) if self._waiting else {}
        self._confirmed = set[int]()
        self._watched = self._doubted.union(found.key for found in waiting.values())
        self.preparer = self.another_preparer()

    def another_preparer(self) -> Preparer:
        """For another thread. While an older version of a record was shown last, or a bad one is in quarantine, it matters that
        it is seen unchanged: no page with it is recalled."""
        return Preparer(self._store, self._job, self._watched)

    def decide(self, prepared: Prepared, now: int) -> PageWrite:
        """Everything that has to be written for this page. May be called again after a conflict."""
        draft = Draft()
        if prepared.keys is not None:
            draft.seen, draft.recalled = list(prepared.keys), True
            draft.counts.fetched = draft.counts.unchanged = len(prepared.keys)
        else:
            draft.counts.fetched = len(prepared.records)
            looked_at = self._skip_unchanged(draft, prepared)
            if looked_at:
                self._look(draft, prepared, looked_at)
        self._confirmed |= draft.confirmed
        return self._page_write(draft, prepared.page, now, prepared.digest)

    def _skip_unchanged(self, draft: Draft, prepared: Prepared) -> list[tuple[int, Record]]:
        """Count what the store holds byte for byte; the others, with their place in the seen list."""
        stored, records = prepared.stored, prepared.records
        if not stored:
            draft.seen = [-1] * len(records)
            return list(enumerate(records))
        looked_at = []
        touched = set()
        for slot, record in enumerate(records):
            head = record.head
            found = stored.get(head.native_id) if head is not None else None
            draft.seen.append(found.key if found is not None else -1)
            if head is not None:
                if found is not None and found.raw_hash == record.raw_hash:
                    if found.key in self._doubted:
                        draft.confirmed.add(found.key)
                    known_so = found.deleted == head.withdrawn and found.list_hash == record.listed
                    if known_so and head.native_id not in touched:
                        if not found.deleted:
                            draft.unmoved.append(found.raw_page)
                        if self._waiting:
                            self._good(draft, head)
                        continue
                touched.add(head.native_id)
            looked_at.append((slot, record))
        draft.counts.unchanged = len(records) - len(looked_at)
        return looked_at

    def _look(self, draft: Draft, prepared: Prepared, looked_at: list[tuple[int, Record]]) -> None:
        heads = [record.head for _, record in looked_at if record.head is not None]
        known_heads = [(head, prepared.stored[head.native_id]) for head in heads if head.native_id in prepared.stored]
        stale: dict[tuple[int, bytes], int | None] = {}
        history: set[tuple[int, bytes]] = set()
        if known_heads:
            keys = [found.key for _, found in known_heads]
            with self._store.read() as transaction:
                full = full_rows(transaction, keys)
                stale = stale_pages(transaction, keys)
                if self._job.stream.log:
                    history = old_hashes(transaction, keys)
                else:
                    # A source that shows states may show an old one again and mean it, if it does not show it beside another.
                    history = replaced_at_once(transaction, self._undated(looked_at, prepared, full))
            for head, found in known_heads:
                if (item := full.get(found.key)) is not None:
                    draft.current[head.native_id] = Current(
                        head, found.id, item.row, item.revision, item.raw_hash, None, item.deletion, found.list_hash, item, -1
                    )  # fmt: skip
        new = [head.native_id for head in heads if head.native_id not in draft.current]
        draft.ids = dict(zip(new, self._ids.of(new), strict=True))
        for _, record in looked_at if self._doubted else ():
            self._refute(draft, record)
        for slot, record in self._meant(draft, prepared.page, looked_at):
            self._one(draft, prepared.page, slot, record, stale, history)

    @staticmethod
    def _undated(looked_at: list[tuple[int, Record]], prepared: Prepared, full: dict[int, Full]) -> list[int]:
        """Keys of those of which a version came that no time tells from the current one."""
        keys = []
        for _, record in looked_at:
            found = prepared.stored.get(record.head.native_id) if record.head is not None else None
            if found is None or not isinstance(record.mapped, Mapped) or found.key not in full:
                continue
            if not older(full[found.key].row, record.mapped.row):
                keys.append(found.key)
        return keys

    def _refute(self, draft: Draft, record: Record) -> None:
        """A version newer than the current one refutes those that are older, wherever on the page they stand."""
        current = draft.current.get(record.head.native_id) if record.head is not None else None
        if current is None or current.stored is None or current.stored.key not in self._doubted:
            return
        if isinstance(record.mapped, Mapped) and older(current.row, record.mapped.row):
            draft.confirmed.add(current.stored.key)

    def _meant(self, draft: Draft, page: Page, looked_at: list[tuple[int, Record]]) -> list[tuple[int, Record]]:
        """What a source that shows states means: of several versions of one record and time on a page only the last. One after
        the other they would become current, and so again at every reading."""
        ids = [record.head.native_id for _, record in looked_at if record.head is not None]
        if self._job.stream.log or len(set(ids)) == len(ids):
            return looked_at
        last = {record.head.native_id: record for _, record in looked_at if record.head is not None}
        meant = [
            (slot, record)
            for slot, record in looked_at
            if record.head is None or not self._instead(page, record, last[record.head.native_id])
        ]
        draft.counts.unchanged += len(looked_at) - len(meant)
        return meant

    def _instead(self, page: Page, record: Record, last: Record) -> bool:
        """Whether the last version of a record on a page stands in place of this one: it says something else of the same time."""
        both = (record, last)
        if record.raw_hash == last.raw_hash or any(
            one.problem or one.head is None or one.head.withdrawn for one in both
        ):
            return False
        self.preparer.map(page, [one for one in both if one.mapped is None])
        rows = [one.mapped.row for one in both if isinstance(one.mapped, Mapped)]
        return len(rows) == len(both) and len({row[UPDATED_AT] for row in rows} - {None}) < len(both)

    def _one(
        self,
        draft: Draft,
        page: Page,
        slot: int,
        record: Record,
        stale: dict[tuple[int, bytes], int | None],
        history: set[tuple[int, bytes]],
    ) -> None:
        head = record.head
        if head is None or record.problem:
            draft.unidentified = draft.unidentified or head is None
            self._set_aside(draft, record, record.problem)
            return
        current = draft.current.get(head.native_id)
        if current is None:
            if (mapped := self._mapped(draft, page, record, head, None)) is not None:
                self._insert(draft, record, head, mapped, slot)
            return
        key = current.stored.key if current.stored else None
        version = (key, record.raw_hash) if key is not None else None
        old = version in history or version in stale or (current.id, record.raw_hash) in draft.past
        if head.withdrawn:
            self._withdraw(draft, record, head, current, repeated=old and self._job.stream.log)
            return
        if (mapped := self._mapped(draft, page, record, head, current)) is None:
            return
        seen_stale = stale.get(version) if version is not None and key not in draft.confirmed else None
        verdict = judge(
            row=mapped.row,
            current=current.row,
            current_deleted=current.deletion is not None,
            in_history=old or record.raw_hash == current.raw_hash,
            beside=version in history or version in stale,
            log=self._job.stream.log,
            stale_before=seen_stale is not None and seen_stale <= self._mark,
        )
        if verdict is Verdict.NEWER:
            self._replace(draft, record, current, mapped)
            return
        draft.counts.unchanged += 1
        if verdict is Verdict.STALE:
            # What is kept already and comes behind the current version is as refuted as it was.
            behind = key in draft.confirmed or key in self._confirmed
            if not (behind and (version in stale or version in history)):
                draft.keep_stale(record, current, mapped.people, mapped.row[UPDATED_AT])
            draft.counts.stale += 1
            if key is not None and not self._job.stream.log:
                # A later page of this reading may show the current version beside it.
                self._doubted.add(key)
                self._watched.add(key)
        elif verdict is Verdict.RAW_ONLY:
            self._refresh(draft, record, current, mapped.people)

    def _mapped(self, draft: Draft, page: Page, record: Record, head: Head, current: Current | None) -> Mapped | None:
        """The record in the store's terms; None if it cannot be mapped and was counted as what it then is."""
        if record.mapped is None:
            self.preparer.map(page, [record])
        mapped = record.mapped
        if mapped.__class__ is not Mapped:
            if head.withdrawn:
                draft.counts.unchanged += 1  # the end of a record that never was here, told by its key alone
                self._good(draft, head)
            else:
                self._set_aside(draft, record, str(mapped))
            return None
        if record.gaps:
            sample = current.id if current is not None else draft.ids[head.native_id]
            for gap in record.gaps:
                count, first = draft.gaps.get(gap, (0, sample))
                draft.gaps[gap] = (count + 1, first)
            draft.counts.unmapped += len(record.gaps)
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
        changed, before = self.preparer.changed_at(head), current.row[UPDATED_AT] or 0
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
        identity = draft.ids[head.native_id]
        deletion = "source" if head.withdrawn else None
        draft.current[head.native_id] = Current(
            head, identity, mapped.row, 1, record.raw_hash, index, deletion, record.listed, None, slot, False
        )
        draft.counts.new += 1
        self._good(draft, head)
        draft.counts.tombstoned += deletion is not None
        draft.changes.append(Change("delete" if deletion else "insert", identity, 1))

    def _replace(self, draft: Draft, record: Record, current: Current, mapped: Mapped) -> None:
        fields = changed_fields(current.row, mapped.row)
        op = "restore" if current.deletion is not None else "update"
        if current.stored is not None:
            self._confirmed.add(current.stored.key)
            if current.stored.key in self._doubted:
                draft.confirmed.add(current.stored.key)
        self._archive(draft, current)
        current.row, current.deletion = mapped.row, None
        current.fields += fields
        self._advance(draft, current, record, mapped.people, op, fields)
        draft.counts.changed += 1

    def _archive(self, draft: Draft, current: Current) -> None:
        """The version that is current now becomes history. Its raw record is where this page found or put it."""
        stored, mapping = current.stored, self._job.mapping
        draft.past.add((current.id, current.raw_hash))
        raw_page, raw_index = None, current.raw_index or 0
        if stored is not None and current.raw_index is None:
            raw_page, raw_index = stored.raw_page, stored.raw_index
        made: tuple[str, int, str, int, int | None] = (mapping.name, mapping.version, self._run, 0, None)
        if stored is not None and current.revision == stored.revision:
            made = (stored.mapping, stored.mapping_version, stored.run, stored.changed_at, stored.deleted_at)
        old = OldVersion(
            stored.key if stored else None, current.id, current.revision, current.row, current.raw_hash,
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
        draft.changes.append(Change(op, current.id, current.revision, fields))

    def _good(self, draft: Draft, head: Head) -> None:
        """A good version came: bad ones of the record that wait in quarantine are settled by it."""
        if head.native_id in self._waiting:
            draft.superseded.add(head.native_id)

    def _page_write(self, draft: Draft, page: Page, now: int, digest: bytes | None) -> PageWrite:
        mapping = self._job.mapping_of(page.mapping)
        clock = int(page.clock.timestamp() * 1000) if page.clock else None
        write = PageWrite(
            source=self._job.key, stream=self._job.stream.name, partition=self._job.partition, kind=mapping.kind.value,
            mapping=mapping.name, mapping_version=mapping.version, run=self._run, number=0, now=now,
            counts=draft.counts, requests=page.requests,
            raw=RawPage(draft.slices, draft.people, clock, mapping.name, page.zone, page.origin),
            old=draft.old, stale=draft.stale, quarantined=draft.bad, changes=draft.changes, gaps=draft.gaps, seen=draft.seen,
            file=page.file, unidentified=draft.unidentified, superseded=sorted(draft.superseded),
            confirmed=sorted(draft.confirmed), digest=digest, recalled=draft.recalled,
            unmoved=sum(draft.unmoved), ends=page.rows.ends if isinstance(page.rows, TextRows) else "",
        )  # fmt: skip
        for item in draft.current.values():
            if item.stored is None:
                write.new.append(
                    NewIncident(
                        item.id, item.head.native_id, item.row, item.revision, item.raw_hash, item.raw_index or 0,
                        item.listed, item.deletion is not None, item.slot,
                    )
                )  # fmt: skip
            elif item.raw_index is not None:
                write.updated.append(
                    UpdatedIncident(
                        item.stored.key, item.stored.revision, item.stored.raw_page,
                        None if item.raw_only else item.row, item.fields, item.revision,
                        item.raw_hash, item.raw_index, item.listed, item.deletion,
                    )
                )  # fmt: skip
        if not draft.recalled and len(draft.unmoved) + len(write.new) + len(write.updated) != len(draft.seen):
            write.digest = None  # not all of it stands in the store: the sum of its raw pages would never come out
        return write
