"""Where a connector is put to the test: a hub with a fresh store, an upstream that can be moved and broken, and what is
true upstream. One bench stands on the author's samples, another on the sandbox."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from pydantic import SecretStr

from hub.errors import HubError
from hub.source.stream import Page
from hub.sync.result import RunResult
from hub.sync.run import RunOptions
from hub.sync.sources import Hub
from hub.testing.tested import TestedProject
from hub.testing.upstream import Refusal

__all__ = ["Bench", "CommonBench", "secrets_of"]


class Bench(Protocol):
    """What a check can do. `refusals`: the ways this source can fail to answer; `renews`: whether its sign-in can expire;
    `throttles`: whether it can say "later"; `planted`: codes it sends that no list has, on purpose; `few`: records a short run
    takes."""

    source: str
    hub: Hub
    heard: list[str]
    refusals: tuple[Refusal, ...]
    renews: bool
    throttles: bool
    planted: frozenset[str]
    few: int

    def sync(self, *, full: bool = False, limit: int | None = None) -> list[RunResult]: ...
    def fault(self, name: str, **options: Any) -> None: ...
    def clear(self) -> None: ...
    def watch(self, after_page: Callable[[Page], None] | None) -> None:
        """Be called with each page that was fetched, before the hub sees it; None: no more."""

    def shift(self) -> None:
        """Records change while they are read: between the first pages of the next sync."""

    def move(self) -> None:
        """Some records are new, some changed; time passes."""

    def tie(self) -> None:
        """Many records change in one second, more than a page holds; one more carries the cursor's own time."""

    def late(self) -> None:
        """A record turns up that is older than what was read, but not older than the lookback."""

    def withdraw(self) -> int:
        """Some records vanish, or are flagged as withdrawn; how many."""

    def differences(self) -> list[str]: ...


class CommonBench:
    """What both benches do alike."""

    source: str
    project: TestedProject
    heard: list[str]
    few = 5

    enumerated = False

    @property
    def hub(self) -> Hub:
        return self.project.hub

    def sync(self, *, full: bool = False, limit: int | None = None) -> list[RunResult]:
        self.enumerated = full
        return self.hub.sync([self.source], RunOptions(full_refresh=full, limit=limit))

    def watch(self, after_page: Callable[[Page], None] | None) -> None:
        self.project.tested.after_page = after_page

    def close(self) -> None:
        self.hub.store.close()


def secrets_of(hub: Hub, source: str) -> list[str]:
    """The secret settings of a source, in clear, for looking whether they got out."""
    settings = hub.settings.sources[source]
    try:
        config = settings.connector_config(hub.plugins.connector(settings.connector).Config)
    except HubError:
        return []
    return list(_secrets([getattr(config, name) for name in type(config).model_fields]))


def _secrets(values: list[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, dict):
            yield from _secrets(list(value.values()))
