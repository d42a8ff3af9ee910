"""Ways to turn pages, as small frozen values: what to ask at a position, and where to go on. None of them goes in
circles."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol
from urllib.parse import unquote_plus, urljoin, urlsplit

from hub.errors import EnvelopeError
from hub.source.envelope import Split
from hub.source.rows import TextRows, ends_of
from hub.source.stream import Position

__all__ = [
    "Ask",
    "CursorToken",
    "Ends",
    "NextLink",
    "Offset",
    "OnePage",
    "PageNumber",
    "Paging",
    "Turned",
    "check_depth",
]

Ends = Literal["short", "empty"]
"""What the last page looks like: shorter than asked for, or empty. "empty" costs a request and is safe where a source
cuts page sizes without saying so. Where the envelope has a total, a page that is short of it is never the last one."""

#: A target may hold commas, and so may a title: `<…?fields=id,name>; title="a, b"; rel="next"`.
_LINK = re.compile(r'<([^>]*)>((?:"[^"]*"|[^",])*)')
_RELATIONS = re.compile(r';\s*rel\s*=\s*("[^"]*"|[^\s;]+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ask:
    """What paging adds to a request: parameters, or a whole URL; `since` narrows the window (keyset)."""

    params: dict[str, Any]
    url: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """What paging sees of an answer. `url` is what was asked, `links` its Link header, `clock` the source's clock.

    `cursor` reads the cursor of a row, None if that cannot be done.
    """

    split: Split
    url: str = ""
    links: str = ""
    clock: datetime | None = None
    since: datetime | None = None
    cursor: Callable[[bytes], datetime | None] = lambda row: None

    @property
    def count(self) -> int:
        """Rows of the page, those set aside included."""
        return len(self.split.rows) + len(self.split.bad)

    @property
    def digest(self) -> str:
        """Tells whether two pages are the same one: its size, first and last row."""
        rows = self.split.rows
        return rows.ends if isinstance(rows, TextRows) else ends_of(rows, self.count)


class Paging(Protocol):
    def ask(self, position: Position) -> Ask:
        """What to ask at a position; `{}` is the beginning."""

    def after(self, position: Position, page: Turned) -> Position | None:
        """Where to go on, None at the end. EnvelopeError if the source goes in circles."""

    def repeats(self, position: Position, page: Turned) -> bool:
        """Whether the source sent the page before this one again; the transport then asks once more."""

    def steady(self, position: Position, page: Turned) -> bool:
        """False for the last page of a window that never held still, or of which more is counted than came: rows may have
        slipped past, so it proves no deletion."""


class _AlwaysSteady:
    def steady(self, position: Position, page: Turned) -> bool:
        return True


class _NeverRepeats(_AlwaysSteady):
    def repeats(self, position: Position, page: Turned) -> bool:
        return False


class _NoticesRepeats:
    def repeats(self, position: Position, page: Turned) -> bool:
        return bool(page.digest) and position.get("digest") == page.digest


@dataclass(frozen=True, slots=True)
class OnePage(_NeverRepeats):
    """The source sends everything at once."""

    def ask(self, position: Position) -> Ask:
        return Ask({})

    def after(self, position: Position, page: Turned) -> Position | None:
        _check_counted(_counted(position, page))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNumber(_NoticesRepeats):
    """`page=3&size=100`. For sources that cannot sort by their cursor: rows may shift while we read.

    If the total moved while they were read, the window is read once more from its beginning, at most `restarts` times; known
    rows cost only a hash. So it is where no total tells and there were several pages, until two readings agree.
    """

    page: str = "page"
    size: str = "size"
    per_page: int = 100
    first: int = 1
    ends: Ends = "short"
    restarts: int = 1

    def ask(self, position: Position) -> Ask:
        return Ask({self.page: position.get("page", self.first), **({self.size: self.per_page} if self.size else {})})

    def after(self, position: Position, page: Turned) -> Position | None:
        read = position.get("read", 0) + page.count
        if not _last(page, read, self.per_page, self.ends):
            kept = _kept(position, page, self.per_page)
            return kept | {"page": position.get("page", self.first) + 1, "read": read}
        if not _held_still(position, page, read) and position.get("restarts", 0) < self.restarts:
            return {"page": self.first} | _once_more(position, page)
        check_depth(position, page, read)
        return None

    def steady(self, position: Position, page: Turned) -> bool:
        return _held_still(position, page, position.get("read", 0) + page.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset(_NoticesRepeats):
    """`offset=200&limit=100`, counted by the rows that came, not by those asked for."""

    offset: str = "offset"
    limit: str = "limit"
    per_page: int = 100
    ends: Ends = "short"
    restarts: int = 1

    def ask(self, position: Position) -> Ask:
        return Ask({self.offset: position.get("offset", 0), self.limit: self.per_page})

    def after(self, position: Position, page: Turned) -> Position | None:
        read = position.get("offset", 0) + page.count
        if not _last(page, read, self.per_page, self.ends):
            return _kept(position, page, self.per_page) | {"offset": read}
        if not _held_still(position, page, read) and position.get("restarts", 0) < self.restarts:
            return {"offset": 0} | _once_more(position, page)
        check_depth(position, page, read)
        return None

    def steady(self, position: Position, page: Turned) -> bool:
        return _held_still(position, page, position.get("offset", 0) + page.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorToken(_NeverRepeats):
    """The answer names the next page with a token at `path`; none, null or "" is the end. `size` is optional."""

    path: str
    param: str = "cursor"
    size: str = ""
    per_page: int = 100

    def ask(self, position: Position) -> Ask:
        return Ask(
            ({self.size: self.per_page} if self.size else {})
            | ({self.param: position["token"]} if "token" in position else {})
        )

    def after(self, position: Position, page: Turned) -> Position | None:
        token, counted = page.split.value(self.path), _counted(position, page)
        if token is None or token == "":  # nosec B105 # an empty page token
            _check_counted(counted)
            return None
        if isinstance(token, bool) or not isinstance(token, str | int):
            raise EnvelopeError("the page token at {path} is neither text nor a number", path=self.path)
        return counted | _circling(position, "token", token)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLink(_NeverRepeats):
    """The answer links to the next page: at `path`, or (without one) in a Link header with rel="next".

    Only a link to the same host is followed. `drop` are query parameters that auth adds again (keys stay out of the
    state).
    """

    path: str = ""
    drop: tuple[str, ...] = ()

    def ask(self, position: Position) -> Ask:
        return Ask({}, url=position.get("url", ""))

    def after(self, position: Position, page: Turned) -> Position | None:
        link = page.split.value(self.path) if self.path else _link_header(page.links)
        counted = _counted(position, page)
        if link is None or link == "":
            _check_counted(counted)
            return None
        if not isinstance(link, str):
            raise EnvelopeError("the link to the next page at {path} is no text", path=self.path)
        target, asked = urlsplit(urljoin(page.url, link)), urlsplit(page.url)
        if (target.scheme, target.netloc) != (asked.scheme, asked.netloc):
            raise EnvelopeError(
                "the link to the next page leads to another host, {host}",
                host=target.hostname or "-",
                remedy="nothing is followed off the source's own host",
            )
        # As the source wrote it: what it escapes need not be UTF-8.
        pairs = target.query.split("&")
        query = "&".join(pair for pair in pairs if unquote_plus(pair.partition("=")[0]) not in self.drop)
        return counted | _circling(position, "url", target._replace(query=query, fragment="").geturl())


def _last(page: Turned, read: int, per_page: int, ends: Ends) -> bool:
    """Whether this was the last page: empty, all that is counted is read, or short where that says it."""
    if page.count == 0:
        if page.split.total and not read:
            raise EnvelopeError("the page is empty although the source counts {total} rows", total=page.split.total)
        return True
    if page.split.total is not None and read <= page.split.total:
        # On a full first page the total may be a count of the page, not of the window: one more question tells. Where
        # pages are cut in silence, any first page is full.
        return read == page.split.total and not (read == page.count and (ends == "empty" or page.count == per_page))
    # No total, or one that lies: more rows came than it counts, so it cannot say that these were the last.
    return ends == "short" and page.count < per_page


def check_depth(position: Position, page: Turned, read: int) -> None:
    """Raise where a source serves only to a depth: behind a full page nothing more comes, although more is counted.

    Behind a short page it is most likely the total that is too high: that ends the reading, but not steadily. That a full page
    was the last by chance cannot be told from a depth by asking on, so it is not taken for the end.
    """
    # Behind its depth a source may count nothing at all; what it counted before still stands.
    total = page.split.total or position.get("total", 0)
    if page.count == 0 and position.get("full") and read < total:
        raise EnvelopeError(
            "the source ends after {read} rows although it counts {total}",
            read=read,
            total=total,
            remedy="narrow the window: a span, or a smaller step of the backfill; declare no total if it counts something else",
        )


def _counted(position: Position, page: Turned) -> Position:
    """How many rows were read without counting pages, and the lowest total so far: what comes or goes meanwhile is not
    missing."""
    if position and "read" not in position:
        return {}  # an earlier version of the hub began this reading
    totals = [total for total in (position.get("total"), page.split.total) if total is not None]
    return {"read": position.get("read", 0) + page.count, **({"total": min(totals)} if totals else {})}


def _check_counted(counted: Position) -> None:
    if counted and counted["read"] < counted.get("total", 0):
        raise EnvelopeError(
            "the source ends after {read} rows although it counts {total}",
            read=counted["read"],
            total=counted["total"],
            remedy="see the answer with hub preview; declare no total if it counts something else",
        )


def _kept(position: Position, page: Turned, per_page: int) -> Position:
    """What goes along from page to page: this page's digest and whether it was full, the total of the first one and whether a
    later one said another, the restarts so far; without a total a digest of all pages, of this reading and the one before."""
    kept: Position = {key: position[key] for key in ("restarts", "former", "moved") if key in position}
    if page.count >= per_page:
        kept["full"] = True
    if (total := position.get("total", page.split.total)) is None:
        kept["run"] = _run(position, page)
    else:
        kept["total"] = total
        if page.split.total not in (None, total):
            kept["moved"] = True
    return {"digest": page.digest, **kept}


def _held_still(position: Position, page: Turned, read: int) -> bool:
    """Whether no row can have slipped past us: of the total, none moved and no more is counted than was read. A page without a
    total leaves what was said. Where none has one, only a second reading of the same pages shows it."""
    total = position.get("total") if page.split.total is None else page.split.total
    if total is None:
        return bool(read == page.count or position.get("former") == _run(position, page))
    return bool(total == position.get("total", total) and read >= total and "moved" not in position)


def _once_more(position: Position, page: Turned) -> Position:
    former = {} if "total" in position or page.split.total is not None else {"former": _run(position, page)}
    return {"restarts": position.get("restarts", 0) + 1, **former}


def _run(position: Position, page: Turned) -> str:
    return hashlib.blake2b((position.get("run", "") + page.digest).encode(), digest_size=8).hexdigest()


def _circling(position: Position, key: str, value: str | int) -> Position:
    """The next position, or EnvelopeError if the way goes in a circle of any length.

    Brent's way: one earlier value is remembered, renewed at each power of two; a circle must come back to it.
    """
    if value in (position.get(key), position.get("mark")):
        raise EnvelopeError(
            "the source sends us in circles: the next page was read already", remedy="report it to the source's owner"
        )
    step = position.get("step", 0) + 1
    mark = value if step & (step - 1) == 0 else position.get("mark")
    return {key: value, "mark": mark, "step": step}


def _link_header(text: str) -> str | None:
    """The target of a Link header (RFC 8288) that has next among its relations."""
    for target, attributes in _LINK.findall(text):
        relations = _RELATIONS.search(attributes)
        if relations and "next" in relations[1].strip("\"'").lower().split():
            return str(target)
    return None
