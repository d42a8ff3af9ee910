"""`hub plugins`: what is installed, and why something is not used."""

import click

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.plugins import ListedPlugin

__all__ = ["command"]

COLUMNS = (
    Column("name", "Plugin"),
    Column("distribution", "Distribution"),
    Column("version", "Version"),
    Column("state", "State", "plugin"),
    Column("connectors", "Connectors"),
    Column("problem", "Problem"),
)


@click.command("plugins", cls=Command)
@pass_session
def command(session: Session) -> None:
    """List the installed plugins, what they bring, and what is wrong with those that cannot be used."""
    session.output.rows([_row(session, plugin) for plugin in session.plugins.listed], COLUMNS)


def _row(session: Session, plugin: ListedPlugin) -> dict[str, object]:
    problem = session.wording(plugin.problem) if plugin.problem else ""
    return {
        "name": plugin.name, "distribution": plugin.distribution, "version": plugin.version, "state": plugin.state,
        "connectors": plugin.connectors, "reason": plugin.reason, "remedy": plugin.remedy, "problem": problem,
    }
