"""One run of the hub in a process of its own: settings, plugins and store as `hub sync` has them, then Hub.sync.

    python hub_child.py FOLDER [--full-refresh | --remap] [--times N] [--without-read-indices] [SOURCE …]

FOLDER holds hub.toml and its key. Prints one JSON line: counts, CPU and wall of each sync alone, the wall of each
source, and how much CPU was spent when so many records were read (`marks`).
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench_connector import BenchConnector
from measure import MARK_EVERY

import hub.sync.sources as hub_sources
from hub.commands.session import collect_rarely
from hub.config import load
from hub.plugins import load_plugins
from hub.store import Store
from hub.store.crypto import Keyring
from hub.store.migrate import upgrade
from hub.store.tables import read_indices
from hub.sync.remap import remap
from hub.sync.result import RunResult
from hub.sync.run import RunOptions
from hub.sync.sources import Hub

__all__ = ["main", "open_hub"]


def open_hub(folder: Path) -> Hub:
    """A hub whose only foreign plugin is the benchmark's connector."""
    settings = load(folder / "hub.toml")
    plugins = load_plugins(settings.plugins)
    plugins.connectors[BenchConnector.name] = BenchConnector
    plugins.mapping_folders.append(Path(__file__).parent / "plugin_data")
    return Hub(settings, plugins, Store(settings.store.url, Keyring(settings.store.secret_key())))


@contextmanager
def left_off(store: Store) -> Iterator[None]:
    """A first filling whose end does not make the read indices: what they cost is the difference."""
    with store.write() as transaction:
        for name in read_indices(store.dialect):
            transaction.run(f"DROP INDEX {name}")
    yield


def remapped(hub: Hub, names: Sequence[str]) -> list[RunResult]:
    """What `hub remap` does, for every stream."""
    results = []
    for name in names:
        with hub.open(name) as source:
            results += [remap(hub.store, hub.job(source, stream), hub.owner).run for stream in source.streams]
    return results


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--full-refresh", action="store_true")
    parser.add_argument("--remap", action="store_true", help="make incidents anew from stored raw")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--without-read-indices", action="store_true")
    given = parser.parse_args(arguments)
    hub = open_hub(given.folder)
    collect_rarely()
    upgrade(hub.store)
    if given.without_read_indices:
        hub_sources.filling = left_off
    runs, marks = [], []

    def progress(result: RunResult) -> None:
        if result.counts.fetched % MARK_EVERY == 0:
            marks.append((result.counts.fetched, time.process_time()))

    for _ in range(given.times):
        wall, cpu = time.perf_counter(), time.process_time()
        names = hub.source_names(given.sources)
        options = RunOptions(full_refresh=given.full_refresh)
        results = remapped(hub, names) if given.remap else hub.sync(names, options, progress=progress)
        runs.append({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu})
        for result in results:
            if result.error is not None:
                sys.exit(f"{result.source}: {result.error.render()}")
    counts = {name: sum(getattr(result.counts, name) for result in results) for name in ("new", "changed", "unchanged")}
    sources = {result.source: result.duration_s for result in results}
    print(json.dumps({"counts": counts, "runs": runs, "sources": sources, "marks": marks}))
    hub.store.close()


if __name__ == "__main__":
    main(sys.argv[1:])
