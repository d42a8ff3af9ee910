"""A process that is frozen in the middle of a page holds row locks: PostgreSQL ends its transaction, the others go on."""

import threading

import pytest

from hub.errors import UnavailableError
from hub.store.migrate import upgrade
from hub.store.store import Store
from hub.store.write import next_numbers


def test_a_frozen_page_does_not_block_the_others(postgres_url: str) -> None:
    frozen = Store(f"{postgres_url}&options=-c%20idle_in_transaction_session_timeout%3D500")
    other = Store(postgres_url)
    upgrade(other)
    took = threading.Event()

    def write() -> None:
        with other.write() as transaction:
            next_numbers(transaction, "feed", 1)
        took.set()

    with pytest.raises(UnavailableError), frozen.write() as transaction:
        next_numbers(transaction, "feed", 5)
        thread = threading.Thread(target=write)
        thread.start()
        assert took.wait(20), "the feed's counter is still locked"
        thread.join()
        next_numbers(transaction, "feed", 1)
    with frozen.read() as transaction:
        assert transaction.one("SELECT value FROM counter WHERE name = 'feed'")[0] == 1
    frozen.close()
    other.close()
