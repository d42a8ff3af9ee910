"""`hub upgrade`: the store's migrations."""

from contextlib import closing

import click

from hub.commands.session import Command, Session, pass_session
from hub.store import Store
from hub.store.crypto import Keyring
from hub.store.migrate import upgrade
from hub.store.queue_schema import upgrade_queue

__all__ = ["command"]


@click.command("upgrade", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Bring the store to this hub's schema. Nothing happens if it has it."""
    settings = session.settings
    with closing(Store(settings.store.url, Keyring(settings.store.secret_key()))) as store:
        before, after = upgrade(store)
        if settings.engine.kind == "procrastinate":
            upgrade_queue(store)
    output = session.output
    output.say("the store has schema {after} (before: {before})", after=after, before=before or "-")
    if output.format == "json":
        output.json({"before": before, "after": after})
