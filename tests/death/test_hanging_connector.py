"""A connector whose code never comes back, in real processes: its run fails, the others go on, the process can end."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = """
import threading
from datetime import timedelta
from pathlib import Path
from pydantic import Field
from hub.hookspecs import hookimpl
from hub.source.connector import Connector, ConnectorConfig
from hub.source.stream import Cursor, Page, Stream


class Settings(ConnectorConfig):
    hangs: str = Field("", description="Where it hangs while a file of that name is beside this plugin.")


class Transport:
    def __init__(self, config):
        self.config = config

    def hang(self, where):
        if self.config.hangs == where and Path(__file__).with_name(where).exists():
            threading.Event().wait()

    def fetch(self, stream, window, position):
        self.hang("fetch")
        return Page(rows=[b'{"id": 1, "at": 1800000000000, "title": "one"}'], next=None)

    def detail(self, stream, row):
        return row

    def renew(self):
        pass

    def close(self):
        self.hang("fetch")


class Sleepy(Connector):
    name, title, title_en = "sleepy", "瞌睡", "Sleepy"
    Config = Settings

    def streams(self, config):
        cursor = Cursor(path="at", format="epoch_ms", lookback=timedelta(0), safety_lag=timedelta(0))
        return (Stream(name="dreams", title="梦", mapping="sleepy/dreams", native_id="id", cursor=cursor),)

    def transport(self, config, context):
        transport = Transport(config)
        transport.hang("open")
        return transport


@hookimpl
def hub_connectors():
    return [Sleepy]


@hookimpl
def hub_mappings():
    return [Path(__file__).with_name("sleepy_mappings")]
"""
MAPPING = """
version = 1
kind = "work_order"
[fields]
title = { path = "title" }
source_updated_at = { path = "at", format = "epoch_ms" }
"""
TOML = """
[defaults]
page_deadline = "{patience}"
request_deadline = "1s"
schedule = "1s"
start = "2000-01-01"
workers = 1
[plugins]
deadline = "1s"
[sources.awake]
connector = "sleepy"
[sources.hung]
connector = "sleepy"
hangs = "{where}"
"""


class Installation:
    """A folder with the plugin, hub.toml and the store's address."""

    def __init__(self, folder: Path, where: str, store_url: str, patience: str = "1s") -> None:
        self.folder, self.stuck = folder, folder / where
        info = folder / "hub_sleepy-1.0.dist-info"
        mappings = folder / "sleepy_mappings" / "sleepy"
        for made in (info, mappings):
            made.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hub-sleepy\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[hub.v1]\nsleepy = sleepy_plugin\n")
        (folder / "sleepy_plugin.py").write_text(PLUGIN)
        (mappings / "dreams.toml").write_text(MAPPING)
        (folder / "hub.toml").write_text(TOML.replace("{where}", where).replace("{patience}", patience))
        self.stuck.touch()
        key = base64.b64encode(bytes(32)).decode()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        self.environment |= {
            "HUB_STORE__URL": store_url, "HUB_STORE__KEY": key, "HUB_LANG": "en", "PYTHONPATH": str(folder),
            "HUB_ENGINE__LEASE": "2s",
        }  # fmt: skip
        assert self.run("upgrade")[0] == 0

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", "--config", str(self.folder / "hub.toml"), "--output", "json", *words],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Exit code and what was printed. A process that does not end fails the test."""
        process = self.start(*words)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
        assert "Traceback" not in err, err
        return process.returncode, [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("where", ["fetch", "open"])
def test_sync_ends_and_the_next_one_works(tmp_path: Path, store_url: str, where: str) -> None:
    hub = Installation(tmp_path, where, store_url)
    began = time.monotonic()
    code, runs = hub.run("sync")
    assert time.monotonic() - began < 15
    assert code == 1
    assert {run["source"]: run["outcome"] for run in runs} == {"awake": "ok", "hung": "failed"}
    assert "the connector has not come back for" in next(run["error"] for run in runs if run["source"] == "hung")
    hub.stuck.unlink()
    code, runs = hub.run("sync", "hung")
    assert code == 0, runs
    assert runs[0]["new"] == 1


@pytest.fixture
def hub(tmp_path: Path) -> Installation:
    return Installation(tmp_path, "fetch", f"sqlite:///{tmp_path / 'hub.db'}")


def test_check_says_what_hangs(hub: Installation) -> None:
    code, _ = hub.run("check", "hung")
    assert code == 1


def test_serve_goes_on_beside_it_and_reads_it_once_it_is_well(hub: Installation) -> None:
    """One worker only: were its slot held for ever, nobody would be read any more."""
    process = hub.start("serve")
    outcomes: list[tuple[str, str]] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            run = json.loads(line)
            outcomes.append((run["source"], run["outcome"]))
            if outcomes.count(("hung", "failed")) == 2:
                hub.stuck.unlink(missing_ok=True)
            if ("hung", "ok") in outcomes:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    after = outcomes[outcomes.index(("hung", "failed")) :]
    assert ("awake", "ok") in after, "the slot was given back"


@pytest.mark.parametrize("command", ["sync", "serve"])
def test_the_second_signal_ends_at_once(tmp_path: Path, command: str) -> None:
    """The first one waits for the page in hand; that one never comes."""
    hub = Installation(tmp_path, "fetch", f"sqlite:///{tmp_path / 'hub.db'}", "60s")
    process = hub.start(command)
    try:
        end = time.monotonic() + 30
        while not any(run["outcome"] == "running" for run in hub.run("runs", "list", "--source", "hung")[1]):
            assert time.monotonic() < end, "it never began"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 130
    finally:
        process.kill()
        process.communicate()
    hub.stuck.unlink()
    time.sleep(2.1)
    code, runs = hub.run("sync", "hung")
    assert (code, runs[0]["new"]) == (0, 1), runs
