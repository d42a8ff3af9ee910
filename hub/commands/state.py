"""`hub state`: where each stream stands."""

import os
import re
import socket
from typing import Any

import click

from hub.clock import now, now_ms
from hub.commands.moment import MOMENT
from hub.commands.named import refuse_unknown
from hub.commands.output import Column, clock_time, instant
from hub.commands.session import Group, Session, pass_session
from hub.config import Start
from hub.errors import FailedError
from hub.store.audit import record_action
from hub.store.state import StateRow, clear_state, list_states, read_state, set_cursor

__all__ = ["command"]

COLUMNS = (
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("partition", "Partition"),
    Column("cursor", "Cursor", "time"),
    Column("unfinished", "Unfinished"),
    Column("updated_at", "Stored", "time", spare=1),
)
#: How `hub.sync.run.Backfill` calls its partition: the window in UTC.
_BACKFILL = re.compile(r"backfill (\S+Z)\.\.(\S+Z)")
partition = click.option("--partition", default="", metavar="PARTITION", help="The partition, if the stream has any.")


@click.group("state", cls=Group)
def command() -> None:
    """Positions of the streams: everything the source changed before the cursor is read."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also backfills that are finished.")
@pass_session
def list_(session: Session, everything: bool) -> None:
    """Every position."""
    with session.store(with_key=False) as store:
        rows = list_states(store)
    shown = [row for row in rows if everything or not _finished(row)]
    if shown or not rows:
        session.output.rows([_record(session, row) for row in shown], COLUMNS, empty="no stream was synced yet")
    if len(shown) < len(rows):
        session.output.say("{count} finished backfills are left out: --all shows them", count=len(rows) - len(shown))


@command.command("get")
@click.argument("source", metavar="SOURCE")
@click.argument("stream", metavar="STREAM")
@partition
@pass_session
def get(session: Session, source: str, stream: str, partition: str) -> None:
    """One position."""
    with session.store(with_key=False) as store:
        rows = [row for row in list_states(store) if (row.source, row.stream) == (session.key_of(source), stream)]
        row = next((row for row in rows if partition in (row.partition, _window(session, row.partition))), None)
        if row is None:
            refuse_unknown(session, store, source, stream)
    if row is None:
        raise FailedError(
            "{source}/{stream} has no position",
            source=source,
            stream=stream,
            remedy="`hub state list` shows those there are",
        )
    session.output.record(_record(session, row), COLUMNS)


@command.command("set")
@click.argument("source", metavar="SOURCE")
@click.argument("stream", metavar="STREAM")
@click.argument("cursor", metavar="WHEN", type=MOMENT)
@partition
@pass_session
def set_(session: Session, source: str, stream: str, cursor: Start, partition: str) -> None:
    """Move the cursor by hand; the next sync reads from there, less its lookback."""
    key, at = session.key_of(source) or source, cursor.instant(now(), session.settings.defaults.zone)
    with session.store() as store:
        refuse_unknown(session, store, source, stream)
        set_cursor(store, key, stream, partition, int(at.timestamp() * 1000), now_ms(), owner=_owner(session))
        record_action(
            store, actor=session.actor, action="state set", target=f"{key}/{stream}", reason=cursor.text, now=now_ms()
        )
        row = read_state(store, key, stream, partition)
    if row is not None:
        session.output.record(_record(session, row), COLUMNS)


@command.command("clear")
@click.argument("source", metavar="SOURCE")
@click.argument("stream", metavar="[STREAM]", required=False)
@pass_session
def clear(session: Session, source: str, stream: str | None) -> None:
    """Forget positions; the next sync reads from `start` again. Incidents stay."""
    key = session.key_of(source) or source
    with session.store() as store:
        refuse_unknown(session, store, source, stream)
        count = clear_state(store, key, stream, now_ms(), owner=_owner(session))
        record_action(
            store, actor=session.actor, action="state clear", target=f"{key}/{stream or '*'}", reason="", now=now_ms()
        )
    session.output.say("{count} positions forgotten", count=count)
    if session.format == "json":
        session.output.json({"cleared": count})


def _owner(session: Session) -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{session.actor}"


def _finished(row: StateRow) -> bool:
    """Whether it is a backfill that nobody can go on with: a stream's own position stays of use when a reading ends."""
    return _BACKFILL.fullmatch(row.partition) is not None and not row.body.get("reading")


def _window(session: Session, partition: str) -> str:
    """A backfill by its window as an operator asks for one: in the zone of the settings, by days where it can be."""
    found = _BACKFILL.fullmatch(partition)
    if found is None or session.format == "json":
        return partition
    ends = [clock_time(end, session.settings.zone).removesuffix(" 00:00:00") for end in found.groups()]
    return f"backfill {'..'.join(ends)}"


def _record(session: Session, row: StateRow) -> dict[str, Any]:
    reading = row.body.get("reading")
    shown: Any = row.body if session.format == "json" else None
    if session.format == "table" and reading:
        shown = session.output.text("{mode}, {pages} pages read", mode=reading["mode"], pages=reading.get("pages", 0))
    return {
        "source": row.source,
        "stream": row.stream,
        "partition": _window(session, row.partition),
        "cursor": instant(row.cursor),
        "unfinished": shown,
        "updated_at": instant(row.updated_at),
    }
