"""Every error of the hub, in one tree. The parent says what the engine does: it is the outcome, and so the exit code.

HubError
├── FailedError                 failed 1        the answer or the data cannot be used
│   ├── EnvelopeError                           a page answered, but not in the agreed shape
│   │   └── UnreadablePageError                 its rows cannot be told apart
│   ├── OverdueError                            a connector's code did not come back
│   ├── AccountingError                         the engine's own counts do not add up
│   └── StoreError                              the store refused or is damaged
├── MisconfiguredError          misconfigured 2 the operator must change something first
│   ├── ConfigError
│   ├── MappingError
│   ├── PluginError
│   └── StoreVersionError
├── PartialError                partial 3       some records were set aside; the rest is safe
│   └── BudgetSpentError                        too many records in quarantine
├── RefusedError                refused 4       the source does not let us in
│   ├── LoginPageError                          HTML where data was asked for
│   └── TokenExpiredError                       sign in again and repeat
├── UnavailableError            unavailable 5   ask again later
│   ├── DeadlineError                           took longer than allowed
│   └── RateLimitedError                        asked too often; knows when to come back
│       └── QuotaSpentError                     the day's quota is spent; not repeated
├── BreachedError               breached 6      freshness, reconciliation, suspicious emptiness
│   └── SuspiciousEmptinessError
├── BusyError                   busy 7          another process holds the lease
│   └── FencedError             fenced 7        the lease was lost while running
└── InterruptedByOperatorError  interrupted 130 stopped after a clean flush
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from traceback import StackSummary, extract_tb, walk_tb
from typing import ClassVar

__all__ = [
    "EXIT_CODES",
    "AccountingError",
    "BreachedError",
    "BudgetSpentError",
    "BusyError",
    "ConfigError",
    "DeadlineError",
    "EnvelopeError",
    "FailedError",
    "FencedError",
    "FieldProblem",
    "HubError",
    "InterruptedByOperatorError",
    "LoginPageError",
    "MappingError",
    "MisconfiguredError",
    "Outcome",
    "OverdueError",
    "PartialError",
    "PluginError",
    "QuotaSpentError",
    "RateLimitedError",
    "RefusedError",
    "StoreError",
    "StoreVersionError",
    "SuspiciousEmptinessError",
    "TokenExpiredError",
    "UnavailableError",
    "UnreadablePageError",
    "raised_at",
    "traceback_of",
    "worst",
]


class Outcome(StrEnum):
    """How a run ended. `running` and `dead` are written by the engine only (dead: about another process)."""

    OK = "ok"
    FAILED = "failed"
    MISCONFIGURED = "misconfigured"
    PARTIAL = "partial"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    BREACHED = "breached"
    BUSY = "busy"
    FENCED = "fenced"
    INTERRUPTED = "interrupted"
    RUNNING = "running"
    DEAD = "dead"


EXIT_CODES: dict[Outcome, int] = {
    Outcome.OK: 0,
    Outcome.FAILED: 1,
    Outcome.MISCONFIGURED: 2,
    Outcome.PARTIAL: 3,
    Outcome.REFUSED: 4,
    Outcome.UNAVAILABLE: 5,
    Outcome.BREACHED: 6,
    Outcome.BUSY: 7,
    Outcome.FENCED: 7,
    Outcome.INTERRUPTED: 130,
    Outcome.DEAD: 1,
}

_SEVERITY = (130, 2, 1, 4, 5, 6, 3, 7, 0)


def worst(outcomes: Iterable[Outcome]) -> int:
    """The exit code that speaks for several outcomes; 0 for none."""
    return min((EXIT_CODES[outcome] for outcome in outcomes), key=_SEVERITY.index, default=0)


def raised_at(error: BaseException) -> str:
    """`folder/file:line` where foreign code raised it. Its own text is never shown: it may hold what the code worked on."""
    frame = extract_tb(error.__traceback__)[-1]
    path, line = Path(frame.filename), frame.lineno
    # What cannot be parsed may also be a text that the code was given.
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        path, line = Path(error.filename), error.lineno
    return f"{path.parent.name}/{path.name}:{line}"


def traceback_of(error: BaseException) -> str:
    """Frames and classes of an error and of all that led to it, oldest first. Only an error of the hub says its text:
    what any other one says, and its notes and source lines, may hold the record it was working on."""
    return "\n".join(_raised(error, set()))


def _raised(error: BaseException, told: set[int]) -> Iterator[str]:
    chain: list[tuple[BaseException, str]] = []
    now: BaseException | None = error
    while now is not None and id(now) not in told:
        told.add(id(now))
        chain.append((now, "which caused:" if now.__cause__ else "while that was dealt with:"))
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
    for place, (one, joint) in enumerate(reversed(chain)):
        if place:
            yield joint
        frames = [
            (frame.f_code.co_filename, line, frame.f_code.co_name, "") for frame, line in walk_tb(one.__traceback__)
        ]
        yield from "".join(StackSummary.from_list(frames).format()).splitlines()
        kind = f"{type(one).__module__}.{type(one).__qualname__}".removeprefix("builtins.")
        yield f"{kind}: {one}" if isinstance(one, HubError) else kind
        for number, inner in enumerate(one.exceptions if isinstance(one, BaseExceptionGroup) else (), 1):
            yield f"of which {number}:"
            yield from (f"  {line}" for line in _raised(inner, told))


class HubError(Exception):
    """One line for the person who must act: what, where, and what to do next (`remedy`).

    `template` and `remedy` are English with `{name}` places that `values` fill, so that `hub.locale` can say the same in
    Chinese. Values are names, paths, codes and counts; never personal data or secrets.
    """

    outcome: ClassVar[Outcome] = Outcome.FAILED

    def __init__(self, template: str, /, *, remedy: str = "", **values: object) -> None:
        super().__init__(template)
        self.template = template
        self.remedy = remedy
        self.values = values

    def render(self, translate: Callable[[str], str] = str) -> str:
        """The whole message, each template passed through `translate` first."""
        parts = [translate(part).format_map(_Places(self.values)) for part in (self.template, self.remedy) if part]
        return "; ".join(parts)

    def within(self, **context: object) -> "HubError":
        """Add what only the caller knows (source, stream, page …); values already there stay. Returns self."""
        self.values = {**context, **self.values}
        return self

    def line(self, translate: Callable[[str], str] = str) -> str:
        """The whole message with source and stream in front, unless it names them itself."""
        before = [key for key in ("source", "stream") if self.values.get(key) and f"{{{key}}}" not in self.template]
        where, text = "/".join(str(self.values[key]) for key in before), self.render(translate)
        return text if not where or text.startswith((f"{where} ", f"{where}/")) else f"{where}: {text}"

    def __str__(self) -> str:
        return self.line()


class _Places(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


class FailedError(HubError):
    outcome = Outcome.FAILED


class EnvelopeError(FailedError):
    """The source answered, but not in the agreed shape, or said inside the envelope that it failed."""


class UnreadablePageError(EnvelopeError):
    """A page that no strict parser takes; it is asked for once more and then scanned tolerantly."""


class OverdueError(FailedError):
    """A connector's code did not come back by any deadline. Its thread cannot be ended; it is left behind."""


class AccountingError(FailedError):
    """fetched != new + changed + unchanged + quarantined: a defect of the hub itself."""


class StoreError(FailedError):
    """The database refused a statement, or does not hold what it must."""


class MisconfiguredError(HubError):
    outcome = Outcome.MISCONFIGURED


class ConfigError(MisconfiguredError):
    """hub.toml, an environment variable or a secret is wrong or missing."""


class MappingError(MisconfiguredError):
    """A mapping file or a code table cannot be used."""


class PluginError(MisconfiguredError):
    """A plugin is missing, broken or of the wrong version."""


class StoreVersionError(MisconfiguredError):
    """The store's schema and this hub do not belong together."""


class PartialError(HubError):
    outcome = Outcome.PARTIAL


class BudgetSpentError(PartialError):
    """More records went to quarantine than the run allows; everything read so far is committed."""


class RefusedError(HubError):
    outcome = Outcome.REFUSED


class LoginPageError(RefusedError):
    """An HTML page came where data was asked for: a login page, so the session is not valid."""


class TokenExpiredError(RefusedError):
    """The source wants a fresh token or session. Repeated at once with a new one, a few times."""


class UnavailableError(HubError):
    outcome = Outcome.UNAVAILABLE


class DeadlineError(UnavailableError):
    """A request, page or run took longer than its deadline."""


class RateLimitedError(UnavailableError):
    """Asked too often. `retry_after` is seconds from now, None if the source did not say."""

    def __init__(
        self, template: str, /, *, retry_after: float | None = None, remedy: str = "", **values: object
    ) -> None:
        super().__init__(template, remedy=remedy, **values)
        self.retry_after = retry_after


class QuotaSpentError(RateLimitedError):
    """The quota of this key is spent (gateway code 18, domain.md §1.4): never repeated within the run."""


class BreachedError(HubError):
    outcome = Outcome.BREACHED


class SuspiciousEmptinessError(BreachedError):
    """A complete reading found nothing although the store holds records of this stream."""


class BusyError(HubError):
    """Another process holds the lease of this partition."""

    outcome = Outcome.BUSY


class FencedError(BusyError):
    """The lease went to another process while this run was working; nothing of the page was stored."""

    outcome = Outcome.FENCED


class InterruptedByOperatorError(HubError):
    """Stopped by the operator (SIGINT, SIGTERM) after the page in hand was committed."""

    outcome = Outcome.INTERRUPTED


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Why one record cannot be mapped: the source's path, a reason code, and the class of the value, never the value."""

    path: str
    reason: str
    value_class: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" + (f" ({self.value_class})" if self.value_class else "")
