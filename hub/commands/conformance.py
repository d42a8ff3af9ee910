"""`hub conformance`: a connector against a simulated source with faults."""

import click

from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.errors import EXIT_CODES, Outcome
from hub.testing.conformance import Verdict, grade
from hub.testing.materials import materials
from hub.testing.quality import record_tier

__all__ = ["command"]

COLUMNS = (
    Column("check", "Check"),
    Column("tier", "Tier"),
    Column("verdict", "Verdict", "verdict"),
    Column("said", "Reason"),
)


@click.command("conformance", cls=Command)
@click.argument("connector", metavar="CONNECTOR")
@click.option("--record", is_flag=True, help="Write the earned tier into the connector's quality file.")
@pass_session
def command(session: Session, connector: str, record: bool) -> int:
    """Put a connector to the test: every promise of the hub, against a simulated source with faults. No store and no
    source of hub.toml is touched."""
    settings = session.settings_if_any
    if settings and connector in settings.sources and connector not in session.plugins.connectors:
        connector = settings.sources[connector].connector
    kind = session.plugins.connector(connector)
    found = grade(kind)
    rows = [
        {"check": one.name, "tier": one.tier, "verdict": one.verdict, "said": one.said} for one in found.results
    ]  # fmt: skip
    session.output.rows(rows, COLUMNS)
    session.output.say("{connector} earns: {tier}", connector=connector, tier=found.tier)
    if record:
        session.output.say("written to {path}", path=record_tier(kind, found.tier, materials(kind)))
    failed = any(one.verdict is Verdict.FAILED for one in found.results)
    return EXIT_CODES[Outcome.FAILED] if failed else 0
