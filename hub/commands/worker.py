"""`hub worker`: one of many processes that work on the same store."""

import click

from hub.commands.serve import work
from hub.commands.session import Command, Session, pass_session
from hub.errors import ConfigError
from hub.schedule.ticket import LANES

__all__ = ["command"]


@click.command("worker", cls=Command)
@click.option("--slots", type=click.IntRange(min=1), metavar="N", help="Streams read at the same time.")
@click.option(
    "--lane",
    "lanes",
    type=click.Choice(LANES),
    multiple=True,
    help="Only this lane: live (what is due often) or bulk (what may take hours). Default: both.",
)
@pass_session
def command(session: Session, slots: int | None, lanes: tuple[str, ...]) -> None:
    """Join the workers of this store and work until stopped; SIGTERM finishes the page in hand and hands back the
    rest."""
    if session.settings.engine.kind == "inprocess":
        raise ConfigError(
            '[engine] kind is "inprocess": one process does all the work',
            remedy='use hub serve, or set kind = "procrastinate" on a PostgreSQL store',
        )
    work(session, slots=slots, lanes=[lane for lane in LANES if lane in lanes] or LANES)
