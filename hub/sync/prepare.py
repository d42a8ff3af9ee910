"""What is done to a page before it is decided, while the page before it is still being stored: hash, identify, look up, map.

Nothing of it depends on what that other page changes, but for the look-up: `StreamRun` repeats it where the two meet.
"""

import hashlib
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

import msgspec

from hub.errors import UnreadablePageError
from hub.mapping.mapping import Mapped, Mapper, UnmappableError
from hub.mapping.values import BadValueError
from hub.source.document import PARSE_ERRORS, leaf_reader
from hub.source.rows import TextRows
from hub.source.stream import Page
from hub.store.known import Known, known
from hub.store.known_pages import find_page, page_digest
from hub.store.page import PageWrite
from hub.store.store import Store
from hub.sync.draft import Record
from hub.sync.enrich import enriched
from hub.sync.identity import Head, HeadReader, NoIdentityError
from hub.sync.job import StreamJob

__all__ = ["Prepared", "Preparer", "Written", "note_listed"]


class Written(NamedTuple):
    """What a page wrote, as far as the next one may have to know: native ids and keys, those of older versions too."""

    new: frozenset[str]
    updated: frozenset[int]

    @classmethod
    def of(cls, write: PageWrite) -> "Written":
        updated = {item.key for item in write.updated}.union(item.key for item in write.stale if item.key is not None)
        return cls(frozenset(item.native_id for item in write.new), frozenset(updated))


class Prepared(msgspec.Struct):
    """A page ready to be decided. `keys`: of its incidents, if it was read before and nothing of it changed here since; then its
    records are not looked at. `stored`: what the store has of the records, by native id."""

    page: Page
    digest: bytes | None = None
    keys: list[int] | None = None
    records: list[Record] = []
    stored: dict[str, Known] = {}

    def meets(self, written: Written) -> bool:
        """Whether what was written for another page meanwhile is on this one too."""
        keys = [found.key for found in self.stored.values()] if self.keys is None else self.keys
        heads = [record.head for record in self.records]
        return not written.updated.isdisjoint(keys) or any(
            head is not None and head.native_id in written.new for head in heads
        )


def note_listed(records: Sequence[Record]) -> None:
    """Note for each record of a page of list rows by what its row is known again. A list of assignments shows one record in
    several rows, and only all of them together vouch for its detail: none of them is the record."""
    rows: dict[str, list[bytes]] = {}
    for record in records:
        if record.head is not None:
            rows.setdefault(record.head.native_id, []).append(record.raw)
    hashes = {native_id: hashlib.sha256(b"".join(raw)).digest() for native_id, raw in rows.items()}
    for record in records:
        if record.head is not None:
            record.listed = hashes[record.head.native_id]


class Preparer:
    """Prepares pages of one run, one after the other; not shared between threads. `watched`: keys of incidents that are looked at
    even if their page was read before."""

    def __init__(self, store: Store, job: StreamJob, watched: Set[int] = frozenset()) -> None:
        self._store, self._job, self._watched = store, job, watched
        self._cursor = job.cursor_reader()
        self._cursor_leaf = leaf_reader(job.stream.cursor.path) if job.stream.cursor else lambda flat: None
        self._heads: dict[str, HeadReader] = {}
        self._mappers: dict[tuple[str, str], Mapper] = {}

    def prepare(self, page: Page) -> Prepared:
        """Everything up to mapping; the records of a two-step stream are mapped when their details are there."""
        hashes = None if isinstance(page.rows, TextRows) else self.hashes(page)
        digest = self._digest(page, hashes or ())
        keys = self._recall(digest)
        if keys is not None:
            return Prepared(page, digest, keys)
        records = self.records(page, hashes)
        stored = self.known(records)
        if not self._job.stream.two_step:
            self.map(page, self._unknown(records, stored))
        return Prepared(page, digest, None, records, stored)

    def again(self, prepared: Prepared) -> Prepared:
        """The same page beside what the store holds now."""
        if prepared.keys is not None or self._job.stream.two_step:
            return self.prepare(prepared.page)  # a list row whose record moved no longer vouches for its detail
        return msgspec.structs.replace(prepared, stored=self.known(prepared.records))

    def records(self, page: Page, hashes: Sequence[bytes] | None = None) -> list[Record]:
        """Hash (unless that is done) and identify every record of a page; one without identity carries the problem instead."""
        reshape, read = self._job.stream.reshape, self._head_reader(page.mapping).read
        records = []
        for raw, raw_hash in zip(page.rows, hashes or self.hashes(page), strict=True):
            flat, head, problem = raw, None, ""
            try:
                flat = reshape(raw) if reshape else raw
                head = read(flat)
            except NoIdentityError as error:
                problem = str(error)
            except Exception as error:
                # A connector's own code: whatever it stumbles over is the record's fault and stops nothing else.
                flat, problem = raw, f"cannot be reshaped ({type(error).__name__})"
            records.append(Record(raw, flat, raw_hash, head, problem))
        records += [Record(bad.raw, bad.raw, hashlib.sha256(bad.raw).digest(), None, bad.reason) for bad in page.bad]
        return records

    def known(self, records: Iterable[Record]) -> dict[str, Known]:
        """What the store has of these records, by native id."""
        native_ids = [record.head.native_id for record in records if record.head is not None]
        with self._store.glance() as transaction:
            return known(transaction, self._job.key, self._job.stream.name, native_ids)

    def changed_at(self, head: Head) -> int | None:
        """When the row of a log was written, epoch ms; None if it does not say."""
        try:
            return self._cursor(head.changed)
        except BadValueError:
            return None

    def is_older(self, flat: bytes, other: bytes) -> bool:
        """Whether the source changed the first of two records before the second, as far as both say."""
        try:
            one, two = (self._cursor(self._cursor_leaf(record)) for record in (flat, other))
        except (*PARSE_ERRORS, ValueError, UnreadablePageError):
            return False
        return one is not None and two is not None and one < two

    def map(self, page: Page, records: Sequence[Record]) -> None:
        """Put the mapped form of each record, or why it has none, and the codes nobody knows beside it."""
        if not records:
            return
        mapper = self._mapper(page.mapping, page.zone)
        for record in records:
            try:
                record.mapped = mapper.map(record.flat)
            except UnmappableError as error:
                record.mapped = error
            if gaps := mapper.gaps():
                record.gaps = gaps
        if (enrich := self._job.hooks.enrich) is not None:
            found = [(record, record.mapped) for record in records if isinstance(record.mapped, Mapped)]
            rows = enriched([mapped.row for _, mapped in found], enrich)
            for (record, mapped), row in zip(found, rows, strict=True):
                record.mapped = Mapped(row, mapped.people)

    @staticmethod
    def _unknown(records: Iterable[Record], stored: dict[str, Known]) -> list[Record]:
        """What the store does not hold byte for byte; of a known record's end nothing is read."""
        found = []
        for record in records:
            head = record.head
            if head is not None and not record.problem:
                held = stored.get(head.native_id)
                if held is None or not (held.raw_hash == record.raw_hash or head.withdrawn):
                    found.append(record)
        return found

    @staticmethod
    def hashes(page: Page) -> list[bytes]:
        """The SHA-256 of every row of a page."""
        sha256 = hashlib.sha256
        return [sha256(raw).digest() for raw in page.rows]

    def _digest(self, page: Page, hashes: Sequence[bytes]) -> bytes | None:
        """What the page is recalled by."""
        stream = self._job.stream
        return page_digest(stream, self._head_reader(page.mapping).paths, page, hashes) if stream.recalls else None

    def _recall(self, digest: bytes | None) -> list[int] | None:
        if digest is None:
            return None
        with self._store.glance() as transaction:
            keys = find_page(transaction, self._job.key, self._job.stream.name, digest)
        return keys if keys is not None and self._watched.isdisjoint(keys) else None

    def _head_reader(self, mapping: str) -> HeadReader:
        if mapping not in self._heads:
            self._heads[mapping] = self._job.head_reader(mapping)
        return self._heads[mapping]

    def _mapper(self, mapping: str, zone: str) -> Mapper:
        if (mapping, zone) not in self._mappers:
            self._mappers[mapping, zone] = self._job.mapper(mapping, zone)
        return self._mappers[mapping, zone]
