"""Whether, and after how long, a failed page is asked for again: one pure function."""

from dataclasses import dataclass

from hub.errors import HubError, QuotaSpentError, RateLimitedError, TokenExpiredError, UnavailableError

__all__ = ["MAX_RENEWALS", "Retry", "decide_retry"]

MAX_RENEWALS = 3
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `wait_s`; `renew` the token first."""

    wait_s: float
    renew: bool = False


def decide_retry(
    error: HubError, *, attempt: int, renewals: int, retries: int, left_s: float, chance: float
) -> Retry | None:
    """None means: give up and say so. `attempt` counts from 1, `left_s` is what the page's deadline leaves, `chance` is in
    [0, 1) and spreads the waits of many streams.

    An expired token is renewed at once, at most MAX_RENEWALS times; an unavailable source is asked again after 1, 2, 4 …
    seconds, or when it said itself. A wait that outlives the deadline is not begun: the next run is the retry.
    """
    if isinstance(error, TokenExpiredError):
        return Retry(0.0, renew=True) if renewals < MAX_RENEWALS else None
    if isinstance(error, QuotaSpentError) or not isinstance(error, UnavailableError) or attempt > retries:
        return None
    wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (attempt - 1)) * (0.5 + chance / 2)
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        wait = max(error.retry_after, 0.0)
    return Retry(wait) if wait < left_s else None
