"""What people use today for the same work, tuned as their own performance pages advise, each in its own environment."""

from collections.abc import Iterator
from typing import Protocol

from contestants import Place
from measure import Samples

__all__ = ["Peer", "peers"]


class Peer(Protocol):
    name: str
    store: str

    def measure(self, samples: Samples, sizes: tuple[int, int]) -> None:
        """A first load and a full re-read at both sizes, once."""


def peers(place: Place) -> Iterator[Peer]:
    """Every peer that is installed."""
    return iter(())
