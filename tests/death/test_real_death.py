"""Promise 1 with real processes: killed at any instant, started again, the store equals upstream."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import City, Mortal, city

SEED = 20261124
KILLS = 6


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with city(tmp_path_factory.mktemp("city"), 3) as made:
        yield made


def test_killed_at_random_instants(town: City, store_url: str, tmp_path: Path) -> None:
    hub = Mortal(town, tmp_path, store_url)
    assert hub.run("upgrade")[0] == 0
    assert hub.live_and_die(KILLS, random.Random(SEED)) == []
    assert hub.kills == KILLS
