"""What the conformance kit asks of a simulated upstream, whatever it is made of: an API, a database, a folder, a tap."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub.testing.world import World

__all__ = ["Refusal", "Upstream", "Worlds"]

Worlds = Mapping[str, World]
"""Stream → its records."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A way not to answer: a fault and its options. `said` names it in findings; `lasting` False: it hits one reading
    and cannot be taken back (a broken file)."""

    fault: str
    options: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = True

    @property
    def said(self) -> str:
        return " ".join([self.fault, *(str(value) for value in self.options.values())])


class Upstream(Protocol):
    """A source in the hands of the kit. `tells_time`: answers carry a clock, so its present may be ahead of ours."""

    refusals: tuple[Refusal, ...]
    tells_time: bool
    page_rows: int

    def write(self) -> None:
        """Show the worlds as they are now."""

    def late(self) -> None:
        """Show the worlds as they are now, as something that should have come before."""

    def shift(self) -> None:
        """Move rows between the pages of the reading that is under way."""

    def fault(self, name: str, **options: Any) -> None: ...
    def clear(self) -> None: ...
