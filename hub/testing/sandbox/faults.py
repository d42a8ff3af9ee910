"""Faults a test or a trainee can switch on, one system at a time.

A fault is a name with options. Common options: `times` (how many requests it hits, default 1, null: until cleared),
`skip` (how many matching requests pass first), `on` ("data", the default, or "credentials" or "any")."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

from hub.testing.sandbox.server import Answer, Request

#: name → what happens
FAULTS = {
    "slow": "waits `seconds` (2) before the first byte",
    "drip": "spreads the body over `seconds` (5)",
    "reset": "closes the connection without an answer",
    "http_status": "answers `status` (500) with an HTML error page",
    "http_500": "the same with 500",
    "http_503": "the same with 503",
    "rate_limited": "429 with Retry-After `retry_after` (2): seconds, or an HTTP date with `as_date`",
    "truncated": "announces the whole body, sends half of it and closes",
    "bad_encoding": "sends the body in GBK under a UTF-8 content type",
    "login_page": "200 with an HTML login page",
    "empty_body": "200 with no body at all",
    "expired_token": "forgets every token and session the client holds",
    "error_envelope": "200 with the system's own error envelope (`code` where it has codes)",
    "duplicate_page": "serves the page before the one that was asked for (from page 2 on)",
    "shifting_pages": "moves rows between pages just before a later page is read (from page 2 on)",
    "absurd": "plants extra records of nonsense, `kinds` (all) in `stream` (all); they stay",
    "table_missing": "exchange databases: the tables are gone until cleared",
    "broken_file": "csv_drop: a file arrives in the wrong encoding, or torn with `kind` = xlsx; it stays",
}
#: Done once when they are switched on, not at a request.
AT_ONCE = {"absurd", "expired_token", "table_missing", "broken_file"}

LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><meta charset=utf-8><title>统一登录</title></head><body>"
    '<form action="/login.php" method="post"><input name="username"><input name="password" type="password">'
    "<button>登录</button></form></body></html>"
)


class UnknownFaultError(ValueError):
    """The fault's name is none of FAULTS, or an option is of the wrong kind."""


@dataclass
class Fault:
    name: str
    times: int | None = 1
    skip: int = 0
    on: Literal["data", "credentials", "any"] = "data"
    options: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The faults switched on in one system."""

    def __init__(self) -> None:
        self._active: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        if fault.name not in FAULTS:
            raise UnknownFaultError(f"unknown fault {fault.name!r}: use one of {', '.join(FAULTS)}")
        with self._lock:
            self._active.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._active.clear()

    @property
    def names(self) -> list[str]:
        return [fault.name for fault in self._active]

    def take(self, credentials: bool) -> Fault | None:
        """The fault that hits this request, counted down; None for an honest answer."""
        kind = "credentials" if credentials else "data"
        with self._lock:
            for fault in self._active:
                if fault.on not in (kind, "any"):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._active.remove(fault)
                return fault
        return None


def instead(fault: Fault, now: int) -> Answer | None:
    """The answer given in place of the system's own, or None when the fault only bends an honest one."""
    options = fault.options
    match fault.name:
        case "http_status" | "http_500" | "http_503":
            status = {"http_500": 500, "http_503": 503}.get(fault.name) or int(options.get("status", 500))
            return Answer(f"<html><body><h1>{status}</h1></body></html>".encode(), status, "text/html")
        case "rate_limited":
            wait = int(options.get("retry_after", 2))
            moment = datetime.fromtimestamp(now, UTC) + timedelta(seconds=wait)
            text = format_datetime(moment, usegmt=True) if options.get("as_date") else str(wait)
            return Answer(b'{"message":"API rate limit exceeded"}', 429, headers={"Retry-After": text})
        case "login_page":
            return Answer(LOGIN_PAGE.encode(), content_type="text/html; charset=UTF-8")
        case "empty_body":
            return Answer(b"")
        case "reset":
            return Answer(b"", reset=True)
    return None


def bend(fault: Fault, request: Request, answer: Answer) -> Answer:
    """Spoil an honest answer."""
    options = fault.options
    match fault.name:
        case "slow":
            answer.delay_s = float(options.get("seconds", 2))
        case "drip":
            answer.drip_s = float(options.get("seconds", 5))
        case "truncated":
            answer.truncate = True
        case "bad_encoding":
            answer.body = answer.body.decode("utf-8", "replace").encode("gbk", "replace")
    return answer
