"""A rig over each database, on a clock that only the test moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Clock, Mortal, Rig, open_store, write_mapping
from upstream import Upstream


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().patch(monkeypatch)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def rig(store_url: str, tmp_path: Path, clock: Clock, upstream: Upstream) -> Iterator[Rig]:
    store = open_store(store_url, kind=Mortal)
    yield Rig(store, write_mapping(tmp_path / "mappings"), upstream)
    store.close()
