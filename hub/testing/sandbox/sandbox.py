"""The sandbox: the city, a port for every system, and the handles tests and trainees hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from time import time
from types import TracebackType
from typing import Any, Self

from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import instant
from hub.testing.sandbox.config import write_config
from hub.testing.sandbox.control import Port, Served, World
from hub.testing.sandbox.server import Server
from hub.testing.sandbox.streams import STREAMS, SYSTEMS
from hub.testing.sandbox.systems import drop, exchange, gateway, hotline, irs, open311
from hub.testing.sandbox.systems.system import System
from hub.testing.sandbox.truth import truth

Maker = Callable[[str, City, Path], System]

MAKERS: dict[str, Maker] = {
    "internet_supervision": gateway.internet_supervision,
    "enforcement_supervision": gateway.enforcement_supervision,
    **dict.fromkeys(irs.PLATFORMS, irs.Irs),
    "hotline_8890": hotline.Hotline,
    **dict.fromkeys(exchange.DATABASES, exchange.Exchange),
    "open311": open311.Open311,
    "csv_drop": drop.Drop,
}


class Sandbox:
    """Serves upstream systems on the loopback address while the `with` block lasts.

    `until` is the city's clock at the start (ISO 8601; without offset Asia/Shanghai; default now, to the second);
    `scale` is roughly the number of records of all served systems together; `systems` limits which are served;
    `weights` shares the records out otherwise: `{"hotline_8890.work_orders": 1}`; `ports` fixes ports by system;
    `databases` puts exchange databases elsewhere: SQLAlchemy URLs by system.
    """

    def __init__(
        self,
        seed: int = 1,
        scale: int = 300,
        until: str | None = None,
        directory: str | Path = "sandbox",
        systems: Iterable[str] | None = None,
        weights: Mapping[str, float] | None = None,
        ports: Mapping[str, int] | None = None,
        databases: Mapping[str, str] | None = None,
    ) -> None:
        names = tuple(SYSTEMS if systems is None else systems)
        if unknown := sorted(set(names) - set(SYSTEMS)):
            raise ValueError(f"unknown systems {', '.join(unknown)}: use some of {', '.join(SYSTEMS)}")
        self.directory = Path(directory).absolute()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        shares = {spec.key: spec.weight for spec in STREAMS if spec.system in names} if weights is None else weights
        self.city = City(seed, scale, int(time()) if until is None else instant(until), shares)
        world = World(self.tick, self.advance, self.lock)
        self._ports: dict[str, Port] = {}
        self._servers: dict[str, Server] = {}
        for name in names:
            make = MAKERS[name]
            if databases and name in databases:
                make = partial(exchange.Exchange, url=databases[name])
            port = Port(make(name, self.city, self.directory), world)
            self._ports[name] = port
            self._servers[name] = Server(port.respond, lambda: self.city.clock.http_date, (ports or {}).get(name, 0))
        sections = {name: port.system.settings(self.url(name)) for name, port in self._ports.items()}
        self.config_path, self.secret_files = write_config(self.directory, sections)

    def __enter__(self) -> Self:
        for port in self._ports.values():
            port.system.moved()
        for server in self._servers.values():
            server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.stop()
        for port in self._ports.values():
            port.system.close()

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(self._ports)

    @property
    def now(self) -> int:
        """The city's clock, epoch seconds."""
        return self.city.clock.now

    def url(self, system: str) -> str:
        """Scheme, host and port of a system (for tables and files: of its control plane)."""
        return f"http://127.0.0.1:{self._servers[system].port}"

    def truth(self, system: str) -> dict[str, Any]:
        with self.lock:
            return truth(self.city, system)

    def warm(self) -> None:
        """Render all rows ahead, so that a benchmark measures its reader and not this."""
        with self.lock:
            for port in self._ports.values():
                for pager in port.system.pagers():
                    for row in pager.shelf.rows:
                        pager.text(row)

    def tick(self, steps: int = 1) -> None:
        """Let the city move `steps` times ten minutes."""
        with self.lock:
            self.city.tick(steps)
            self._moved()

    def live_until(self, instant: int) -> None:
        """Let the city live on to an instant (epoch seconds), moving every ten minutes."""
        with self.lock:
            if self.city.live_until(instant):
                self._moved()

    def _moved(self) -> None:
        for port in self._ports.values():
            port.system.moved()

    def advance(self, seconds: int) -> None:
        """Let time pass without anything happening."""
        with self.lock:
            self.city.clock.advance(seconds)

    def fault(self, system: str, name: str, **options: Any) -> None:
        """Switch a fault on: names in `faults.FAULTS`, common options `times`, `skip`, `on`."""
        self._ports[system].fault(name, **options)

    def clear(self, system: str | None = None) -> None:
        """Switch faults off in one system or in all (what `absurd` planted stays)."""
        for name, port in self._ports.items():
            if system in (None, name):
                port.clear()

    def requests(self, system: str) -> list[Served]:
        """Every request of the wire so far, oldest first, without the control plane's."""
        return list(self._ports[system].served)
