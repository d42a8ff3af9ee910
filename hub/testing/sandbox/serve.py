"""Runs the sandbox as a program of its own: one JSON line on stdout says where everything is."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

from hub.testing.sandbox.clock import SHANGHAI
from hub.testing.sandbox.sandbox import Sandbox

_STEP_S = 20.0


def serve_forever(
    seed: int = 1,
    scale: int = 300,
    until: str | None = None,
    directory: str | Path = "sandbox",
    systems: Iterable[str] | None = None,
    weights: Mapping[str, float] | None = None,
    ports: Mapping[str, int] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; call it in the main thread. Prints addresses and where the credentials stand. A city without
    `until` lives on with the machine's clock."""
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with Sandbox(seed, scale, until, directory, systems, weights, ports) as sandbox:
        print(json.dumps(announcement(sandbox), ensure_ascii=False), flush=True)
        while not stopped.wait(_STEP_S if until is None else None):
            sandbox.live_until(int(time()))


def announcement(sandbox: Sandbox) -> dict[str, Any]:
    """What a reader of the line needs; secrets are named by the file they stand in, never shown."""
    return {
        "config": str(sandbox.config_path),
        "until": datetime.fromtimestamp(sandbox.now, SHANGHAI).isoformat(),
        "seed": sandbox.city.seed,
        "addresses": {name: sandbox.url(name) for name in sandbox.systems},
        "credentials": {name: str(path) for name, path in sandbox.secret_files.items()},
    }
