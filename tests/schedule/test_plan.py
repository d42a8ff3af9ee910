"""What is due: cron as cron means it, slots taken once, missed slots in one run."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from rig import open_store

from hub.config import Schedule
from hub.schedule.plan import Planned, next_due, plan, register
from hub.store.due import list_schedules
from hub.store.store import Store

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)  # a Friday, 16:00 in Shanghai


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    yield store
    store.close()


def slot(rule: str, now: datetime, zone: str = "Asia/Shanghai", key: str = "a/b") -> datetime:
    """The next slot without the key's own delay."""
    due = next_due(rule, zone, key, now)
    return due.replace(microsecond=0, second=0)


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI)  # type: ignore[arg-type,misc]


CRON: dict[str, tuple[str, datetime, datetime]] = {
    # name: rule, now, next slot (Shanghai)
    "every minute": ("* * * * *", local(2027, 1, 15, 16, 0), local(2027, 1, 15, 16, 1)),
    "every ten": ("*/10 * * * *", local(2027, 1, 15, 16, 5), local(2027, 1, 15, 16, 10)),
    "zone": ("0 6 * * *", local(2027, 1, 15, 5, 59), local(2027, 1, 15, 6, 0)),
    "0 is Sunday": ("0 6 * * 0", local(2027, 1, 15, 16, 0), local(2027, 1, 17, 6, 0)),
    "7 is Sunday": ("0 6 * * 7", local(2027, 1, 15, 16, 0), local(2027, 1, 17, 6, 0)),
    "1 is Monday": ("0 6 * * 1", local(2027, 1, 15, 16, 0), local(2027, 1, 18, 6, 0)),
    "names": ("0 6 * JAN SUN", local(2027, 1, 15, 16, 0), local(2027, 1, 17, 6, 0)),
    "weekdays": ("0 6 * * 1-5", local(2027, 1, 15, 16, 0), local(2027, 1, 18, 6, 0)),
    "day OR weekday, the weekday first": ("0 6 20 * 0", local(2027, 1, 15, 16, 0), local(2027, 1, 17, 6, 0)),
    "day OR weekday, the day first": ("0 6 16 * 1", local(2027, 1, 15, 16, 0), local(2027, 1, 16, 6, 0)),
    "last of February": ("0 0 29 2 *", local(2027, 1, 15, 16, 0), local(2028, 2, 29, 0, 0)),
    "slot of this very minute is past": ("0 16 * * *", local(2027, 1, 15, 16, 0), local(2027, 1, 16, 16, 0)),
}


@pytest.mark.parametrize(("rule", "now", "due"), CRON.values(), ids=CRON)
def test_cron_means_what_it_means_in_cron(rule: str, now: datetime, due: datetime) -> None:
    assert slot(rule, now.astimezone(UTC)) == due
    assert next_due(rule, "Asia/Shanghai", "a/b", now).tzinfo is UTC


def test_clock_changes_of_los_angeles() -> None:
    """A slot in the hour that is left out runs once that day; one in the hour that comes twice runs once too."""
    zone = ZoneInfo("America/Los_Angeles")
    before = datetime(2027, 3, 14, 0, 0, tzinfo=zone)
    spring = slot("30 2 * * *", before.astimezone(UTC), "America/Los_Angeles")
    assert spring.astimezone(zone).date() == before.date()
    autumn = datetime(2027, 11, 7, 0, 0, tzinfo=zone).astimezone(UTC)
    first = slot("30 1 * * *", autumn, "America/Los_Angeles")
    second = slot("30 1 * * *", first + timedelta(minutes=1), "America/Los_Angeles")
    assert second - first > timedelta(hours=20)


@pytest.mark.parametrize("rule", ["0 0 30 2 *", "61 * * * *", "* * * *", "* * * * * *", "0s", "-5m", "often", ""])
def test_rule_that_never_comes_due_is_refused(rule: str) -> None:
    with pytest.raises(Exception, match="not a schedule"):
        Schedule.parse(rule)


def test_interval_counts_from_now() -> None:
    due = next_due("5m", "Asia/Shanghai", "a/b", NOW)
    assert timedelta(minutes=5) <= due - NOW <= timedelta(minutes=5, seconds=30)


@pytest.mark.parametrize("rule", ["*/10 * * * *", "5m", "10s"])
def test_delay_of_a_key_is_small_and_constant(rule: str) -> None:
    keys = [f"source_{number}/stream" for number in range(40)]
    delays = {key: next_due(rule, "UTC", key, NOW) for key in keys}
    assert delays == {key: next_due(rule, "UTC", key, NOW) for key in keys}
    assert len(set(delays.values())) > 30, "they do not all start at once"
    spread = max(delays.values()) - min(delays.values())
    assert spread <= timedelta(seconds=1 if rule == "10s" else 30)


def wanted(*names: str, rule: str = "10m") -> list[Planned]:
    return [Planned(name, "records", "", rule) for name in names]


def taken(store: Store, now: datetime) -> list[str]:
    return [ticket.key for ticket in plan(store, now)]


def test_new_stream_is_due_at_once_and_then_by_its_rule(store: Store) -> None:
    register(store, wanted("a", "b"), "UTC", NOW)
    assert sorted(taken(store, NOW)) == ["a/records", "b/records"]
    assert taken(store, NOW + timedelta(minutes=9)) == []
    assert len(taken(store, NOW + timedelta(minutes=11))) == 2


def test_missed_slots_are_one_run(store: Store) -> None:
    register(store, wanted("a", rule="* * * * *"), "UTC", NOW)
    assert taken(store, NOW + timedelta(hours=9)) == ["a/records"]
    assert taken(store, NOW + timedelta(hours=9)) == []


def test_a_clock_that_was_ahead_holds_up_no_stream(store: Store) -> None:
    """A machine that boots in 2028 and learns the time later: until 2028 nothing of it would be read."""
    register(store, wanted("a"), "UTC", NOW)
    assert taken(store, NOW + timedelta(days=365)) == ["a/records"]
    register(store, wanted("a"), "UTC", NOW + timedelta(minutes=1))
    assert taken(store, NOW + timedelta(minutes=1)) == ["a/records"]
    register(store, wanted("a"), "UTC", NOW)
    assert taken(store, NOW) == [], "another planner's clock, a little behind"
    assert taken(store, NOW + timedelta(minutes=12)) == ["a/records"]


@pytest.mark.parametrize("apart", [timedelta(minutes=6), timedelta(hours=8)], ids=str)
def test_planners_whose_clocks_stand_apart_take_no_slot_more_often(store: Store, apart: timedelta) -> None:
    """A machine that takes its local time for UTC is eight hours off: it and the others would read everything each second."""
    for ahead in (apart, timedelta(0)):
        register(store, wanted("a"), "UTC", NOW + ahead)
    times = [NOW + timedelta(seconds=second) + ahead for second in range(120) for ahead in (timedelta(0), apart)]
    assert sum(len(taken(store, moment)) for moment in times) <= 2


def test_a_clock_that_was_ahead_puts_off_no_first_slot_for_good(store: Store) -> None:
    nightly = [Planned("a", "records", "", "0 2 * * *", waits=True)]
    for ahead in (timedelta(days=365), timedelta(0), timedelta(hours=2)):
        register(store, nightly, "Asia/Shanghai", NOW + ahead)
    assert taken(store, NOW + timedelta(hours=9)) == []
    assert taken(store, NOW + timedelta(hours=10, minutes=1)) == ["a/records"]
    register(store, nightly, "Asia/Shanghai", NOW + timedelta(hours=10, minutes=2))
    assert taken(store, NOW + timedelta(hours=11)) == []


def test_longest_overdue_goes_first(store: Store) -> None:
    register(store, wanted("late"), "UTC", NOW)
    register(store, [*wanted("late"), *wanted("later")], "UTC", NOW + timedelta(seconds=5))
    assert taken(store, NOW + timedelta(hours=1)) == ["late/records", "later/records"]


def test_restart_forgets_nothing(store: Store) -> None:
    register(store, wanted("a"), "UTC", NOW)
    taken(store, NOW)
    due = list_schedules(store)[0].next_due_at
    register(store, wanted("a"), "UTC", NOW + timedelta(minutes=1))
    assert list_schedules(store)[0].next_due_at == due


@pytest.mark.parametrize(("rule", "zone"), [("20m", "UTC"), ("10m", "Asia/Shanghai")], ids=["rule", "zone"])
def test_changed_rule_or_zone_is_due_at_once(store: Store, rule: str, zone: str) -> None:
    register(store, wanted("a"), "UTC", NOW)
    taken(store, NOW)
    register(store, wanted("a", rule=rule), zone, NOW + timedelta(minutes=1))
    assert taken(store, NOW + timedelta(minutes=1)) == ["a/records"]


def test_stream_that_is_gone_is_forgotten(store: Store) -> None:
    register(store, wanted("a", "b"), "UTC", NOW)
    register(store, wanted("b"), "UTC", NOW)
    assert taken(store, NOW) == ["b/records"]


def test_planners_never_take_one_slot_twice(store: Store, store_url: str) -> None:
    """Four planners, each with its own connections, over twelve rounds of twenty streams."""
    register(store, wanted(*[f"s{number}" for number in range(20)], rule="1m"), "UTC", NOW)
    start = threading.Barrier(4)
    rounds: list[list[str]] = [[] for _ in range(12)]

    def planner() -> None:
        own = open_store(store_url)
        for number, found in enumerate(rounds):
            start.wait()
            found += taken(own, NOW + timedelta(minutes=3 * number))
        own.close()

    threads = [threading.Thread(target=planner) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in rounds:
        assert sorted(found) == sorted(f"s{number}/records" for number in range(20))


def test_hand_over_that_fails_leaves_the_slot(store: Store) -> None:
    register(store, wanted("a"), "UTC", NOW)

    def fail(transaction: object, tickets: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plan(store, NOW, submit=fail)
    assert taken(store, NOW) == ["a/records"]
