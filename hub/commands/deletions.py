"""`hub deletions`: deletions that wait for a person."""

from dataclasses import asdict

import click

from hub.clock import now_ms
from hub.commands.output import Column, instant
from hub.commands.session import Group, Session, pass_session
from hub.store.audit import record_action
from hub.store.deletions import decide, list_held

__all__ = ["command"]

COLUMNS = (
    Column("id", "Number", "count"),
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("records", "Missing", "count"),
    Column("living", "Of", "count"),
    Column("status", "State"),
    Column("held_at", "Held since", "time"),
    Column("decided_at", "Decided", "time"),
    Column("decided_by", "By"),
    Column("run", "Run", "id"),
)


@click.group("deletions", cls=Group)
def command() -> None:
    """Deletions held back because too much was missing upstream at once."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those decided.")
@pass_session
def list_(session: Session, everything: bool) -> None:
    """What waits for a decision."""
    with session.store(with_key=False) as store:
        rows = list_held(store, all_of_them=everything)
    records = [{**asdict(row), "held_at": instant(row.held_at), "decided_at": instant(row.decided_at)} for row in rows]
    session.output.rows(records, COLUMNS, empty="no deletion waits for a decision")


@command.command("approve")
@click.argument("number", metavar="NUMBER", type=int)
@click.option("--reason", metavar="TEXT", default="", help="Why; noted in the audit log.")
@pass_session
def approve(session: Session, number: int, reason: str) -> None:
    """Mark these incidents as deleted. They come back if the source shows them again."""
    _decide(session, number, True, reason)


@command.command("reject")
@click.argument("number", metavar="NUMBER", type=int)
@click.option("--reason", metavar="TEXT", default="", help="Why; noted in the audit log.")
@pass_session
def reject(session: Session, number: int, reason: str) -> None:
    """Keep these incidents. The next complete reading asks again if they are still missing."""
    _decide(session, number, False, reason)


def _decide(session: Session, number: int, approve: bool, reason: str) -> None:
    word = "approved" if approve else "rejected"
    with session.store() as store:
        gone = decide(store, number, approve=approve, actor=session.actor, now=now_ms())
        record_action(
            store, actor=session.actor, action=f"deletion {word}", target=str(number), reason=reason, now=now_ms()
        )
    if approve:
        session.output.say("{count} incidents marked as deleted", count=gone)
    else:
        session.output.say("nothing is deleted; the next complete reading asks again")
    if session.format == "json":
        session.output.json({"number": number, "decision": word, "deleted": gone})
