"""What one run did: the object that `hub sync --output json` prints."""

from dataclasses import dataclass, field
from typing import Any

from hub.errors import HubError, Outcome
from hub.mapping.instants import iso_utc
from hub.store.page import Counts

__all__ = ["RunResult"]


@dataclass(slots=True, kw_only=True)
class RunResult:
    """One run of one stream. `cursor` is epoch ms; `duration_s` seconds; `run_id` empty if no run was opened (busy, dry run)."""

    source: str
    stream: str = ""
    partition: str = ""
    mode: str = "incremental"
    run_id: str = ""
    outcome: Outcome = Outcome.OK
    counts: Counts = field(default_factory=Counts)
    requests: int = 0
    pages: int = 0
    duration_s: float = 0.0
    cursor: int | None = None
    error: HubError | None = None

    def as_json(self) -> dict[str, Any]:
        """The keys of the contract, in their order, then the finer ones."""
        counts = self.counts
        return {
            "run_id": self.run_id, "source": self.source, "stream": self.stream, "partition": self.partition,
            "mode": self.mode, "outcome": self.outcome, "fetched": counts.fetched, "new": counts.new,
            "changed": counts.changed, "unchanged": counts.unchanged, "quarantined": counts.quarantined,
            "tombstoned": counts.tombstoned, "unmapped": counts.unmapped, "requests": self.requests,
            "duration_s": round(self.duration_s, 3), "cursor": iso_utc(self.cursor) if self.cursor is not None else None,
            "error": str(self.error) if self.error else None, "stale": counts.stale,
            "new_quarantined": counts.new_quarantined, "pages": self.pages,
        }  # fmt: skip
