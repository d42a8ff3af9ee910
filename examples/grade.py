"""Every built-in connector through the conformance kit; what it earns, and what failed. Exit code 1 unless all are gold."""

import sys

from hub.plugins import load_plugins
from hub.testing.conformance import Tier, Verdict, grade

tiers = []
for name, connector in load_plugins().connectors.items():
    found = grade(connector)
    tiers.append(found.tier)
    exempt = [one.name for one in found.results if one.verdict is Verdict.EXEMPT]
    print(f"{name}: {found.tier}; exempt: {', '.join(exempt) or 'nothing'}", flush=True)
    for one in found.results:
        if one.verdict is Verdict.FAILED:
            print(f"    {one.name}: {one.said}", flush=True)
sys.exit(any(tier is not Tier.GOLD for tier in tiers))
