"""`hub remap`: incidents made anew from stored raw records."""

from typing import Any

import click

from hub.clock import now
from hub.commands.moment import MOMENT
from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import exit_code, stopping
from hub.commands.sync import run_record
from hub.config import Start
from hub.errors import HubError
from hub.sync.remap import RemapResult, remap
from hub.sync.result import RunResult

__all__ = ["command"]

COLUMNS = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("outcome", "Outcome", "outcome"),
    Column("fetched", "Read", "count"),
    Column("changed", "Changed", "count"),
    Column("unmapped", "Unmapped", "count"),
    Column("unmappable", "Refused", "count"),
    Column("fields", "Fields"),
    Column("error", "Error"),
)
DIFFERENCES = (
    Column("id", "Incident"), Column("field", "Field"), Column("before", "Before"), Column("after", "After"),
)  # fmt: skip


@click.command("remap", cls=Command)
@click.option("--source", metavar="SOURCE", help="Only this source.")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option("--since", type=MOMENT, metavar="WHEN", help="Only what its source changed since then.")
@click.option("--dry-run", is_flag=True, help="Show the differences, change nothing.")
@pass_session
def command(session: Session, source: str | None, stream: str | None, since: Start | None, dry_run: bool) -> int:
    """Make incidents anew from their raw records with today's mappings and code tables, without asking any source.

    Run it with --dry-run first: it shows what would differ. Differences become revisions and changes like any other."""
    results = []
    moment = since.instant(now(), session.settings.defaults.zone) if since else None
    with session.hub() as hub, stopping() as stop:
        for name in hub.source_names([source] if source else ()):
            try:
                with hub.open(name) as opened:
                    chosen = [opened.stream(stream)] if stream else list(opened.streams)
                    jobs = [hub.job(opened, one) for one in chosen]
                    results += [
                        remap(hub.store, job, hub.owner, since=moment, dry_run=dry_run, stop=stop)
                        for job in jobs
                        if not stop.is_set()
                    ]
            except HubError as error:
                results.append(RemapResult(RunResult(source=name, mode="remap", outcome=error.outcome, error=error)))
    session.output.rows([_record(session, result) for result in results], COLUMNS)
    samples = [sample for result in results for sample in result.samples]
    if session.format == "table" and samples:
        session.output.heading(session.output.text("Some of the differences"))
        session.output.rows(
            [{"id": item.id, "field": item.field, "before": item.before, "after": item.after} for item in samples],
            DIFFERENCES,
        )
    return exit_code(stop, [result.run.outcome for result in results])


def _record(session: Session, result: RemapResult) -> dict[str, Any]:
    fields = ", ".join(f"{name} {count}" for name, count in result.fields.most_common())
    differences = [
        {"id": item.id, "field": item.field, "before": item.before, "after": item.after} for item in result.samples
    ]
    return {
        **run_record(session, result.run), "unmappable": result.unmappable, "fields": fields, "samples": differences,
    }  # fmt: skip
