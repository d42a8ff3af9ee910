"""One port: the system's own wire, its faults, and the control plane under `/__control`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hub.testing.sandbox.absurd import KINDS, fits
from hub.testing.sandbox.faults import AT_ONCE, Fault, Faults, UnknownFaultError, bend, instead
from hub.testing.sandbox.server import Answer, Request, json_answer
from hub.testing.sandbox.systems.system import System
from hub.testing.sandbox.truth import truth

CONTROL = "/__control/"


@dataclass(frozen=True)
class Served:
    """One request as a test wants to count it: never its secrets."""

    method: str
    path: str
    status: int
    fault: str | None


class World:
    """What moves all systems at once: the city, under one lock, and everybody who must hear of a move."""

    def __init__(self, tick: Callable[[int], None], advance: Callable[[int], None], lock: threading.RLock) -> None:
        self.tick = tick
        self.advance = advance
        self.lock = lock


class Port:
    """Answers what arrives at one system's port."""

    def __init__(self, system: System, world: World) -> None:
        self.system = system
        self.world = world
        self.faults = Faults()
        self.served: list[Served] = []

    def respond(self, request: Request) -> Answer:
        if request.path.startswith(CONTROL):
            return self._control(request)
        fault = self.faults.take(self.system.is_credential_call(request))
        answer = self._answer(request, fault)
        self.served.append(Served(request.method, request.path, answer.status, fault.name if fault else None))
        return answer

    def _answer(self, request: Request, fault: Fault | None) -> Answer:
        if fault is None:
            with self.world.lock:
                return self.system.handle(request)
        if (given := instead(fault, self.system.city.clock.now)) is not None:
            return given
        with self.world.lock:
            if fault.name == "error_envelope":
                code = fault.options.get("code")
                return self.system.error_envelope(None if code is None else str(code))
            if fault.name in ("duplicate_page", "shifting_pages"):
                request.quirk = fault.name
            return bend(fault, request, self.system.handle(request))

    # -- control ------------------------------------------------------------------------------------------------

    def _control(self, request: Request) -> Answer:
        verb = (request.method, request.path.removeprefix(CONTROL))
        options = request.json
        try:
            match verb:
                case ("GET", "truth"):
                    with self.world.lock:
                        return json_answer(truth(self.system.city, self.system.name))
                case ("GET", "requests"):
                    return json_answer({"count": len(self.served), "requests": [vars(one) for one in self.served]})
                case ("POST", "tick"):
                    self.world.tick(_whole(options, "steps", 1))
                case ("POST", "clock"):
                    self.world.advance(_whole(options, "advance_s", 0))
                case ("POST", "fault"):
                    self.fault(str(options.pop("fault", "")), **options)
                case ("POST", "clear"):
                    self.clear()
                case _:
                    return json_answer({"error": f"no such control: {request.path}"}, 404)
        except (ValueError, TypeError) as error:
            return json_answer({"error": str(error)}, 400)
        return json_answer({"ok": True, "clock": self.system.city.clock.now, "faults": self.faults.names})

    def fault(self, name: str, **options: Any) -> None:
        """Switch a fault on; see `faults.FAULTS` for the names."""
        common = {key: options.pop(key) for key in ("times", "skip", "on") if key in options}
        fault = Fault(name, **common, options=options)
        if name not in AT_ONCE:
            self.faults.add(fault)
            return
        with self.world.lock:
            if name == "expired_token":
                self.system.forget_credentials()
            elif name == "absurd":
                self._plant(options)
            elif not self.system.sabotage(name, options):
                raise UnknownFaultError(f"{self.system.name} has no fault {name!r}")

    def clear(self) -> None:
        """Switch all faults off; what `absurd` and `broken_file` put there stays."""
        self.faults.clear()
        with self.world.lock:
            self.system.repair()

    def _plant(self, options: dict[str, Any]) -> None:
        kinds = options.get("kinds") or list(KINDS)
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise UnknownFaultError(f"unknown kinds {', '.join(unknown)}: use some of {', '.join(KINDS)}")
        for shelf in self.system.shelves.values():
            if options.get("stream") in (None, shelf.spec.name):
                for kind in kinds:
                    if fits(kind, shelf.spec.key, self.system.speaks_json):
                        self.system.city.plant(shelf.spec.key, kind)
        self.system.moved()


def _whole(options: dict[str, Any], name: str, default: int) -> int:
    return int(options.get(name, default))
