"""Seeing personal data in clear: never by accident, never without a reason, never unnoticed."""

from collections.abc import Callable
from typing import Any

import click

from hub.clock import now_ms
from hub.commands.session import Session
from hub.errors import MisconfiguredError
from hub.store.audit import record_action
from hub.store.store import Store

__all__ = ["require_reason", "unmask_options"]


def unmask_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--unmask` and `--reason`."""
    reason = click.option("--reason", metavar="TEXT", help="Why personal data must be seen.")
    unmask = click.option(
        "--unmask", is_flag=True, help="Show personal data in clear; needs --reason and is noted in the audit log."
    )
    return unmask(reason(command))


def require_reason(session: Session, store: Store, action: str, target: str, reason: str | None) -> None:
    """Note in the audit log who sees personal data and why. Raises MisconfiguredError without a reason."""
    if not (reason or "").strip():
        raise MisconfiguredError("--unmask needs --reason", remedy="say in a few words why personal data must be seen")
    record_action(
        store, actor=session.actor, action=f"unmask {action}", target=target, reason=str(reason), now=now_ms()
    )
