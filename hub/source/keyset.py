"""Paging by time: the default where a source sorts by its cursor and filters on it.

After a full page the window begins anew at the last row's own time, inclusive. Rows that change while we read move to
the end, where they are still to come, and shift nothing past us (DESIGN §7.4).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from hub.errors import EnvelopeError
from hub.source.paging import Ask, Ends, Turned, check_depth
from hub.source.stream import Position

__all__ = ["Keyset"]

#: A row dated further ahead than this is nonsense and no place to go on from.
_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyset:
    """`page`/`size` parameters inside a window that begins where the last page ended.

    The source must sort ascending by the stream's cursor (`Endpoint.sort` asks for it). While a whole page shares one
    time, pages are counted inside it; so they are from a page on whose times fall somewhere, because rows behind it may
    be older than its last one. A row that leaves such a run moves the others up, past us; so a run of several
    pages is read until two readings of it agree, at most `rereads` times more.
    """

    page: str = "page"
    size: str = "size"
    per_page: int = 100
    first: int = 1
    ends: Ends = "short"
    rereads: int = 3

    def ask(self, position: Position) -> Ask:
        since = position.get("since")
        return Ask(
            {self.page: position.get("page", self.first), self.size: self.per_page},
            since=datetime.fromisoformat(since) if since else None,
        )

    def steady(self, position: Position, page: Turned) -> bool:
        if page.count == 0 and "since" in position and position["page"] == self.first:
            # The row whose time the window begins at would have to come again: nothing at all is an answer that failed.
            return False
        return bool(position.get("read", 0) + page.count >= (page.split.total or position.get("total", 0)))

    def repeats(self, position: Position, page: Turned) -> bool:
        return bool(page.digest) and position.get("digest") == page.digest

    def after(self, position: Position, page: Turned) -> Position | None:
        number = position.get("page", self.first)
        following = None if self._ended(number, page) else self._following(position, number, page)
        leaves_run = number > self.first and (following is None or following["page"] == self.first)
        if not leaves_run or position["run"] == position.get("former") or position.get("rereads", 0) >= self.rereads:
            check_depth(position, page, (number - self.first) * self.per_page + page.count)
            return following
        again = {"page": self.first, "former": position["run"], "rereads": position.get("rereads", 0) + 1}
        return again | _kept(position, "since")

    def _ended(self, number: int, page: Turned) -> bool:
        total = page.split.total
        if page.count == 0 and total and number == self.first:
            raise EnvelopeError("the page is empty although the source counts {total} rows", total=total)
        if page.count == 0:
            return True
        read = (number - self.first) * self.per_page + page.count
        if total is not None and read <= total:
            # On a full first page the total may be a count of the page, not of the window: one more question tells.
            # Where pages are cut in silence, any first page is full.
            return read == total and not (read == page.count and (self.ends == "empty" or page.count == self.per_page))
        return self.ends == "short" and page.count < self.per_page

    def _following(self, position: Position, number: int, page: Turned) -> Position:
        times = _plausible(page)
        # Behind a page in disorder a page may ascend by chance: pages are counted to the end of the window.
        unsorted = position.get("unsorted", False) or _fall(times)
        target = None if unsorted else _target(times)
        if target is not None and (page.since is None or target > page.since):
            return {"since": target.isoformat(), "page": self.first, "digest": page.digest}
        run = hashlib.blake2b((position.get("run", "") + page.digest).encode(), digest_size=8).hexdigest()
        counted = {"page": number + 1, "digest": page.digest, "run": run, "read": position.get("read", 0) + page.count}
        if page.count >= self.per_page:
            counted["full"] = True
        if total := page.split.total or position.get("total"):
            counted["total"] = total
        if unsorted:
            counted["unsorted"] = True
        return counted | _kept(position, "since", "former", "rereads")


def _plausible(page: Turned) -> list[datetime]:
    """The times of the rows that have one and are not ahead of the source's clock."""
    limit = page.clock + _AHEAD if page.clock else None
    times = map(page.cursor, page.split.rows)
    return [time for time in times if time is not None and (limit is None or time <= limit)]


def _fall(times: list[datetime]) -> bool:
    """Whether the times fall anywhere. EnvelopeError if most of them do and the last is before the first: such a page
    is sorted in another way."""
    falling = sum(later < earlier for earlier, later in pairwise(times))
    if falling and times[-1] < times[0] and 2 * falling >= len(times) - 1:
        raise EnvelopeError(
            "the rows of a page are not in ascending order of the cursor",
            remedy="check the sort parameters, or page without keyset",
        )
    return falling > 0


def _target(times: list[datetime]) -> datetime | None:
    """Where the window may begin anew: the time of the last row; None to count pages, where all share one time."""
    if not times or times[0] == times[-1]:
        return None
    return times[-1]


def _kept(position: Position, *keys: str) -> Position:
    return {key: position[key] for key in keys if key in position}
