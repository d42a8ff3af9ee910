"""What is amiss by the installation's own objectives: streams older than allowed, and streams gone quiet."""

from collections.abc import Iterator

from hub.errors import HubError
from hub.store.alarms import Amiss
from hub.store.health import hourly_volumes, progress_of_streams
from hub.sync.foreign_code import declared
from hub.sync.sources import Hub
from hub.sync.volume import HOUR_MS, LEARNED_MS, usual_volume

__all__ = ["empty_streams", "stale_streams"]


def stale_streams(hub: Hub, now: int) -> list[Amiss]:
    """Streams of enabled sources whose last good sync began longer ago than `freshness` allows, by their worst
    partition.

    A stream that never had one counts from its first attempt, unless that attempt is still under way.
    """
    known = progress_of_streams(hub.store, now)
    worst: dict[tuple[str, str], Amiss] = {}
    for name, stream, partition in _partitions(hub):
        progress = known.get((hub.key(name), stream, partition))
        if progress is None or (progress.good_at is None and progress.running):
            continue
        since = progress.good_at if progress.good_at is not None else progress.first_at
        objective = int(hub.settings.sources[name].freshness.total_seconds() * 1000)
        former = worst.get((name, stream))
        if now - since > objective and (former is None or since < former.detail["since"]):
            detail = {"since": since, "objective_ms": objective, "never": progress.good_at is None}
            worst[name, stream] = Amiss("freshness", name, stream, detail)
    return list(worst.values())


def empty_streams(hub: Hub, now: int) -> list[Amiss]:
    """Streams whose last whole hour brought far less than that hour of such a day usually does."""
    hour = now // HOUR_MS - 1
    learned = hourly_volumes(hub.store, now - LEARNED_MS)
    found = []
    for name, stream in dict.fromkeys((name, stream) for name, stream, _ in _partitions(hub)):
        volumes = learned.get((hub.key(name), stream), {})
        usual = usual_volume(volumes, hour, hub.settings.zone)
        if usual is not None:
            detail = {"since": hour * HOUR_MS, "usual": round(usual), "found": volumes[hour]}
            found.append(Amiss("emptiness", name, stream, detail))
    return found


def _partitions(hub: Hub) -> Iterator[tuple[str, str, str]]:
    """(section, stream, partition) of every enabled source that can be used; nothing is opened."""
    for name, settings in hub.settings.sources.items():
        if not settings.enabled:
            continue
        try:
            _, streams = declared(hub.plugins, settings)
        except HubError:
            # A section that cannot be used is misconfigured: every command says so by itself.
            continue
        for stream in streams:
            yield from ((name, stream.name, partition) for partition in stream.partitions or ("",))
