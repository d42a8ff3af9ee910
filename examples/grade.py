"""Every built-in connector through the conformance kit: what it earns, and what failed. Exit code 1 if anything did."""

import sys

from hub.plugins import load_plugins
from hub.testing.conformance import Verdict, grade

failed = False
for name, connector in load_plugins().connectors.items():
    found = grade(connector)
    exempt = [one.name for one in found.results if one.verdict is Verdict.EXEMPT]
    print(f"{name}: {found.tier}; exempt: {', '.join(exempt) or 'nothing'}", flush=True)
    for one in found.results:
        if one.verdict is Verdict.FAILED:
            failed = True
            print(f"    {one.name}: {one.said}", flush=True)
sys.exit(failed)
