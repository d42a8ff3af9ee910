"""How the hub fares, as Prometheus text: read from the store alone, so one scrape speaks for every process on it.

No label holds anything of a record: sources, streams and outcomes only.
"""

from collections.abc import Iterable
from typing import NamedTuple

from hub.store.overview import stream_overviews
from hub.store.queue import list_workers, queue_figures
from hub.store.store import Store

__all__ = ["metrics_text"]

_DAY_MS = 86_400_000
_Labels = dict[str, str]


class _Metric(NamedTuple):
    name: str
    meaning: str
    values: Iterable[tuple[_Labels, float]]


def metrics_text(store: Store, now: int, *, queue: bool) -> str:
    """Every figure, gauges all. `now`: epoch ms. `queue`: the store carries a work queue of many workers."""
    metrics = [*_streams(store, now), *_runs(store, now), *(_queue(store, now) if queue else [])]
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.meaning}", f"# TYPE {metric.name} gauge"]
        lines += [f"{metric.name}{_labels(labels)} {value:.15g}" for labels, value in metric.values]
    return "\n".join(lines) + "\n"


def _streams(store: Store, now: int) -> list[_Metric]:
    overviews = sorted(stream_overviews(store, now).items())

    def each(attribute: str, scale: float = 1) -> list[tuple[_Labels, float]]:
        found = [(key, getattr(line, attribute)) for key, line in overviews]
        return [
            ({"source": source, "stream": stream}, value * scale)
            for (source, stream), value in found
            if value is not None
        ]

    return [
        _Metric("hub_stream_good_seconds", "Beginning of the last good run, epoch seconds.", each("good_at", 1e-3)),
        _Metric("hub_stream_cursor_seconds", "Up to when everything is read, epoch seconds.", each("cursor", 1e-3)),
        _Metric("hub_stream_incidents", "Living incidents.", each("living")),
        _Metric("hub_stream_open_incidents", "Living incidents that are not closed.", each("open")),
        _Metric("hub_stream_quarantined", "Records set aside and not settled.", each("quarantined")),
        _Metric("hub_stream_unmapped_codes", "Codes that no code table knows.", each("unmapped")),
        _Metric("hub_stream_held_deletions", "Deletions that wait for a person.", each("held")),
        _Metric("hub_time_seconds", "When these figures were read, epoch seconds.", [({}, now / 1000)]),
    ]


def _runs(store: Store, now: int) -> list[_Metric]:
    counts = ("fetched", "new", "changed", "unchanged", "quarantined", "tombstoned")
    with store.read() as transaction:
        outcomes = transaction.all(
            "SELECT source, stream, outcome, count(*) FROM run WHERE started_at > ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            (now - _DAY_MS,),
        )
        sums = transaction.one(
            f"SELECT {', '.join(f'coalesce(sum({name}), 0)' for name in counts)}, coalesce(sum(requests), 0)"
            " FROM run WHERE started_at > ?",
            (now - _DAY_MS,),
        )
        head = transaction.one("SELECT value FROM counter WHERE name = 'feed'")[0]
        floor = transaction.one("SELECT value FROM meta WHERE name = 'feed_floor'")
    return [
        _Metric(
            "hub_runs_day", "Runs begun within a day, by outcome.",
            [({"source": row[0], "stream": row[1], "outcome": row[2]}, row[3]) for row in outcomes],
        ),
        _Metric(
            "hub_records_day", "Records of runs begun within a day, by what became of them.",
            [({"became": name}, float(value)) for name, value in zip(counts, sums, strict=False)],
        ),
        _Metric("hub_requests_day", "Requests of runs begun within a day.", [({}, float(sums[-1]))]),
        _Metric("hub_feed_head", "Newest sequence number of the change feed.", [({}, head)]),
        _Metric("hub_feed_floor", "Changes up to this number were pruned.", [({}, float(floor[0]) if floor else 0)]),
    ]  # fmt: skip


def _queue(store: Store, now: int) -> list[_Metric]:
    figures, workers = queue_figures(store), list_workers(store)
    waited = (now - figures.oldest_wait) / 1000 if figures.oldest_wait is not None else 0
    return [
        _Metric("hub_queue_waiting", "Runs that wait.", [({}, len(figures.waiting))]),
        _Metric("hub_queue_running", "Runs under way.", [({}, len(figures.running))]),
        _Metric("hub_queue_oldest_seconds", "How long the oldest due run has waited.", [({}, max(0.0, waited))]),
        _Metric("hub_queue_dead_day", "Streams whose worker died within a day.", [({}, len(figures.dead))]),
        _Metric("hub_workers", "Worker processes.", [({}, len(workers))]),
        _Metric("hub_worker_slots", "Streams they can read at the same time.", [({}, sum(w.slots for w in workers))]),
    ]


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    text = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + text + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
