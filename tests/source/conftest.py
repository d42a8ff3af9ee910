"""A token store and a file ledger in memory, and a scripted server."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from scripted import Reply, Upstream

from hub.source import SourceContext, Token


class MemoryTokens:
    def __init__(self) -> None:
        self.held: dict[str, Token] = {}
        self.leases = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Token | None:
        return self.held.get(key)

    def put(self, key: str, token: Token) -> None:
        self.held[key] = token

    def forget(self, key: str, token: Token) -> None:
        if self.held.get(key) == token:
            del self.held[key]

    def mark(self, credentials: str) -> str:
        return str(hash(credentials))

    def refreshing(self, account: str) -> AbstractContextManager[None]:
        self.leases += 1
        return self._lock  # type: ignore[return-value]


class MemoryFiles:
    def __init__(self) -> None:
        self.read: set[str] = set()

    def seen(self, sha256: str) -> bool:
        return sha256 in self.read


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def reply() -> type[Reply]:
    return Reply


@pytest.fixture
def context(tmp_path: Path) -> SourceContext:
    return SourceContext(source="test", tokens=MemoryTokens(), files=MemoryFiles(), deadline_s=3, base_folder=tmp_path)
