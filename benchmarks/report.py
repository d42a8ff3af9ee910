"""From samples to the one table: what each job took, its ratio to the yardstick, and whether the target is met."""

from collections.abc import Iterator
from dataclasses import dataclass

from measure import MARK_EVERY, Sample, Samples

__all__ = ["Line", "lines", "print_table"]

_INCREMENTAL_SKIP = 1  # the first run in a process also opens connections


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table. `met` is None where there is no target."""

    job: str
    store: str
    hub: str
    yardstick: str
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


def at_most(job: str, store: str, hub: float, other: float, unit: str, what: str, limit: float | None) -> Line:
    """The hub's figure over the yardstick's; small is good. A margin of nothing or less is noise and gives no ratio."""
    if hub <= 0 or other <= 0:
        return Line(job, store, f"{hub:,.1f} {unit}", f"{other:,.1f} {unit} {what}", target="noise")
    ratio = hub / other
    return Line(
        job, store, f"{hub:,.1f} {unit}", f"{other:,.1f} {unit} {what}", ratio,
        f"≤ {limit:g}" if limit else "", ratio <= limit if limit else None,
    )  # fmt: skip


def lines(samples: Samples, sizes: tuple[int, int], peer_sizes: tuple[int, int]) -> Iterator[Line]:
    """Every row for which there are samples."""
    for store in ("sqlite", "postgresql"):
        if samples.has("first", "hub", store, sizes[1]):
            yield from _floors(samples, store, sizes)
            yield from _recut(samples, store, sizes)
            yield from _remap(samples, store, sizes)
            yield from _incremental(samples, store, sizes)
            yield from _memory(samples, store, sizes)
            yield from _growth(samples, store, sizes[1])
        yield from _peers(samples, store, sizes, peer_sizes)
        yield from _consumer(samples, store, sizes[1])
    yield from _orders(samples, sizes)
    yield from _eight(samples)
    yield from _start(samples)


def _floors(samples: Samples, store: str, sizes: tuple[int, int]) -> Iterator[Line]:
    cpu_limits = {"first": 0.9, "reread": 1.0}
    for job, title in (("first", "first load"), ("reread", "full re-read")):
        for figure, word, limit in (
            ("cpu_s", "CPU", cpu_limits[job]),
            ("wall_s", "wall", 0.8 if (job, store) == ("first", "postgresql") else None),
        ):
            hub, floor = (samples.margin_us(job, who, store, sizes, figure) for who in ("hub", "floor"))
            yield at_most(f"{title}, {word} a record", store, hub, floor, "µs", "floor", limit)
        if store == "postgresql":
            hub, floor = (samples.margin_us(job, who, store, sizes, "server_cpu_s") for who in ("hub", "floor"))
            yield at_most(f"{title}, server's CPU a record", store, hub, floor, "µs", "floor", None)


def _recut(samples: Samples, store: str, sizes: tuple[int, int]) -> Iterator[Line]:
    hub = samples.margin_us("recut", "hub", store, sizes, "cpu_s")
    floor = samples.margin_us("reread", "floor", store, sizes, "cpu_s")
    yield at_most("re-read of pages cut elsewhere, CPU a record", store, hub, floor, "µs", "floor's re-read", None)


def _remap(samples: Samples, store: str, sizes: tuple[int, int]) -> Iterator[Line]:
    first, remap = (samples.margin_us(job, "hub", store, sizes, "wall_s") for job in ("first", "remap"))
    yield _faster("remap from stored raw, records a second", store, remap, first, "first load", 1.2)


def _run_figure(figure: str, sample: Sample) -> float:
    runs = sorted(run[figure] for run in sample.said["runs"][_INCREMENTAL_SKIP:])
    return float(runs[len(runs) // 2])


def _incremental(samples: Samples, store: str, sizes: tuple[int, int]) -> Iterator[Line]:
    records = sizes[1]
    changed = records // 100
    found = {}
    for who in ("hub", "floor"):
        whole, empty = (
            samples.median((job, who, store, records), lambda one: _run_figure("cpu_s", one))
            for job in ("incremental", "nothing")
        )
        found[who] = (whole - empty) / changed * 1e6
    yield at_most("incremental 1 % changed, CPU a record", store, found["hub"], found["floor"], "µs", "floor", 1.3)
    fixed = samples.median(("nothing", "hub", store, records), lambda one: _run_figure("wall_s", one)) * 1000
    yield Line("a run that finds nothing, wall", store, f"{fixed:.1f} ms", "", None, "< 50 ms", fixed < 50)


def _memory(samples: Samples, store: str, sizes: tuple[int, int]) -> Iterator[Line]:
    small, large = (
        max(samples.median((job, "hub", store, records), "peak_mb") for job in ("first", "reread")) for records in sizes
    )
    growth = f"{sizes[1] / sizes[0]:g} × the records"
    yield at_most(f"peak memory, {growth}", store, large, small, "MB", f"at {sizes[0]:,}", 1.1)
    yield Line("peak memory", store, f"{large:.0f} MB", "", None, "≤ 120 MB", large <= 120)


def _growth(samples: Samples, store: str, records: int) -> Iterator[Line]:
    """CPU a record of the later half of the run, against what it was at a tenth of the records, and so on down."""
    sizes = [records]
    while sizes[-1] % (20 * MARK_EVERY) == 0:
        sizes.append(sizes[-1] // 10)
    if len(sizes) == 1:
        return
    for job, title in (("first", "first load"), ("reread", "full re-read")):
        costs = [
            samples.median((job, "hub", store, records), lambda one, a=size: _later_half(one, a)) for size in sizes
        ]
        for size, cost, tenth in zip(sizes, costs, costs[1:], strict=False):
            yield at_most(f"{title}, CPU a record at {size:,}", store, cost, tenth, "µs", "at a tenth", 1.2)


def _later_half(sample: Sample, records: int) -> float:
    """µs of CPU a record while the run went from half of `records` to `records`."""
    marks = dict(map(tuple, sample.said["marks"]))
    return (marks[records] - marks[records // 2]) / (records - records // 2) * 1e6


def _peers(samples: Samples, store: str, sizes: tuple[int, int], peer_sizes: tuple[int, int]) -> Iterator[Line]:
    limits = {
        ("dlt", "first", "sqlite"): 5, ("dlt", "first", "postgresql"): 2.5,
        ("dlt", "reread", "sqlite"): 20, ("dlt", "reread", "postgresql"): 14,
    }  # fmt: skip
    for who in ("dlt", "dlt-arrow", "singer"):
        for job, title in (("first", "first load"), ("reread", "full re-read")):
            if not samples.has(job, who, store, peer_sizes[1]):
                continue
            theirs = samples.margin_us(job, who, store, peer_sizes, "wall_s")
            if samples.has(job, "hub", store, sizes[1]):
                ours = samples.margin_us(job, "hub", store, sizes, "wall_s")
                yield _faster(f"{title}, records a second", store, ours, theirs, who, limits.get((who, job, store)))
            cpu = samples.margin_us(job, who, store, peer_sizes, "cpu_s")
            peak = samples.median((job, who, store, peer_sizes[1]), "peak_mb")
            if samples.has(job, "hub", store, sizes[1]):
                yield at_most(
                    f"{title}, CPU a record", store, samples.margin_us(job, "hub", store, sizes, "cpu_s"), cpu,
                    "µs", f"{who} ({peak:,.0f} MB)", None,
                )  # fmt: skip


def _faster(job: str, store: str, ours_us: float, theirs_us: float, who: str, limit: float | None) -> Line:
    """Rates from µs of wall a record; large is good."""
    if ours_us <= 0 or theirs_us <= 0:
        return Line(job, store, f"{ours_us:,.1f} µs", f"{theirs_us:,.1f} µs {who}", target="noise")
    ratio = theirs_us / ours_us
    return Line(
        job, store, f"{1e6 / ours_us:,.0f}/s", f"{1e6 / theirs_us:,.0f}/s {who}", ratio,
        f"≥ {limit:g}" if limit else "", ratio >= limit if limit else None,
    )  # fmt: skip


def _consumer(samples: Samples, store: str, records: int) -> Iterator[Line]:
    key = ("consumer", "hub", store, records)
    if not samples.has(*key):
        return
    rate = samples.median(key, lambda one: one.said["changes_a_second"])
    yield Line("feed, changes a second", store, f"{rate:,.0f}/s", "", None, "≥ 200,000/s", rate >= 200_000)
    worst = samples.median(key, lambda one: one.said["page_ms_p99"])
    yield Line(
        f"50 incidents by status+town+time of {records:,}, p99",
        store,
        f"{worst:.1f} ms",
        "",
        None,
        "< 10 ms",
        worst < 10,
    )
    depth, first, last = (
        samples.median(key, lambda one, name=name: one.said[name]) for name in ("depth", "first_ms", "last_ms")
    )
    yield at_most(f"page {depth:,.0f} of such incidents", store, last, first, "ms", "page 1", 1.2)


def _orders(samples: Samples, sizes: tuple[int, int]) -> Iterator[Line]:
    if not samples.has("bare", "hub", "sqlite", sizes[1]):
        return
    load = samples.margin_us("first", "hub", "sqlite", sizes, "cpu_s")
    indices = load - samples.margin_us("bare", "hub", "sqlite", sizes, "cpu_s")
    yield Line("read indices, CPU a record", "sqlite", f"{indices:.1f} µs", "", None, "≤ 20 µs", indices <= 20)
    shuffled = samples.margin_us("shuffled", "hub", "sqlite", sizes, "cpu_s")
    yield at_most("shuffled backfill, CPU a record", "sqlite", shuffled, load, "µs", "in order", 1.2)


def _eight(samples: Samples) -> Iterator[Line]:
    for records in range(200, 20_001, 200):
        if not samples.has("eight", "hub", "sqlite", records):
            continue
        slowest = {
            job: samples.median((job, "hub", "sqlite", records), _slowest) for job in ("alone", "eight", "starved")
        }
        pages = records // 200
        for job, title in (("eight", "8 sources at once"), ("starved", "7 slow beside a busy one")):
            yield at_most(
                f"{title}, wall ({pages} pages)", "sqlite", slowest[job], slowest["alone"], "s", "one alone", 1.15
            )


def _slowest(sample: Sample) -> float:
    return max(wall for name, wall in sample.said["sources"].items() if name != "busy")


def _start(samples: Samples) -> Iterator[Line]:
    for job in ("version", "status"):
        if not samples.has(job, "start", "", 0):
            continue
        hub, imports = (samples.median((one, "start", "", 0), "cpu_s") * 1000 for one in (job, "imports"))
        title = "hub --version" if job == "version" else "hub status, empty store"
        yield Line(f"{title}, CPU", "", f"{hub:.0f} ms", "", None, "< 150 ms", hub < 150)
        yield at_most(f"{title}, CPU", "", hub, imports, "ms", "import click, sqlalchemy", 1.25)


def print_table(rows: list[Line]) -> None:
    """The table on standard output, in Markdown."""
    print("\n| job | store | hub | yardstick | ratio | target | |")
    print("|---|---|--:|--:|--:|--:|---|")
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        met = "" if row.met is None else "met" if row.met else "**missed**"
        print(f"| {row.job} | {row.store} | {row.hub} | {row.yardstick} | {ratio} | {row.target} | {met} |")
