"""`hub key rotate` killed with SIGKILL at any instant: the same command goes on, and at no instant is there no key."""

import base64
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from answers import call

from hub.config import Environment, load
from hub.config.keyfile import key_file, write_key
from hub.store import open_store
from hub.store.raw import raw_of
from hub.testing.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
KILLS, MOST = 3, 20


class Installation:
    def __init__(self, config: Path, store_url: str) -> None:
        self.config = config
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        self.environment = inherited | {"HUB_STORE__URL": store_url, "HUB_LANG": "en", "HUB_ENGINE__LEASE": "1s"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", "--config", str(self.config), *words],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        return process.wait(60), process.communicate()[0]

    def killed(self, after_s: float, *words: str) -> bool:
        process = self.start(*words)
        with suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        dead = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return dead

    def opened(self) -> int:
        """How many raw records open with the keys that are there now."""
        names = {name: value for name, value in self.environment.items() if name.startswith("HUB_")}
        store = open_store(load(self.config, environment=Environment(names)))
        try:
            with store.read() as transaction:
                ids = [row[0] for row in transaction.all("SELECT id FROM incident")]
            assert all(raw_of(store, identity) is not None for identity in ids)
        finally:
            store.close()
        return len(ids)


def test_killed_anywhere_it_goes_on(tmp_path: Path, store_url: str) -> None:
    with Sandbox(seed=4, scale=300, directory=tmp_path / "city", systems=("grassroots_governance",)) as town:
        hub = Installation(town.config_path, store_url)
        assert hub.run("upgrade")[0] == 0
        code, said = hub.run("sync", "--full-refresh")
        assert code in (0, 3), said
        chance = random.Random(20261124)
        began = time.monotonic()
        assert hub.run("key", "rotate", "--reason", "how long it takes")[0] == 0
        took = time.monotonic() - began
        file = town.directory / "secrets" / "store.key"
        before, count, kills = file.read_bytes(), hub.opened(), 0
        assert count > 100
        for _ in range(MOST):
            kills += hub.killed(took * chance.uniform(0.5, 1.0), "key", "rotate", "--reason", "once a year")
            assert hub.opened() == count
            assert file.stat().st_mode & 0o077 == 0
            if kills >= KILLS:
                break
        assert kills >= KILLS
        assert hub.run("key", "rotate", "--reason", "once a year")[0] == 0
        assert file.read_bytes() != before
        assert hub.opened() == count
        assert not file.with_name("store.key.next").exists()
        code, said = hub.run("sync", "--full-refresh")
        assert code in (0, 3), said
        assert hub.run("audit", "verify")[0] == 0


@pytest.mark.parametrize(
    ("step", "deadly"), [("replace", n) for n in range(1, 5)] + [("fsync", n) for n in range(1, 7)]
)
def test_at_every_step_with_the_files_a_key_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, deadly: int
) -> None:
    """A process that dies at a renaming or a flush leaves a key that opens the store; the last numbers are never reached."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    assert call("init", str(tmp_path)).code == 0
    words = ("--config", str(tmp_path / "hub.toml"))
    key = key_file(load(tmp_path / "hub.toml"))
    owner = Path if step == "replace" else os
    done = getattr(owner, step)
    steps = 0

    def die(*arguments: object) -> object:
        nonlocal steps
        steps += 1
        if steps == deadly:
            raise MemoryError("dead")
        return done(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, die)
        with suppress(MemoryError):
            call(*words, "key", "rotate", "--reason", "x")
    assert steps == (min(deadly, 3) if step == "replace" else min(deadly, 5))
    assert key.exists()
    assert call(*words, "status").code == 0
    assert call(*words, "key", "rotate", "--reason", "x").code == 0
    assert call(*words, "status").code == 0


def test_a_store_of_another_key_leaves_no_new_key_behind(tmp_path: Path) -> None:
    assert call("init", str(tmp_path)).code == 0
    key = key_file(load(tmp_path / "hub.toml"))
    write_key(key, base64.b64encode(bytes(32)))
    answer = call("--config", str(tmp_path / "hub.toml"), "key", "rotate", "--reason", "x")
    assert (answer.code, "another key" in answer.err) == (2, True)
    assert [file.name for file in key.parent.iterdir()] == [key.name]
