"""Hundreds of simulated worlds on both databases; HUB_WORLDS asks for more of them on each, HUB_SEED for others, HUB_WORLD
replays one."""

import os
import time
from pathlib import Path

import pytest
from rig import Clock, Mortal, open_store
from world import play

from hub.store.feed import feed_head

WORLDS = {"sqlite": 210, "postgresql": 45}
WANTED = int(os.environ.get("HUB_WORLDS", "0"))
SEED = int(os.environ.get("HUB_SEED", "0"))
BATCHES = 3


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_worlds(store_url: str, tmp_path: Path, clock: Clock, batch: int, record_property: object) -> None:
    database = store_url.split(":")[0]
    count = (WANTED or WORLDS[database]) // BATCHES
    first = 1 + batch * count + SEED * 10_000_000 + (0 if database == "sqlite" else 1_000_000)
    seeds = [int(os.environ["HUB_WORLD"])] if "HUB_WORLD" in os.environ else range(first, first + count)
    began, kills, faults = time.monotonic(), 0, 0
    store = open_store(store_url, kind=Mortal)
    for number, seed in enumerate(seeds):
        if database == "sqlite":
            store.close()
            store = open_store(store_url.replace("hub.db", f"hub{number}.db"), kind=Mortal)
        world = play(seed, store, tmp_path, clock, feed_head(store))
        kills, faults = kills + world.kills, faults + world.faults
    store.close()
    print(f"{count} worlds on {database}, {kills} kills, {faults} faults, {time.monotonic() - began:.0f} s")
