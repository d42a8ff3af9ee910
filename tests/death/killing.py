"""Real processes on a real city: `hub sandbox`, `hub sync`, `hub serve`, and SIGKILL at any instant."""

import base64
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from hub.testing.comparison import differences
from hub.testing.project import HubProject

__all__ = ["SYSTEMS", "City", "Mortal", "city"]

SYSTEMS = ("grassroots_governance", "snapshot", "road_patrol")
ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass
class City:
    """A sandbox in a process of its own."""

    config: Path
    addresses: dict[str, str]

    def control(self, system: str, verb: str, **options: Any) -> Any:
        body = None if verb == "truth" else json.dumps(options).encode()
        with urlopen(Request(f"{self.addresses[system]}/__control/{verb}", body), timeout=30) as answer:
            return json.load(answer)

    def truth(self, system: str) -> Any:
        return self.control(system, "truth")


@contextmanager
def city(folder: Path, seed: int) -> Iterator[City]:
    words = ["sandbox", "--seed", str(seed), "--scale", "400", "--directory", str(folder)]
    words += [part for system in SYSTEMS for part in ("--system", system)]
    # `until` in the past: a tick must not outrun the machine's clock.
    words += ["--until", "2026-01-05T08:00:00Z"]
    process = subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield City(Path(said["config"]), said["addresses"])
    finally:
        process.terminate()
        process.communicate(timeout=20)


@dataclass
class Mortal:
    """The hub's command line on one store, in processes that are killed. The lease is short, so that nobody waits long."""

    city: City
    folder: Path
    store_url: str
    kills: int = 0

    @property
    def environment(self) -> dict[str, str]:
        starts = {f"HUB_SOURCES__{name.upper()}__START": "2000-01-01" for name in SYSTEMS}
        schedules = {f"HUB_SOURCES__{name.upper()}__SCHEDULE": "1s" for name in SYSTEMS}
        return {
            "HUB_STORE__URL": self.store_url, "HUB_STORE__KEY": KEY, "HUB_ENGINE__LEASE": "1s", "HUB_LANG": "en",
            "HUB_DEFAULTS__RETRIES": "2", **starts, **schedules,
        }  # fmt: skip

    def start(self, *words: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        return subprocess.Popen(
            [sys.executable, "-m", "cli", "--config", str(self.city.config), "--output", "json", *words],
            cwd=ROOT, env=inherited | self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err

    def kill(self, after_s: float, *words: str) -> None:
        """Start a command and kill it so many seconds later, if it has not ended by then."""
        process = self.start(*words)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            self.kills += 1
        process.communicate()

    def settle(self) -> None:
        """Read everything once nobody holds a lease any more; every other outcome must be a good one. Some of these systems
        withdraw records without a word: only a complete reading finds that. The first one may be what was killed after its last
        page: it only ends, and shows nothing of how the city moved on since."""
        end, whole = time.monotonic() + 60, 0
        while whole < 2:
            code, out, err = self.run("sync", "--full-refresh")
            if code == 0:
                whole += 1
                continue
            assert code == 7, out + err
            assert time.monotonic() < end, "the lease is never free"
            time.sleep(0.3)

    def violations(self) -> list[str]:
        """What is not as promised: the store against upstream, its file, its runs and its feed."""
        found = []
        if self.store_url.startswith("sqlite"):
            with sqlite3.connect(self.store_url.removeprefix("sqlite:///")) as connection:
                found += [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        environment = {name: value for name, value in self.environment.items() if name != "HUB_LANG"}
        with HubProject(self.folder, self.city.config, self.store_url, environment) as project:
            for system in SYSTEMS:
                found += differences(project, self.city, system)  # type: ignore[arg-type]
            with project.hub.store.read() as transaction:
                seqs = [row[0] for row in transaction.all("SELECT seq FROM change ORDER BY seq")]
                open_runs = "fetched <> new + changed + unchanged + quarantined"
                found += [
                    f"run {row[0]} is not closed" for row in transaction.all(f"SELECT id FROM run WHERE {open_runs}")
                ]
                twice = "SELECT source, stream, native_id FROM incident GROUP BY 1, 2, 3 HAVING count(*) > 1"
                found += [f"twice: {tuple(row)}" for row in transaction.all(twice)]
        if seqs != list(range(1, len(seqs) + 1)):
            found.append("the feed has gaps")
        return found

    def live_and_die(self, times: int, chance: random.Random) -> list[str]:
        """Kill so often, the city moving on meanwhile; then let the hub settle and look. Who ends before its time lives on."""
        wanted, number = self.kills + times, 0
        while self.kills < wanted:
            words = ("serve",) if number % 4 == 3 else ("sync", *(("--full-refresh",) if number % 4 == 1 else ()))
            self.kill(0.35 + chance.random() * 1.3, *words)
            self.city.control(SYSTEMS[0], "tick", steps=1)
            number += 1
            assert number < 10 * times + 10, "nobody is ever killed"
        self.settle()
        return self.violations()
