"""`hub validate`: what is wrong before any source is asked."""

import click

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.errors import EXIT_CODES, Outcome
from hub.sync.validation import validate

__all__ = ["command"]

COLUMNS = (Column("place", "Place"), Column("problem", "Problem"))


@click.command("validate", cls=Command)
@pass_session
def command(session: Session) -> int:
    """Look through settings, plugins, mappings and code tables, without asking any source or opening the store."""
    settings, plugins = session.settings, session.plugins
    own = settings.folder / "mappings"
    folders = [*plugins.mapping_folders, *([own] if own.is_dir() else [])]
    found = list(validate(settings, plugins, folders))
    rows = [{"place": one.place, "problem": session.wording(one.error)} for one in found]
    session.output.rows(rows, COLUMNS, empty="nothing is wrong")
    return EXIT_CODES[Outcome.MISCONFIGURED] if found else EXIT_CODES[Outcome.OK]
