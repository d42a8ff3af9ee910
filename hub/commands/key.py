"""`hub key`: the key that raw records and people are sealed with."""

import base64
import os
from contextlib import closing

import click

from hub.clock import now_ms
from hub.commands.session import Group, Session, pass_session
from hub.config.keyfile import key_file, next_key_file, sync_folder, write_key
from hub.config.models import KEY_BYTES
from hub.errors import ConfigError
from hub.store import Store
from hub.store.audit import record_action
from hub.store.crypto import Keyring
from hub.store.migrate import check_schema
from hub.store.rotation import key_of, rotate

__all__ = ["command"]


@click.group("key", cls=Group)
def command() -> None:
    """The key that raw records and people are sealed with."""


@command.command("rotate")
@click.option("--reason", metavar="TEXT", required=True, help="Why; noted in the audit log.")
@pass_session
def rotate_(session: Session, reason: str) -> None:
    """Make a new key and seal everything with it. Interrupted, the same command goes on. The old key stays beside the new one
    as FILE.old, for backups made with it: keep it as safe, or destroy both."""
    settings, output = session.settings, session.output
    present, following = key_file(settings), next_key_file(settings)
    old = settings.store.secret_key()
    if not following.exists():
        # A store that does not open leaves no new key behind, which would look like a rotation under way.
        with session.store():
            write_key(following, base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
    new = base64.b64decode(following.read_bytes())
    if len(new) != KEY_BYTES:
        raise ConfigError("{file} is not a key", file=following, remedy="remove it and run the command again")
    with closing(Store(settings.store.url, Keyring(new, old))) as store:
        check_schema(store)
        before = key_of(store)
        sealed = rotate(store, store.keyring, lambda count: None)
        record_action(
            store,
            actor=session.actor,
            action="key rotate",
            target=f"{before} → {store.keyring.key_id}",
            reason=reason,
            now=now_ms(),
        )
    write_key(present.with_name(present.name + ".old"), present.read_bytes())
    # One step: there is never a moment without a key.
    following.replace(present)
    sync_folder(present.parent)
    output.say(
        "{count} pages sealed with the new key; put a copy of {file} in a safe place", count=sealed, file=present
    )
    if output.format == "json":
        output.json({"pages": sealed, "key_id": store.keyring.key_id})
