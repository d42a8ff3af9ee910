"""What a source sends cannot fill the memory: an answer is bounded while it unfolds, not after."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import Reply, Upstream

from hub.errors import FailedError
from hub.source import Client, SourceContext

LIMIT, UNFOLDED = 200_000, 60_000_000


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_an_endless_answer_costs_no_memory(
    upstream: Upstream, tmp_path: Path, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    upstream.answer = [Reply(pack(bytes(UNFOLDED)), headers={"Content-Encoding": encoding})]
    unused: Any = None
    client = Client(SourceContext(source="s", tokens=unused, files=unused, max_bytes=LIMIT, base_folder=tmp_path))
    tracemalloc.start()
    try:
        with pytest.raises(FailedError, match=f"larger than {LIMIT} bytes"):
            client.send(client.request("GET", upstream.url))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        client.close()
    assert peak < 20 * LIMIT, f"{peak} bytes at once"
