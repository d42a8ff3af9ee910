"""`hub runs`: the run book."""

from dataclasses import asdict
from typing import Any

import click

from hub.commands.named import refuse_unknown
from hub.commands.output import Column, instant
from hub.commands.session import Group, Session, pass_session
from hub.errors import MisconfiguredError
from hub.store.runs import RunRow, list_runs, read_run

__all__ = ["command"]

COLUMNS = (
    Column("run_id", "Run", "id"),
    Column("started_at", "Began", "time", spare=1),
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("mode", "Mode", "mode", spare=7),
    Column("outcome", "Outcome", "outcome"),
    Column("fetched", "Read", "count"),
    Column("new", "New", "count", spare=3),
    Column("changed", "Changed", "count", spare=4),
    Column("quarantined", "Quarantined", "count", spare=2),
    Column("tombstoned", "Deleted", "count", spare=5),
    Column("duration_s", "Took", "span", spare=6),
    Column("error", "Error"),
)
DETAIL = (
    *COLUMNS[:2],
    Column("finished_at", "Ended", "time"),
    *COLUMNS[2:7],
    *COLUMNS[7:11],
    Column("unchanged", "Unchanged", "count"),
    Column("stale", "Stale", "count"),
    Column("unmapped", "Unmapped", "count"),
    Column("requests", "Requests", "count"),
    Column("pages", "Pages", "count"),
    Column("cursor", "Cursor", "time"),
    Column("worker", "Worker"),
    *COLUMNS[11:],
)


@click.group("runs", cls=Group)
def command() -> None:
    """What was run, when, and how it ended."""


@command.command("list")
@click.option("--source", metavar="SOURCE", help="Only this source.")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="How many.")
@pass_session
def list_(session: Session, source: str | None, stream: str | None, limit: int) -> None:
    """The latest runs, newest first."""
    with session.store(with_key=False) as store:
        rows = list_runs(store, source=session.key_of(source), stream=stream, limit=limit)
        if not rows:
            refuse_unknown(session, store, source, stream)
    session.output.rows([_record(session, row) for row in rows], COLUMNS, empty="no run fits")


@command.command("show")
@click.argument("run", metavar="RUN")
@pass_session
def show(session: Session, run: str) -> None:
    """One run with all its counts. The beginning of its id is enough."""
    with session.store(with_key=False) as store:
        row = read_run(store, run)
    if row is None:
        raise MisconfiguredError("there is no run {run}", run=run, remedy="`hub runs list` shows them")
    session.output.record(_record(session, row), DETAIL)


def _record(session: Session, row: RunRow) -> dict[str, Any]:
    values = asdict(row)
    ended = row.finished_at
    return {
        "run_id": values.pop("id"),
        **values.pop("counts"),
        **values,
        "started_at": instant(row.started_at),
        "finished_at": instant(ended),
        "cursor": instant(row.cursor),
        "error": session.retold(row.error),
        "duration_s": (ended - row.started_at) / 1000 if ended is not None else None,
    }
