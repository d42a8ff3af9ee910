"""The city itself: the same seed gives the same bytes, it moves by rule, and its invented numbers are well formed."""

from __future__ import annotations

from pathlib import Path

import pytest
from stdnum.cn import ric, uscc

from hub.testing.sandbox import Sandbox
from hub.testing.sandbox.city import City, sizes
from hub.testing.sandbox.clock import QUIET_S, instant
from hub.testing.sandbox.places import TOWNS, gcj02
from hub.testing.sandbox.records import dump
from hub.testing.sandbox.streams import STREAMS, SYSTEMS
from hub.testing.sandbox.truth import truth

UNTIL = instant("2026-11-20T08:00:00+08:00")
WORDS = {
    "pending", "accepted", "dispatched", "in_progress", "awaiting_review", "closed", "suspended", "returned",
    "rejected", "cancelled", "unmapped", None,
}  # fmt: skip


def story(seed: int, ticks: int) -> str:
    city = City(seed, 300, UNTIL)
    city.tick(ticks)
    return dump([truth(city, system) for system in SYSTEMS])


def test_same_seed_and_until_tell_the_same_story() -> None:
    assert story(1, 5) == story(1, 5)


def test_another_seed_tells_another_story() -> None:
    assert story(1, 0) != story(2, 0)


def test_files_are_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        with Sandbox(scale=120, until="2026-11-20T08:00:00+08:00", directory=tmp_path / name) as sandbox:
            sandbox.tick(2)
        files = sorted((tmp_path / name / "drop").iterdir())
        contents.append([(file.name, file.read_bytes()) for file in files])
    assert contents[0] == contents[1]
    assert len(contents[0]) > 6


def test_ids_are_unique_and_status_words_are_the_hub_s() -> None:
    city = City(1, 3000, UNTIL)
    city.tick(3)
    for shelf in city.shelves.values():
        ids = [str(record.native_id) for record in shelf.records]
        assert len(ids) == len(set(ids)), shelf.spec.key
        assert {record.stage().status for record in shelf.records} <= WORDS


def test_nothing_is_dated_in_the_quiet_time_before_the_clock() -> None:
    city = City(1, 600, UNTIL)
    for _ in range(4):
        newest = max(record.last.at for shelf in city.shelves.values() for record in shelf.records)
        assert newest <= city.clock.now - QUIET_S
        city.tick()


@pytest.mark.parametrize("pause", [20, 21, 599, 600, 8 * 3600])
def test_a_living_city_moves_every_ten_minutes_and_dates_nothing_before_what_was_seen(pause: int) -> None:
    city = City(1, 600, UNTIL)
    shelf = city.shelves["hotline_8890.work_orders"]
    for _ in range(4):
        begun = city.clock.now
        seen, count = city.clock.latest, len(shelf.records)
        while not city.live_until(city.clock.now + pause):
            seen = city.clock.latest
            assert len(shelf.records) == count
        assert city.clock.now - begun >= 600
        assert len(shelf.records) > count
        moved = [record.last.at for record in shelf.records if record.last.at > seen]
        assert moved
        assert max(moved) <= city.clock.latest
        on_time = [record for record in shelf.records[count:] if record.reported > seen]
        assert len(shelf.records) - count - len(on_time) <= 1, "one may come late"


def test_a_living_city_does_not_go_back() -> None:
    city = City(1, 60, UNTIL)
    assert not city.live_until(UNTIL - 3600)
    assert not city.live_until(UNTIL + 19)
    assert city.clock.now == UNTIL + 19


def test_times_of_a_record_never_run_backwards() -> None:
    city = City(1, 600, UNTIL)
    city.tick(4)
    for shelf in city.shelves.values():
        for record in shelf.records:
            times = [version.at for version in record.versions]
            assert times == sorted(times)
            assert record.occurred <= record.reported <= times[0]


def test_several_records_share_an_update_time() -> None:
    city = City(1, 600, UNTIL)
    times = [record.last.at for record in city.shelves["grassroots_governance.events"].records]
    assert len(set(times)) < len(times)


def test_one_event_shows_up_in_several_systems() -> None:
    city = City(1, 300, UNTIL)
    seen: dict[str, set[str]] = {}
    for system in SYSTEMS:
        for stream in truth(city, system)["streams"].values():
            for record in stream["records"]:
                seen.setdefault(record["event"], set()).add(system)
    assert max(len(systems) for systems in seen.values()) >= 3


def test_ticks_add_change_withdraw_and_bring_back() -> None:
    city = City(1, 300, UNTIL)
    shelf = city.shelves["grassroots_market.events"]
    before = len(shelf.records)
    city.tick(40)
    operations = {version.op for record in shelf.records for version in record.versions}
    returned = [record for record in shelf.records if "d" in [version.op for version in record.versions[:-1]]]
    assert len(shelf.records) > before
    assert operations == {"i", "u", "d"}
    assert returned
    assert any(record.versions[0].category != record.last.category for record in shelf.records)


def test_old_hotline_orders_no_longer_change() -> None:
    city = City(1, 300, UNTIL)
    city.tick(60)
    for record in city.shelves["hotline_8890.work_orders"].records:
        assert record.last.at - record.reported <= 25 * 86400


@pytest.mark.parametrize("scale", [300, 5000])
def test_sizes_add_up_to_the_scale(scale: int) -> None:
    counts = sizes(scale)
    assert set(counts) == {spec.key for spec in STREAMS}
    assert abs(sum(counts.values()) - scale) <= len(counts)


def test_weights_put_everything_into_one_stream() -> None:
    assert sizes(500, {"hotline_8890": 1}) == {"hotline_8890.work_orders": 500}
    with pytest.raises(ValueError, match="no stream is named"):
        sizes(500, {"hotline": 1})


def test_invented_numbers_pass_the_checks_of_the_standards() -> None:
    population = City(1, 30, UNTIL).population
    assert all(ric.is_valid(person.id_number) for person in population.people)
    assert all(uscc.is_valid(company.code) for company in population.companies)
    assert len({company.code for company in population.companies}) == len(population.companies)


def test_gcj02_shift_is_some_hundred_metres() -> None:
    for town in TOWNS:
        lon, lat = gcj02(town.lon, town.lat)
        assert 0.003 < lon - town.lon < 0.007
        assert 0.001 < abs(lat - town.lat) < 0.005
