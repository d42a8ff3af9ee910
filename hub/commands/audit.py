"""`hub audit`: what operators did, and whether somebody altered the book."""

from dataclasses import asdict

import click

from hub.commands.output import Column, instant
from hub.commands.session import Group, Session, pass_session
from hub.errors import BreachedError
from hub.store.audit import first_altered, list_audit

__all__ = ["command"]

COLUMNS = (
    Column("number", "Number", "count"), Column("at", "When", "time"), Column("actor", "Who"), Column("action", "What"),
    Column("target", "On"), Column("reason", "Why"),
)  # fmt: skip


@click.group("audit", cls=Group)
def command() -> None:
    """What operators did and which personal data they saw."""


@command.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="How many.")
@pass_session
def list_(session: Session, limit: int) -> None:
    """The latest entries, newest first."""
    with session.store(with_key=False) as store:
        rows = [{**asdict(entry), "at": instant(entry.at)} for entry in list_audit(store, limit)]
    session.output.rows(rows, COLUMNS, empty="the audit log is empty")


@command.command("verify")
@pass_session
def verify(session: Session) -> None:
    """Check the chain of hashes. Exit code 6 names the first entry that was altered, removed or put in."""
    with session.store(with_key=False) as store:
        altered = first_altered(store)
        if altered is not None:
            raise BreachedError("the audit log does not hold from entry {number} on", number=altered)
        count = len(list_audit(store, 2**31))
    session.output.say("{count} entries, none altered", count=count)
    if session.format == "json":
        session.output.json({"entries": count, "altered": None})
