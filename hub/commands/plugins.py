"""`hub plugins`: what is installed, and why something is not used."""

import click

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.errors import EXIT_CODES, Outcome, worst
from hub.plugins import ListedPlugin, installed_plugins
from hub.probing import Probe, probe
from hub.testing.quality import Tier, earned_tier

__all__ = ["command"]

COLUMNS = (
    Column("name", "Plugin"),
    Column("distribution", "Distribution"),
    Column("version", "Version"),
    Column("state", "State", "plugin"),
    Column("connectors", "Connectors"),
    Column("tiers", "Tier"),
    Column("problem", "Problem"),
)


PROBED = (
    Column("name", "Plugin"),
    Column("seconds", "Import takes", "span"),
    Column("bytes", "Memory (bytes)", "count"),
    Column("problem", "Problem"),
)


@click.command("plugins", cls=Command)
@click.option("--probe", "probed", is_flag=True, help="Import each in a process of its own and say what that costs.")
@pass_session
def command(session: Session, probed: bool) -> int:
    """List the installed plugins, what they bring, and what is wrong with those that cannot be used."""
    if not probed:
        session.output.rows([_row(session, plugin) for plugin in session.plugins.listed], COLUMNS)
        return EXIT_CODES[Outcome.OK]
    probes = [(entry.name, probe(entry)) for entry in installed_plugins()]
    session.output.rows([_probe_row(session, name, found) for name, found in probes], PROBED)
    return worst(Outcome.MISCONFIGURED if found.problem else Outcome.OK for _, found in probes)


def _probe_row(session: Session, name: str, found: Probe) -> dict[str, object]:
    problem = session.wording(found.problem) if found.problem else None
    return {"name": name, "seconds": found.seconds, "bytes": found.bytes, "problem": problem}


def _row(session: Session, plugin: ListedPlugin) -> dict[str, object]:
    problem = session.wording(plugin.problem) if plugin.problem else ""
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "state": plugin.state,
        "connectors": plugin.connectors,
        "tiers": _tiers(session, plugin),
        "reason": plugin.reason,
        "remedy": plugin.remedy,
        "problem": problem,
    }


def _tiers(session: Session, plugin: ListedPlugin) -> list[str]:
    """`name: tier` of each connector that has earned one, and still is what earned it."""
    earned = {name: earned_tier(session.plugins.connectors[name]) for name in plugin.connectors}
    return [f"{name}: {tier}" for name, tier in earned.items() if tier is not Tier.NONE]
