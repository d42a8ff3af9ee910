"""Saying how a run went: a source that is down is logged once when it goes and once when it is back."""

import logging

from hub.clock import now_ms
from hub.errors import Outcome, PartialError
from hub.store.runs import outcome_before
from hub.store.store import Store
from hub.sync.job import StreamJob
from hub.sync.result import RunResult

__all__ = ["tell_outcome", "unsteady"]

log = logging.getLogger("hub.sync")
_DOWN = frozenset({Outcome.UNAVAILABLE, Outcome.REFUSED, Outcome.FAILED, Outcome.MISCONFIGURED, Outcome.BREACHED})


def unsteady() -> PartialError:
    """What the run book keeps of a run that may have missed rows; its outcome is none the worse for it."""
    return PartialError(
        "rows moved while they were read, or the source counts more than it gave; what is missing cannot be told",
        remedy="if the source grants fewer rows a page now, lower the page size in hub.toml, then hub sync --full-refresh;"
        " declare no total if it counts something else",
    )


def tell_outcome(store: Store, job: StreamJob, result: RunResult) -> None:
    """Log the outcome, at the level its novelty deserves, and tell plugins."""
    before = outcome_before(store, result.run_id, job.key, job.stream.name, job.partition, now_ms())
    was_down = before in _DOWN
    marks = {"source": job.source, "stream": job.stream.name, "run": result.run_id}
    if job.partition:
        marks["partition"] = job.partition
    if result.outcome in _DOWN:
        log.log(
            logging.DEBUG if was_down else logging.WARNING,
            "%s: %s",
            result.outcome,
            result.error,
            extra={"action": "source_down", **marks},
        )
    elif was_down:
        log.warning("is back", extra={"action": "source_back", **marks})
    else:
        log.info("%s", result.outcome, extra={"action": "run_finished", **marks})
    if job.hooks.finished is not None:
        job.hooks.finished(result.as_json())
