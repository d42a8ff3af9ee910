"""`hub incidents`: read the unified store."""

from typing import Any

import click

from hub.clock import now
from hub.commands.moment import MOMENT
from hub.commands.named import refuse_unknown
from hub.commands.output import Column, Output
from hub.commands.session import Group, Session, pass_session
from hub.config import Start
from hub.incident import Kind, Status
from hub.store.incidents import TEXT_WINDOW_DAYS, IncidentFilter, list_incidents, read_incident

__all__ = ["command"]

COLUMNS = (
    Column("id", "Incident", "id"),
    Column("source", "Source", "name", spare=1),
    Column("kind", "Kind", "kind", spare=2),
    Column("status", "Status", "status"),
    Column("occurred_at", "Happened", "time"),
    Column("region", "Region", spare=3),
    Column("category", "Category", spare=4),
    Column("title", "Title"),
)
STEPS = (
    Column("at", "When", "time"), Column("name", "Step"), Column("status", "Status", "status"), Column("unit", "Unit"),
    Column("note", "Note"),
)  # fmt: skip
REVISIONS = (
    Column("revision", "Revision", "count"), Column("changed_at", "Stored", "time"), Column("run", "Run", "id"),
    Column("changed_after", "Changed after it"),
)  # fmt: skip


@click.group("incidents", cls=Group)
def command() -> None:
    """Read incidents: lists by filter, one with its provenance, steps and revisions."""


@command.command("list")
@click.option("--source", metavar="SOURCE", help="Only this source.")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Only this kind of record.")
@click.option("--status", type=click.Choice([status.value for status in Status]), help="Only in this state.")
@click.option("--region", metavar="CODE", help="Region code or its beginning.")
@click.option("--category", metavar="CODE", help="Hub category or its beginning; `unmapped` for those without.")
@click.option("--since", type=MOMENT, help="Happened since: a day, an instant with offset, or a length such as P7D.")
@click.option(
    "--text", metavar="TEXT", help="Text in title, description or address (of the last 90 days unless --since)."
)
@click.option("--deleted", is_flag=True, help="Also what was deleted upstream.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="How many.")
@click.option("--after", metavar="ID", help="Go on after this incident: the last one of the page before.")
@pass_session
def list_(
    session: Session, /, since: Start | None, limit: int, after: str | None, source: str | None, **filters: Any
) -> None:
    """The latest incidents, by the time they happened."""
    if since is None and filters["text"]:
        since = Start.parse(f"P{TEXT_WINDOW_DAYS}D")
    at = since.instant(now(), session.settings.defaults.zone) if since else None
    wanted = IncidentFilter(source=session.key_of(source), since=int(at.timestamp() * 1000) if at else None, **filters)
    with session.store(with_key=False) as store:
        rows = list_incidents(store, wanted, limit, after)
        if not rows:
            refuse_unknown(session, store, source, filters["stream"])
    session.output.rows(rows, COLUMNS, empty="no incident fits")
    if len(rows) == limit:
        session.output.say("there may be more: add --after {id}", id=rows[-1]["id"])


@command.command("show")
@click.argument("incident", metavar="ID")
@pass_session
def show(session: Session, incident: str) -> None:
    """One incident whole. The beginning of its id is enough. Personal data is not part of it."""
    with session.store(with_key=False) as store:
        found = read_incident(store, incident)
    output = session.output
    if output.format == "json":
        output.json(found)
        return
    _show(output, found)


def _show(output: Output, found: dict[str, Any]) -> None:
    nested = ("steps", "revisions", "provenance")
    output.fields({key: value for key, value in found.items() if key not in nested})
    for heading, rows, columns in (
        (output.text("Steps"), found["steps"], STEPS), (output.text("Revisions"), found["revisions"], REVISIONS),
    ):  # fmt: skip
        if rows:
            output.heading(heading)
            output.rows(rows, columns)
    output.heading(output.text("Provenance"))
    output.fields(found["provenance"])
