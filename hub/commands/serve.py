"""`hub serve`: run the schedules until stopped."""

from collections.abc import Sequence

import click

from hub.commands.alarm_wording import alarm_wording
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import stopping
from hub.commands.sync import run_record
from hub.schedule.serve import serve
from hub.schedule.ticket import LANES, Lane
from hub.schedule.watch import watching
from hub.sync.alarms import Alarms
from hub.sync.result import RunResult

__all__ = ["command", "work"]


@click.command("serve", cls=Command)
@pass_session
def command(session: Session) -> None:
    """Sync every source on its schedule until stopped; SIGTERM and SIGINT finish the page in hand."""
    work(session)


def work(session: Session, *, slots: int | None = None, lanes: Sequence[Lane] = LANES) -> None:
    """Plan and work until a signal comes, telling of every run."""
    with session.hub() as hub, stopping() as stop:
        output = session.output

        def done(result: RunResult) -> None:
            if output.format == "json":
                output.report(run_record(session, result))

        output.say("serving; stop with Ctrl-C or SIGTERM")
        with watching(Alarms(hub, alarm_wording(output)).check):
            serve(hub, stop, done, slots=slots, lanes=lanes)
        output.say("stopped; every page that was begun is stored")
