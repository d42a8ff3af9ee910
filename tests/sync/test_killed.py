"""Killed at every transaction of a reading that brings new, changed and bad records: nothing lost, nothing twice (promise 1)."""

import pytest
from rig import START, Clock, Mortal, Rig, Sudden
from upstream import Upstream

from hub.errors import Outcome
from hub.store.quarantine import list_quarantine
from hub.sync.decide import Decider

HOUR = 3_600_000


def fill(upstream: Upstream, version: str) -> None:
    for number in range(7):
        upstream.put(f"r{number}", START - HOUR + number * 1000 + len(version) * 60_000, f"{version} {number}")
    upstream.put("bad", START - HOUR + 3500, raw=b'{"id": "bad", "at": "no time"}')


@pytest.mark.parametrize("committed", [False, True], ids=["before commit", "after commit"])
@pytest.mark.parametrize("number", range(1, 9))
def test_at_every_transaction(rig: Rig, upstream: Upstream, clock: Clock, number: int, committed: bool) -> None:
    store = rig.store
    assert isinstance(store, Mortal)
    for version in ("a", "bb"):
        fill(upstream, version)
        store.live(number, committed=committed)
        try:
            rig.run()
        except Sudden:
            clock.now += 91_000
        store.live()
        assert rig.run().outcome in (Outcome.OK, Outcome.PARTIAL)
        shown = {f'"{row["id"]}"': row["title"] for row in upstream.records if "raw" not in row}
        assert {name: title for name, (title, _) in rig.living().items()} == shown
        assert len(list_quarantine(store, source="bench")) == 1
        rig.check()
        rig.check_raw()
        clock.now += HOUR
    assert len(rig.changes()) == 14


def test_counts_that_do_not_add_up_store_nothing(rig: Rig, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = Decider.decide

    def miscounted(*arguments: object) -> object:
        write = decide(*arguments)  # type: ignore[arg-type]
        write.counts.fetched += 1
        return write

    monkeypatch.setattr(Decider, "decide", miscounted)
    fill(upstream, "a")
    result = rig.run()
    assert result.outcome is Outcome.FAILED
    assert "do not add up" in str(result.error)
    assert rig.living() == {}
    assert rig.state()[1] == ""
