"""`hub doctor`: a look over the whole installation."""

import click

from hub.commands.alarm_wording import alarm_wording
from hub.commands.output import Column
from hub.commands.session import Command, Session, pass_session
from hub.errors import HubError, worst
from hub.sync.alarms import Alarms
from hub.sync.doctor import CHECKS, Finding, examine

__all__ = ["command"]

COLUMNS = (
    Column("check", "Check", "name"), Column("outcome", "Outcome", "outcome"), Column("finding", "Finding"),
)  # fmt: skip


@click.command("doctor", cls=Command)
@click.option("--alarm", is_flag=True, help="Also tell what [alarms] names, as `hub serve` does every minute.")
@pass_session
def command(session: Session, alarm: bool) -> int:
    """Look over store, settings, plugins, secrets, clocks, disk, runs, schedules, certificates, freshness and what
    waits for a person, each finding with its remedy. Exit code 6 if an objective is missed, 2 if something is
    misconfigured, 4 or 1 if a stream's last run was refused or failed."""
    try:
        with session.hub() as hub:
            found = examine(hub)
            if alarm:
                Alarms(hub, alarm_wording(session.output)).check()
    except HubError as error:
        found = [Finding("store", error)]
    rows = [{"check": one.check, "outcome": one.outcome, "finding": session.wording(one.error)} for one in found]
    session.output.rows(rows, COLUMNS)
    if not found:
        session.output.say("{count} checks, nothing found", count=len(CHECKS))
    return worst(one.counts for one in found)
