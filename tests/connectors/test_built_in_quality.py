"""Built-in connectors stand the kit's tests too. The whole of it is `make grade`; here what costs little, for each."""

import pytest

from hub.plugins import load_plugins
from hub.source.connector import Connector
from hub.testing.conformance import NAMES, Tier, Verdict, run_check
from hub.testing.promises import CHECKS
from hub.testing.quality import read_quality

BUILT_IN = {
    name: connector
    for name, connector in load_plugins().connectors.items()
    if connector.__module__.startswith("connectors.")
}
QUICK = ("documentation", "both_languages")


@pytest.mark.parametrize("connector", BUILT_IN.values(), ids=BUILT_IN)
def test_its_page_and_titles_are_complete(connector: type[Connector]) -> None:
    found = [run_check(connector, name) for name in QUICK]
    assert [f"{one.name}: {one.said}" for one in found if one.verdict is Verdict.FAILED] == []


@pytest.mark.parametrize("connector", BUILT_IN.values(), ids=BUILT_IN)
def test_exemptions_have_reasons_and_no_basic_promise_is_exempt(connector: type[Connector]) -> None:
    quality, _ = read_quality(connector)
    assert all(name in NAMES and len(reason) > 20 for name, reason in quality.exempt.items())
    basic = {check.name for check in CHECKS if check.tier is not Tier.GOLD}
    # A tap stands for any system; its transport has tests of its own.
    assert connector.name == "singer" or not basic & quality.exempt.keys()
