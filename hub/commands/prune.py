"""`hub prune`: cut back what grows, as [retention] says."""

from dataclasses import asdict

import click

from hub.clock import now
from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import stopping
from hub.errors import InterruptedByOperatorError
from hub.store.retention import prune

__all__ = ["command"]

COLUMNS = (
    Column("changes", "Changes", "count"),
    Column("revisions", "Revisions", "count"),
    Column("stale_versions", "Stale", "count"),
    Column("quarantine", "Quarantined", "count"),
    Column("runs", "Runs", "count"),
    Column("pages", "Pages", "count"),
    Column("raw_pages", "Raw pages", "count"),
)


@click.command("prune", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Take away what is older than [retention] says, and raw pages nothing points to; syncs may go on meanwhile."""
    with session.store(with_key=False) as store, stopping() as stop:
        done = asdict(prune(store, session.settings.retention, now(), stop.is_set, session.actor))
    session.output.record(done, COLUMNS)
    if stop.is_set():
        raise InterruptedByOperatorError("stopped", remedy="run the command again")
