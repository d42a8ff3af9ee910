"""A bench on the sandbox: a built-in connector against a city that shares nothing with it."""

from pathlib import Path
from typing import Any

from hub.source.connector import Connector
from hub.source.stream import Page
from hub.testing.bench import CommonBench
from hub.testing.comparison import differences
from hub.testing.quality import Quality
from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.lives import LIVES
from hub.testing.tested import TestedProject, settings_of
from hub.testing.upstream import Refusal

__all__ = ["SandboxBench"]

_HTTP = tuple(Refusal("http_status", {"status": status}) for status in (401, 403, 404)) + tuple(
    Refusal(name) for name in ("login_page", "empty_body", "error_envelope")
)
_REFUSALS = {
    "poll": _HTTP,
    "table": (Refusal("table_missing"),),
    "file": (Refusal("broken_file", lasting=False), Refusal("broken_file", {"kind": "xlsx"}, lasting=False)),
}


class SandboxBench(CommonBench):
    """The sandbox has its own clock and its own faults."""

    def __init__(self, connector: type[Connector], quality: Quality, sandbox: Sandbox, folder: Path) -> None:
        self.source, self.heard, self.sandbox = quality.sandbox, [], sandbox
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"start": "2000-01-01", **settings_of(quality, {"folder": str(folder)})}
        prefix = f"HUB_SOURCES__{self.source.upper()}__"
        variables = {prefix + name.upper(): str(value) for name, value in settings.items()}
        self.project = TestedProject(folder, sandbox.config_path, connector, variables)
        self.refusals = _REFUSALS[connector.arrival]
        self.throttles = connector.arrival == "poll"
        with self.hub.open(self.source) as source:
            auth = getattr(source.transport, "_auth", None)
            self.renews = self.throttles and (auth is None or auth.renewable)

    @property
    def planted(self) -> frozenset[str]:
        lives = [life for key, life in LIVES.items() if key.partition(".")[0] == self.source]
        return frozenset(
            stage.code for life in lives for path in life.paths for stage in path if stage.status == "unmapped"
        )

    def fault(self, name: str, **options: Any) -> None:
        self.sandbox.fault(self.source, name, **options)

    def clear(self) -> None:
        self.sandbox.clear()

    def shift(self) -> None:
        if self.throttles:
            self.fault("shifting_pages", times=2)
            return
        left = iter(range(2))

        def after_page(page: Page) -> None:
            if page.next is not None and next(left, None) is not None:
                self.sandbox.tick()

        self.watch(after_page)

    def move(self) -> None:
        self.sandbox.tick(3)

    def tie(self) -> None:
        self.sandbox.tick(6)

    def late(self) -> None:
        self.sandbox.tick(2)

    def withdraw(self) -> int:
        def gone() -> int:
            return sum(len(stream["deleted"]) for stream in self.sandbox.truth(self.source)["streams"].values())

        before = gone()
        for _ in range(40):
            self.sandbox.tick(3)
            if gone() > before:
                break
        return gone() - before

    def differences(self) -> list[str]:
        found = differences(self.project, self.sandbox, self.source)
        # What vanished without a word shows only in a full reading.
        return [line for line in found if self.enumerated or "withdrawn upstream" not in line]
