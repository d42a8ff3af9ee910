"""Concluding a reading that is whole: what it proves to be gone is buried or held, then the cursor moves."""

import logging

from hub.clock import now_ms
from hub.errors import Outcome, SuspiciousEmptinessError
from hub.store import deletions
from hub.store.due import FULL_REFRESH
from hub.store.page import Lease
from hub.store.state import finish_reading, highest_change
from hub.store.store import Store
from hub.sync.job import StreamJob
from hub.sync.reading import Reading, proven_cursor
from hub.sync.result import RunResult

__all__ = ["conclude", "give_up"]

log = logging.getLogger("hub.sync")


def conclude(store: Store, job: StreamJob, lease: Lease, reading: Reading, result: RunResult) -> None:
    """Bury what a proven enumeration did not see, then move the cursor (`result.cursor` is where it stands).

    SuspiciousEmptinessError if it saw nothing at all: then nothing is buried, and the next run asks the source anew.
    """
    cursor = result.cursor
    if reading.enumeration is not None:
        _judge(store, job, lease, reading, result)
    asked = reading.fetched > 0 and reading.high is None and cursor is None and reading.end is None
    if asked and job.stream.cursor is not None:
        reading.high = highest_change(store, job.key, job.stream.name)
    result.cursor = reading.end if reading.end is not None else proven_cursor(job.stream, reading, cursor)
    finish_reading(
        store, lease, job.key, job.stream.name, job.partition, result.cursor, now_ms(), reading.enumeration,
        whole=reading.mode == "full_refresh", once=reading.mode == "backfill",
    )  # fmt: skip


def give_up(store: Store, job: StreamJob, lease: Lease, reading: Reading, cursor: int | None) -> None:
    """Forget an unfinished reading and what it saw; the cursor stays."""
    finish_reading(store, lease, job.key, job.stream.name, job.partition, cursor, now_ms(), reading.enumeration)


def _judge(store: Store, job: StreamJob, lease: Lease, reading: Reading, result: RunResult) -> None:
    assert reading.enumeration is not None
    marks = {"source": job.source, "stream": job.stream.name}
    if reading.broken or deletions.enumerated_pages(store, reading.enumeration) != reading.pages:
        log.warning(
            "a record had no readable id or rows kept moving, so the reading proves no deletion",
            extra={"action": "enumeration_broken", **marks},
        )
        return
    field = job.stream.window_field
    proof = deletions.Proof(field, reading.first, reading.proven_until) if field else None
    absent, living = deletions.missing(store, job.key, job.stream.name, reading.enumeration, reading.mark or 0, proof)
    if living and not reading.fetched and not job.stream.may_be_empty:
        give_up(store, job, lease, reading, result.cursor)
        raise SuspiciousEmptinessError(
            "a complete reading found nothing, the store holds {living} records", living=living,
            remedy="nothing was deleted and the next run asks again; see hub check",
        )  # fmt: skip
    settings = job.settings
    # A later proof replaces an undecided one of the same records, whichever run it comes from.
    place = (job.key, job.stream.name, "" if job.partition == FULL_REFRESH else job.partition)
    if len(absent) > settings.deletion_rows and len(absent) > settings.deletion_share * living:
        deletions.hold(store, lease, *place, result.run_id, absent, living, now_ms())
        result.outcome = Outcome.PARTIAL
        log.warning(
            "%d of %d records are missing upstream; held for a decision", len(absent), living,
            extra={"action": "deletion_held", **marks},
        )  # fmt: skip
    else:
        deletions.withdraw_held(store, lease, *place, now_ms())
        result.counts.tombstoned += deletions.tombstone(
            store, lease, absent, reading.mark or 0, result.run_id, now_ms()
        )
        # Nothing at all proves nothing of a stream that never is empty, even if none of it was ever good.
        if reading.fetched or job.stream.may_be_empty:
            gone = deletions.settle_gone(
                store, lease, job.key, job.stream.name, reading.enumeration, reading.mark or 0, now_ms(),
                buried_by=None if proof is None else result.run_id,
            )  # fmt: skip
            if gone:
                log.info(
                    "%d records of the quarantine are gone upstream", gone, extra={"action": "quarantine_gone", **marks}
                )
