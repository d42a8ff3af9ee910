"""The jobs: what is run, how often and in which order. What the figures mean is the report's business."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from contestants import Floor, Hub, Place
from measure import Sample, Samples, run_child

__all__ = ["STORES", "cli_start", "consumers", "eight_sources", "one_source", "orders_and_indices"]

STORES = ("sqlite", "postgresql")
_TIMES = 8
_SOURCES = 8
_DELAY_MS = 300
_PAGE = 200


def one_source(
    place: Place, samples: Samples, sizes: tuple[int, int], repeats: int, say: Callable[[str], None]
) -> None:
    """First load, re-read and incremental of floor and hub on both stores, contestants taking turns."""
    for repeat in range(repeats):
        for store in STORES:
            for records in sizes:
                for contestant in (Floor(place, store), Hub(place, store)):
                    say(f"{contestant.name} {store} {records:,} ({repeat + 1}/{repeats})")
                    for job, sample in _lap(contestant, records, incremental=records == sizes[1]):
                        samples.add((job, contestant.name, store, records), sample)


def _lap(contestant: Floor | Hub, records: int, *, incremental: bool) -> Iterator[tuple[str, Sample]]:
    contestant.fresh()
    yield "first", contestant.first(records)
    yield "reread", contestant.reread(records)
    if isinstance(contestant, Hub):
        yield "recut", contestant.recut(records)
        yield "remap", contestant.run("--remap")
    if not incremental:
        return
    yield "nothing", contestant.incremental(records, 0, _TIMES)
    yield "incremental", contestant.incremental(records, records // 100, _TIMES)


def eight_sources(place: Place, samples: Samples, records: int, repeats: int) -> None:
    """Slow sources: one alone, eight at once, and seven beside one that keeps a processor busy."""
    slow = place.upstream(records, delay_ms=_DELAY_MS)
    busy = place.upstream(records * 20)
    casts = {
        "alone": {"s1": slow},
        "eight": {f"s{number}": slow for number in range(1, _SOURCES + 1)},
        "starved": {"busy": busy, **{f"s{number}": slow for number in range(1, _SOURCES)}},
    }
    for _ in range(repeats):
        for job, sources in casts.items():
            hub = Hub(place, "sqlite", "eight")
            hub.fresh()
            hub.write(sources, page_size=_PAGE)
            samples.add((job, "hub", "sqlite", records), hub.run())


def orders_and_indices(place: Place, samples: Samples, sizes: tuple[int, int]) -> None:
    """First loads without the read indices and of a system that shows its records shuffled."""
    for records in sizes:
        for job, options, order in (
            ("bare", ("--without-read-indices",), "time"),
            ("shuffled", (), "shuffled"),
        ):
            hub = Hub(place, "sqlite", "orders")
            hub.fresh()
            samples.add((job, "hub", "sqlite", records), hub.first(records, *options, order=order))


def consumers(place: Place, samples: Samples, records: int) -> None:
    """Reading the feed and pages of incidents from the stores that the last first load left."""
    for store in STORES:
        folder = Hub(place, store).folder
        samples.add(("consumer", "hub", store, records), run_child(["consumer.py", folder]))


def cli_start(samples: Samples, folder: Path, repeats: int) -> None:
    """`hub --version`, `hub status` on an empty store, and importing click and SQLAlchemy alone."""
    hub = Path(sys.executable).with_name("hub")
    run_child([hub, "init", folder])
    commands = {
        "version": [hub, "--version"],
        "status": [hub, "status", "--config", folder / "hub.toml"],
        "click": [sys.executable, "-c", "import click"],
        "imports": [sys.executable, "-c", "import click, sqlalchemy"],
    }
    for _ in range(repeats):
        for job, command in commands.items():
            samples.add((job, "start", "", 0), run_child(command))
