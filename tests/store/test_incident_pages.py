"""Pages of incidents: together they are the whole list, whatever stands at their borders."""

import json
from pathlib import Path
from threading import Event, Thread

import pytest
from rig import MAPPING, START, Rig, write_mapping

from hub.errors import MisconfiguredError
from hub.store.incidents import IncidentFilter, list_incidents
from hub.store.store import Store

TIMED = MAPPING.replace(
    "[[people]]", 'occurred_at = { path = "made", format = "epoch_ms", optional = true }\n[[people]]'
)


@pytest.fixture
def filled(rig: Rig, tmp_path: Path) -> Store:
    """Forty incidents: several at each instant, every fourth without any."""
    for number in range(40):
        record = {
            "id": f"r{number}",
            "title": "甲" if number % 3 else "乙",
            "at": START,
            "made": START - number % 5 * 1000,
        }
        if number % 4 == 0:
            del record["made"]
        rig.transport.rows.append(json.dumps(record).encode())  # type: ignore[attr-defined]
    rig.mappings = write_mapping(tmp_path / "timed", TIMED)
    rig.run()
    return rig.store


@pytest.mark.parametrize("limit", [1, 7, 29, 30, 31, 40, 100])
@pytest.mark.parametrize("wanted", [IncidentFilter(), IncidentFilter(text="乙"), IncidentFilter(since=START - 2000)])
def test_pages_are_the_whole_list(filled: Store, wanted: IncidentFilter, limit: int) -> None:
    whole = [row["id"] for row in list_incidents(filled, wanted, 1000)]
    pages = [list_incidents(filled, wanted, limit)]
    while len(pages[-1]) == limit:
        pages.append(list_incidents(filled, wanted, limit, after=pages[-1][-1]["id"]))
    assert [row["id"] for page in pages for row in page] == whole
    times = [row["occurred_at"] for page in pages for row in page]
    assert times == sorted(times, key=lambda at: (at is None, -at.timestamp() if at else 0))


def test_a_page_behind_no_incident_is_refused(filled: Store) -> None:
    with pytest.raises(MisconfiguredError, match="no incident begins with"):
        list_incidents(filled, IncidentFilter(), 10, after="inc_nobody")


def test_threads_write_one_after_the_other(store: Store) -> None:
    """The second waits for the first, goes on when it is done, and also when it failed."""
    second = Event()

    def write() -> None:
        with store.write() as transaction:
            transaction.run("UPDATE counter SET value = value + 1 WHERE name = 'feed'")
        second.set()

    with pytest.raises(ZeroDivisionError), store.write() as transaction:
        transaction.run("UPDATE counter SET value = value + 10 WHERE name = 'feed'")
        Thread(target=write).start()
        assert not second.wait(0.2)
        raise ZeroDivisionError
    assert second.wait(10)
    with store.read() as transaction:
        assert transaction.one("SELECT value FROM counter WHERE name = 'feed'")[0] == 1
