"""Trying quarantined records again from their stored raw bytes, without one request to the source."""

import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace

from hub.clock import now_ms
from hub.errors import FailedError, HubError, InterruptedByOperatorError, MisconfiguredError, Outcome
from hub.source.stream import Page
from hub.store import leases, runs
from hub.store.page import Counts, Lease
from hub.store.quarantine import QuarantineRow, quarantined_raw, settle
from hub.store.refusals import ConflictError
from hub.store.store import Store
from hub.store.write import write_page
from hub.sync.decide import Decider
from hub.sync.draft import ITS_DETAIL
from hub.sync.job import StreamJob
from hub.sync.result import RunResult

__all__ = ["replay"]

log = logging.getLogger("hub.sync")
_LEASE_MS = 90_000


def replay(
    store: Store, job: StreamJob, entries: Sequence[QuarantineRow], owner: str, stop: threading.Event | None = None
) -> RunResult:
    """Map these entries of one stream with today's mapping. What maps becomes an incident (or history, if a newer version
    came meanwhile) and its entry is settled; what does not stays open with today's reason. List rows that were set aside because
    of their detail stay too: they are not the record, and the next reading asks for it again."""
    result = RunResult(source=job.source, stream=job.stream.name, partition=job.partition, mode="replay")
    try:
        lease = leases.acquire(store, job.lease_name, owner, _LEASE_MS, now_ms())
    except HubError as error:
        result.outcome, result.error = error.outcome, error
        return result
    result.run_id = f"{now_ms():011x}-{secrets.token_hex(5)}"
    marks = {"source": job.source, "stream": job.stream.name}
    runs.open_run(store, lease, result.run_id, job.key, job.stream.name, job.partition, "replay", now_ms())
    try:
        decider = Decider(store, job, result.run_id)
        for entry in reversed(entries):
            if stop is not None and stop.is_set():
                raise InterruptedByOperatorError("stopped after a whole page", remedy="run the command again")
            if job.stream.two_step and entry.reason.startswith(ITS_DETAIL):
                result.counts.add(Counts(fetched=1, quarantined=1))
                continue
            try:
                _one(store, job, entry, decider, lease, result)
            except (ConflictError, MisconfiguredError) as error:
                # Another writer, or a raw record that is gone: the entry stays, and the others are tried.
                result.counts.add(Counts(fetched=1, quarantined=1))
                result.outcome = Outcome.PARTIAL
                log.warning(
                    "entry %d of the quarantine stays: %s", entry.id, error, extra={"action": "replay", **marks}
                )
        if result.counts.quarantined:
            result.outcome = Outcome.PARTIAL
    except HubError as error:
        result.outcome, result.error = error.outcome, error.within(source=job.source, stream=job.stream.name)
    except BaseException:
        result.outcome, result.error = Outcome.FAILED, FailedError("a defect", remedy="see the log", **marks)
        raise
    finally:
        said = result.error.render() if result.error else None
        runs.close_run(store, result.run_id, result.outcome, result.cursor, said, now_ms())
        leases.release(store, lease)
    return result


def _one(store: Store, job: StreamJob, entry: QuarantineRow, decider: Decider, lease: Lease, result: RunResult) -> None:
    raw = quarantined_raw(store, entry.id)
    page = Page(rows=[raw.raw], next=None, requests=0, mapping=raw.mapping, zone=raw.zone)
    write = decider.decide(decider.preparer.prepare(page), now_ms())
    write.number = result.pages
    write.raw = replace(write.raw, origin=f"quarantine {entry.id}")
    write_page(store, lease, write)
    if not write.counts.quarantined:
        settle(store, entry.id, "replayed")
    result.pages += 1
    result.counts.add(write.counts)
