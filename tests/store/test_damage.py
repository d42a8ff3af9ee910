"""A damaged database is told as such, at whichever row the damage is met."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.errors import StoreError
from hub.store.store import Store, Transaction

PAGE = 4096


@pytest.fixture
def damaged(tmp_path: Path) -> Store:
    """A table that begins whole and is rubbish further on."""
    file = tmp_path / "hub.db"
    store = Store(f"sqlite:///{file}")
    with store.write() as transaction:
        transaction.run("CREATE TABLE thing (number INTEGER PRIMARY KEY, text TEXT)")
        transaction.run_many("INSERT INTO thing VALUES (?, ?)", [(number, "x" * 500) for number in range(2000)])
    store.close()
    body = bytearray(file.read_bytes())
    body[40 * PAGE : 200 * PAGE] = b"\xff" * (160 * PAGE)
    file.write_bytes(body)
    return Store(f"sqlite:///{file}")


@pytest.mark.parametrize(
    "ask",
    [
        lambda transaction: transaction.all("SELECT * FROM thing"),
        lambda transaction: transaction.one("SELECT count(text) FROM thing"),
        lambda transaction: list(transaction.stream("SELECT * FROM thing")),
    ],
)
def test_damage_is_told_with_a_remedy(damaged: Store, ask: Callable[[Transaction], object]) -> None:
    with pytest.raises(StoreError, match=r"malformed; .*restore a backup"), damaged.read() as transaction:
        ask(transaction)
    damaged.close()
