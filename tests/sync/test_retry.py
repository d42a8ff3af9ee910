"""Whether, and after how long, a page is asked for again: a table of numbers."""

import pytest

from hub.errors import (
    DeadlineError,
    EnvelopeError,
    FencedError,
    HubError,
    LoginPageError,
    MisconfiguredError,
    QuotaSpentError,
    RateLimitedError,
    RefusedError,
    StoreError,
    TokenExpiredError,
    UnavailableError,
    UnreadablePageError,
)
from hub.sync.retry import MAX_RENEWALS, Retry, decide_retry

DOWN = UnavailableError("down")
CASES: dict[str, tuple[HubError, dict[str, float], Retry | None]] = {
    "first wait": (DOWN, {"attempt": 1}, Retry(1.0)),
    "second wait": (DOWN, {"attempt": 2}, Retry(2.0)),
    "fifth wait": (DOWN, {"attempt": 5}, Retry(16.0)),
    "waits end at a minute": (DOWN, {"attempt": 9, "retries": 20}, Retry(60.0)),
    "no overflow": (DOWN, {"attempt": 1000, "retries": 2000}, Retry(60.0)),
    "chance halves at most": (DOWN, {"attempt": 3, "chance": 0.0}, Retry(2.0)),
    "chance spreads": (DOWN, {"attempt": 3, "chance": 0.5}, Retry(3.0)),
    "last attempt": (DOWN, {"attempt": 5, "retries": 5}, Retry(16.0)),
    "one too many": (DOWN, {"attempt": 6, "retries": 5}, None),
    "no retries": (DOWN, {"attempt": 1, "retries": 0}, None),
    "wait that outlives the deadline": (DOWN, {"attempt": 3, "left_s": 3.9}, None),
    "wait as long as the deadline": (DOWN, {"attempt": 3, "left_s": 4.0}, None),
    "deadline long past": (DOWN, {"attempt": 1, "left_s": -5}, None),
    "request deadline": (DeadlineError("slow"), {"attempt": 1}, Retry(1.0)),
    "source says when": (RateLimitedError("slow", retry_after=7), {"attempt": 3}, Retry(7)),
    "source says at once": (RateLimitedError("slow", retry_after=0), {"attempt": 1}, Retry(0)),
    "source says in the past": (RateLimitedError("slow", retry_after=-9), {"attempt": 1}, Retry(0)),
    "source says after the deadline": (RateLimitedError("slow", retry_after=101), {"attempt": 1}, None),
    "source does not say": (RateLimitedError("slow"), {"attempt": 2}, Retry(2.0)),
    "rate limited too often": (RateLimitedError("slow", retry_after=1), {"attempt": 6}, None),
    "quota spent": (QuotaSpentError("spent", retry_after=1), {"attempt": 1}, None),
    "token": (TokenExpiredError("old"), {"attempt": 1}, Retry(0.0, renew=True)),
    "token, last renewal": (TokenExpiredError("old"), {"renewals": MAX_RENEWALS - 1}, Retry(0.0, renew=True)),
    "token never good": (TokenExpiredError("old"), {"renewals": MAX_RENEWALS}, None),
    "token costs no attempt": (TokenExpiredError("old"), {"attempt": 99}, Retry(0.0, renew=True)),
    "login page": (LoginPageError("html"), {}, None),
    "refused": (RefusedError("403"), {}, None),
    "envelope": (EnvelopeError("99"), {}, None),
    "unreadable": (UnreadablePageError("NaN"), {}, None),
    "misconfigured": (MisconfiguredError("no"), {}, None),
    "store": (StoreError("damaged"), {}, None),
    "fenced": (FencedError("lost"), {}, None),
}


@pytest.mark.parametrize(("error", "numbers", "decision"), CASES.values(), ids=CASES)
def test_decide_retry(error: HubError, numbers: dict[str, float], decision: Retry | None) -> None:
    usual = {"attempt": 1, "renewals": 0, "retries": 5, "left_s": 100.0, "chance": 1.0}
    assert decide_retry(error, **{**usual, **numbers}) == decision
