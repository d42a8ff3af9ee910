"""The audit chain: any alteration is found, and it names the first altered entry."""

import threading

import pytest
from rig import START, open_store

from hub.store.audit import first_altered, list_audit, record_action
from hub.store.store import Store


def fill(store: Store, count: int = 6, actor: str = "wang") -> None:
    for number in range(count):
        record_action(
            store, actor=actor, action="unmask", target=f"inc_{number}", reason="案件复核", now=START + number
        )


ALTERED = {
    "actor": ("UPDATE audit SET actor = 'li' WHERE number = 3", 3),
    "reason": ("UPDATE audit SET reason = '' WHERE number = 4", 4),
    "time": ("UPDATE audit SET at = at + 1 WHERE number = 1", 1),
    "hash": ("UPDATE audit SET hash = 'x' WHERE number = 5", 5),
    "removed": ("DELETE FROM audit WHERE number = 2", 2),
    "first removed": ("DELETE FROM audit WHERE number = 1", 1),
    "renumbered": ("UPDATE audit SET number = 99 WHERE number = 6", 6),
    "two altered": ("UPDATE audit SET target = 'y' WHERE number IN (2, 5)", 2),
    "moved between fields": ("UPDATE audit SET actor = 'wangunmask', action = '' WHERE number = 2", 2),
}


@pytest.mark.parametrize(("statement", "number"), ALTERED.values(), ids=ALTERED)
def test_first_altered_entry_is_named(store: Store, statement: str, number: int) -> None:
    fill(store)
    assert first_altered(store) is None
    with store.write() as transaction:
        transaction.run(statement)
    assert first_altered(store) == number


def test_entries_swapped_are_found(store: Store) -> None:
    fill(store)
    with store.write() as transaction:
        for old, new in ((2, -1), (3, 2), (-1, 3)):
            transaction.run("UPDATE audit SET number = ? WHERE number = ?", (new, old))
    assert first_altered(store) == 2


def test_a_first_entry_forged_with_its_right_hash_breaks_the_chain_behind_it(store: Store) -> None:
    fill(store)
    with store.write() as transaction:
        columns = "number, at, actor, action, target, reason, hash"
        others = transaction.all(f"SELECT {columns} FROM audit WHERE number > 1")
        transaction.run("DELETE FROM audit")
    record_action(store, actor="li", action="unmask", target="inc_0", reason="案件复核", now=START)
    with store.write() as transaction:
        transaction.run_many(f"INSERT INTO audit ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", others)
    assert first_altered(store) == 2


def test_empty_log_holds(store: Store) -> None:
    assert first_altered(store) is None
    assert list_audit(store) == []


def test_many_writers_make_one_chain(store: Store, store_url: str) -> None:
    def write(name: str) -> None:
        own = open_store(store_url)
        fill(own, 8, name)
        own.close()

    threads = [threading.Thread(target=write, args=(f"writer {n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = list_audit(store)
    assert [entry.number for entry in entries] == list(range(24, 0, -1))
    assert first_altered(store) is None
