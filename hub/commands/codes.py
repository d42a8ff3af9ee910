"""`hub codes`: what the code tables do not know."""

from dataclasses import asdict

import click

from hub.commands.output import Column, instant
from hub.commands.session import Group, Session, pass_session
from hub.store.overview import list_gaps

__all__ = ["command"]

COLUMNS = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("code_table", "Code table"),
    Column("code", "Code"),
    Column("text", "Its text"),
    Column("count", "Times", "count"),
    Column("sample", "For instance", "id"),
    Column("last_seen_at", "Last seen", "time"),
)


@click.group("codes", cls=Group)
def command() -> None:
    """Codes of the sources."""


@command.command("unmapped")
@click.option("--source", metavar="SOURCE", help="Only this source.")
@pass_session
def unmapped(session: Session, source: str | None) -> None:
    """Codes no code table knows, the most frequent first, each with an incident that carries it."""
    with session.store(with_key=False) as store:
        rows = list_gaps(store, session.key_of(source))
    records = [
        {**asdict(row), "first_seen_at": instant(row.first_seen_at), "last_seen_at": instant(row.last_seen_at)}
        for row in rows
    ]
    session.output.rows(records, COLUMNS, empty="every code met so far is mapped")
