"""Runs as a whole: boundaries, clocks, leases and fencing, conflicts, stopping, defects (promises 1, 3, 5, 9, 10)."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rig import START, Clock, Hurry, Mortal, Rig, Sudden, open_store, wait_until
from upstream import Upstream

from hub.errors import (
    EXIT_CODES,
    BusyError,
    EnvelopeError,
    FencedError,
    HubError,
    LoginPageError,
    Outcome,
    QuotaSpentError,
    RateLimitedError,
    TokenExpiredError,
    UnavailableError,
)  # fmt: skip
from hub.source.stream import Cursor, Stream, Window
from hub.store import leases, runs

MINUTE = 60_000
JUMP = int(datetime(2999, 1, 1, tzinfo=UTC).timestamp() * 1000)


def cursor(**changes: Any) -> Cursor:
    return Cursor(path="at", format="epoch_ms", **changes)


def raising(error: BaseException, times: int = 10**9) -> Any:
    left = [times]

    def fail(_: Upstream) -> None:
        if left[0] > 0:
            left[0] -= 1
            raise error

    return fail


# Boundaries and clocks (promise 3)


def test_equal_timestamps_at_page_and_run_boundaries_are_never_skipped(rig: Rig, upstream: Upstream) -> None:
    rig.shape(cursor=cursor(lookback=timedelta(0), safety_lag=timedelta(0)))
    for number in range(8):
        upstream.put(f"r{number}", START)
    upstream.clock = START
    rig.run()
    assert len(rig.living()) == 8
    for number in range(8, 12):
        upstream.put(f"r{number}", START)
    assert rig.run().counts.new == 4, "they carry the cursor's own timestamp"


def test_cursor_stops_at_the_clock_less_the_safety_lag(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 1000)
    upstream.clock = START
    assert rig.run().cursor == START - MINUTE
    upstream.put("b", START - 30_000)
    assert rig.run().counts.new == 1


def test_cursor_never_passes_what_was_seen(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 50 * MINUTE)
    assert rig.run().cursor == START - 50 * MINUTE


def test_late_row_inside_the_lookback_is_found(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 2 * MINUTE)
    rig.run()
    upstream.put("late", START - 11 * MINUTE)
    assert rig.run().counts.new == 1


@pytest.mark.parametrize("told", [True, False], ids=["and its clock says so", "and tells no time"])
def test_rows_of_the_year_2999_do_not_take_the_cursor_with_them(rig: Rig, upstream: Upstream, told: bool) -> None:
    upstream.put("mad", JUMP)
    upstream.clock = JUMP if told else None
    assert rig.run().cursor == START - MINUTE
    upstream.clock = START
    upstream.put("sane", START)
    assert rig.run().counts.new == 1


def test_forgotten_cursor_stands_again_without_trusting_a_mad_row(rig: Rig, upstream: Upstream) -> None:
    upstream.put("mad", JUMP)
    rig.run()
    with rig.store.write() as transaction:
        transaction.run("DELETE FROM state")
    assert rig.run().cursor == START - MINUTE


def test_spans_end_although_the_clock_says_2999(rig: Rig, upstream: Upstream) -> None:
    rig.shape(cursor=cursor(max_span=timedelta(days=30)))
    rig.start = datetime.fromtimestamp(START / 1000, UTC) - timedelta(days=90)
    upstream.put("a", START - 1000)
    upstream.clock = JUMP
    assert rig.run().outcome is Outcome.OK
    assert upstream.fetches <= 4


def test_spans_follow_each_other_without_gaps(rig: Rig, upstream: Upstream) -> None:
    rig.shape(cursor=cursor(max_span=timedelta(days=30)))
    rig.start = datetime.fromtimestamp(START / 1000, UTC) - timedelta(days=100)
    for day in range(100):
        upstream.put(f"d{day:03}", START - day * 86_400_000)
    assert rig.run().counts.new == 100
    windows = list(dict.fromkeys((window.since, window.until) for window, _ in upstream.windows))
    assert [until for _, until in windows[:-1]] == [since for since, _ in windows[1:]]


def test_first_run_goes_back_to_start_only(rig: Rig, upstream: Upstream) -> None:
    rig.start = datetime.fromtimestamp(START / 1000, UTC) - timedelta(hours=1)
    upstream.put("before", START - 61 * MINUTE)
    upstream.put("at", START - 60 * MINUTE)
    rig.run()
    assert set(rig.living()) == {'"at"'}


# Outcomes (promise 5)

OUTCOMES: dict[str, tuple[HubError, Outcome, int]] = {
    "unavailable": (UnavailableError("down"), Outcome.UNAVAILABLE, 5),
    "rate limited": (RateLimitedError("slow", retry_after=0), Outcome.UNAVAILABLE, 5),
    "quota spent": (QuotaSpentError("spent"), Outcome.UNAVAILABLE, 5),
    "envelope": (EnvelopeError("code 99"), Outcome.FAILED, 1),
    "login page": (LoginPageError("sign in"), Outcome.REFUSED, 4),
    "token never renewed": (TokenExpiredError("expired"), Outcome.REFUSED, 4),
}


@pytest.mark.parametrize(("error", "outcome", "code"), OUTCOMES.values(), ids=OUTCOMES)
def test_failure_is_never_no_data(
    rig: Rig, upstream: Upstream, clock: Clock, error: HubError, outcome: Outcome, code: int
) -> None:
    upstream.put("a", START - 1000)
    rig.run()
    clock.now += 1000
    upstream.before_fetch = raising(error)
    result = rig.run(full=True)
    assert (result.outcome, EXIT_CODES[result.outcome]) == (outcome, code)
    assert len(rig.living()) == 1
    assert rig.all("SELECT outcome FROM run ORDER BY id DESC")[0][0] == outcome
    assert result.error is not None
    assert str(result.error).startswith("bench/records: ")


def test_expired_token_in_mid_reading_is_renewed(rig: Rig, upstream: Upstream) -> None:
    for number in range(9):
        upstream.put(f"r{number}", START - 9000 + number)
    upstream.before_fetch = lambda up: raising(TokenExpiredError("expired"))(up) if up.fetches == 2 else None
    assert rig.run().outcome is Outcome.OK
    assert (upstream.renewed, len(rig.living())) == (1, 9)


def test_failure_after_pages_keeps_them_and_goes_on_there(rig: Rig, upstream: Upstream) -> None:
    for number in range(9):
        upstream.put(f"r{number}", START - 9000 + number)
    upstream.before_fetch = lambda up: raising(EnvelopeError("99"))(up) if up.fetches == 3 else None
    result = rig.run()
    assert (result.outcome, result.counts.new) == (Outcome.FAILED, 6)
    upstream.before_fetch = lambda _: None
    result = rig.run()
    assert (result.outcome, result.counts.fetched) == (Outcome.OK, 3)
    rig.check()


@pytest.mark.parametrize("error", [KeyError("x"), ZeroDivisionError(), RecursionError(), SystemExit(3)])
def test_defect_of_a_connector_is_its_runs_outcome(
    rig: Rig, upstream: Upstream, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.before_fetch = raising(error)
    result = rig.run()
    assert result.outcome is Outcome.FAILED
    assert [record.__dict__["action"] for record in caplog.records if record.exc_info] == ["defect"]
    assert rig.run(dry=True).outcome is Outcome.FAILED


# Leases and fencing (promise 10)


def test_held_partition_is_busy(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    lease = leases.acquire(rig.store, "bench/records", "somebody", 90_000, clock.now)
    result = rig.run()
    assert (result.outcome, EXIT_CODES[result.outcome], result.run_id) == (Outcome.BUSY, 7, "")
    assert result.error is not None
    assert result.error.values["until"] == clock.now + 90_000
    assert str(result.error).startswith("bench/records is being read by somebody; ")
    assert upstream.fetches == 0
    clock.now += 90_000
    assert rig.run().outcome is Outcome.OK
    with pytest.raises(FencedError):
        leases.renew(rig.store, lease, clock.now)


def test_tokens_rise_with_every_owner(rig: Rig, clock: Clock) -> None:
    tokens = []
    for owner in ("one", "two", "three"):
        lease = leases.acquire(rig.store, "p", owner, 1000, clock.now)
        tokens.append(lease.token)
        if owner == "two":
            clock.now += 1000
        else:
            leases.release(rig.store, lease)
    assert tokens == [1, 2, 3]


def test_who_lost_a_lease_cannot_give_it_back(rig: Rig, clock: Clock) -> None:
    lost = leases.acquire(rig.store, "p", "one", 1000, clock.now)
    clock.now += 1000
    leases.acquire(rig.store, "p", "two", 1000, clock.now)
    leases.release(rig.store, lost)
    with pytest.raises(BusyError):
        leases.acquire(rig.store, "p", "three", 1000, clock.now)


def test_lease_of_a_run_killed_while_the_clock_was_ahead_keeps_nobody_waiting(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    upstream.put("a", START - 1000)
    store = rig.store
    assert isinstance(store, Mortal)
    clock.pass_(timedelta(days=3650))
    store.live(4)
    with pytest.raises(Sudden):
        rig.run()
    store.live()
    clock.pass_(timedelta(days=-3649))
    assert rig.run().outcome is Outcome.OK
    rig.check()


def test_lease_of_a_machine_whose_clock_is_a_little_ahead_is_held(rig: Rig, clock: Clock) -> None:
    leases.acquire(rig.store, "p", "one", 90_000, clock.now + 3_600_000)
    with pytest.raises(BusyError):
        leases.acquire(rig.store, "p", "two", 90_000, clock.now)


@pytest.mark.parametrize("pause", range(3, 9))
def test_run_that_lost_its_lease_writes_nothing_more(
    rig: Rig, upstream: Upstream, clock: Clock, store_url: str, pause: int
) -> None:
    """Paused before any of its transactions until another owner has done a whole run."""
    for number in range(12):
        upstream.put(f"r{number:02}", START - 9000 + number)
    other = replace(rig, store=open_store(store_url), owner="two")
    store = rig.store
    assert isinstance(store, Mortal)
    before: list[list[Any]] = []
    store.writes = 0

    def paused(number: int) -> None:
        if number == pause:
            clock.now += 90_000
            assert other.run().outcome is Outcome.OK
            before.append(tables(other))

    store.before_write = paused
    result = rig.run()
    store.before_write = lambda number: None
    assert (result.outcome, EXIT_CODES[result.outcome]) == (Outcome.FENCED, 7)
    assert tables(rig) == before[0], "it wrote after it had lost its lease"
    assert [row[0] for row in rig.all("SELECT outcome FROM run ORDER BY token")] == ["fenced", "ok"]
    assert len(rig.living()) == 12
    rig.check()
    other.store.close()


def tables(rig: Rig) -> list[Any]:
    return [
        rig.all("SELECT id, revision, run, changed_at FROM incident ORDER BY key"),
        rig.all("SELECT seq, id FROM change ORDER BY seq"),
        rig.all("SELECT id FROM raw_page ORDER BY id"),
        rig.all("SELECT cursor, body FROM state"),
        rig.all("SELECT run, number FROM page ORDER BY run, number"),
    ]


def test_run_of_a_dead_process_is_said_to_be_dead(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.put("a", START - 1000)
    store = rig.store
    assert isinstance(store, Mortal)
    store.live(4)
    with pytest.raises(Sudden):
        rig.run()
    store.live()
    assert rig.run(owner="two").outcome is Outcome.BUSY
    clock.now += 90_000
    assert rig.run(owner="two").outcome is Outcome.OK
    assert sorted(row[0] for row in rig.all("SELECT outcome FROM run")) == ["dead", "ok"]


def test_slow_page_does_not_cost_the_lease(rig: Rig, upstream: Upstream, clock: Clock, store_url: str) -> None:
    """While a source lets us wait, whoever waits renews; another owner finds the partition busy all the time."""
    other = replace(rig, store=open_store(store_url), owner="two", transport=Upstream())
    upstream.put("a", START - 1000)
    seen: list[Outcome] = []

    def slow(_: Upstream) -> None:
        for _ in range(4):
            clock.now += 60_000
            wait_until(lambda: rig.all("SELECT expires_at FROM lease")[0][0] > clock.now + 80_000)
            seen.append(other.run().outcome)

    upstream.before_fetch = slow
    result = QuickRig(rig).run()
    assert result.outcome is Outcome.OK
    assert seen == [Outcome.BUSY] * 4
    other.store.close()


def QuickRig(rig: Rig) -> Rig:
    """The same rig, renewing its lease every few milliseconds (a third of its length, on the real clock)."""

    class Quick(Rig):
        @property
        def job(self) -> Any:
            return replace(super().job, lease_ms=90_000)

        def run(self, **options: Any) -> Any:
            from hub.sync import fetch

            begin = fetch.Fetcher.__init__

            def quick(fetcher: Any, *arguments: Any, **named: Any) -> None:
                begin(fetcher, *arguments, **named)
                fetcher._renew_s = 0.005

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(fetch.Fetcher, "__init__", quick)
                return super().run(**options)

    return Quick(**{name: getattr(rig, name) for name in rig.__dataclass_fields__})


def test_lease_lost_while_waiting_ends_the_run(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.put("a", START - 1000)
    taken = threading.Event()

    def slow(_: Upstream) -> None:
        if not taken.is_set():
            clock.now += 90_000
            leases.acquire(rig.store, "bench/records", "thief", 90_000, clock.now)
            taken.set()
            wait_until(lambda: True)

    upstream.before_fetch = slow
    result = QuickRig(rig).run()
    assert result.outcome is Outcome.FENCED
    assert rig.living() == {}


def test_two_owners_racing_for_one_partition(rig: Rig, upstream: Upstream, store_url: str) -> None:
    """Both try at the same instant, again and again: one runs, the other is busy, and nothing comes twice."""
    for number in range(30):
        upstream.put(f"r{number:02}", START - 90_000 + number)
    others = [
        replace(rig, store=open_store(store_url), owner=f"owner {n}", transport=clone(upstream)) for n in range(2)
    ]
    start = threading.Barrier(2)
    outcomes: list[Outcome] = []

    def race(one: Rig) -> None:
        for _ in range(8):
            start.wait()
            outcomes.append(one.run().outcome)

    threads = [threading.Thread(target=race, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in others:
        one.store.close()
    assert set(outcomes) <= {Outcome.OK, Outcome.BUSY}
    assert len(rig.living()) == 30
    assert len(rig.changes()) == 30
    rig.check()


def clone(upstream: Upstream) -> Upstream:
    return Upstream(records=upstream.records, size=upstream.size, clock=upstream.clock)


# Other writers


def test_page_that_meets_another_writer_is_decided_again(rig: Rig, upstream: Upstream, store_url: str) -> None:
    """A backfill of the same stream has stored the same version, and then a third version, meanwhile."""
    upstream.put("a", START - 9000, "one")
    rig.run()
    upstream.put("a", START - 8000, "two")
    upstream.put("b", START - 8000, "new")
    other = replace(rig, store=open_store(store_url), owner="two", partition="other")
    store = rig.store
    assert isinstance(store, Mortal)
    store.writes = 0
    done = []

    def meet(number: int) -> None:
        if rig.all("SELECT count(*) FROM run WHERE outcome = 'running' AND partition = ''")[0][0] and not done:
            done.append(other.run().outcome)

    store.before_write = meet
    result = rig.run()
    store.before_write = lambda number: None
    assert (result.outcome, done) == (Outcome.OK, [Outcome.OK])
    assert (result.counts.fetched, result.counts.unchanged) == (2, 2)
    assert rig.living() == {'"a"': ("two", START - 8000), '"b"': ("new", START - 8000)}
    rig.check()
    other.store.close()


def test_writer_that_never_lets_us_through_ends_the_run(rig: Rig, upstream: Upstream, store_url: str) -> None:
    upstream.put("a", START - 9000, "one")
    rig.run()
    upstream.put("a", START - 8000, "two")
    store = rig.store
    assert isinstance(store, Mortal)
    meddler = open_store(store_url)

    def bump(number: int) -> None:
        if rig.all("SELECT count(*) FROM run WHERE outcome = 'running'")[0][0]:
            with meddler.write() as transaction:
                transaction.run("UPDATE incident SET revision = revision + 1")

    store.before_write = bump
    result = rig.run()
    store.before_write = lambda number: None
    meddler.close()
    assert result.outcome is Outcome.FAILED
    assert "other writers" in str(result.error)


# Stopping (promise 9)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_stop_finishes_the_page_in_hand(rig: Rig, upstream: Upstream, page: int) -> None:
    for number in range(18):
        upstream.put(f"r{number:02}", START - 9000 + number)
    stop = Hurry()
    result = rig.run(stop=stop, progress=lambda run: stop.set() if run.pages == page else None)
    assert (result.outcome, EXIT_CODES[result.outcome]) == (Outcome.INTERRUPTED, 130)
    assert result.counts.new in (page * 3, page * 3 + 3)
    assert len(rig.living()) == result.counts.new
    assert rig.run().outcome is Outcome.OK
    assert len(rig.changes()) == len(rig.living()) == 18
    rig.check()


def test_stop_between_windows_of_one_page_each(rig: Rig, upstream: Upstream) -> None:
    rig.shape(cursor=cursor(max_span=timedelta(days=1)))
    rig.start = datetime.fromtimestamp(START / 1000, UTC) - timedelta(days=300)
    stop = Hurry()
    result = rig.run(stop=stop, progress=lambda run: stop.set())
    assert (result.outcome, result.pages) == (Outcome.INTERRUPTED, 1)
    assert upstream.fetches == 1


def test_stop_before_the_first_request(rig: Rig, upstream: Upstream) -> None:
    stop = Hurry()
    stop.set()
    assert rig.run(stop=stop).outcome is Outcome.INTERRUPTED
    assert upstream.fetches == 0


def test_limit_stops_and_the_next_run_goes_on(rig: Rig, upstream: Upstream) -> None:
    for number in range(10):
        upstream.put(f"r{number:02}", START - 9000 + number)
    assert rig.run(limit=4).counts.fetched == 6
    result = rig.run()
    assert (result.counts.fetched, result.counts.new) == (4, 4)


def test_dry_run_decides_everything_and_writes_nothing(rig: Rig, upstream: Upstream) -> None:
    for number in range(5):
        upstream.put(f"r{number:02}", START - 9000 + number)
    upstream.put("bad", START - 9000, raw=b'{"id": "bad"}')
    result = rig.run(dry=True)
    assert (result.outcome, result.counts.new, result.counts.quarantined) == (Outcome.PARTIAL, 5, 1)
    assert tables(rig) == [[], [], [], [], []]
    assert rig.all("SELECT count(*) FROM run")[0][0] == 0


# Keys


def test_key_is_fixed_at_the_first_sync(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 1000)
    rig.run()
    rig.key = "other"
    assert rig.run().counts.unchanged == 1
    assert rig.all("SELECT DISTINCT source FROM incident") == [("bench",)]


def test_renamed_section_takes_its_key_over(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 1000)
    rig.run()
    rig.source = "renamed"
    assert rig.run().counts.unchanged == 1
    assert runs.source_key(rig.store, "renamed") == "bench"
    assert runs.source_key(rig.store, "bench") is None


def test_window_and_partition_reach_the_transport(rig: Rig, upstream: Upstream) -> None:
    rig.partition = "east"
    rig.run()
    assert upstream.windows[0][0].partition == "east"
    assert isinstance(upstream.windows[0][0], Window)
    assert isinstance(rig.stream, Stream)


def test_correction_is_seen_again_however_late_the_next_run(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """The cursor waits for a version that is older than the current one: only a second sight tells what it is."""
    upstream.put("a", START - 1000, "wrong")
    upstream.put("b", START - 1000)
    rig.run()
    upstream.put("a", START - 9 * MINUTE, "right")
    for minute in (10, 40):
        upstream.clock = clock.now = START + minute * MINUTE
        upstream.put("b", clock.now - 5 * MINUTE)
        rig.run()
    assert rig.living()['"a"'] == ("right", START - 9 * MINUTE)
    upstream.clock = clock.now = START + 80 * MINUTE
    rig.run()
    assert rig.state()[0] == START + 35 * MINUTE, "and then goes on"
