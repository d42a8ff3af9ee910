"""A run of one stream: hold the lease → walk the windows → walk the pages → apply one page. Read it from top to bottom."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from hub.clock import now_ms
from hub.errors import (
    AccountingError,
    BudgetSpentError,
    EnvelopeError,
    FailedError,
    HubError,
    InterruptedByOperatorError,
    MisconfiguredError,
    Outcome,
)  # fmt: skip
from hub.source.stream import FileMark, Page
from hub.store import deletions, leases, runs
from hub.store.due import FULL_REFRESH
from hub.store.page import Lease, PageWrite
from hub.store.quarantine import list_quarantine
from hub.store.raw import newest_page
from hub.store.refusals import ConflictError
from hub.store.state import read_state
from hub.store.store import Store
from hub.store.write import write_page
from hub.sync.conclude import conclude, give_up
from hub.sync.decide import Decider
from hub.sync.draft import ITS_DETAIL
from hub.sync.fetch import Fetcher
from hub.sync.job import StreamJob
from hub.sync.prepare import Prepared, Preparer, Written, note_listed
from hub.sync.reading import Mode, Reading, begin, begin_backfill, following, way_of, window_of
from hub.sync.replay import replay
from hub.sync.result import RunResult
from hub.sync.told import tell_outcome, unsteady
from hub.sync.versions import UPDATED_AT

__all__ = ["Backfill", "RunOptions", "StreamRun"]

log = logging.getLogger("hub.sync")
_CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Backfill:
    """A past window [since, until), read in steps with a position of its own."""

    since: datetime
    until: datetime
    step: timedelta

    @property
    def label(self) -> str:
        """Names the backfill in state, runs and leases, so that it is resumed by saying the same window again."""
        return f"backfill {self.since:%Y-%m-%dT%H:%M:%SZ}..{self.until:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """`limit`: stop after so many records, to be continued by the next run. `dry_run`: decide everything, write nothing.
    `beside`: a full refresh of the whole stream with a lease and a position of its own, so that the stream's other runs,
    of its partitions too, go on meanwhile.
    `mark`: how the run's id ends, for whoever wants to find it in the run book."""

    full_refresh: bool = False
    beside: bool = False
    limit: int | None = None
    dry_run: bool = False
    backfill: Backfill | None = None
    mark: str = ""


class StreamRun:
    """One run. `progress` is called after every page; `stop` lets it finish the page in hand."""

    def __init__(
        self,
        store: Store,
        job: StreamJob,
        *,
        owner: str,
        options: RunOptions | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[RunResult], None] | None = None,
    ) -> None:
        self._store, self._job, self._owner = store, job, owner
        self._options = options or RunOptions()
        self._stop = stop or threading.Event()
        self._progress = progress or (lambda result: None)
        whole = self._options.full_refresh or (job.stream.cursor is None and job.stream.complete)
        self._mode: Mode = "full_refresh" if whole else "incremental"
        self._partition = job.partition
        backfill = self._options.backfill
        if backfill is not None:
            self._mode, job = "backfill", replace(job, partition=backfill.label)
        elif self._options.beside:
            self._partition, job = "", replace(job, partition=FULL_REFRESH)
        self._job = job
        self.result = RunResult(source=job.source, stream=job.stream.name, partition=job.partition, mode=self._mode)

    def execute(self) -> RunResult:
        """Run to the end and say how it went; every HubError becomes the run's outcome."""
        began = time.monotonic()
        result = self.result
        try:
            self._job.mappings.check(self._job.stream.mapping)
            if self._options.dry_run:
                self._read(None)
            else:
                self._under_lease()
        except HubError as error:
            result.outcome, result.error = (
                error.outcome,
                error.within(source=self._job.source, stream=self._job.stream.name),
            )
        except (Exception, SystemExit) as error:
            self._defect(error)
        result.duration_s = time.monotonic() - began
        return result

    def _under_lease(self) -> None:
        job, result = self._job, self.result
        job = self._job = replace(job, key=runs.remember_source(self._store, job.source, job.key))
        outdated = [
            entry
            for entry in list_quarantine(self._store, source=job.key, stream=job.stream.name)
            if job.outdated(entry.mapping, entry.mapping_version)
        ]
        if outdated:
            # A newer mapping may read what an older one could not: quarantine is a queue, not a grave.
            replay(self._store, job, outdated, self._owner, self._stop)
        lease = leases.acquire(self._store, job.lease_name, self._owner, job.lease_ms, now_ms(), again=True)
        result.run_id = f"{now_ms():011x}-{self._options.mark or secrets.token_hex(5)}"
        runs.open_run(self._store, lease, result.run_id, job.key, job.stream.name, job.partition, self._mode, now_ms())
        try:
            self._read(lease)
        except HubError as error:
            result.outcome, result.error = error.outcome, error.within(source=job.source, stream=job.stream.name)
        except (Exception, SystemExit) as error:
            self._defect(error)
        finally:
            said = result.error.render() if result.error else None
            runs.close_run(self._store, result.run_id, result.outcome, result.cursor, said, now_ms())
            leases.release(self._store, lease)
        tell_outcome(self._store, job, result)

    def _defect(self, error: BaseException) -> None:
        """A defect of the hub or of a connector: this stream's run failed, the others go on, the traceback is logged."""
        marks = {"source": self._job.source, "stream": self._job.stream.name}
        log.error("defect in a run", exc_info=error, extra={"action": "defect", **marks})
        self.result.outcome = Outcome.FAILED
        self.result.error = FailedError("a defect: {error}", error=type(error).__name__, remedy="see the log", **marks)

    def _read(self, lease: Lease | None) -> None:
        """Walk the windows of a reading, a new one or the one that an earlier run left unfinished."""
        job, stream = self._job, self._job.stream
        state = read_state(self._store, job.key, stream.name, job.partition)
        cursor = self.result.cursor = state.cursor if state else None
        reading = Reading.load(state.body) if state else None
        way = way_of(stream)
        # One that a hub of before began does not say its way: most likely it is still the same.
        other = reading is not None and (reading.mode != self._mode or reading.way not in ("", way))
        if reading is None or other or self._options.dry_run:
            if reading is not None and lease is not None:
                give_up(self._store, job, lease, reading, cursor)
            reading = self._begin(cursor)
            reading.mark, reading.way = newest_page(self._store), way
        elif reading.mark is None:
            # Begun by a hub of before, which did not note it: nothing tells what was stored meanwhile.
            reading.mark, reading.broken = 0, True
        self._reading = reading
        self._held, self._held_until = set[int](), 0
        deadline = time.monotonic() + job.settings.run_deadline.total_seconds()
        fetcher = Fetcher(job, self._stop, deadline, lambda: self._hold(lease))
        decider = Decider(self._store, job, self.result.run_id, reading.mark or 0)
        while not self._reading.read:
            if self._stop.is_set():
                raise InterruptedByOperatorError(
                    "stopped between two windows", remedy="the next run goes on from there"
                )
            if not self._walk(lease, fetcher, decider):
                return
        if lease is not None:
            conclude(self._store, job, lease, self._reading, self.result)

    def _begin(self, cursor: int | None) -> Reading:
        job, backfill = self._job, self._options.backfill
        if backfill is not None:
            if job.stream.cursor is None:
                raise MisconfiguredError(
                    "the stream has no cursor, so no window of it can be read", remedy="use --full-refresh"
                )
            step = backfill.step // timedelta(milliseconds=1)
            return begin_backfill(_ms(backfill.since), _ms(backfill.until), step)
        # One partition shows only its part of a stream: it proves nothing about the rest.
        enumeration = self.result.run_id if not self._partition else ""
        return begin(job.stream, self._mode, cursor=cursor, start=_ms(job.start), enumeration=enumeration)

    def _walk(self, lease: Lease | None, fetcher: Fetcher, decider: Decider) -> bool:
        """Walk the pages of the present window. False: the limit was reached before the reading's end."""
        job, options = self._job, self._options
        budget = job.settings.quarantine_budget
        written: Written | None = None
        with closing(self._pages(fetcher, decider)) as pages:
            for prepared in pages:
                if written is not None and prepared.meets(written):
                    prepared = decider.preparer.again(prepared)
                write = self._apply(lease, prepared, fetcher, decider)
                written = Written.of(write) if self._store.apart else None
                del prepared, write  # whole pages: not to be held while the next one is waited for
                counts = self.result.counts
                if counts.new_quarantined > budget:
                    raise BudgetSpentError(
                        "{count} records went to quarantine, more than the budget of {budget}",
                        count=counts.new_quarantined, budget=budget, remedy="see hub quarantine list",
                    )  # fmt: skip
                if options.limit is not None and counts.fetched >= options.limit and not self._reading.read:
                    return False
        return True

    def _pages(self, fetcher: Fetcher, decider: Decider) -> Generator[Prepared, None, None]:
        """The pages of the present window, prepared: while the one before is stored if the database does that in a process of its
        own. SQLite works in ours, where two threads would only take turns."""
        window, position = window_of(self._reading, self._partition), self._reading.position
        if self._store.apart:
            yield from fetcher.pages(window, position, decider.another_preparer().prepare)
            return
        with closing(fetcher.pages(window, position, lambda page: page)) as pages:
            for page in pages:
                yield decider.preparer.prepare(page)

    def _hold(self, lease: Lease | None) -> None:
        if lease is not None:
            leases.renew(self._store, lease, now_ms())

    def _apply(self, lease: Lease | None, prepared: Prepared, fetcher: Fetcher, decider: Decider) -> PageWrite:
        """Decide one page and commit it together with how far the reading is; what was written."""
        job, result = self._job, self.result
        for _ in range(_CONFLICTS):
            if job.stream.two_step:
                before = fetcher.requests
                self._details(prepared, fetcher, decider.preparer)
                prepared.page = replace(prepared.page, requests=prepared.page.requests + fetcher.requests - before)
            page = prepared.page
            write = decider.decide(prepared, now_ms())
            if not write.counts.closed:
                raise AccountingError("the counts of a page do not add up", remedy="report this with hub runs show")
            reading = self._after(page, write)
            if lease is None:
                break
            write.number, write.cursor, write.enumeration = result.pages, result.cursor, reading.enumeration
            write.reading_page = reading.pages
            write.state, write.position = reading.body(), str(page.next) if page.next else None
            try:
                head = write_page(self._store, lease, write)
                self._spare(write)
                self._tell_committed(write, head)
                break
            except ConflictError:
                prepared = decider.preparer.again(prepared)
        else:
            raise FailedError(
                "a page met other writers {times} times", times=_CONFLICTS, remedy="run the command again"
            )
        self._reading = reading
        if page.file is not None and page.file.reason:
            self._tell_set_aside(page.file)
        result.counts.add(write.counts)
        if result.counts.new_quarantined:
            result.outcome = Outcome.PARTIAL
        result.requests += page.requests
        result.pages += 1
        self._progress(result)
        return write

    def _spare(self, write: PageWrite) -> None:
        """Take what the page shows out of deletions that wait, also of one that another run has held since this one began."""
        newest, (source, stream) = deletions.newest_held(self._store), (write.source, write.stream)
        if newest != self._held_until:
            self._held, self._held_until = deletions.held_keys(self._store, source, stream), newest
        if shown := self._held.intersection(write.seen):
            deletions.spare(self._store, source, stream, shown, now_ms())

    def _tell_set_aside(self, file: FileMark) -> None:
        self.result.outcome = Outcome.PARTIAL
        log.warning(
            "file %s was set aside: %s", file.name, file.reason,
            extra={"action": "file_set_aside", "source": self._job.source, "stream": self._job.stream.name},
        )  # fmt: skip

    def _after(self, page: Page, write: PageWrite) -> Reading:
        """How far the reading is once this page is stored."""
        reading = msgspec.structs.replace(self._reading)
        # A table tells no time, and a clock that jumped ahead tells a wrong one: then ours stands in. Rows dated by
        # such a clock must not take the cursor with them: what is written after them would never be asked for.
        source_now = min(int(page.clock.timestamp() * 1000), now_ms()) if page.clock else now_ms()
        rows = [item.row for item in write.new] + [item.row for item in write.updated if item.row is not None]
        changed = [row[UPDATED_AT] for row in rows]
        reading.high = max((at for at in (*changed, reading.high) if at is not None), default=None)
        if reading.clock is None:
            reading.clock = source_now
        if not self._job.stream.log:
            doubts = (*(item.source_updated_at for item in write.stale), reading.doubt)
            reading.doubt = min((at for at in doubts if at is not None), default=None)
        if not page.steady:
            marks = {"source": self._job.source, "stream": self._job.stream.name}
            self.result.error = unsteady().within(**marks)
            log.warning("%s", self.result.error, extra={"action": "total_not_met", **marks})
        reading.broken = reading.broken or write.unidentified or not page.steady
        reading.fetched += write.counts.fetched
        reading.pages += 1
        reading.position = page.next
        if page.next is None:
            reading.read = not following(self._job.stream, reading, source_now)
        return reading

    @staticmethod
    def _details(prepared: Prepared, fetcher: Fetcher, preparer: Preparer) -> None:
        """For two-step streams: fetch what the list shows as new or changed; the rest keeps the hash it is known by."""
        wanted = []
        note_listed(prepared.records)
        for record in prepared.records:
            if record.head is None:
                continue
            found = prepared.stored.get(record.head.native_id)
            if found is not None and not found.deleted and found.list_hash == record.listed:
                record.raw_hash = found.raw_hash
                continue
            wanted.append((record, record.head.native_id))
        with closing(fetcher.details([record.raw for record, _ in wanted])) as details:
            for (record, native_id), detail in zip(wanted, details, strict=True):
                if isinstance(detail, EnvelopeError):
                    record.problem = f"{ITS_DETAIL}: {detail.render()}"
                    continue
                (full,) = preparer.records(Page([detail], None))
                if full.head is None:
                    record.problem = f"{ITS_DETAIL}: {full.problem}"
                elif full.head.native_id != native_id:
                    record.problem = f"{ITS_DETAIL} is of another record"
                else:
                    found = prepared.stored.get(native_id)
                    if preparer.is_older(full.flat, record.flat) and (found is None or found.list_hash is not None):
                        # Of a cache or a replica that lags: it is asked for once more, not taken for what was listed.
                        record.listed = None
                    record.raw, record.flat, record.raw_hash = full.raw, full.flat, full.raw_hash
        preparer.map(prepared.page, [record for record, _ in wanted if not record.problem])

    def _tell_committed(self, write: PageWrite, head: int) -> None:
        if self._job.hooks.committed is not None and write.changes:
            first = head - len(write.changes) + 1
            self._job.hooks.committed(
                [
                    {"seq": first + place, "op": change.op, "id": change.id, "revision": change.revision}
                    for place, change in enumerate(write.changes)
                ]
            )


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
