"""Positions moved by an operator: what he asks for happens, or he is told who is in the way."""

from dataclasses import replace

import pytest
from rig import START, Clock, Rig
from upstream import Upstream

from hub.errors import BusyError, Outcome
from hub.store import leases
from hub.store.state import clear_state, list_states, set_cursor
from hub.sync.result import RunResult

HOUR = 3_600_000


def fill(upstream: Upstream, count: int) -> None:
    for number in range(count):
        upstream.put(f"r{number}", START - HOUR + number * 1000)


def test_a_cursor_is_not_moved_under_a_run(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """The run would write its own position over it with its next page."""
    fill(upstream, 6)
    refused: list[str] = []

    def operator(_: RunResult) -> None:
        with pytest.raises(BusyError) as caught:
            set_cursor(rig.store, "bench", "records", "", START - 48 * HOUR, clock.now, owner="wang")
        refused.append(str(caught.value))

    assert rig.run(progress=operator).outcome is Outcome.OK
    assert refused
    assert all("by one" in text for text in refused), "it names who has the stream"
    for number in range(6):
        upstream.put(f"late{number}", START - 30 * HOUR)
    set_cursor(rig.store, "bench", "records", "", START - 48 * HOUR, clock.now, owner="wang")
    rig.run()
    assert '"late0"' in rig.living()


def test_positions_are_not_forgotten_under_a_run(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """One of two partitions is being read: both positions stay, and neither is left held."""
    fill(upstream, 3)
    rig.run()
    other = replace(rig, partition="part")
    other.run()
    busy = leases.acquire(rig.store, "bench/records/part", "one", 90_000, clock.now)
    with pytest.raises(BusyError):
        clear_state(rig.store, "bench", None, clock.now, owner="wang")
    assert len(list_states(rig.store)) == 2
    assert rig.run().outcome is Outcome.OK
    leases.release(rig.store, busy)
    assert clear_state(rig.store, "bench", "other", clock.now, owner="wang") == 0
    assert clear_state(rig.store, "bench", "records", clock.now, owner="wang") == 2
    assert list_states(rig.store) == []
    assert {rig.run().outcome, other.run().outcome} == {Outcome.OK}


@pytest.mark.parametrize("how", ["set", "clear"])
def test_what_a_forgotten_reading_saw_goes_with_it(rig: Rig, upstream: Upstream, clock: Clock, how: str) -> None:
    fill(upstream, 6)
    rig.run(full=True, limit=2)
    assert rig.all("SELECT count(*) FROM seen_page") != [(0,)]
    if how == "set":
        set_cursor(rig.store, "bench", "records", "", START - HOUR, clock.now, owner="wang")
    else:
        clear_state(rig.store, "bench", None, clock.now, owner="wang")
    assert rig.all("SELECT count(*) FROM seen_page") == [(0,)]
