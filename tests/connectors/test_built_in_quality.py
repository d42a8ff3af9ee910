"""Built-in connectors stand the kit's tests too. The whole of it is `make grade`; here what costs little, for each."""

import pytest

from hub.plugins import load_plugins
from hub.source.connector import Connector
from hub.testing.conformance import Tier, Verdict, run_check
from hub.testing.quality import earned_tier, read_quality

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
def test_its_gold_is_on_record(connector: type[Connector]) -> None:
    assert earned_tier(connector) is Tier.GOLD, f"{connector.name} changed since it was graded: run `make grade`"


@pytest.mark.parametrize("connector", BUILT_IN.values(), ids=BUILT_IN)
def test_nothing_is_exempt_by_decision(connector: type[Connector]) -> None:
    """What cannot apply (a sign-in that never ends, a database that never says later) the kit finds out by itself."""
    quality, _ = read_quality(connector)
    assert quality.exempt == {}
