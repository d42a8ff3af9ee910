"""`hub status`: how every stream stands."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hub.clock import now_ms
from hub.commands.output import Column, clock_time, instant
from hub.commands.session import Command, Session, pass_session
from hub.errors import HubError, Outcome, worst
from hub.store.due import FULL_REFRESH, DueRow, list_schedules
from hub.store.overview import StreamOverview, stream_overviews

if TYPE_CHECKING:
    from hub.schedule.ticket import Snapshot
    from hub.store import Store

__all__ = ["command"]

COLUMNS = (
    Column("source", "Source", "name"),
    Column("title", "System", spare=10),
    Column("stream", "Stream", "name"),
    Column("outcome", "Last", "outcome"),
    Column("good_at", "Last good", "time", spare=6),
    Column("age_s", "Age", "span"),
    Column("freshness_s", "Objective", "span", spare=7),
    Column("lag_s", "Lag", "span", spare=5),
    Column("open", "Open", "count", spare=3),
    Column("quarantined", "Quarantined", "count", spare=1),
    Column("unmapped", "Unmapped", "count", spare=4),
    Column("held", "Held", "count", spare=2),
    Column("next_due_at", "Next", "time", spare=8),
    Column("next_full_refresh_at", "Full refresh", "time", spare=9),
    Column("error", "Error"),
)


@click.command("status", cls=Command)
@click.argument("sources", metavar="[SOURCE]…", nargs=-1)
@pass_session
def command(session: Session, sources: tuple[str, ...]) -> int:
    """Show each stream's last outcome, freshness, lag and open questions. Exit code 6 if one is overdue."""
    with session.store() as store:
        rows = _rows(session, store, sources)
        queue = _queue(session, store) if session.settings.engine.kind == "procrastinate" else None
    output = session.output
    output.rows(rows, COLUMNS, empty="no source is enabled in hub.toml")
    if queue is not None:
        output.say(
            "queue: {waiting} waiting, {running} running, {dead} died within a day, oldest due since {oldest}",
            waiting=len(queue.waiting), running=len(queue.running), dead=len(queue.dead),
            oldest=clock_time(queue.oldest_wait, output.zone) if queue.oldest_wait else "-",
        )  # fmt: skip
    return worst(Outcome.BREACHED if row["breached"] else Outcome.OK for row in rows)


def _queue(session: Session, store: "Store") -> "Snapshot":
    from hub.schedule.serve import engine_of
    from hub.sync.sources import Hub

    return engine_of(Hub(session.settings, session.plugins, store)).snapshot()


def _rows(session: Session, store: "Store", sources: tuple[str, ...]) -> list[dict[str, Any]]:
    now = now_ms()
    known = stream_overviews(store, now)
    due, refresh = _due(list_schedules(store))
    rows = []
    for name in session.settings.source_names(sources):
        key = session.key_of(name) or name
        streams = {stream: line for (source, stream), line in known.items() if source == key}
        problem, title, declared = _declared(session, name)
        for stream in declared:
            streams.setdefault(stream, StreamOverview(key, stream))
        for stream, line in sorted(streams.items()) or [("", StreamOverview(key, ""))]:
            row = _row(session, name, line, now)
            row["title"], row["stream"], row["next_due_at"] = title, stream, instant(due.get((name, stream)))
            row["next_full_refresh_at"] = instant(refresh.get((name, stream)))
            if problem is not None:
                row["outcome"], row["error"] = problem.outcome, session.wording(problem)
            rows.append(row)
    return rows


def _due(rows: Sequence[DueRow]) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """When each stream is due, and when its full refresh is: the earliest of its partitions, epoch ms."""
    due: dict[tuple[str, str], int] = {}
    refresh: dict[tuple[str, str], int] = {}
    for row in rows:
        found = refresh if row.partition == FULL_REFRESH else due
        key = (row.source, row.stream)
        found[key] = min(row.next_due_at, found.get(key, row.next_due_at))
    return due, refresh


def _declared(session: Session, name: str) -> tuple[HubError | None, str, list[str]]:
    """What is wrong with the section if anything, the system's title, and the streams its connector declares."""
    # With plugins and all: who has no source yet starts sooner.
    from hub.sync.foreign_code import declared

    try:
        if name in session.settings.problems:
            raise session.settings.problems[name].error
        connector, streams = declared(session.plugins, session.settings.sources[name])
        title = connector.title if session.lang == "zh" else connector.title_en
        return None, title, [stream.name for stream in streams]
    except HubError as error:
        return error, "", []


def _row(session: Session, name: str, line: StreamOverview, now: int) -> dict[str, Any]:
    settings = session.settings.sources.get(name)
    objective = settings.freshness.total_seconds() if settings else None
    age = (now - line.good_at) / 1000 if line.good_at is not None else None
    return {
        "source": name,
        "title": "",
        "stream": "",
        "outcome": line.outcome,
        "finished_at": instant(line.finished_at),
        "good_at": instant(line.good_at),
        "age_s": age,
        "freshness_s": objective,
        "breached": bool(age is not None and objective is not None and age > objective),
        "lag_s": (now - line.cursor) / 1000 if line.cursor is not None else None,
        "living": line.living,
        "open": line.open,
        "quarantined": line.quarantined,
        "unmapped": line.unmapped,
        "held": line.held,
        "next_due_at": None,
        "next_full_refresh_at": None,
        "error": session.retold(line.error),
    }
