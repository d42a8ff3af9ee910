"""`hub preview`: raw records beside what they become."""

import click

from hub.commands.check import samples_of
from hub.commands.session import Command, Session, pass_session
from hub.commands.unmasking import require_reason, unmask_options
from hub.errors import worst

__all__ = ["command"]


@click.command("preview", cls=Command)
@click.argument("source", metavar="SOURCE")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option("--limit", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N", help="How many.")
@unmask_options
@pass_session
def command(session: Session, source: str, stream: str | None, limit: int, unmask: bool, reason: str | None) -> int:
    """Show raw records beside the incidents they become. Nothing is stored."""
    with session.hub() as hub:
        if unmask:
            require_reason(session, hub.store, "preview", source, reason)
        samples = list(samples_of(hub, hub.source_names([source])[0], stream, limit, unmask))
    output = session.output
    for sample in samples:
        for record in sample.records:
            shown = {key: value for key, value in (record.incident or {}).items() if value not in (None, [])}
            row = {"source": sample.source, "stream": sample.stream, "raw": record.raw, "incident": shown or None}
            output.beside({**row, "problem": session.retold_reason(record.problem) or None}, "raw", "incident")
        if sample.error:
            click.echo(session.wording(sample.error), err=True)
    return worst(sample.outcome for sample in samples)
