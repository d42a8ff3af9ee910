"""`hub store`: copies of the whole store."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click

from hub.commands.output import Column
from hub.commands.session import Group, Session, pass_session
from hub.store import Store
from hub.store.backup import backup, restore
from hub.store.copy import copy_store
from hub.store.crypto import Keyring

__all__ = ["command"]

COLUMNS = (Column("table", "Table", "name"), Column("rows", "Rows", "count"), Column("sha256", "Hash", "id"))
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("store", cls=Group)
def command() -> None:
    """Copies of the store. They are of no use without its key: keep that too, elsewhere."""


@command.command("backup")
@click.argument("file", metavar="FILE", type=FILE)
@pass_session
def backup_(session: Session, file: Path) -> None:
    """Write the whole store, as of one instant, into a new SQLite file; syncs may go on meanwhile."""
    with session.store() as store:
        count = backup(store, file)
    session.output.say("{count} incidents are in {file}", count=count, file=file)
    if session.format == "json":
        session.output.json({"file": file, "incidents": count})


@command.command("restore")
@click.argument("file", metavar="FILE", type=FILE)
@pass_session
def restore_(session: Session, file: Path) -> None:
    """Fill the store of hub.toml, which must be empty, from a backup."""
    settings = session.settings
    with closing(Store(settings.store.url, Keyring(settings.store.secret_key()))) as store:
        count = restore(store, file)
    session.output.say("{count} incidents were restored from {file}", count=count, file=file)
    if session.format == "json":
        session.output.json({"file": file, "incidents": count})


@command.command("copy")
@click.option("--to", "url", metavar="URL", required=True, help="Address of the new store, an empty database.")
@pass_session
def copy_(session: Session, url: str) -> None:
    """Copy the store of hub.toml into another database and compare the two, row by row. Stop every hub first.
    Afterwards set [store] url to the new address."""
    key = Keyring(session.settings.store.secret_key())
    with session.store() as source, closing(Store(url, key)) as target:
        tables = copy_store(source, target)
    session.output.rows([asdict(table) for table in tables if table.rows], COLUMNS)
    session.output.say("both stores are equal; now set [store] url to the new address")
