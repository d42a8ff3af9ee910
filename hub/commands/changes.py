"""`hub changes`: the change feed."""

import click
import msgspec

from hub.commands.output import Column, instant
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import stopping
from hub.errors import InterruptedByOperatorError
from hub.store.feed import FeedChange, changes_after

__all__ = ["command"]

COLUMNS = (
    Column("seq", "Number", "count"),
    Column("at", "Stored", "time", spare=1),
    Column("op", "Change", "op"),
    Column("id", "Incident", "id"),
    Column("revision", "Revision", "count", spare=2),
    # The longest name of a field, and its comma.
    Column("fields", "Fields", least=21),
)
_POLL_S = 1.0
_PAGE = 1000


@click.command("changes", cls=Command)
@click.option(
    "--after",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="SEQ",
    help="Only changes after this number: remember the last one you read.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="At most so many (default 100, with --follow all)."
)
@click.option("--follow", is_flag=True, help="Wait for further changes until stopped.")
@pass_session
def command(session: Session, after: int, limit: int | None, follow: bool) -> None:
    """Show changes of incidents in order, without gaps."""
    left = limit if limit is not None or follow else 100
    with session.store(with_key=False) as store, stopping() as stop:
        output = session.output
        while not (stop.is_set() or output.unheard):
            found = changes_after(store, after, _PAGE if left is None else min(left, _PAGE))
            if found or not follow:
                output.rows([_record(change) for change in found], COLUMNS, empty="no changes after that number")
            after = found[-1].seq if found else after
            left = left - len(found) if left is not None else None
            if left == 0 or (not follow and len(found) < _PAGE):
                return
            if not found:
                stop.wait(_POLL_S)
    if stop.is_set() and not follow:
        raise InterruptedByOperatorError("stopped", remedy="run the command again")


def _record(change: FeedChange) -> dict[str, object]:
    return {**msgspec.structs.asdict(change), "at": instant(change.at)}
