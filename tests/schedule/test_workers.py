"""Real worker processes: joined, drained, killed, frozen. Order, equality and fencing are asserted, never a time."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from severed import Line

from hub.store.queue import list_workers
from hub.testing.yard import Yard


@pytest.fixture
def long(tmp_path: Path, postgres_url: str) -> Iterator[Yard]:
    """One stream of twenty slow pages."""
    with Yard(tmp_path / "yard", postgres_url, {"long": {"pages": 20, "latency": 0.15}}) as yard:
        yield yard


def test_workers_share_the_streams_and_drain(tmp_path: Path, postgres_url: str) -> None:
    sources = {"wall": {"streams": 8, "pages": 6, "latency": 0.1}}
    with Yard(tmp_path / "yard", postgres_url, sources) as yard:
        workers = [yard.start("--slots", "4"), yard.start("--slots", "4")]
        yard.until(lambda: len(list_workers(yard.store)) == 2)
        yard.until(lambda: yard.settled() == 8)
        yard.assert_equals_upstream()
        assert [yard.stop(worker) for worker in workers] == [0, 0]
        assert list_workers(yard.store) == []
        assert {outcome for outcome, *_ in yard.runs("wall")} == {"ok"}


def test_a_drained_worker_hands_back_what_it_had_begun(long: Yard) -> None:
    first = long.start()
    long.until(lambda: long.pages() >= 3)
    assert long.stop(first) == 0
    assert long.runs("long")[0][0] == "interrupted"
    begun = long.pages()
    long.start()
    long.until(lambda: long.settled() == 1)
    assert long.pages() == 20 > begun
    long.assert_equals_upstream()


def test_a_killed_worker_is_continued_from_its_last_page(long: Yard) -> None:
    first = long.start()
    long.until(lambda: long.pages() >= 5)
    second = long.start()
    first.kill()
    first.wait()
    stored = long.pages()
    long.until(lambda: len(long.runs("long")) == 2)
    long.until(lambda: long.settled() == 1)
    (dead, _, before, _), (outcome, _, after, _) = long.runs("long")
    assert (dead, outcome) == ("dead", "ok")
    assert before >= stored - 1
    assert before + after == 20, "a page was stored twice or not at all"
    long.assert_equals_upstream()
    assert second.poll() is None


def test_a_frozen_worker_is_fenced_when_it_wakes(long: Yard) -> None:
    first = long.start()
    long.until(lambda: long.pages() >= 4)
    first.send_signal(signal.SIGSTOP)
    long.start()
    long.until(lambda: len(long.runs("long")) == 2)
    first.send_signal(signal.SIGCONT)
    long.until(lambda: long.settled() == 1)
    long.until(lambda: long.runs("long")[0][0] == "fenced")
    (_, _, before, token), (outcome, _, after, newer) = long.runs("long")
    assert outcome == "ok"
    assert newer > token
    assert before + after == 20
    long.assert_equals_upstream()
    # It goes on as a worker like any other.
    long.until(lambda: len(list_workers(long.store)) == 2)
    assert first.poll() is None


@pytest.mark.parametrize("back", ["mend", "tear"])
def test_a_worker_cut_off_from_the_database_is_replaced_and_comes_back(
    long: Yard, postgres_url: str, back: str
) -> None:
    """Its line falls silent and later goes on where it was, or every connection turns out to be broken."""
    line = Line(postgres_url)
    cut_off = long.start(store_url=line.url)
    long.until(lambda: long.pages() >= 4)
    line.cut()
    long.start()
    long.until(lambda: len(long.runs("long")) == 2)
    long.until(lambda: long.settled() == 1)
    assert [worker.owner.split(":")[1] for worker in list_workers(long.store)] != [str(cut_off.pid)]
    getattr(line, back)()
    long.until(lambda: long.runs("long")[0][0] != "running")
    (first, _, before, token), (outcome, _, after, newer) = long.runs("long")
    # It was declared dead; once it can speak again it may say itself that it was fenced, or that the store was away.
    assert first in ("fenced", "dead", "unavailable")
    assert (outcome, newer > token, before + after) == ("ok", True, 20)
    long.assert_equals_upstream()
    long.until(lambda: len(list_workers(long.store)) == 2)
    assert cut_off.poll() is None, "it has ended"
    line.close()


def test_a_database_that_goes_away_is_told_once_and_its_return_once(long: Yard, postgres_url: str) -> None:
    """Not by every chore, at every attempt, nor with the tracebacks of the libraries below."""
    line = Line(postgres_url)
    worker = long.start(store_url=line.url)
    log = long.folder / "worker0.log"

    def told(action: str) -> int:
        return log.read_text().count(f"action={action}")

    long.until(lambda: long.settled() == 1)
    line.away.set()
    line.tear()
    long.until(lambda: line.refused > 30)
    line.away.clear()
    long.until(lambda: told("worker_back"))
    long.until(lambda: len(list_workers(long.store)) == 1)
    assert long.stop(worker) == 0
    loud = [text.split() for text in log.read_text().splitlines() if text[:2] == "20" and " INFO " not in text]
    assert [(words[1], words[-1]) for words in loud] == [
        ("ERROR", "action=worker_down"),
        ("WARNING", "action=worker_back"),
    ]
    assert '  File "' not in log.read_text()
    line.close()


def test_workers_that_die_again_and_again_lose_nothing(tmp_path: Path, postgres_url: str) -> None:
    chance = random.Random(7)
    sources = {"wall": {"streams": 12, "pages": 8, "latency": 0.1}}
    with Yard(tmp_path / "yard", postgres_url, sources) as yard:
        workers = [yard.start("--slots", "2"), yard.start("--slots", "2")]
        for _ in range(3):
            time.sleep(2)
            place = chance.randrange(2)
            workers[place].kill()
            workers[place].wait()
            workers[place] = yard.start("--slots", "2")
        yard.until(lambda: yard.settled() == 12, 60)
        yard.assert_equals_upstream()
        # A worker that dies between its last page and its job's end is followed by a run that finds nothing new: pages may be
        # read again, but no record is stored twice.
        [(new, changed)] = yard.query("SELECT sum(new), sum(changed) FROM run")
        [(stored,)] = yard.query("SELECT count(*) FROM incident")
        assert (int(new), int(changed)) == (stored, 0)
        assert yard.pages() >= 12 * 8


def test_partitions_are_read_side_by_side_and_make_the_whole(tmp_path: Path, postgres_url: str) -> None:
    sources = {"big": {"pages": 6, "latency": 0.05, "partitions": ["0", "1", "2"]}}
    with Yard(tmp_path / "yard", postgres_url, sources) as yard:
        yard.start("--slots", "8")
        yard.until(lambda: yard.settled() == 3)
        yard.assert_equals_upstream()
        partitions = [row[0] for row in yard.query("SELECT partition FROM state ORDER BY 1")]
        assert partitions == ["0", "1", "2"]
