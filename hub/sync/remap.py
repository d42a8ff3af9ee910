"""Making incidents anew from their stored raw records, with today's mapping and code tables and without one request."""

import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from hub.clock import now_ms
from hub.errors import FailedError, HubError, InterruptedByOperatorError, Outcome
from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.mapping import Mapped, Mapper, UnmappableError
from hub.store import leases, runs
from hub.store.gaps import count_anew, forget_uncounted
from hub.store.known import Full, living_after
from hub.store.page import Change, Counts, Lease, OldVersion, PageWrite, RawPage, Rewrite, UpdatedIncident
from hub.store.raw import OpenPage, mappings_of, open_page
from hub.store.refusals import ConflictError
from hub.store.store import Store
from hub.store.write import write_page
from hub.sync.enrich import enriched
from hub.sync.job import StreamJob
from hub.sync.result import RunResult
from hub.sync.versions import changed_fields

__all__ = ["FieldDiff", "RemapResult", "remap"]

_LEASE_MS = 90_000
_BATCH = 1000
_SAMPLES = 20
_PAGES_OPEN = 8
_CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """One field of one incident that comes out differently, storage values."""

    id: str
    field: str
    before: Any
    after: Any


@dataclass(slots=True)
class RemapResult:
    """What a remap did or, dry, would do: `run`, how many records differ in which field, and some of the differences.
    `unmappable`: records that today's mapping refuses; they keep the version they have."""

    run: RunResult
    fields: Counter[str] = field(default_factory=Counter)
    samples: list[FieldDiff] = field(default_factory=list)
    unmappable: int = 0

    def add(self, batch: "RemapResult") -> None:
        self.fields.update(batch.fields)
        self.samples += batch.samples[: _SAMPLES - len(self.samples)]
        self.unmappable += batch.unmappable


def remap(
    store: Store,
    job: StreamJob,
    owner: str,
    *,
    since: datetime | None = None,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[RunResult], None] | None = None,
) -> RemapResult:
    """Remap the living incidents of a stream, up to a thousand to a transaction, under its lease. Differences become revisions
    and feed entries like any change. `stop` ends it after the transaction in hand; it can simply be run again."""
    result = RemapResult(RunResult(source=job.source, stream=job.stream.name, partition=job.partition, mode="remap"))
    moment = int(since.timestamp() * 1000) if since else None
    work = _Remap(store, job, result, moment, stop or threading.Event(), progress or (lambda run: None))
    try:
        if dry_run:
            work.go(None)
        else:
            _under_lease(store, job, owner, work, result.run)
    except HubError as error:
        result.run.outcome, result.run.error = error.outcome, error.within(source=job.source, stream=job.stream.name)
    return result


def _under_lease(store: Store, job: StreamJob, owner: str, work: "_Remap", run: RunResult) -> None:
    lease = leases.acquire(store, job.lease_name, owner, _LEASE_MS, now_ms())
    run.run_id = f"{now_ms():011x}-{secrets.token_hex(5)}"
    runs.open_run(store, lease, run.run_id, job.key, job.stream.name, job.partition, "remap", now_ms())
    outcome, said = Outcome.FAILED, FailedError("a defect", remedy="see the log").render()
    try:
        work.go(lease)
        outcome, said = run.outcome, ""
    except HubError as error:
        outcome, said = error.outcome, error.render()
        raise
    finally:
        runs.close_run(store, run.run_id, outcome, None, said or None, now_ms())
        leases.release(store, lease)


class _Remap:
    def __init__(
        self,
        store: Store,
        job: StreamJob,
        result: RemapResult,
        since: int | None,
        stop: threading.Event,
        progress: Callable[[RunResult], None],
    ) -> None:
        self._store, self._job, self._result, self._since = store, job, result, since
        self._stop, self._progress = stop, progress
        self._mappers: dict[tuple[str, str], Mapper] = {}
        self._pages: dict[int, OpenPage] = {}
        self._found = RemapResult(result.run)

    def go(self, lease: Lease | None) -> None:
        place = (self._job.key, self._job.stream.name)
        if lease is not None and self._since is None:
            count_anew(self._store, *place)
        key: int | None = 0
        while key is not None:
            if self._stop.is_set():
                raise InterruptedByOperatorError("stopped after a whole page", remedy="run the command again")
            key = self._step(lease, key)
        if lease is not None and self._since is None:
            forget_uncounted(self._store, lease, *place, now_ms())
        if self._result.unmappable:
            self._result.run.outcome = Outcome.PARTIAL

    def _step(self, lease: Lease | None, key: int) -> int | None:
        """Remap the batch after this key; the key to go on from, None at the end. FailedError if it meets other writers again and
        again."""
        for _ in range(_CONFLICTS):
            last, batch, mapping = self._batch(key)
            if not batch:
                return last
            # A page may have been written anew since it was opened: by the batch before, if by nobody else.
            self._pages.clear()
            self._found = RemapResult(self._result.run)
            write = self._decide(batch, mapping)
            try:
                if lease is not None:
                    write_page(self._store, lease, write)
            except ConflictError:
                continue
            self._result.add(self._found)
            self._result.run.counts.add(write.counts)
            self._result.run.pages += 1
            self._progress(self._result.run)
            return last
        raise FailedError("a page met other writers {times} times", times=_CONFLICTS, remedy="run the command again")

    def _batch(self, key: int) -> tuple[int | None, list[tuple[str, Full]], str]:
        """The batch after this key, the key to go on from, and the mapping that reads the batch: what is written together is
        noted as made by one, and files of several kinds may share a stream."""
        with self._store.read() as transaction:
            last, batch = living_after(transaction, self._job.key, self._job.stream.name, key, self._since, _BATCH)
            made_by = mappings_of(transaction, {full.raw_page for _, full in batch})
        mapping = made_by.get(batch[0][1].raw_page, "") if batch else ""
        alike = list(takewhile(lambda item: made_by.get(item[1].raw_page, "") == mapping, batch))
        return (last if len(alike) == len(batch) else alike[-1][1].key), alike, mapping

    def _decide(self, batch: list[tuple[str, Full]], made_by: str) -> PageWrite:
        mapping, now, run = self._job.mapping_of(made_by), now_ms(), self._result.run
        write = PageWrite(
            source=self._job.key, stream=self._job.stream.name, partition=self._job.partition, kind=mapping.kind.value,
            mapping=mapping.name, mapping_version=mapping.version, run=run.run_id, number=run.pages, now=now,
            counts=Counts(fetched=len(batch)), requests=0, raw=RawPage([], [], None, mapping.name, "", "remap"),
        )  # fmt: skip
        read = [(identity, full, self._mapped(write, identity, full)) for identity, full in batch]
        found = [(identity, full, mapped) for identity, full, mapped in read if mapped is not None]
        rows = enriched([mapped.row for *_, mapped in found], self._job.hooks.enrich)
        for (identity, full, _), row in zip(found, rows, strict=True):
            if row != full.row:
                self._changed(write, identity, full, row)
        write.counts.unchanged = write.counts.fetched - write.counts.changed
        return write

    def _mapped(self, write: PageWrite, identity: str, full: Full) -> Mapped | None:
        """The stored raw record under today's mapping, its people noted in the write; None if it cannot be mapped."""
        page = self._open(full.raw_page)
        mapper = self._mapper(page.mapping, page.zone)
        try:
            mapped = mapper.map(self._flat(page.slices[full.raw_index]))
        except UnmappableError:
            self._found.unmappable += 1
            return None
        for gap in mapper.gaps():
            count, first = write.gaps.get(gap, (0, identity))
            write.gaps[gap] = (count + 1, first)
            write.counts.unmapped += 1
        # The page may have been closed and opened again since another record of it got new people.
        rewrite = write.rewrites.get(full.raw_page) or Rewrite(page.seal, page.people)
        if mapped.people != rewrite.people[full.raw_index]:
            rewrite.people[full.raw_index] = mapped.people
            write.rewrites[full.raw_page] = rewrite
        return mapped

    def _flat(self, raw: bytes) -> bytes:
        reshape = self._job.stream.reshape
        try:
            return reshape(raw) if reshape else raw
        except Exception as error:
            # A connector's own code, perhaps a newer one than stored the record: what it stumbles over stops nothing else.
            raise UnmappableError(()) from error

    def _changed(self, write: PageWrite, identity: str, full: Full, row: tuple[Any, ...]) -> None:
        fields = changed_fields(full.row, row)
        self._found.fields.update(fields)
        for name in fields:
            if len(self._found.samples) < _SAMPLES:
                place = MAPPED_COLUMNS.index(name)
                self._found.samples.append(FieldDiff(identity, name, full.row[place], row[place]))
        write.counts.changed += 1
        write.old.append(
            OldVersion(
                full.key, identity, full.revision, full.row, full.raw_hash, full.raw_page, full.raw_index, full.mapping,
                full.mapping_version, full.run, full.changed_at, full.deleted_at,
            )
        )  # fmt: skip
        write.updated.append(
            UpdatedIncident(
                full.key, full.revision, full.raw_page, row, fields, full.revision + 1, full.raw_hash, full.raw_index,
                full.list_hash, full.deletion, full.raw_page,
            )
        )  # fmt: skip
        write.changes.append(Change("update", identity, full.revision + 1, fields))

    def _open(self, number: int) -> OpenPage:
        """Records stored together lie in one raw page, so a few open pages serve a whole batch."""
        if number not in self._pages:
            while len(self._pages) >= _PAGES_OPEN:
                del self._pages[next(iter(self._pages))]
            self._pages[number] = open_page(self._store, number)
        return self._pages[number]

    def _mapper(self, mapping: str, zone: str) -> Mapper:
        if (mapping, zone) not in self._mappers:
            self._mappers[mapping, zone] = self._job.mapper(mapping, zone)
        return self._mappers[mapping, zone]
