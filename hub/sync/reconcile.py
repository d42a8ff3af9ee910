"""Asking a source again what it has in a window, and comparing with what the store holds: nothing is written."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hub.clock import now_ms
from hub.errors import BreachedError, HubError, MisconfiguredError, Outcome
from hub.source.stream import Window
from hub.store.known import Known, changed_within
from hub.store.store import Store
from hub.sync.fetch import Fetcher
from hub.sync.identity import Head
from hub.sync.job import StreamJob
from hub.sync.prepare import Preparer, note_listed

__all__ = ["Reconciliation", "reconcile"]

_NAMED = 50


@dataclass(slots=True)
class Reconciliation:
    """What a source shows in a window beside what the store holds. `missing`: the source has it, the store does not (native ids);
    `outdated`: the store holds another version; `extra`: the store has it living in the window, the source does not show it
    (incident ids); `said`: the total the source states, if it does. The lists name the first fifty."""

    source: str
    stream: str
    since: datetime | None
    until: datetime | None
    outcome: Outcome = Outcome.OK
    upstream: int = 0
    stored: int = 0
    unreadable: int = 0
    said: int | None = None
    missing_count: int = 0
    outdated_count: int = 0
    extra_count: int = 0
    missing: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    error: HubError | None = None


@dataclass(frozen=True, slots=True)
class _Shown:
    """A row the source shows, and what the store holds of its record. `at`: when it was changed, if the row says so."""

    head: Head
    raw_hash: bytes
    held: Known | None
    at: int | None

    def older_than(self, other: "_Shown") -> bool:
        return self.at is not None and other.at is not None and self.at < other.at


def reconcile(
    store: Store,
    job: StreamJob,
    *,
    since: datetime | None,
    until: datetime | None,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] | None = None,
) -> Reconciliation:
    """Enumerate the window and compare id by id; works whether or not the source offers a count. A difference is an outcome
    `breached`. Records that change while this runs may show as outdated: run it again, or sync first."""
    found = Reconciliation(job.source, job.stream.name, since, until)
    try:
        _compare(store, job, found, stop or threading.Event(), progress or (lambda count: None))
    except HubError as error:
        found.outcome, found.error = error.outcome, error.within(source=job.source, stream=job.stream.name)
    return found


def _compare(
    store: Store, job: StreamJob, found: Reconciliation, stop: threading.Event, progress: Callable[[int], None]
) -> None:
    if job.stream.cursor is None and not job.stream.complete:
        raise MisconfiguredError(
            "the records of {stream} are shown once only, so they cannot be compared again", stream=job.stream.name,
            remedy="`hub quarantine list` shows what of them was not read",
        )  # fmt: skip
    began = now_ms()
    fetcher = Fetcher(job, stop, time.monotonic() + job.settings.run_deadline.total_seconds())
    preparer = Preparer(store, job)
    shown: dict[str, _Shown] = {}
    for page in fetcher.pages(Window(found.since, found.until, job.partition), None, lambda page: page):
        found.said = page.total if found.said is None else found.said
        records = preparer.records(page)
        if job.stream.two_step:
            note_listed(records)
        stored = preparer.known(records)
        for record in records:
            if record.head is None:
                found.unreadable += 1
                continue
            native_id = record.head.native_id
            one = _Shown(
                record.head, record.listed or record.raw_hash, stored.get(native_id), preparer.changed_at(record.head)
            )  # fmt: skip
            former = shown.get(native_id)
            if former is None or not one.older_than(former):
                shown[native_id] = one
        progress(len(shown))
    # A log shows every version: only the last word on a record counts, and that may be its withdrawal.
    seen = [one for one in shown.values() if not one.head.withdrawn]
    for one in seen:
        _note(job, found, one)
    found.upstream = len(seen)
    field_name = job.stream.window_field or "source_updated_at"
    with store.read() as transaction:
        held_ids = changed_within(
            transaction, job.key, job.stream.name, field_name, _ms(found.since), _ms(found.until), began
        )
    found.stored = len(held_ids)
    extra = sorted(held_ids - {one.held.id for one in seen if one.held is not None})
    found.extra_count, found.extra = len(extra), extra[:_NAMED]
    if found.missing_count or found.outdated_count or found.extra_count:
        found.outcome = Outcome.BREACHED
        found.error = BreachedError(
            "the source shows {upstream} records, the store {stored}: {missing} missing, {outdated} outdated, {extra} extra",
            upstream=found.upstream,
            stored=found.stored,
            missing=found.missing_count,
            outdated=found.outdated_count,
            extra=found.extra_count,
            source=job.source,
            stream=job.stream.name,
            remedy="hub reconcile --repair reads the window again; what is extra only hub sync --full-refresh can bury",
        )


def _note(job: StreamJob, found: Reconciliation, one: _Shown) -> None:
    if one.held is None or one.held.deleted:
        found.missing_count += 1
        found.missing += [one.head.native_id] if len(found.missing) < _NAMED else []
    elif not job.stream.log and _listed_hash(job, one.held) != one.raw_hash:
        found.outdated_count += 1
        found.outdated += [one.head.native_id] if len(found.outdated) < _NAMED else []


def _listed_hash(job: StreamJob, held: Known) -> bytes | None:
    """The hash of what the source listed when the record was stored: the list row, or the record itself."""
    return held.list_hash if job.stream.two_step else held.raw_hash


def _ms(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment is not None else None
