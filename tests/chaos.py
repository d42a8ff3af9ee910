"""`make chaos`: many simulated worlds, many real kills, every fault; ends with 1 on a violation.

HUB_WORLDS (2000), HUB_KILLS (200, over four seeded cities on SQLite) and HUB_SEED (random, printed) say how many.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CITIES = 4


def worlds_and_faults() -> tuple[int, int]:
    """Runs their tests; how many passed and how many failed."""
    environment = {**os.environ, "HUB_WORLDS": os.environ.get("HUB_WORLDS", "2000")}
    words = [sys.executable, "-m", "pytest", "-q", "--timeout", "7200", "tests/sync/test_world.py", "tests/faults"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    counted = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    failed = counted.get("failed", 0) + counted.get("error", 0)
    if done.returncode:
        print(done.stdout[-6000:])
    return counted.get("passed", 0), failed or int(done.returncode != 0)


def kills(wanted: int, seed: int) -> tuple[int, int]:
    """Kills survived and violations found, in cities of their own."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "death")]
    from killing import Mortal, city

    survived = violations = 0
    for number in range(CITIES):
        with tempfile.TemporaryDirectory() as folder, city(Path(folder) / "city", seed + number) as town:
            hub = Mortal(town, Path(folder), f"sqlite:///{folder}/hub.db")
            hub.run("upgrade")
            found = hub.live_and_die(max(1, wanted // CITIES), random.Random(seed + number))
            survived += hub.kills
            violations += len(found)
            print(*found[:20], sep="\n", end="\n" if found else "")
    return survived, violations


def main() -> int:
    sys.path[:0] = [str(ROOT / "tests" / "faults"), str(ROOT / "tests")]
    from faults_files import CONFIG, FILES
    from test_faults_on_the_wire import CASES

    began = time.monotonic()
    seed = int(os.environ.get("HUB_SEED", random.randrange(10**6)))
    survived, violations = kills(int(os.environ.get("HUB_KILLS", "200")), seed)
    passed, failed = worlds_and_faults()
    print(
        f"seed {seed}: {os.environ.get('HUB_WORLDS', '2000')} worlds tried, {survived} kills survived,"
        f" {len(CASES) + len(FILES) + len(CONFIG)} faults tried ({passed} tests), {violations + failed} violations,"
        f" {time.monotonic() - began:.0f} s"
    )
    return int(violations + failed > 0)


if __name__ == "__main__":
    sys.exit(main())
