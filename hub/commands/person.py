"""`hub person`: where a person stands in the store, and erasing them."""

import sys
from dataclasses import asdict

import click

from hub.clock import now_ms
from hub.commands.output import Column
from hub.commands.session import Group, Session, pass_session
from hub.store.audit import record_action
from hub.store.erasure import erase_person, find_person

__all__ = ["command"]

COLUMNS = (
    Column("incident", "Incident"), Column("roles", "As"), Column("raw_page", "Raw page", "count"),
    Column("raw_index", "Place", "count"),
)  # fmt: skip


def _asked(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Who is meant: typed unseen at a terminal, or the first line of what is piped in."""
    if text is not None or context.resilient_parsing:
        return text
    if sys.stdin.isatty():
        asked: str = click.prompt(
            context.ensure_object(Session).output.text("Name, phone, ID number or account"), hide_input=True
        )
        return asked
    if not (piped := sys.stdin.readline().strip()):
        raise click.MissingParameter(ctx=context, param=parameter)
    return piped


TEXT = click.option(
    "--text", metavar="TEXT", callback=_asked,
    help="The whole name, phone, ID number or account. Without it, it is asked for or read from a pipe: it stands in no history.",
)  # fmt: skip
REASON = click.option("--reason", metavar="TEXT", required=True, help="Why; noted in the audit log without the person.")


@click.group("person", cls=Group)
def command() -> None:
    """People in the store: where somebody stands, and erasing them."""


@command.command("find")
@TEXT
@REASON
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="How many.")
@pass_session
def find(session: Session, text: str, reason: str, limit: int) -> None:
    """List the incidents and older raw records in which a person stands."""
    with session.store() as store:
        record_action(store, actor=session.actor, action="person find", target="", reason=reason, now=now_ms())
        places = find_person(store, text)
    rows = [{**asdict(place), "roles": ", ".join(place.roles)} for place in places[:limit]]
    session.output.rows(rows, COLUMNS, empty="nobody of that name or number is in the store")
    if len(places) > limit:
        session.output.say("{count} more are not shown: give a higher --limit", count=len(places) - limit)


@command.command("erase")
@TEXT
@REASON
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
@pass_session
def erase(session: Session, text: str, reason: str, yes: bool) -> None:
    """Take a person out of every record, present and former, and out of quarantine. Later syncs do not bring them back.

    Incidents stay. Backups made before still hold the person."""
    with session.store() as store:
        if not yes and sys.stdin.isatty():
            count = len({place.incident for place in find_person(store, text)})
            click.confirm(
                session.output.text("They stand in {count} incidents. Erase them for good?", count=count), abort=True
            )
        erased = erase_person(store, text, now_ms())
        target = f"{erased.records} records"
        record_action(store, actor=session.actor, action="person erase", target=target, reason=reason, now=now_ms())
    session.output.say(
        "erased from {records} records on {pages} pages, and from {quarantined} in quarantine",
        records=erased.records, pages=erased.pages, quarantined=erased.quarantined,
    )  # fmt: skip
    if session.format == "json":
        session.output.json(asdict(erased))
