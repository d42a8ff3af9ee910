"""Running a child process and saying what it took: CPU, wall, peak memory, and the database server's CPU beside it."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["HERE", "MARK_EVERY", "Key", "Sample", "Samples", "run_child"]

HERE = Path(__file__).parent
MARK_EVERY = 10_000
"""After so many records the hub's child notes how much CPU it has spent."""
Key = tuple[str, str, str, int]
"""Job, contestant, store, records."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one child took. `said` is the JSON line it printed."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    server_cpu_s: float = 0.0
    said: dict[str, Any] = field(default_factory=dict)


def run_child(
    command: Sequence[str | Path], server_cpu: Callable[[], float] | None = None, **environment: str
) -> Sample:
    """Run a Python script of this folder, or any program given as a path. RuntimeError with its stderr if it fails."""
    first = str(command[0])
    # As on a machine where the hub is installed: what was compiled once is not compiled again by every process.
    bytecode = {"PYTHONPYCACHEPREFIX": str(HERE / ".data" / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    program = [sys.executable, str(HERE / first)] if first.endswith(".py") else [first]
    before = server_cpu() if server_cpu else 0.0
    began = time.perf_counter()
    child = subprocess.Popen(
        [*program, *map(str, command[1:])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **bytecode, **environment},
    )
    assert child.stdout is not None
    assert child.stderr is not None
    printed = child.stdout.read().decode()
    problem = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {child.returncode}\n{problem[-2000:]}")
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    return Sample(
        usage.ru_utime + usage.ru_stime,
        wall,
        usage.ru_maxrss / 1024,
        server_cpu() - before if server_cpu else 0.0,
        json.loads(lines[-1]) if lines else {},
    )


class Samples:
    """Every sample of a whole benchmark, and the figures the table is made of: medians, and rates at the margin."""

    def __init__(self) -> None:
        self._samples: dict[Key, list[Sample]] = defaultdict(list)

    def add(self, key: Key, sample: Sample) -> None:
        self._samples[key].append(sample)

    def has(self, *key: Any) -> bool:
        return key in self._samples

    def median(self, key: Key, figure: str | Callable[[Sample], float]) -> float:
        read = (lambda sample: getattr(sample, figure)) if isinstance(figure, str) else figure
        return statistics.median(read(sample) for sample in self._samples[key])

    def margin_us(self, job: str, who: str, store: str, sizes: tuple[int, int], figure: str) -> float:
        """µs one more record costs between the two sizes: of `cpu_s`, `wall_s` or `server_cpu_s`."""
        small, large = sizes
        more = self.median((job, who, store, large), figure) - self.median((job, who, store, small), figure)
        return more / (large - small) * 1e6

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"job": job, "who": who, "store": store, "records": records, "samples": [asdict(one) for one in samples]}
            for (job, who, store, records), samples in self._samples.items()
        ]
