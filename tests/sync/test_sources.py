"""Several sources side by side: each fails alone, and each is known by the key it had at its first sync (promise 9)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import START, STREAM, BenchHub, Clock, open_store, write_mapping
from upstream import Upstream

from hub.config import Environment, load
from hub.errors import Outcome, StoreError, UnavailableError, worst
from hub.sync.result import RunResult
from hub.sync.run import RunOptions

TOML = """
[defaults]
retries = 0
start = "2000-01-01"
[sources.good]
connector = "csv_drop"
[sources.down]
connector = "csv_drop"
[sources.broken]
connector = "csv_drop"
[sources.wrong]
connector = "csv_drop"
rate = "none"
"""


@pytest.fixture
def hub(tmp_path: Path, store_url: str, clock: Clock) -> Iterator[BenchHub]:
    good, down = Upstream(), Upstream()
    good.put("a", START - 1000)
    down.before_fetch = lambda _: (_ for _ in ()).throw(UnavailableError("down"))
    store = open_store(store_url)
    yield opened(tmp_path, TOML, store, {"good": good, "down": down})
    store.close()


def opened(folder: Path, toml: str, store: object, upstreams: dict[str, Upstream]) -> BenchHub:
    (folder / "hub.toml").write_text(toml, "utf-8")
    settings = load(folder / "hub.toml", environment=Environment({}))
    return BenchHub.over(settings, store, upstreams, write_mapping(folder / "mappings"))  # type: ignore[arg-type]


def test_every_source_is_tried_and_fails_alone(hub: BenchHub) -> None:
    done: list[RunResult] = []
    results = hub.sync(["broken", "down", "good"], RunOptions(), done=done.append)
    outcomes = {run.source: run.outcome for run in results}
    assert outcomes == {"broken": Outcome.FAILED, "down": Outcome.UNAVAILABLE, "good": Outcome.OK}
    assert {run.source for run in done} == set(outcomes)
    assert worst(outcomes.values()) == 1


def test_faulty_section_is_that_sources_outcome(hub: BenchHub) -> None:
    assert "wrong" in hub.settings.problems
    assert set(hub.source_names()) == {"good", "down", "broken", "wrong"}


def test_key_of_the_first_sync_is_what_everything_works_with(hub: BenchHub, tmp_path: Path) -> None:
    assert hub.key("good") == "good"
    hub.sync(["good"], RunOptions())
    changed = TOML.replace("[sources.good]", '[sources.good]\nkey = "later"')
    again = opened(tmp_path, changed, hub.store, hub.upstreams)
    assert again.key("good") == "good"
    with again.open("good") as source:
        assert again.job(source, source.streams[0]).key == "good"
    [run] = again.sync(["good"], RunOptions(dry_run=True))
    assert (run.counts.new, run.counts.unchanged) == (0, 1)


def test_renamed_section_keeps_its_records(hub: BenchHub, tmp_path: Path) -> None:
    hub.sync(["good"], RunOptions())
    renamed = TOML.replace("[sources.good]", '[sources.better]\nkey = "good"')
    again = opened(tmp_path, renamed, hub.store, {"better": hub.upstreams["good"]})
    [run] = again.sync(["better"], RunOptions())
    assert (run.counts.new, run.counts.unchanged) == (0, 1)


def test_what_the_store_cannot_say_is_not_known_and_no_trouble_of_the_source(hub: BenchHub, tmp_path: Path) -> None:
    """A call that was left behind may come back after the store was closed: it opens nothing and makes nothing anew."""
    context = hub._context("good", hub.settings.sources["good"])
    assert context.known(STREAM, b"digest") is None
    hub.store.close()
    for file in tmp_path.glob("hub.db*"):
        file.unlink()
    assert context.known(STREAM, b"digest") is None
    assert list(tmp_path.glob("hub.db*")) == []
    with pytest.raises(StoreError, match="closed"), hub.store.read():
        pass
