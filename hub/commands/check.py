"""`hub check`: try every stream without storing anything."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.errors import HubError, worst
from hub.sync.sample import Sample, take_sample
from hub.sync.sources import Hub

__all__ = ["command", "samples_of"]

COLUMNS = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("outcome", "Outcome", "outcome"),
    Column("rows", "Rows", "count"),
    Column("total", "Total", "count", spare=3),
    Column("mapped", "Mapped", "count", spare=2),
    Column("bad", "Bad", "count"),
    Column("unmapped", "Unmapped codes", spare=1),
    Column("sample", "Sample", spare=4),
    Column("error", "Error"),
)


@click.command("check", cls=Command)
@click.argument("sources", metavar="[SOURCE]…", nargs=-1)
@pass_session
def command(session: Session, sources: tuple[str, ...]) -> int:
    """Try every stream: is it reached, are we let in, are its pages and codes understood. Nothing is stored."""
    with session.hub() as hub:
        names = hub.source_names(sources)
        # Side by side, so that a source that does not answer delays nobody else's verdict.
        with ThreadPoolExecutor(session.settings.defaults.workers) as pool:
            found = list(pool.map(lambda name: list(samples_of(hub, name)), names))
    samples = [sample for one in found for sample in one]
    rows = [_row(session, sample) for sample in samples]
    session.output.rows(rows, COLUMNS, empty="no source is enabled in hub.toml")
    return worst(sample.outcome for sample in samples)


def samples_of(hub: Hub, name: str, stream: str | None = None, keep: int = 1, unmask: bool = False) -> Iterator[Sample]:
    """A look at each stream of a source, or at one; a source that cannot be opened is a sample with its error."""
    try:
        with hub.open(name) as source:
            for one in [source.stream(stream)] if stream else source.streams:
                yield take_sample(hub.job(source, one), keep=keep, unmask=unmask)
    except HubError as error:
        yield Sample(name, stream or "", outcome=error.outcome, error=error.within(source=name))


def _row(session: Session, sample: Sample) -> dict[str, Any]:
    first = next((record.incident for record in sample.records if record.incident), None) or {}
    problem = next((record.problem for record in sample.records if record.problem), "")
    codes = [f"{gap.table} {gap.code}" for gap in sample.unmapped]
    shown = {key: value for key, value in first.items() if value not in (None, [])}
    row: dict[str, Any] = {
        "source": sample.source,
        "stream": sample.stream,
        "outcome": sample.outcome,
        "rows": sample.rows,
        "total": sample.total,
        "mapped": sample.mapped,
        "bad": sample.bad,
        "unmapped": codes,
        "error": session.wording(sample.error) if sample.error else problem or None,
    }
    if session.format == "json":
        return {**row, "sample": shown or None}
    return {**row, "sample": first.get("title") or first.get("source_category_text") or first.get("description")}
