"""Puts the built-in connectors and the examples through the conformance kit and records what they earn.

Only those whose files changed since; all of them with --all. Exit code 1 if a check failed.
"""

import sys
import time
from pathlib import Path

from hub.plugins import load_plugins
from hub.source.connector import Connector
from hub.source.declared import read_connector
from hub.testing.conformance import Verdict, grade
from hub.testing.materials import materials
from hub.testing.quality import Tier, earned_tier, record_tier

EXAMPLES = sorted(Path(__file__).parent.glob("*/src/*/connector.toml"))


def put_to_the_test(connector: type[Connector]) -> bool:
    """Whether nothing failed; says what did."""
    began = time.monotonic()
    found = grade(connector)
    exempt = [f"{one.name} ({one.said})" for one in found.results if one.verdict is Verdict.EXEMPT]
    failed = [one for one in found.results if one.verdict is Verdict.FAILED]
    record_tier(connector, found.tier, materials(connector))
    took = time.monotonic() - began
    print(f"{connector.name}: {found.tier} in {took:.0f} s; exempt: {', '.join(exempt) or 'nothing'}", flush=True)
    for one in failed:
        print(f"    {one.name}: {one.said}", flush=True)
    return not failed


own = [one for one in load_plugins().connectors.values() if one.__module__.startswith("connectors.")]
chosen = [*own, *map(read_connector, EXAMPLES)]
todo = [one for one in chosen if "--all" in sys.argv or earned_tier(one) is Tier.NONE]
print(f"{len(chosen) - len(todo)} of {len(chosen)} hold the tier they earned; {len(todo)} to grade", flush=True)
failed = [one.name for one in todo if not put_to_the_test(one)]
sys.exit(bool(failed))
