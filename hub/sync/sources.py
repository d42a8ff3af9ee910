"""From hub.toml to runs: opening configured sources and running their streams side by side, each failing alone."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from hub.clock import now
from hub.config import Settings, SourceSettings
from hub.errors import ConfigError, FailedError, HubError, OverdueError
from hub.mapping.mapping import Mappings
from hub.plugins import Plugins
from hub.source.budget import HostBudgets
from hub.source.connector import Connector, SourceContext
from hub.source.rows import KnownText
from hub.source.stream import Stream, Transport
from hub.store.budget import StoreBudgets
from hub.store.filling import filling
from hub.store.known_pages import known_text
from hub.store.runs import source_key
from hub.store.store import Store
from hub.store.tokens import StoredFiles, StoredTokens
from hub.sync.call import MOST_LEFT_BEHIND, Call, left_behind
from hub.sync.foreign_code import called
from hub.sync.job import Hooks, StreamJob
from hub.sync.result import RunResult
from hub.sync.run import RunOptions, StreamRun

__all__ = ["Hub", "OpenSource"]

log = logging.getLogger("hub.sync")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source ready to be read."""

    name: str
    connector: Connector
    settings: SourceSettings
    streams: tuple[Stream, ...]
    transport: Transport

    def stream(self, name: str) -> Stream:
        """ConfigError, with the names there are, if it has no such stream."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        raise ConfigError(
            "{source} has no stream {stream}", source=self.name, stream=name,
            remedy="it has {known}", known=", ".join(stream.name for stream in self.streams),
        )  # fmt: skip


@dataclass(slots=True)
class Hub:
    """Everything one process works with: settings, plugins, the store, and what all its sources share."""

    settings: Settings
    plugins: Plugins
    store: Store
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}")
    budgets: HostBudgets | StoreBudgets = field(default_factory=HostBudgets)
    mappings: Mappings = field(init=False)

    def __post_init__(self) -> None:
        if self.settings.engine.kind == "procrastinate":
            # Many processes ask the same hosts, so the budget is held where they all are.
            self.budgets = StoreBudgets(self.store)
        self.mappings = Mappings(self.mapping_folders(), self.plugins.transforms)

    @property
    def own_mappings(self) -> Path:
        """The operator's own mappings and code tables, beside hub.toml; they stand in for those of plugins."""
        return self.settings.folder / "mappings"

    def mapping_folders(self) -> list[Path]:
        """Every folder of mappings and code tables, the operator's last."""
        return [*self.plugins.mapping_folders, *([self.own_mappings] if self.own_mappings.is_dir() else [])]

    def source_names(self, wanted: Sequence[str] = ()) -> tuple[str, ...]:
        """The sources asked for, or every enabled one. ConfigError for a name that hub.toml does not have."""
        return self.settings.source_names(wanted)

    def key(self, name: str) -> str:
        """What the store calls a source: fixed at its first sync, whatever hub.toml says later."""
        return source_key(self.store, name) or self.settings.sources[name].key or name

    @contextmanager
    def open(self, name: str) -> Iterator[OpenSource]:
        """A source with its transport, closed at the end of the block. Raises MisconfiguredError with what to change."""
        if name in self.settings.problems:
            raise self.settings.problems[name].error.within(source=name)
        settings = self.settings.sources[name]
        connector = called(settings.connector, lambda: self.plugins.connector(settings.connector)())
        config = called(settings.connector, lambda: settings.connector_config(connector.Config))
        context = self._context(name, settings)
        made = self._call(name, lambda: (connector.streams(config), connector.transport(config, context)), settings)
        streams, transport = called(settings.connector, made.result)
        try:
            yield OpenSource(name, connector, settings, streams, transport)
        finally:
            self._close(name, transport)

    def _call(self, name: str, work: Callable[[], T], settings: SourceSettings) -> Call[T]:
        """The connector's own code, opening: it asks nobody, so one request's deadline is enough."""
        due = time.monotonic() + settings.request_deadline.total_seconds()
        return Call(work, source=name, due=due, grace_s=0, name=f"open-{name}")

    def _close(self, name: str, transport: Transport) -> None:
        """Wait for it no longer than for a plugin's hook: whatever hung before may hang here too."""
        if left_behind(name) < MOST_LEFT_BEHIND:
            due = time.monotonic() + self.plugins.deadline_s
            closing = Call(transport.close, source=name, due=due, grace_s=0, name=f"close-{name}")
            with suppress(OverdueError):
                closing.result()

    def job(self, source: OpenSource, stream: Stream, partition: str = "") -> StreamJob:
        """What a run of that stream needs."""
        zone = self.settings.defaults.zone
        return StreamJob(
            source=source.name, key=self.key(source.name), stream=stream, transport=source.transport,
            mappings=self.mappings, settings=source.settings, start=source.settings.start.instant(now(), zone), zone=zone,
            partition=partition, hooks=self._hooks(),
            lease_ms=self.settings.engine.lease // timedelta(milliseconds=1),
        )  # fmt: skip

    def sync(
        self,
        names: Sequence[str],
        options: RunOptions,
        *,
        stream: str | None = None,
        stop: threading.Event | None = None,
        progress: Callable[[RunResult], None] | None = None,
        done: Callable[[RunResult], None] | None = None,
    ) -> list[RunResult]:
        """Run the streams of these sources, `[defaults] workers` at a time; every one is tried. `done` is called after each."""
        stop = stop or threading.Event()
        results: list[RunResult] = []
        workers = self.settings.defaults.workers
        filled = nullcontext() if options.dry_run else filling(self.store)
        with filled, ThreadPoolExecutor(workers, thread_name_prefix="source") as pool:
            waiting = [pool.submit(self._sync_source, name, options, stream, stop, progress, done) for name in names]
            for finished in as_completed(waiting):
                results += finished.result()
        return results

    def _sync_source(
        self,
        name: str,
        options: RunOptions,
        stream: str | None,
        stop: threading.Event,
        progress: Callable[[RunResult], None] | None,
        done: Callable[[RunResult], None] | None,
    ) -> list[RunResult]:
        results = []
        try:
            with self.open(name) as source:
                chosen = [source.stream(stream)] if stream else list(source.streams)
                for one, partition, asked in _parts(chosen, options):
                    if stop.is_set():
                        break
                    run = StreamRun(
                        self.store,
                        self.job(source, one, partition),
                        owner=self.owner,
                        options=asked,
                        stop=stop,
                        progress=progress,
                    )
                    results.append(run.execute())
                    if done is not None:
                        done(results[-1])
        except HubError as error:
            results.append(self._failed(name, stream, error, done))
        except Exception as error:
            # The connector's own code, opening or closing: a foreign defect of one source never hurts the others.
            log.error("defect in a source", exc_info=error, extra={"action": "defect", "source": name})
            failed = FailedError("a defect: {error}", error=type(error).__name__, remedy="see the log")
            results.append(self._failed(name, stream, failed, done))
        return results

    @staticmethod
    def _failed(name: str, stream: str | None, error: HubError, done: Callable[[RunResult], None] | None) -> RunResult:
        failed = RunResult(source=name, stream=stream or "", outcome=error.outcome, error=error.within(source=name))
        if done is not None:
            done(failed)
        return failed

    def _context(self, name: str, settings: SourceSettings) -> SourceContext:
        # Not before it is needed: whoever only opens a source would take a store that is away for a fault of the source.
        key = cache(partial(self.key, name))
        return SourceContext(
            source=name,
            tokens=StoredTokens(self.store, self.owner),
            files=StoredFiles(self.store, key),
            http=settings.http(),
            acquire=self.budgets.acquirer(settings.rate),
            known=partial(self._known, key),
            deadline_s=settings.request_deadline.total_seconds(),
            max_bytes=settings.max_bytes,
            base_folder=self.settings.folder,
        )

    def _known(self, key: Callable[[], str], stream: Stream, digest: bytes) -> KnownText | None:
        """Nothing is known where the store cannot be asked: that is no trouble of the source, and the run meets it by itself."""
        try:
            return known_text(self.store, key(), stream, digest)
        except HubError:
            return None

    def _hooks(self) -> Hooks:
        plugins = self.plugins
        return Hooks(
            enrich=(lambda rows: [answer for answer in plugins.call("hub_enrich", rows=rows) if answer is not None])
            if plugins.implements("hub_enrich")
            else None,
            committed=(lambda changes: _ignore(plugins.call("hub_changes_committed", changes=changes)))
            if plugins.implements("hub_changes_committed")
            else None,
            finished=(lambda run: _ignore(plugins.call("hub_run_finished", run=run)))
            if plugins.implements("hub_run_finished")
            else None,
        )


def _parts(streams: Sequence[Stream], options: RunOptions) -> Iterator[tuple[Stream, str, RunOptions]]:
    """Each stream with its partitions. Only a reading of the whole proves that a record is gone: one that moves from a
    partition not read yet into one read already is seen by neither."""
    for stream in streams:
        if options.full_refresh and stream.partitions:
            yield stream, "", replace(options, beside=True)
        else:
            yield from ((stream, partition, options) for partition in stream.partitions or ("",))


def _ignore(_answers: list[object]) -> None:
    """Hints expect no answer."""
