"""The kit grades a good connector gold, and each check catches a connector that breaks just its promise."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from pydantic import create_model

from hub.clock import now
from hub.errors import FailedError, HubError, RateLimitedError
from hub.source import Connector, OAuth2ClientCredentials, Page, PageNumber, RestTransport, Stream, Token, Window
from hub.source.declared import read_connector
from hub.testing.conformance import NAMES, CheckResult, Grade, Tier, Verdict, grade, run_check

RIVER = Path(__file__).parents[2] / "examples" / "river_watch" / "src" / "hub_connector_river_watch" / "connector.toml"
RiverWatch: Any = read_connector(RIVER)


class Twin:
    """A transport that breaks one promise over a good one."""

    def __init__(self, good: RestTransport) -> None:
        self.good = good

    def __getattr__(self, name: str) -> Any:
        return getattr(self.good, name)

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        return self.good.fetch(stream, window, position)


def connector(transport: type[Twin] | None = None, **members: Any) -> type[Connector]:
    def build(self: Any, config: Any, context: Any) -> Any:
        good = RiverWatch.transport(self, config, context)
        return transport(good) if transport else good

    made: type[Connector] = type("Broken", (RiverWatch,), {"transport": build, **members})
    return made


def with_rows(page: Page, rows: list[bytes]) -> Page:
    return Page(rows, page.next, page.clock, page.total)


class Unreadable(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return with_rows(page, [b'{"id":"1"}' for _ in page.rows])


class DropsRows(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return with_rows(page, page.rows[::2])


class SkipsWhenResumed(Twin):
    """Takes the stored position for the page that was read last, not for the one to read next."""

    begun = False

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        begun, self.begun = self.begun, True
        page = super().fetch(stream, window, position)
        return page if begun or position is None or page.next is None else super().fetch(stream, window, page.next)


class GoesOnBehindTies(Twin):
    """Goes on strictly after the last row's time."""

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        inner, last = (position["inner"], position["last"]) if position else (None, "")
        page = super().fetch(stream, window, inner)
        times = [msgspec.json.decode(row)["updatedAt"] for row in page.rows]
        rows = [row for row, at in zip(page.rows, times, strict=True) if at > last]
        following = {"inner": page.next, "last": times[-1] if times else last} if page.next else None
        return Page(rows, following, page.clock, page.total)


class ForgetsTheLookback(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        assert stream.cursor is not None
        since = window.since + stream.cursor.lookback if window.since else None
        return super().fetch(stream, Window(since, window.until), position)


class NeverRenews(OAuth2ClientCredentials):
    def renew(self) -> None:
        """Forgets to forget."""

    def _fresh(self, token: Token) -> bool:
        return True


class AsksAgainAtOnce(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        try:
            return super().fetch(stream, window, position)
        except RateLimitedError:
            return super().fetch(stream, window, position)


class TakesErrorsForEmpty(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        try:
            return super().fetch(stream, window, position)
        except HubError:
            return Page([], None, now())


class RemembersWhatItShowed(Twin):
    shown: ClassVar[set[bytes]] = set()

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        rows = [row for row in page.rows if row not in self.shown]
        self.shown.update(rows)
        return with_rows(page, rows)


class LogsItsKey(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        logging.getLogger("hub.plugin").info("asking with %s", self.good._auth._value)  # type: ignore[attr-defined]
        return super().fetch(stream, window, position)


class ShowsAWindowOnce(Twin):
    shown: ClassVar[set[Any]] = set()

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        if position is None and window.since in self.shown:
            return Page([], None, now())
        self.shown.add(window.since)
        return super().fetch(stream, window, position)


class NeverForgets(Twin):
    seen: ClassVar[dict[str, bytes]] = {}

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        self.seen.update({msgspec.json.decode(row)["id"]: row for row in page.rows})
        return page if page.next else with_rows(page, list(self.seen.values()))


class KnowsNoEnd(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        if window.until is not None:
            raise FailedError("a window's end")
        return super().fetch(stream, window, position)


class NewState(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return with_rows(page, [row.replace(b'"state":"1"', b'"state":"9"') for row in page.rows])


def counted_pages(self: Any, config: Any) -> tuple[Stream, ...]:
    """Counts pages of a list in ascending order of change, and never looks twice."""
    (stream,) = RiverWatch.streams(self, config)
    changed = replace(
        stream.endpoint,
        paging=PageNumber(page="pageNo", per_page=config.page_size, restarts=0),
        envelope=replace(stream.endpoint.envelope, total=None),
    )
    return (replace(stream, endpoint=changed),)


def stale_sign_in(self: Any, config: Any, context: Any) -> RestTransport:
    auth = NeverRenews(f"{config.base_url}/token", "hub", "hush", context.tokens)
    return RestTransport(config.base_url, context, auth)


Undocumented = create_model("Config", __base__=RiverWatch.Config, hidden=(int, 1))

TWINS: dict[str, type[Connector]] = {
    "checks": connector(Unreadable),
    "maps": connector(DropsRows),
    "resumes": connector(SkipsWhenResumed),
    "ties": connector(GoesOnBehindTies),
    "late_rows": connector(ForgetsTheLookback),
    "page_shift": connector(streams=counted_pages),
    "token_expiry": type("Broken", (RiverWatch,), {"transport": stale_sign_in}),
    "retry_after": connector(AsksAgainAtOnce),
    "empty_or_refused": connector(TakesErrorsForEmpty),
    "kill_and_resume": connector(RemembersWhatItShowed),
    "redaction": connector(LogsItsKey),
    "reconciles": connector(ShowsAWindowOnce),
    "deletes": connector(NeverForgets),
    "backfill": connector(KnowsNoEnd),
    "codes_governed": connector(NewState),
    "documentation": connector(Config=Undocumented),
    "both_languages": connector(title="River watch"),
}


def test_the_example_is_gold() -> None:
    found = grade(RiverWatch)
    assert {one.name: one.said for one in found.results if one.verdict is Verdict.FAILED} == {}
    assert found.tier is Tier.GOLD


def test_every_check_has_a_failing_twin() -> None:
    assert tuple(TWINS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_twin_is_caught(name: str) -> None:
    assert run_check(TWINS[name], name).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("failed", "tier"),
    [(set(), Tier.GOLD), ({"deletes"}, Tier.SILVER), ({"ties"}, Tier.BRONZE), ({"maps"}, Tier.NONE)],
    ids=["nothing", "a gold one", "a silver one", "a bronze one"],
)
def test_a_tier_is_earned_by_everything_below_it(failed: set[str], tier: Tier) -> None:
    tiers = {"maps": Tier.BRONZE, "ties": Tier.SILVER, "deletes": Tier.GOLD}
    results = [
        CheckResult(name, of, Verdict.FAILED if name in failed else Verdict.PASSED) for name, of in tiers.items()
    ]
    assert Grade("any", results).tier is tier


def test_exemptions_alone_earn_nothing() -> None:
    results = [CheckResult("maps", Tier.BRONZE, Verdict.EXEMPT), CheckResult("deletes", Tier.GOLD, Verdict.PASSED)]
    assert Grade("any", results).tier is Tier.NONE
