"""`hub cancel`: take back what waits, stop what runs."""

import click

from hub.clock import now_ms
from hub.commands.session import Command, Session, pass_session
from hub.errors import ConfigError
from hub.schedule.serve import engine_of
from hub.store.audit import record_action

__all__ = ["command"]


@click.command("cancel", cls=Command)
@click.argument("source", metavar="SOURCE")
@click.argument("stream", metavar="STREAM")
@click.option("--partition", metavar="PARTITION", default="", help="Only this part of the stream.")
@pass_session
def command(session: Session, source: str, stream: str, partition: str) -> None:
    """Take a waiting run back, or stop a running one after the page in hand. The schedule goes on."""
    if session.settings.engine.kind == "inprocess":
        raise ConfigError(
            "only many workers share a queue; here the runs live in one process",
            remedy="stop hub serve or hub sync with Ctrl-C or SIGTERM",
        )
    key = "/".join(part for part in (source, stream, partition) if part)
    with session.hub() as hub:
        found = engine_of(hub).cancel(key)
        record_action(hub.store, actor=session.actor, action="run cancelled", target=key, reason="", now=now_ms())
    if found:
        session.output.say("{key} is cancelled", key=key)
    else:
        session.output.say("{key} neither waits nor runs", key=key)
    if session.format == "json":
        session.output.json({"key": key, "cancelled": found})
