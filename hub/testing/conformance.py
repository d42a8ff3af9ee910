"""The conformance kit: a connector against a simulated source with faults, graded bronze, silver or gold.

In a connector's own tests, one line:

    test_conformance = conformance_test(RiverWatch)
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hub.errors import ConfigError, HubError
from hub.source.connector import Connector
from hub.testing.benches import open_bench
from hub.testing.promises import CHECKS, Check, NotApplicableError, both_languages, documentation
from hub.testing.quality import Quality, Tier, read_quality

__all__ = ["NAMES", "CheckResult", "Grade", "Verdict", "conformance_test", "grade", "run_check"]

NAMES = (*(check.name for check in CHECKS), "documentation", "both_languages")


class Verdict(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `hub conformance`. `said`: what is wrong, or why the check does not apply."""

    name: str
    tier: Tier
    verdict: Verdict
    said: str = ""

    @property
    def to_do(self) -> bool:
        """Exempt for the time being only, in the author's own words."""
        return self.verdict is Verdict.EXEMPT and self.said.startswith("TODO")


@dataclass(slots=True)
class Grade:
    """All checks of one connector, and the tier they earn: the highest below which nothing failed or is still to do. A
    tier of which every check is exempt is not earned."""

    connector: str
    results: list[CheckResult] = field(default_factory=list)

    @property
    def tier(self) -> Tier:
        earned = Tier.NONE
        for tier in (Tier.BRONZE, Tier.SILVER, Tier.GOLD):
            these = [one for one in self.results if one.tier is tier]
            verdicts = {one.verdict for one in these}
            if Verdict.FAILED in verdicts or Verdict.PASSED not in verdicts or any(one.to_do for one in these):
                break
            earned = tier
        return earned


def grade(connector: type[Connector], done: Callable[[CheckResult], None] | None = None) -> Grade:
    """Run every check. ConfigError if the connector's quality file or samples are missing or wrong."""
    found = Grade(connector.name)
    for name in NAMES:
        found.results.append(run_check(connector, name))
        if done is not None:
            done(found.results[-1])
    return found


def run_check(connector: type[Connector], name: str) -> CheckResult:
    """One check by its name."""
    quality, path = read_quality(connector)
    if unknown := sorted(set(quality.exempt) - set(NAMES)):
        raise ConfigError(
            "{path} exempts {check}, which is no check", path=path, check=unknown[0], remedy="there is {known}",
            known=", ".join(NAMES),
        )  # fmt: skip
    check = next((one for one in CHECKS if one.name == name), None)
    tier = check.tier if check else Tier.GOLD
    if name in quality.exempt:
        return CheckResult(name, tier, Verdict.EXEMPT, quality.exempt[name])
    try:
        if check is None:
            problems = _on_paper(connector, name, quality, path.parent)
        else:
            problems = _benched(connector, check, quality, path.parent)
    except NotApplicableError as why:
        return CheckResult(name, tier, Verdict.EXEMPT, str(why))
    return CheckResult(name, tier, Verdict.FAILED if problems else Verdict.PASSED, "; ".join(problems))


def conformance_test(connector: type[Connector]) -> Callable[..., None]:
    """A test function for pytest: one case a check."""
    import pytest

    @pytest.mark.parametrize("check", NAMES)
    def test_conformance(check: str) -> None:
        result = run_check(connector, check)
        if result.verdict is Verdict.EXEMPT:
            pytest.skip(result.said)
        assert result.verdict is Verdict.PASSED, result.said

    return test_conformance


def _benched(connector: type[Connector], check: Check, quality: Quality, home: Path) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="hub-conformance-") as folder:
        try:
            with open_bench(connector, quality, home, Path(folder)) as bench:
                return check.run(bench)
        except HubError as error:
            return [str(error)]


def _on_paper(connector: type[Connector], name: str, quality: Quality, home: Path) -> list[str]:
    if name == "both_languages":
        return both_languages(connector)
    try:
        return documentation(connector, quality, list(_streams(connector, quality, home)))
    except HubError as error:
        return [str(error)]


def _streams(connector: type[Connector], quality: Quality, home: Path) -> Iterator[Any]:
    with (
        tempfile.TemporaryDirectory(prefix="hub-conformance-") as folder,
        open_bench(connector, quality, home, Path(folder)) as bench,
        bench.hub.open(bench.source) as source,
    ):
        yield from (stream.name for stream in source.streams)
