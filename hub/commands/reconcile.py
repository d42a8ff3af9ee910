"""`hub reconcile`: does the store hold what the source shows?"""

from dataclasses import asdict
from typing import Any

import click

from hub.clock import now
from hub.commands.moment import MOMENT
from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import exit_code, stopping
from hub.commands.sync import RUN_COLUMNS, run_record
from hub.config import Start
from hub.sync.reconcile import Reconciliation, reconcile
from hub.sync.run import Backfill, RunOptions

__all__ = ["command"]

COLUMNS = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("outcome", "Outcome", "outcome"),
    Column("upstream", "Upstream", "count"),
    Column("stored", "Stored", "count"),
    Column("missing_count", "Missing", "count"),
    Column("outdated_count", "Outdated", "count"),
    Column("extra_count", "Extra", "count"),
    Column("unreadable", "Unreadable", "count"),
    Column("error", "Error"),
)


@click.command("reconcile", cls=Command)
@click.argument("source", metavar="SOURCE")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option(
    "--window",
    type=MOMENT,
    default="P1D",
    show_default=True,
    metavar="WHEN",
    help="Compare what its source changed since then.",
)
@click.option("--repair", is_flag=True, help="Read the window again where something is missing or outdated.")
@pass_session
def command(session: Session, source: str, stream: str | None, window: Start, repair: bool) -> int:
    """Ask a source again what it has and compare id by id with the store. Exit code 6 if they differ."""
    moment = now()
    since = window.instant(moment, session.settings.defaults.zone)
    with session.hub() as hub, stopping() as stop, hub.open(hub.source_names([source])[0]) as opened:
        chosen = [opened.stream(stream)] if stream else list(opened.streams)
        found = [
            reconcile(hub.store, hub.job(opened, one), since=since if one.cursor else None, until=None, stop=stop)
            for one in chosen
            if not stop.is_set()
        ]
        repaired = []
        for item in found:
            if repair and (item.missing_count or item.outdated_count):
                one = opened.stream(item.stream)
                whole = RunOptions(full_refresh=True)
                options = RunOptions(backfill=Backfill(since, moment, moment - since)) if one.cursor else whole
                repaired += hub.sync([opened.name], options, stream=item.stream, stop=stop)
    session.output.rows([_record(session, item) for item in found], COLUMNS)
    if repaired:
        session.output.rows([run_record(session, run) for run in repaired], RUN_COLUMNS)
        return exit_code(stop, [run.outcome for run in repaired])
    return exit_code(stop, [item.outcome for item in found])


def _record(session: Session, item: Reconciliation) -> dict[str, Any]:
    error = session.wording(item.error) if item.error else None
    return {**{key: value for key, value in asdict(item).items() if key != "error"}, "error": error}
