"""`hub codes`: what the code tables do not know."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hub.clock import now_ms
from hub.commands.named import refuse_unknown
from hub.commands.output import Column, instant
from hub.commands.session import Group, Session, pass_session
from hub.commands.stopping import exit_code, stopping
from hub.commands.sync import run_record
from hub.config.writing import writing
from hub.errors import HubError, MappingError, worst
from hub.mapping.codes import named_table
from hub.mapping.decisions import read_decisions, spreadsheet
from hub.mapping.mapping import Mappings
from hub.store.audit import record_action
from hub.store.overview import CodeGapRow, list_gaps
from hub.sync.approve import approve
from hub.sync.sources import Hub

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
COVERAGE = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("code_table", "Code table"),
    Column("known", "Known", "count"),
    Column("unknown", "Unknown", "count"),
    Column("count", "Times", "count"),
    Column("problem", "Problem"),
)
REMAPPED = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("outcome", "Outcome", "outcome"),
    Column("fetched", "Read", "count"),
    Column("changed", "Changed", "count"),
    Column("error", "Error"),
)

#: A line of `coverage`, and what is wrong there.
Covered = tuple[dict[str, Any], HubError | None]


@click.group("codes", cls=Group)
def command() -> None:
    """Codes of the sources."""


@command.command("unmapped")
@click.option("--source", metavar="SOURCE", help="Only this source.")
@click.option(
    "--csv",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write them for a spreadsheet: fill in hub_code, then `hub codes approve FILE`.",
)
@pass_session
def unmapped(session: Session, source: str | None, target: Path | None) -> None:
    """Codes no code table knows, the most frequent first, each with an incident that carries it."""
    with session.store(with_key=False) as store:
        rows = list_gaps(store, session.key_of(source))
        if not rows:
            refuse_unknown(session, store, source)
    records = [
        {**asdict(row), "first_seen_at": instant(row.first_seen_at), "last_seen_at": instant(row.last_seen_at)}
        for row in rows
    ]
    session.output.rows(records, COLUMNS, empty="every code met so far is mapped")
    if target is not None:
        wanted = [{**row, "source_code": row["code"], "hub_code": "", "title": row["text"]} for row in records]
        with writing(target):
            target.write_bytes(spreadsheet(wanted))
        session.output.say("written to {path}", path=target)


@command.command("coverage")
@click.option("--source", metavar="SOURCE", help="Only this source.")
@pass_session
def coverage(session: Session, source: str | None) -> int:
    """Of each code table a stream uses: how many codes it knows, and how many were met that it does not know."""
    with session.hub() as hub:
        gaps = list_gaps(hub.store, session.key_of(source))
        found = [one for name in hub.source_names([source] if source else ()) for one in _coverage(hub, name, gaps)]
    rows = [{**row, "problem": session.wording(error) if error else None} for row, error in found]
    session.output.rows(rows, COVERAGE)
    return worst(error.outcome for _, error in found if error)


@command.command("approve")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@pass_session
def approved(session: Session, file: Path) -> int:
    """Take the codes filled in in FILE into force: the code tables beside hub.toml first, then the incidents that
    waited are remapped. FILE is what `hub codes unmapped --csv` wrote, with `hub_code` filled in."""
    decisions = read_decisions(file)
    with session.hub() as hub, stopping() as stop:
        found = approve(hub, decisions, stop)
        for path in found.written:
            record_action(
                hub.store, actor=session.actor, action="approve codes", target=path.name, reason="", now=now_ms()
            )
    for path in found.written:
        session.output.say("written to {path}", path=path)
    rows = [run_record(session, one.run) for one in found.remapped]
    session.output.rows(rows, REMAPPED, empty="no incident waited for these codes")
    return exit_code(stop, [one.run.outcome for one in found.remapped])


def _coverage(hub: Hub, source: str, gaps: list[CodeGapRow]) -> Iterator[Covered]:
    """Each code table of each stream, with what is wrong with it; what is wrong with the whole stands alone."""
    try:
        with hub.open(source) as opened:
            streams = {stream.name: stream.mapping for stream in opened.streams}
    except HubError as error:
        yield _covered(source, "", "", None, gaps), error.within(source=source)
        return
    for stream, name in streams.items():
        tables, wrong = _tables(hub.mappings, name)
        for table in sorted(tables.keys() | wrong.keys()):
            yield _covered(source, stream, table, tables.get(table), gaps), wrong.get(table)


def _tables(mappings: Mappings, name: str) -> tuple[dict[str, int], dict[str, MappingError]]:
    """How many codes each table of a mapping knows, and what is wrong, by table; under no name if it is the mapping."""
    known: dict[str, int] = {}
    wrong: dict[str, MappingError] = {}
    try:
        mapping = mappings.get(name)
        for table in mapping.codes:
            try:
                known[table] = len(named_table(mapping.tables, table).entries)
            except MappingError as error:
                wrong[table] = error
        if not wrong:
            mappings.check(name)
    except MappingError as error:
        wrong[str(error.values.get("table", ""))] = error
    return known, wrong


def _covered(source: str, stream: str, table: str, known: int | None, gaps: list[CodeGapRow]) -> dict[str, Any]:
    unknown = [gap for gap in gaps if (gap.source, gap.stream, gap.code_table) == (source, stream, table)]
    return {
        "source": source, "stream": stream, "code_table": table, "known": known,
        "unknown": len(unknown), "count": sum(gap.count for gap in unknown),
    }  # fmt: skip
