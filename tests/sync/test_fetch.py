"""Waiting for a source: retries, stops, deadlines, renewals, one page ahead."""

import gc
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rig import START, Hurry, Rig, wait_until, write_mapping
from upstream import Upstream

from hub.errors import (
    DeadlineError,
    EnvelopeError,
    FencedError,
    InterruptedByOperatorError,
    RateLimitedError,
    TokenExpiredError,
    UnavailableError,
)
from hub.source.stream import Page, Window
from hub.sync.fetch import Fetcher
from hub.sync.retry import MAX_RENEWALS

ALL = Window()


def as_it_is(page: Page) -> Page:
    return page


@pytest.fixture
def upstream() -> Upstream:
    upstream = Upstream(size=1)
    for number in range(5):
        upstream.put(f"r{number}", START + number)
    return upstream


@pytest.fixture
def fetcher(tmp_path: Path, upstream: Upstream) -> Callable[..., Fetcher]:
    def make(
        stop: threading.Event | None = None, deadline: float = 60, hold: Any = None, shape: Any = (), **settings: Any
    ) -> Fetcher:
        rig = Rig(None, write_mapping(tmp_path / "m"), upstream).set(**settings).shape(**dict(shape))  # type: ignore[arg-type]
        until = time.monotonic() + deadline
        return Fetcher(rig.job, stop or Hurry(), until, hold) if hold else Fetcher(rig.job, stop or Hurry(), until)

    return make


def failing(*errors: Exception) -> Callable[[Upstream], None]:
    left = list(errors)

    def fail(_: Upstream) -> None:
        if left:
            raise left.pop(0)

    return fail


def test_next_page_is_fetched_while_this_one_is_applied(fetcher: Any, upstream: Upstream) -> None:
    pages = fetcher().pages(ALL, None, as_it_is)
    next(pages)
    wait_until(lambda: upstream.fetches == 2)
    assert len(list(pages)) == 4
    assert upstream.fetches == 5, "one page ahead, never more"


def test_page_is_asked_for_until_it_comes(fetcher: Any, upstream: Upstream) -> None:
    stop = Hurry()
    upstream.before_fetch = failing(UnavailableError("1"), RateLimitedError("2", retry_after=9), UnavailableError("3"))
    assert len(list(fetcher(stop).pages(ALL, None, as_it_is))) == 5
    assert stop.waited[1] == 9
    assert 0.5 <= stop.waited[0] <= 1
    assert 2 <= stop.waited[2] <= 4


def test_every_page_has_its_own_attempts(fetcher: Any, upstream: Upstream) -> None:
    errors = [UnavailableError("x") if n % 3 else None for n in range(30)]

    def fail(_: Upstream) -> None:
        error = errors.pop()
        if error is not None:
            raise error

    upstream.before_fetch = fail
    assert len(list(fetcher(retries=2).pages(ALL, None, as_it_is))) == 5


def test_gives_up_after_the_retries(fetcher: Any, upstream: Upstream) -> None:
    upstream.before_fetch = failing(*[UnavailableError("x")] * 9)
    with pytest.raises(UnavailableError):
        next(fetcher(retries=3).pages(ALL, None, as_it_is))
    assert upstream.fetches == 4


def test_pages_before_a_failure_are_still_given(fetcher: Any, upstream: Upstream) -> None:
    def fail(up: Upstream) -> None:
        if up.fetches > 2:
            raise UnavailableError("x")

    upstream.before_fetch = fail
    pages = fetcher(retries=0).pages(ALL, None, as_it_is)
    next(pages), next(pages)
    with pytest.raises(UnavailableError):
        next(pages)


def test_renewals_end(fetcher: Any, upstream: Upstream) -> None:
    upstream.before_fetch = failing(*[TokenExpiredError("x")] * 99)
    with pytest.raises(TokenExpiredError):
        next(fetcher().pages(ALL, None, as_it_is))
    assert upstream.renewed == MAX_RENEWALS


def test_renewals_cost_no_attempts(fetcher: Any, upstream: Upstream) -> None:
    expired, down = TokenExpiredError("x"), UnavailableError("y")
    upstream.before_fetch = failing(expired, down, expired, down, expired)
    assert len(list(fetcher(retries=2).pages(ALL, None, as_it_is))) == 5


def test_stop_while_waiting_ends_at_once(fetcher: Any, upstream: Upstream) -> None:
    stop = threading.Event()
    upstream.before_fetch = failing(*[RateLimitedError("x", retry_after=50)] * 9)
    began = time.monotonic()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    with pytest.raises(InterruptedByOperatorError):
        next(fetcher(stop).pages(ALL, None, as_it_is))
    assert time.monotonic() - began < 2
    timer.join()


def test_stop_hands_out_the_page_in_hand_and_no_other(fetcher: Any, upstream: Upstream) -> None:
    stop = Hurry()
    pages = fetcher(stop).pages(ALL, None, as_it_is)
    next(pages)
    stop.set()
    next(pages)
    with pytest.raises(InterruptedByOperatorError):
        next(pages)
    assert upstream.fetches == 2


def test_stop_after_the_last_page_is_no_interruption(fetcher: Any, upstream: Upstream) -> None:
    stop = Hurry()
    del upstream.records[1:]
    pages = fetcher(stop).pages(ALL, None, as_it_is)
    next(pages)
    stop.set()
    assert list(pages) == []


def test_run_deadline_ends_between_requests(fetcher: Any, upstream: Upstream) -> None:
    with pytest.raises(DeadlineError):
        next(fetcher(deadline=-1).pages(ALL, None, as_it_is))
    assert upstream.fetches == 0


@pytest.mark.parametrize("limit", ["page", "run"])
def test_no_wait_outlives_a_deadline(fetcher: Any, upstream: Upstream, limit: str) -> None:
    upstream.before_fetch = failing(RateLimitedError("x", retry_after=30))
    settings = {"page_deadline": timedelta(seconds=10)} if limit == "page" else {"deadline": 10}
    stop = Hurry()
    with pytest.raises(RateLimitedError):
        next(fetcher(stop, **settings).pages(ALL, None, as_it_is))
    assert stop.waited == []


def test_whoever_waits_holds_the_lease(fetcher: Any, upstream: Upstream) -> None:
    held: list[int] = []
    slow = fetcher(hold=lambda: held.append(threading.get_ident()))
    slow._renew_s = 0.002
    upstream.before_fetch = lambda _: wait_until(lambda: len(held) > 3)
    next(slow.pages(ALL, None, as_it_is))
    assert set(held) == {threading.get_ident()}, "in the thread that writes"


def test_lost_lease_ends_the_waiting(fetcher: Any, upstream: Upstream) -> None:
    release = threading.Event()

    def lost() -> None:
        release.set()
        raise FencedError("lost")

    slow = fetcher(hold=lost)
    slow._renew_s = 0.002
    upstream.before_fetch = lambda _: wait_until(release.is_set)
    with pytest.raises(FencedError):
        next(slow.pages(ALL, None, as_it_is))


def test_page_that_nobody_waits_for_any_more_is_not_prepared(fetcher: Any, upstream: Upstream) -> None:
    def lost() -> None:
        raise FencedError("lost")

    prepared: list[Page] = []
    slow = fetcher(hold=lost)
    slow._renew_s = 0.002
    upstream.before_fetch = lambda _: time.sleep(0.3)
    with pytest.raises(FencedError):
        next(slow.pages(ALL, None, prepared.append))
    assert (upstream.fetches, prepared) == (1, [])


def test_pages_are_prepared_ahead_in_the_thread_that_fetches(fetcher: Any, upstream: Upstream) -> None:
    threads: list[str] = []
    pages = fetcher().pages(ALL, None, lambda page: threads.append(threading.current_thread().name))
    next(pages)
    wait_until(lambda: len(threads) == 2)
    pages.close()
    assert all(name.startswith("fetch-") for name in threads)


def test_long_wait_for_a_detail_holds_the_lease(fetcher: Any, upstream: Upstream, monkeypatch: Any) -> None:
    held: list[int] = []

    def detail(stream: Any, row: bytes) -> bytes:
        wait_until(lambda: len(held) > 3)
        return b"{}"

    monkeypatch.setattr(upstream, "detail", detail)
    patient = fetcher(hold=lambda: held.append(threading.get_ident()))
    patient._renew_s = 0.002
    assert list(patient.details([b"{}"])) == [b"{}"]
    assert set(held) == {threading.get_ident()}, "in the thread that writes"
    assert patient.requests == 1


def test_many_quick_details_hold_the_lease(fetcher: Any, upstream: Upstream, monkeypatch: Any) -> None:
    held: list[int] = []
    monkeypatch.setattr(upstream, "detail", lambda stream, row: b"{}")
    patient = fetcher(hold=lambda: held.append(0))
    list(patient.details([b"{}"]))
    assert held == []
    patient._held_at -= 1000
    list(patient.details([b"{}", b"{}"]))
    assert held == [0]


def test_details_come_in_order_a_few_at_a_time(fetcher: Any, upstream: Upstream, monkeypatch: Any) -> None:
    """However late the first of them is; what is wrong with one stands in its place."""
    asked: list[int] = []
    before_the_first: list[int] = []
    given = threading.Semaphore(0)

    def detail(stream: Any, row: bytes) -> bytes:
        asked.append(int(row))
        if row == b"0":
            given.acquire()
        if row == b"2":
            time.sleep(0.05)
            before_the_first[:] = sorted(asked)
            given.release()
            raise EnvelopeError("not this one")
        return b"detail " + row

    monkeypatch.setattr(upstream, "detail", detail)
    several = fetcher(shape={"details_at_once": 3})
    found = list(several.details([b"%d" % number for number in range(7)]))
    assert [isinstance(one, EnvelopeError) or one for one in found] == [
        b"detail 0", b"detail 1", True, b"detail 3", b"detail 4", b"detail 5", b"detail 6"
    ]  # fmt: skip
    assert sorted(asked) == list(range(7))
    assert before_the_first == [0, 1, 2], "the fourth waits for the first"
    assert several.requests == 7


def test_an_error_of_the_source_ends_the_details_and_leaves_no_thread(
    fetcher: Any, upstream: Upstream, monkeypatch: Any
) -> None:
    def detail(stream: Any, row: bytes) -> bytes:
        if row == b"1":
            raise UnavailableError("down")
        return row

    monkeypatch.setattr(upstream, "detail", detail)
    details = fetcher(retries=0, shape={"details_at_once": 3}).details([b"%d" % number for number in range(7)])
    assert next(details) == b"0"
    with pytest.raises(UnavailableError):
        next(details)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch-")]


def test_closing_leaves_no_thread(fetcher: Any, upstream: Upstream) -> None:
    pages = fetcher().pages(ALL, None, as_it_is)
    next(pages)
    pages.close()
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch-")]
