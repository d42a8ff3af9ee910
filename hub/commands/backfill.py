"""`hub backfill`: a past window read again."""

import click

from hub.clock import now
from hub.commands.moment import MOMENT
from hub.commands.progress import SyncProgress
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import exit_code, stopping
from hub.commands.sync import RUN_COLUMNS, run_record
from hub.config import Start, duration
from hub.errors import ConfigError
from hub.sync.run import Backfill, RunOptions

__all__ = ["command"]


@click.command("backfill", cls=Command)
@click.argument("source", metavar="SOURCE")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option("--from", "since", type=MOMENT, required=True, metavar="WHEN", help="Where the window begins.")
@click.option("--to", "until", type=MOMENT, required=True, metavar="WHEN", help="Where it ends; not read itself.")
@click.option("--step", default="P7D", show_default=True, metavar="LENGTH", help="Read so much at a time.")
@pass_session
def command(session: Session, source: str, stream: str | None, since: Start, until: Start, step: str) -> int:
    """Read a past window of a source again, by the time of change. It has a position of its own: interrupted, the same
    command goes on, and the position of the daily sync never moves."""
    zone, moment = session.settings.defaults.zone, now()
    window = Backfill(since.instant(moment, zone), until.instant(moment, zone), duration(step))
    if window.since >= window.until:
        raise ConfigError("the window ends before it begins", remedy="give --from an earlier time than --to")
    with session.hub() as hub, stopping() as stop, SyncProgress(session.output) as progress:
        names = hub.source_names([source])
        options = RunOptions(backfill=window)
        results = hub.sync(names, options, stream=stream, stop=stop, progress=progress.page, done=progress.done)
    session.output.rows([run_record(session, result) for result in results], RUN_COLUMNS)
    return exit_code(stop, [result.outcome for result in results])
