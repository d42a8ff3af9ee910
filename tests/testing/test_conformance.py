"""The kit grades a good connector gold, and each check catches a connector that breaks just its promise."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model
from twins import (
    AsksAgainAtOnce,
    DropsRows,
    ForgetsTheLookback,
    GoesOnBehindTies,
    KnowsNoEnd,
    NeverForgets,
    NewState,
    RemembersWhatItShowed,
    ShowsAWindowOnce,
    SkipsWhenResumed,
    TakesErrorsForEmpty,
    Twin,
    Unreadable,
    broken,
)

from hub.source import Connector, OAuth2ClientCredentials, Page, PageNumber, RestTransport, Stream, Token, Window
from hub.source.declared import read_connector
from hub.testing.conformance import NAMES, CheckResult, Grade, Tier, Verdict, grade, run_check

RIVER = Path(__file__).parents[2] / "examples" / "river_watch" / "src" / "hub_connector_river_watch" / "connector.toml"
RiverWatch: Any = read_connector(RIVER)


class NeverRenews(OAuth2ClientCredentials):
    def renew(self) -> None:
        """Forgets to forget."""

    def _fresh(self, token: Token) -> bool:
        return True


class LogsItsKey(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        logging.getLogger("hub.plugin").info("asking with %s", self.good._auth._value)  # type: ignore[attr-defined]
        return super().fetch(stream, window, position)


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
    "checks": broken(RiverWatch, Unreadable),
    "maps": broken(RiverWatch, DropsRows),
    "resumes": broken(RiverWatch, SkipsWhenResumed),
    "ties": broken(RiverWatch, GoesOnBehindTies),
    "late_rows": broken(RiverWatch, ForgetsTheLookback),
    "page_shift": broken(RiverWatch, streams=counted_pages),
    "token_expiry": type("Broken", (RiverWatch,), {"transport": stale_sign_in}),
    "retry_after": broken(RiverWatch, AsksAgainAtOnce),
    "empty_or_refused": broken(RiverWatch, TakesErrorsForEmpty),
    "kill_and_resume": broken(RiverWatch, RemembersWhatItShowed),
    "redaction": broken(RiverWatch, LogsItsKey),
    "reconciles": broken(RiverWatch, ShowsAWindowOnce),
    "deletes": broken(RiverWatch, NeverForgets),
    "backfill": broken(RiverWatch, KnowsNoEnd),
    "codes_governed": broken(RiverWatch, NewState),
    "documentation": broken(RiverWatch, Config=Undocumented),
    "both_languages": broken(RiverWatch, title="River watch"),
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


def test_what_is_still_to_do_earns_nothing() -> None:
    done = [CheckResult("maps", Tier.BRONZE, Verdict.PASSED), CheckResult("ties", Tier.SILVER, Verdict.PASSED)]
    gold = CheckResult("deletes", Tier.GOLD, Verdict.PASSED)
    for said, tier in (("TODO: finish the page", Tier.SILVER), ("it has no page, as it stands for any", Tier.GOLD)):
        left = CheckResult("documentation", Tier.GOLD, Verdict.EXEMPT, said)
        assert Grade("any", [*done, gold, left]).tier is tier


def test_a_page_with_something_to_do_is_not_complete(tmp_path: Path) -> None:
    shutil.copytree(RIVER.parent, tmp_path / "river")
    page = tmp_path / "river" / "README.md"
    page.write_text(page.read_text("utf-8") + "TODO: who owns it", "utf-8")
    found = run_check(read_connector(tmp_path / "river" / "connector.toml"), "documentation")
    assert (found.verdict, found.said) == (Verdict.FAILED, "TODO still stands on the page")
