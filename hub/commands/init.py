"""`hub init`: a new project folder with its store."""

from contextlib import closing
from pathlib import Path

import click

from hub.commands.session import Command, Session, pass_session
from hub.config import load
from hub.config.project import create_project
from hub.locale import translator
from hub.store import Store
from hub.store.crypto import Keyring
from hub.store.migrate import upgrade

__all__ = ["command"]


@click.command("init", cls=Command)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@pass_session
def command(session: Session, folder: Path) -> None:
    """Write a commented hub.toml, the key and the store into DIR (default: here)."""
    file = create_project(folder, translator(session.lang))
    settings = load(file, environment=session.environment)
    with closing(Store(settings.store.url, Keyring(settings.store.secret_key()))) as store:
        schema = upgrade(store)[1]
    output = session.output
    output.say(
        "{file} is ready; keep a copy of {key} in a safe place: without it the store cannot be read",
        file=file,
        key=file.parent / "secrets" / "store.key",
    )
    output.say("next: describe a source in it, then run `hub check`")
    if output.format == "json":
        output.json({"config": file, "schema": schema})
