"""Looking over a whole installation: each check is a small function that yields what it found, with its remedy."""

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from hub.clock import now, now_ms
from hub.config import duration_text
from hub.errors import (
    BreachedError,
    ConfigError,
    FailedError,
    HubError,
    MisconfiguredError,
    Outcome,
    PartialError,
    RefusedError,
)
from hub.plugins import PluginState
from hub.store.due import list_schedules
from hub.store.filling import missing_read_indices
from hub.store.health import abandoned_runs, broken_readings, quarantine_growth, source_clocks
from hub.store.look import look
from hub.store.overview import list_gaps, stream_overviews
from hub.sync.certificates import certificates_of
from hub.sync.foreign_code import declared
from hub.sync.objectives import empty_streams, stale_streams
from hub.sync.sources import Hub
from hub.sync.told import unsteady

__all__ = ["CHECKS", "Finding", "examine"]

_DAY_MS = 86_400_000
_SKEW_MS, _SKEW_LIMIT_MS = 60_000, 300_000
_LEAST_FREE, _LEAST_SHARE = 1 << 30, 0.05
_OVERDUE_MS = 600_000
_SOON = timedelta(days=30)
_GROWTH_ROWS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. A PartialError is a hint: worth a look, but nothing is broken."""

    check: str
    error: HubError

    @property
    def outcome(self) -> Outcome:
        return self.error.outcome

    @property
    def counts(self) -> Outcome:
        """The outcome as far as the exit code goes: hints are none."""
        return Outcome.OK if isinstance(self.error, PartialError) else self.error.outcome


def examine(hub: Hub) -> list[Finding]:
    """Every check, in order; one that cannot be made is a finding itself and keeps no other from being made."""
    found = []
    for name, check in CHECKS.items():
        try:
            found += [Finding(name, error) for error in check(hub)]
        except HubError as error:
            found.append(Finding(name, error))
    return found


def _store(hub: Hub) -> Iterator[HubError]:
    """It opened, or there would be no `Hub`; that it can be written to is not said by that."""
    yield from look(hub.settings)


def _settings(hub: Hub) -> Iterator[HubError]:
    for problem in hub.settings.problems.values():
        yield problem.error.within(source=problem.name)
    for name in hub.source_names():
        if name not in hub.settings.problems:
            try:
                declared(hub.plugins, hub.settings.sources[name])
            except HubError as error:
                yield error.within(source=name)


def _plugins(hub: Hub) -> Iterator[HubError]:
    for line in hub.plugins.listed:
        if line.problem is not None and line.state in (PluginState.BROKEN, PluginState.FAILING):
            yield line.problem


def _secrets(hub: Hub) -> Iterator[HubError]:
    """Files that open without being asked; what hub.toml refers to by ${file:…} is refused when it is read."""
    folder = hub.settings.folder / "secrets"
    certificates = [one.client_cert for one in hub.settings.sources.values() if one.client_cert is not None]
    kept = sorted(folder.iterdir()) if folder.is_dir() else []
    for file in [*kept, *certificates]:
        if _open_to(file, stat.S_IRWXG | stat.S_IRWXO):
            yield ConfigError("{path} holds a secret and others can read it", path=file, remedy="chmod 600 {path}")
    if _open_to(hub.settings.file, stat.S_IWGRP | stat.S_IWOTH):
        yield ConfigError("{path} can be changed by others", path=hub.settings.file, remedy="chmod 644 {path}")
    database = _database(hub)
    if database is not None and _open_to(database, stat.S_IRWXO):
        yield PartialError(
            "{path} can be read by every user of this machine", path=database, remedy="chmod 640 {path}; or 600"
        )


def _disk(hub: Hub) -> Iterator[HubError]:
    database = _database(hub)
    folder = database.parent if database is not None else hub.settings.folder
    usage = shutil.disk_usage(folder)
    if usage.free < min(_LEAST_FREE, usage.total * _LEAST_SHARE):
        yield BreachedError(
            "only {free} MiB are free on the disk of {folder}", free=usage.free >> 20, folder=folder,
            remedy="make room, or move the store: `hub store backup` and `hub store restore`",
        )  # fmt: skip


def _clocks(hub: Hub) -> Iterator[HubError]:
    for clock in source_clocks(hub.store):
        if now_ms() - clock.fetched_at > 7 * _DAY_MS or abs(clock.ahead_ms) < _SKEW_MS:
            continue
        ahead, seconds = clock.ahead_ms > 0, round(abs(clock.ahead_ms) / 1000)
        if abs(clock.ahead_ms) >= _SKEW_LIMIT_MS:
            yield BreachedError(
                "the clock of {source} is {seconds} s ahead of ours" if ahead
                else "the clock of {source} is {seconds} s behind ours",
                source=clock.source, seconds=seconds,
                remedy="signed requests fail beyond five minutes: check this machine's NTP, then tell its owner",
            )  # fmt: skip
        else:
            yield PartialError(
                "the clock of {source} is {seconds} s ahead of ours" if ahead
                else "the clock of {source} is {seconds} s behind ours",
                source=clock.source, seconds=seconds,
                remedy="check this machine's NTP",
            )  # fmt: skip


def _runs(hub: Hub) -> Iterator[HubError]:
    for run in abandoned_runs(hub.store, now_ms()):
        yield BreachedError(
            "run {run} of {worker} died; its lease has ended and nobody has gone on", run=run.id[:16],
            worker=run.worker, source=run.source, stream=run.stream,
            remedy="`hub sync {source}` goes on where it stopped; is `hub serve` up?",
        )  # fmt: skip


def _last_runs(hub: Hub) -> Iterator[HubError]:
    """What no later run mends by itself, long before `freshness` is missed. A source that is down is not among it."""
    names = {hub.key(name): name for name in hub.source_names() if name not in hub.settings.problems}
    for (key, stream), line in sorted(stream_overviews(hub.store, now_ms()).items()):
        if (name := names.get(key)) is None:
            continue
        if line.outcome == Outcome.REFUSED:
            yield RefusedError(
                "the source did not let the last run in", source=name, stream=stream,
                remedy="`hub check {source}` tries it now and says what is wrong",
            )  # fmt: skip
        elif line.outcome == Outcome.MISCONFIGURED:
            yield MisconfiguredError(
                "the last run found something misconfigured", source=name, stream=stream,
                remedy="`hub check {source}` tries it now and says what is wrong",
            )  # fmt: skip
        elif line.outcome == Outcome.FAILED:
            yield FailedError(
                "the last run could not use what the source sent, or the store", source=name, stream=stream,
                remedy="`hub check {source}` tries it now and says what is wrong",
            )  # fmt: skip
        elif line.error == unsteady().render():
            yield unsteady().within(source=name, stream=stream)


def _indices(hub: Hub) -> Iterator[HubError]:
    missing = missing_read_indices(hub.store)
    if missing:
        yield PartialError(
            "readers have to do without {indices}, so lists and look-ups are slow", indices=", ".join(missing),
            remedy="a first filling is still under way or was killed: the end of the next `hub sync` makes them",
        )  # fmt: skip


def _schedules(hub: Hub) -> Iterator[HubError]:
    late = [row for row in list_schedules(hub.store) if now_ms() - row.next_due_at > _OVERDUE_MS]
    if late:
        longest = max(now_ms() - row.next_due_at for row in late)
        yield BreachedError(
            "{count} schedules are overdue, the longest by {length}", count=len(late),
            length=duration_text(timedelta(seconds=longest // 1000)),
            remedy="start `hub serve`, or see why it stands still",
        )  # fmt: skip


def _certificates(hub: Hub) -> Iterator[HubError]:
    for name, settings in hub.settings.sources.items():
        for one in certificates_of(settings) if settings.enabled else ():
            if not one.trusted:
                yield BreachedError(
                    "the certificate of {where} is not trusted", source=name, where=one.where,
                    remedy="it has ended, or ca_bundle does not know who made it",
                )  # fmt: skip
            elif one.ends_at is not None and one.ends_at <= now():
                yield BreachedError(
                    "a certificate of {where} has ended on {day}", source=name, where=one.where,
                    day=f"{one.ends_at:%Y-%m-%d}", remedy="get a new one",
                )  # fmt: skip
            elif one.ends_at is not None and one.ends_at - now() < _SOON:
                yield PartialError(
                    "a certificate of {where} ends on {day}", source=name, where=one.where,
                    day=f"{one.ends_at:%Y-%m-%d}", remedy="get a new one in time",
                )  # fmt: skip


def _freshness(hub: Hub) -> Iterator[HubError]:
    for one in stale_streams(hub, now_ms()):
        age = duration_text(timedelta(seconds=(now_ms() - one.detail["since"]) // 1000))
        yield BreachedError(
            "the last good sync is {age} old", source=one.source, stream=one.stream, age=age,
            remedy="`hub runs list` says why; `hub check {source}` tries it now",
        )  # fmt: skip


def _emptiness(hub: Hub) -> Iterator[HubError]:
    for one in empty_streams(hub, now_ms()):
        yield BreachedError(
            "the last whole hour brought {found} records, usual are {usual}", source=one.source, stream=one.stream,
            found=one.detail["found"], usual=one.detail["usual"],
            remedy="ask the source's owner whether it still gets its data; `hub reconcile {source}` compares",
        )  # fmt: skip


def _quarantine(hub: Hub) -> Iterator[HubError]:
    for one in quarantine_growth(hub.store, now_ms()):
        if one.last_day >= _GROWTH_ROWS and one.last_day * 7 > 2 * one.week_before:
            yield BreachedError(
                "quarantine grew by {count} records in a day, by {before} in the week before", source=one.source,
                stream=one.stream, count=one.last_day, before=one.week_before, remedy="see `hub quarantine list`",
            )  # fmt: skip


def _waiting(hub: Hub) -> Iterator[HubError]:
    """What waits for a person."""
    for (source, stream), line in sorted(stream_overviews(hub.store, now_ms()).items()):
        if line.held:
            yield PartialError(
                "{count} deletions wait for a decision", source=source, stream=stream, count=line.held,
                remedy="see `hub deletions list`",
            )  # fmt: skip
        if line.quarantined:
            yield PartialError(
                "{count} records wait in quarantine", source=source, stream=stream, count=line.quarantined,
                remedy="see `hub quarantine list`",
            )  # fmt: skip
    gaps = list_gaps(hub.store)
    if gaps:
        yield PartialError("{count} codes are not mapped", count=len(gaps), remedy="see `hub codes unmapped`")
    for source, stream in broken_readings(hub.store):
        yield PartialError(
            "a complete reading can no longer prove deletions: a record had no readable id", source=source,
            stream=stream, remedy="see `hub quarantine list`; `hub sync --full-refresh` begins a new one",
        )  # fmt: skip


def _database(hub: Hub) -> Path | None:
    """The store's file, if it is one."""
    url = make_url(hub.settings.store.url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _open_to(file: Path, bits: int) -> bool:
    try:
        return file.is_file() and bool(file.stat().st_mode & bits)
    except OSError:
        return False


#: Name → check.
CHECKS: dict[str, Callable[[Hub], Iterator[HubError]]] = {
    "store": _store, "settings": _settings, "plugins": _plugins, "secrets": _secrets, "disk": _disk, "clocks": _clocks,
    "runs": _runs, "last runs": _last_runs, "indices": _indices,
    "schedules": _schedules, "certificates": _certificates, "freshness": _freshness, "emptiness": _emptiness,
    "quarantine": _quarantine, "waiting": _waiting,
}  # fmt: skip
