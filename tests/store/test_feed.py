"""The feed: whoever remembers a position misses nothing, however many write (promise 12)."""

import threading

import pytest
from rig import START, open_store

from hub.errors import BreachedError
from hub.store.feed import FeedChange, changes_after, feed_head, follow
from hub.store.page import Change
from hub.store.store import Store
from hub.store.write import append_changes

WRITERS, PAGES = 4, 25


def write(url: str, writer: int, failures: list[BaseException]) -> None:
    """Pages of changes, each incident's revisions in order; every fifth transaction is given up at its end."""
    store = open_store(url)
    try:
        for page in range(PAGES):
            changes = [Change("update", f"w{writer}-{number}", page + 1, ("title",)) for number in range(writer + 1)]
            if page % 5 == 4:
                with pytest.raises(ZeroDivisionError), store.write() as transaction:
                    append_changes(transaction, changes, START)
                    raise ZeroDivisionError
            with store.write() as transaction:
                append_changes(transaction, changes, START)
    except BaseException as error:
        failures.append(error)
    finally:
        store.close()


def test_reader_beside_concurrent_writers_misses_nothing(store: Store, store_url: str) -> None:
    failures: list[BaseException] = []
    writers = [threading.Thread(target=write, args=(store_url, number, failures)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    seen: list[FeedChange] = []
    while True:
        alive = any(writer.is_alive() for writer in writers)
        for page in follow(store, seen[-1].seq if seen else 0, page=7):
            seen += page
        if not alive:
            break
    for writer in writers:
        writer.join()
    assert failures == []
    total = PAGES * sum(number + 1 for number in range(WRITERS))
    assert [change.seq for change in seen] == list(range(1, total + 1)) == list(range(1, feed_head(store) + 1))
    by_id: dict[str, list[int]] = {}
    for change in seen:
        by_id.setdefault(change.id, []).append(change.revision)
    assert all(revisions == list(range(1, PAGES + 1)) for revisions in by_id.values())
    assert len(by_id) == sum(number + 1 for number in range(WRITERS))


def test_number_is_seen_only_with_all_before_it(store: Store, store_url: str) -> None:
    """A writer that has its numbers but not yet committed keeps every later writer waiting, never a reader."""
    store.engine.dispose()
    other, entered, done = open_store(store_url), threading.Event(), threading.Event()

    def second() -> None:
        entered.set()
        with other.write() as transaction:
            append_changes(transaction, [Change("insert", "second", 1)], START)
        done.set()

    thread = threading.Thread(target=second)
    with store.write() as transaction:
        append_changes(transaction, [Change("insert", "first", 1)], START)
        thread.start()
        entered.wait(5)
        assert not done.wait(0.1)
        reader = open_store(store_url)
        assert changes_after(reader, 0) == []
        reader.close()
    thread.join(10)
    assert [change.id for change in changes_after(store, 0)] == ["first", "second"]
    other.close()


def test_pages_of_the_feed(store: Store) -> None:
    with store.write() as transaction:
        append_changes(transaction, [Change("insert", f"i{n}", 1, ()) for n in range(10)], START)
    assert [len(page) for page in follow(store, 0, page=4)] == [4, 4, 2]
    assert [change.seq for change in changes_after(store, 7)] == [8, 9, 10]
    assert changes_after(store, 10) == []


def test_a_number_above_the_head_is_of_another_store(store: Store) -> None:
    """Its reader would wait until the feed had come so far, and miss everything before."""
    with store.write() as transaction:
        append_changes(transaction, [Change("insert", "one", 1)], START)
    assert changes_after(store, 1) == []
    with pytest.raises(BreachedError, match="ends at 1"):
        changes_after(store, 2)


def test_nothing_to_tell_takes_no_number(store: Store) -> None:
    with store.write() as transaction:
        assert append_changes(transaction, [], START) == 0
    assert feed_head(store) == 0


@pytest.mark.parametrize(("after", "refused"), [(0, True), (4, True), (5, False), (9, False)])
def test_reading_below_the_floor_says_how_to_start_again(store: Store, after: int, refused: bool) -> None:
    with store.write() as transaction:
        append_changes(transaction, [Change("insert", f"i{n}", 1) for n in range(10)], START)
        transaction.run("DELETE FROM change WHERE seq <= 5")
        transaction.run("INSERT INTO meta (name, value) VALUES ('feed_floor', '5')")
    if not refused:
        assert changes_after(store, after)[0].seq == after + 1
        return
    with pytest.raises(BreachedError) as caught:
        changes_after(store, after)
    assert "incident_v1" in str(caught.value)
