"""`hub sync`: run streams now."""

import shlex
from typing import Any

import click

from hub.commands.output import Column, Output
from hub.commands.progress import SyncProgress
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import exit_code, stopping
from hub.errors import Outcome
from hub.sync.result import RunResult
from hub.sync.run import RunOptions

__all__ = ["RUN_COLUMNS", "command", "run_record"]

RUN_COLUMNS = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("outcome", "Outcome", "outcome"),
    Column("fetched", "Read", "count"),
    Column("new", "New", "count", spare=1),
    Column("changed", "Changed", "count", spare=4),
    Column("unchanged", "Unchanged", "count", spare=6),
    Column("quarantined", "Quarantined", "count", spare=2),
    Column("tombstoned", "Deleted", "count", spare=3),
    Column("unmapped", "Unmapped", "count", spare=5),
    Column("duration_s", "Took", "span", spare=7),
    Column("error", "Error"),
)


@click.command("sync", cls=Command)
@click.argument("sources", metavar="[SOURCE]…", nargs=-1)
@click.option("--stream", metavar="STREAM", help="Only this stream of each source.")
@click.option(
    "--full-refresh",
    is_flag=True,
    help="Read everything again; what is gone upstream is marked as deleted. A changed mapping reaches stored records by"
    " `hub remap`, not by this.",
)
@click.option("--dry-run", is_flag=True, help="Read and decide, but write nothing.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop each stream after about N records; the next sync goes on from there.",
)
@click.option("--here", is_flag=True, help="Run in this process even where many workers share a queue.")
@pass_session
def command(
    session: Session,
    sources: tuple[str, ...],
    stream: str | None,
    full_refresh: bool,
    dry_run: bool,
    limit: int | None,
    here: bool,
) -> int:
    """Sync the named sources, or every enabled one. Where many workers share a queue ([engine] kind), they do it and
    this command follows them. The exit code is that of the worst outcome."""
    options = RunOptions(full_refresh=full_refresh, dry_run=dry_run, limit=limit)
    # A dry run leaves no trace in the store, so nobody could follow it there.
    follows = session.settings.engine.kind == "procrastinate" and not here and not dry_run
    with session.hub() as hub, stopping() as stop:
        output = session.output
        with SyncProgress(output) as progress:

            def done(result: RunResult) -> None:
                progress.done(result)
                if output.format == "json":
                    output.report(run_record(session, result))

            names = hub.source_names(sources)
            if follows:
                from hub.schedule.follow import Follower

                follower = Follower(hub, progress.page, done)
                follower.submit(names, options, stream)
                follower.follow(stop)
                results, going_on = follower.results, follower.under_way
            else:
                results = hub.sync(names, options, stream=stream, stop=stop, progress=progress.page, done=done)
                going_on = ()
    for key in going_on:
        _tell_going_on(output, key)
    if output.format == "table":
        _table(session, output, results)
    outcomes = [result.outcome for result in results] + [Outcome.FAILED] * output.unsaid
    return exit_code(stop, outcomes)


def _tell_going_on(output: Output, key: str) -> None:
    source, stream, partition = (*key.split("/", 2), "")[:3]
    said = output.text("{key} goes on without this command: see hub runs list; to stop it:", key=key)
    option = f" --partition {shlex.quote(partition)}" if partition else ""
    click.echo(f"{said} hub cancel {source} {stream}{option}", err=True)


def run_record(session: Session, result: RunResult) -> dict[str, Any]:
    """A run as `--output json` prints it, its error in the operator's language."""
    return {**result.as_json(), "error": session.wording(result.error) if result.error else None}


def _table(session: Session, output: Output, results: list[RunResult]) -> None:
    rows = [run_record(session, result) for result in sorted(results, key=lambda run: (run.source, run.stream))]
    output.rows(rows, RUN_COLUMNS, empty="no source is enabled in hub.toml")
