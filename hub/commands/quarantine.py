"""`hub quarantine`: records that were set aside."""

import threading
from collections import defaultdict
from dataclasses import asdict
from typing import Any

import click

from hub.clock import now_ms
from hub.commands.named import refuse_unknown
from hub.commands.output import Column, instant
from hub.commands.session import Group, Session, pass_session
from hub.commands.stopping import exit_code, stopping
from hub.commands.sync import RUN_COLUMNS, run_record
from hub.commands.unmasking import require_reason, unmask_options
from hub.errors import HubError, MisconfiguredError
from hub.store.audit import record_action
from hub.store.files import FileRow, forget_files, list_files_aside
from hub.store.quarantine import QuarantineRow, drop, list_quarantine, quarantined_raw
from hub.sync.replay import replay
from hub.sync.result import RunResult
from hub.sync.sample import masked
from hub.sync.sources import Hub

__all__ = ["command"]

COLUMNS = (
    Column("id", "Number", "count"),
    Column("source", "Source", "name"),
    Column("stream", "Stream", "name"),
    Column("native_id", "Record"),
    Column("reason", "Reason"),
    Column("times", "Times", "count", spare=2),
    Column("first_seen_at", "First seen", "time", spare=3),
    Column("last_seen_at", "Last seen", "time", spare=1),
)
DETAIL = (
    *COLUMNS, Column("status", "State"), Column("mapping", "Mapping"), Column("mapping_version", "Version", "count"),
    Column("run", "Run", "id"), Column("raw", "Raw record"),
)  # fmt: skip


@click.group("quarantine", cls=Group)
def command() -> None:
    """Records that could not be mapped: look at them, try them again, or give them up."""


@command.command("list")
@click.option("--source", metavar="SOURCE", help="Only this source.")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option(
    "--all", "settled", is_flag=True, help="Also those that are settled: replayed, superseded, gone or dropped."
)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="How many.")
@pass_session
def list_(session: Session, source: str | None, stream: str | None, settled: bool, limit: int) -> None:
    """What waits in quarantine, the latest first. Dropped files that were set aside whole have no number."""
    status = None if settled else "open"
    with session.store(with_key=False) as store:
        rows = list_quarantine(store, source=session.key_of(source), stream=stream, status=status, limit=limit)
        files = list_files_aside(store, source=session.key_of(source), stream=stream)
        if not (rows or files):
            refuse_unknown(session, store, source, stream)
    records = [*map(_file_record, files), *map(_record, rows)]
    records = [{**one, "reason": session.retold_reason(one["reason"])} for one in records]
    session.output.rows(records, COLUMNS, empty="nothing is in quarantine")


@command.command("show")
@click.argument("number", metavar="NUMBER", type=int)
@unmask_options
@pass_session
def show(session: Session, number: int, unmask: bool, reason: str | None) -> None:
    """One record with its reason and its raw form, personal data masked."""
    with session.hub() as hub:
        if unmask:
            require_reason(session, hub.store, "quarantine", str(number), reason)
        row = _entries(hub, (number,))[0]
        raw = quarantined_raw(hub.store, number).raw
        shown = masked(raw, ()) if unmask else _masked(session, hub, row, raw)
    session.output.record({**_record(row), "reason": session.retold_reason(row.reason), "raw": shown}, DETAIL)


@command.command("replay")
@click.argument("numbers", metavar="[NUMBER]…", type=int, nargs=-1)
@click.option("--source", metavar="SOURCE", help="Everything open of this source.")
@click.option("--stream", metavar="STREAM", help="Only this stream.")
@click.option("--all", "everything", is_flag=True, help="Everything that is open.")
@pass_session
def replay_(
    session: Session, numbers: tuple[int, ...], source: str | None, stream: str | None, everything: bool
) -> int:
    """Try records again with today's mapping, without asking the source. Dropped files that were set aside whole are
    read again by the next sync."""
    if not (numbers or source or everything):
        raise MisconfiguredError("nothing was named", remedy="give numbers, --source NAME or --all")
    with session.hub() as hub, stopping() as stop:
        forgotten = 0 if numbers else forget_files(hub.store, session.key_of(source))
        chosen = (
            _entries(hub, numbers)
            if numbers
            else list_quarantine(hub.store, source=session.key_of(source), stream=stream)
        )
        if not chosen:
            refuse_unknown(session, hub.store, source, stream)
        results = _replay(session, hub, chosen, stop)
    if forgotten:
        session.output.say("{count} files that were set aside are read again by the next sync", count=forgotten)
    records = [run_record(session, result) for result in results]
    session.output.rows(records, RUN_COLUMNS, empty="nothing is in quarantine")
    return exit_code(stop, [result.outcome for result in results])


@command.command("drop")
@click.argument("numbers", metavar="NUMBER…", type=int, nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", required=True, help="Why they are given up; noted in the audit log.")
@pass_session
def drop_(session: Session, numbers: tuple[int, ...], reason: str) -> None:
    """Give records up. Their bytes stay in the store."""
    with session.store() as store:
        for number in numbers:
            drop(store, number)
            record_action(
                store, actor=session.actor, action="quarantine drop", target=str(number), reason=reason, now=now_ms()
            )
    session.output.say("{count} dropped", count=len(numbers))
    if session.format == "json":
        session.output.json({"dropped": numbers})


def _record(row: QuarantineRow) -> dict[str, Any]:
    seen = {"first_seen_at": instant(row.first_seen_at), "last_seen_at": instant(row.last_seen_at)}
    return {**asdict(row), **seen}


def _file_record(row: FileRow) -> dict[str, Any]:
    """A file set aside, in the columns of a record: it has no number, its name stands for the record."""
    seen = instant(row.read_at)
    return {
        "id": None, "source": row.source, "stream": row.stream, "native_id": row.name, "reason": row.reason,
        "mapping": None, "mapping_version": None, "status": "open", "times": 1, "run": row.run,
        "first_seen_at": seen, "last_seen_at": seen, "file": row.sha256,
    }  # fmt: skip


def _entries(hub: Hub, numbers: tuple[int, ...]) -> list[QuarantineRow]:
    found = []
    for number in numbers:
        row = next(iter(list_quarantine(hub.store, number=number, status=None)), None)
        if row is None:
            raise MisconfiguredError(
                "quarantine has no entry {number}", number=number, remedy="see hub quarantine list"
            )
        found.append(row)
    return found


def _masked(session: Session, hub: Hub, row: QuarantineRow, raw: bytes) -> Any:
    """The raw record with its stream's personal paths masked, or only its length if those are not known."""
    try:
        with hub.open(session.name_of(row.source)) as source:
            stream = source.stream(row.stream)
        personal = (*stream.personal, *hub.mappings.get(row.mapping).personal_paths)
        return masked(stream.reshape(raw) if stream.reshape else raw, personal)
    except (HubError, ValueError):
        return session.output.text("{count} bytes that cannot be masked; --unmask shows them", count=len(raw))


def _replay(session: Session, hub: Hub, rows: list[QuarantineRow], stop: threading.Event) -> list[RunResult]:
    """One run a stream; a source that cannot be opened fails alone."""
    streams: dict[tuple[str, str], list[QuarantineRow]] = defaultdict(list)
    for row in rows:
        if row.status == "open":
            streams[session.name_of(row.source), row.stream].append(row)
    results = []
    for (name, stream), entries in streams.items():
        if stop.is_set():
            break
        try:
            with hub.open(hub.source_names([name])[0]) as source:
                results.append(replay(hub.store, hub.job(source, source.stream(stream)), entries, hub.owner, stop))
        except HubError as error:
            results.append(RunResult(source=name, stream=stream, mode="replay", outcome=error.outcome, error=error))
    return results
