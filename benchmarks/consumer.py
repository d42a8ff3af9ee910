"""A consumer of a filled store: the whole change feed, pages of 50 incidents, and page after page. python consumer.py FOLDER"""

import json
import statistics
import sys
import time
from pathlib import Path

from hub_child import open_hub

from hub.store.feed import follow
from hub.store.incidents import IncidentFilter, list_incidents
from hub.store.store import Store

__all__ = ["read_feed"]

_STATUSES = ("pending", "accepted", "in_progress", "awaiting_review", "closed")
_TOWNS = ("330702001", "330702002", "330702100", "330702101", "330702200")
_PAGES = 200
_DEEP = 1000
_ENDS = 25


def read_feed(store: Store) -> tuple[int, float]:
    """How many changes, and seconds."""
    began = time.perf_counter()
    count = sum(len(changes) for changes in follow(store, 0))
    return count, time.perf_counter() - began


def read_pages(store: Store) -> list[float]:
    """Milliseconds of each page of 50 youngest incidents by status and town."""
    took = []
    for number in range(_PAGES):
        wanted = IncidentFilter(status=_STATUSES[number % 5], region=_TOWNS[number // 5 % 5])
        began = time.perf_counter()
        list_incidents(store, wanted, 50)
        took.append((time.perf_counter() - began) * 1000)
    return took


def read_on(store: Store) -> tuple[int, float, float]:
    """How many pages of one status and town were read one after the other, and the median milliseconds of the first and last."""
    wanted, after, took = IncidentFilter(status=_STATUSES[0], region=_TOWNS[0]), None, []
    while len(took) < _DEEP:
        began = time.perf_counter()
        page = list_incidents(store, wanted, 50, after)
        took.append((time.perf_counter() - began) * 1000)
        if len(page) < 50:
            break
        after = page[-1]["id"]
    return len(took), statistics.median(took[:_ENDS]), statistics.median(took[-_ENDS:])


def main(folder: str) -> None:
    store = open_hub(Path(folder)).store
    count, seconds = read_feed(store)
    pages = sorted(read_pages(store))
    depth, first, last = read_on(store)
    print(
        json.dumps(
            {
                "changes_a_second": count / seconds,
                "page_ms_median": statistics.median(pages),
                "page_ms_p99": pages[int(len(pages) * 0.99)],
                "depth": depth,
                "first_ms": first,
                "last_ms": last,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
