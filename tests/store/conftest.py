"""A store over each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Clock, Rig, open_store, write_mapping

from hub.source.stream import Stream, Window
from hub.store.store import Store


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    yield store
    store.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock().patch(monkeypatch)


class Rows:
    """A source of exactly these raw records, on one page."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []

    def fetch(self, stream: Stream, window: Window, position: object) -> object:
        from hub.source.stream import Page

        return Page(rows=list(self.rows), next=None)

    def detail(self, stream: Stream, row: bytes) -> bytes:
        return row

    def renew(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def rig(store: Store, tmp_path: Path, clock: Clock) -> Rig:
    return Rig(store, write_mapping(tmp_path / "mappings"), Rows())  # type: ignore[arg-type]
