"""A yard to wear workers out in: PostgreSQL, a slow upstream, and real `hub worker` processes to be killed and frozen.

    with Yard(folder, postgres_url, {"wall": {"streams": 60}}) as yard:
        worker = yard.start("--slots", "2")
        yard.until(lambda: yard.settled() == 60, 60)
        yard.assert_equals_upstream()

Only processes that the yard started are ever signalled, by their id.
"""

import base64
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

from hub.clock import now_ms
from hub.config import Environment, Settings, load
from hub.errors import FailedError
from hub.store.crypto import Keyring
from hub.store.migrate import upgrade
from hub.store.queue_schema import upgrade_queue
from hub.store.store import Store

__all__ = ["QUICK", "Upstream", "Yard"]

PAGE = 10
_ROOT = Path(__file__).parents[2]
_MAPPING = """
version = 1
kind = "work_order"
[fields]
title = "title"
source_updated_at = { path = "at", format = "epoch_ms" }
"""
#: Deaths are noticed within seconds. Right for a test, wrong for production: a pause of 3 s is no death.
QUICK = {"heartbeat": "1s", "dead_after": "3s", "reap": "1s", "poll": "0.2s", "lease": "30s"}


class Upstream(ThreadingHTTPServer):
    """Every stream the same: `pages` pages of ten records; `bump()` changes all of them; while `open` is not set, none
    is answered."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.version = 0
        self.changed_at = now_ms() - 3_600_000
        self.open = threading.Event()
        self.open.set()
        self.asked: list[tuple[float, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed here; what they leave behind is no news."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def bump(self) -> None:
        """Every record changes, at this very moment."""
        self.changed_at, self.version = now_ms(), self.version + 1

    def records(self, stream: str, pages: int) -> dict[str, str]:
        """What a reading must bring: native id (JSON text) → title."""
        return {f'"{stream}-{number}"': self.title(number) for number in range(pages * PAGE)}

    def title(self, number: int) -> str:
        return f"record {number}, version {self.version}"


class _Answer(BaseHTTPRequestHandler):
    server: Upstream
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        stream, page, pages = asked["stream"], int(asked["page"]), int(asked["pages"])
        self.server.open.wait(60)
        self.server.asked.append((time.monotonic(), stream))
        time.sleep(float(asked["latency"]))
        clock, changed_at = now_ms(), self.server.changed_at
        part, parts = asked.get("part", ""), int(asked["parts"])
        members = [number for number in range(pages * PAGE) if not part or number % parts == int(part)]
        rows = [
            {"id": f"{stream}-{number}", "at": changed_at, "title": self.server.title(number)}
            for number in members[page * PAGE : (page + 1) * PAGE]
            if changed_at >= int(asked["since"])
        ]
        following = page + 1 if (page + 1) * PAGE < len(members) else None
        body = msgspec.json.encode({"rows": rows, "next": following, "clock": clock})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


class Yard:
    """`sources`: name → settings of the yard's connector. `engine` overrides QUICK. `upstream`: another yard's."""

    def __init__(
        self,
        folder: Path,
        store_url: str,
        sources: Mapping[str, Mapping[str, Any]],
        *,
        engine: Mapping[str, str] | None = None,
        schedule: str = "1h",
        rate: float = 100_000,
        upstream: Upstream | None = None,
    ) -> None:
        self.folder, self.url, self.sources = folder, store_url, sources
        self.upstream = upstream or Upstream()
        self._own_upstream = upstream is None
        self.processes: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._write_plugin()
        self.config = self._write_config({**QUICK, **(engine or {})}, schedule, rate)
        self.settings: Settings = load(self.config, environment=Environment({}))
        self.store = Store(store_url, Keyring(self.settings.store.secret_key()))
        upgrade(self.store)
        upgrade_queue(self.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.store.close()
        if self._own_upstream:
            self.upstream.shutdown()
            self.upstream.server_close()

    # --- workers --------------------------------------------------------------------------------------------------

    def start(self, *options: str, store_url: str = "") -> "subprocess.Popen[bytes]":
        """A `hub worker` of its own process; its log goes to a file in the folder. `store_url`: another way to the same
        database."""
        log = self.folder / f"worker{len(self.processes)}.log"
        path = os.pathsep.join([str(_ROOT), str(self.folder)])
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "--config", str(self.config), "worker", *options],
                stdout=file, stderr=file, cwd=self.folder,
                env={
                    "PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HUB_LANG": "en", "HUB_LOG_LEVEL": "info",
                    **({"HUB_STORE__URL": store_url} if store_url else {}),
                },
            )  # fmt: skip
        self.processes.append(process)
        return process

    def stop(self, process: "subprocess.Popen[bytes]", seconds: float = 30) -> int:
        """Ask a worker to drain; its exit code."""
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def until(self, condition: Callable[[], object], seconds: float = 60) -> float:
        """Wait for something to come to pass; how long it took. FailedError if it does not."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                raise FailedError("it did not come to pass within {seconds} s", seconds=seconds)
            time.sleep(0.05)
        return time.monotonic() - began

    # --- what the store says --------------------------------------------------------------------------------------

    def query(self, statement: str, *values: object) -> list[Any]:
        with self.store.read() as transaction:
            return transaction.all(statement, values)

    def settled(self) -> int:
        """Partitions whose reading is concluded."""
        return int(self.query("SELECT count(*) FROM state WHERE body = '{}'")[0][0])

    def pages(self) -> int:
        return int(self.query("SELECT count(*) FROM page")[0][0])

    def runs(self, source: str) -> list[Any]:
        """(outcome, worker, pages, token) of each run, in the order of their beginning."""
        return self.query(
            "SELECT outcome, worker, pages, token FROM run WHERE source = ? ORDER BY started_at, id", source
        )

    def rows(self) -> list[Any]:
        """The store's content as a consumer could compare it."""
        return self.query("SELECT source, stream, native_id, title, revision FROM incident ORDER BY 1, 2, 3")

    def assert_equals_upstream(self) -> int:
        """Every record in its present version, nothing else, and a feed without gaps; how many records."""
        total = 0
        for source, settings in self.sources.items():
            for number in range(int(settings.get("streams", 1))):
                stream = f"s{number:02}"
                found = dict(
                    self.query("SELECT native_id, title FROM incident WHERE source = ? AND stream = ?", source, stream)
                )
                assert found == self.upstream.records(stream, int(settings["pages"])), f"{source}/{stream} differs"
                total += len(found)
        count, lowest, highest = self.query("SELECT count(*), min(seq), max(seq) FROM change")[0]
        assert (count, lowest) == (highest, 1), "the feed has gaps"
        (twice,) = self.query("SELECT count(*) - count(DISTINCT (id, revision)) FROM change")[0]
        assert twice == 0, "the feed tells a revision twice"
        return total

    # --- files ----------------------------------------------------------------------------------------------------

    def _write_plugin(self) -> None:
        info = self.folder / "hub_yard-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hub-yard\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[hub.v1]\nyard = hub.testing.yard_plugin\n")
        (self.folder / "mappings" / "yard").mkdir(parents=True, exist_ok=True)
        (self.folder / "mappings" / "yard" / "records.toml").write_text(_MAPPING)

    def _write_config(self, engine: Mapping[str, str], schedule: str, rate: float) -> Path:
        key = self.folder / "store.key"
        key.write_text(base64.b64encode(bytes(range(32))).decode())
        key.chmod(0o600)
        lines = ["[store]", f'url = "{self.url}"', 'key = "${file:store.key}"']
        lines += ["[defaults]", f'schedule = "{schedule}"', f"rate = {rate}", 'start = "2000-01-01"']
        lines += ["[engine]", 'kind = "procrastinate"', *(f'{name} = "{value}"' for name, value in engine.items())]
        for name, settings in self.sources.items():
            lines += [f"[sources.{name}]", 'connector = "yard"', f'base_url = "{self.upstream.address}"']
            lines += [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in settings.items()]
        path = self.folder / "hub.toml"
        path.write_text("\n".join(lines) + "\n")
        return path
