"""`hub workers`: who works, where, and on what."""

import click

from hub.commands.output import Column, instant
from hub.commands.session import Command, Session, pass_session
from hub.store.queue import WorkerRow, list_workers
from hub.store.runs import running_workers

__all__ = ["command"]

COLUMNS = (
    Column("owner", "Worker", "name"),
    Column("host", "Machine", "name"),
    Column("pid", "Process"),
    Column("slots", "Slots", "count"),
    Column("lanes", "Lanes"),
    Column("started_at", "Since", "time"),
    Column("seen_at", "Seen", "time"),
    Column("keys", "Reads"),
)


@click.command("workers", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Show the processes that work on this store: where, since when, on what, and when they were last heard of."""
    with session.store(with_key=False) as store:
        many = session.settings.engine.kind == "procrastinate"
        rows = list_workers(store) if many else [_of_runs(*row) for row in running_workers(store)]
    records = [
        {**row._asdict(), "started_at": instant(row.started_at), "seen_at": instant(row.seen_at)} for row in rows
    ]
    session.output.rows(records, COLUMNS, empty="nobody works on this store")


def _of_runs(owner: str, started_at: int, seen_at: int, keys: tuple[str, ...]) -> WorkerRow:
    """A process in the run book: an in-process installation keeps no list of workers."""
    host, _, rest = owner.partition(":")
    return WorkerRow(owner, host, int(rest.partition(":")[0] or 0), len(keys), "", started_at, seen_at, keys)
