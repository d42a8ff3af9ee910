"""`hub validate`: what is wrong before any source is asked and anything is stored."""

import click

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.errors import worst
from hub.store.look import look
from hub.sync.validation import Finding, validate

__all__ = ["command"]

COLUMNS = (Column("place", "Place"), Column("problem", "Problem"))


@click.command("validate", cls=Command)
@pass_session
def command(session: Session) -> int:
    """Look through settings, plugins, mappings, code tables and the store, without asking any source or changing anything."""
    settings, plugins = session.settings, session.plugins
    own = settings.folder / "mappings"
    folders = [*plugins.mapping_folders, *([own] if own.is_dir() else [])]
    found = [*validate(settings, plugins, folders), *(Finding("store", error) for error in look(settings))]
    rows = [{"place": one.place, "problem": session.wording(one.error)} for one in found]
    session.output.rows(rows, COLUMNS, empty="nothing is wrong")
    return worst(one.error.outcome for one in found)
