"""Opening the bench that a connector is tested on, and hearing what the hub says meanwhile."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.source.connector import Connector
from hub.testing.bench import Bench
from hub.testing.quality import Quality

__all__ = ["open_bench"]

_CITY = "2026-11-20T12:00:00"


@contextmanager
def open_bench(connector: type[Connector], quality: Quality, home: Path, folder: Path) -> Iterator[Bench]:
    """A fresh bench of either kind; what the hub logs meanwhile is in `heard`."""
    # Only one of the two is needed.
    if quality.sandbox:
        from hub.testing.sandbox import Sandbox
        from hub.testing.sandbox_bench import SandboxBench

        with Sandbox(systems=[quality.sandbox], scale=60, until=_CITY, directory=folder / "city") as sandbox:
            yield from _listening(SandboxBench(connector, quality, sandbox, folder / "hub"))
    else:
        from hub.testing.sample_bench import SampleBench

        folder.mkdir(parents=True, exist_ok=True)
        yield from _listening(SampleBench(connector, quality, home, folder))


class _Heard(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        self.setFormatter(logging.Formatter("%(message)s %(args)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


def _listening(bench: Any) -> Iterator[Bench]:
    root = logging.getLogger("hub")
    level, handler = root.level, _Heard(bench.heard)
    root.addHandler(handler)
    # What a tested connector says is a finding, not a message of this process.
    root.propagate = False
    root.setLevel(logging.DEBUG)
    try:
        yield bench
    finally:
        root.removeHandler(handler)
        root.propagate = True
        root.setLevel(level)
        bench.close()
