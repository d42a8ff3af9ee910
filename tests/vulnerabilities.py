"""`make vulnerabilities`: known vulnerabilities of what constraints.txt pins, and how many of them could be looked up at all.

pip-audit ends well when it could ask about nothing. So here every skipped dependency is counted, and an old release with
published advisories is looked up first: where that one is said to be sound, the others' soundness means nothing.
Ends with 0 (all looked up, none vulnerable), 1 (vulnerable), 2 (not, or not wholly, looked up).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PIP_AUDIT = (
    sys.executable,
    "-m",
    "pip_audit",
    "--progress-spinner",
    "off",
    "--format",
    "json",
    "--no-deps",
    "--disable-pip",
)
#: PYSEC-2019-217 (CVE-2019-10906), PYSEC-2021-66 (CVE-2020-28493) and others.
CANARY = "jinja2==2.10"


@dataclass
class Report:
    """`looked` and `skipped` are names; `found`: name → advisories; `canary`: advisories of the old release."""

    looked: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    canary: int = 0
    broken: str = ""

    @property
    def code(self) -> int:
        if self.found:
            return 1
        return 0 if self.looked and self.canary and not (self.skipped or self.broken) else 2

    def lines(self) -> list[str]:
        total = len(self.looked) + len(self.skipped)
        said = [f"{len(self.looked)} of {total} dependencies looked up, {len(self.skipped)} skipped"]
        said += [f"vulnerable: {name}: {', '.join(ids)}" for name, ids in sorted(self.found.items())]
        if self.broken:
            said.append(f"pip-audit did not answer: {self.broken}")
        elif not self.looked:
            said.append("NOTHING could be looked up: this machine does not reach any advisories, so nothing is known")
        elif not self.canary:
            said.append(f"no advisory for {CANARY}, which has some: the service knows none, so nothing is known")
        elif self.skipped:
            said.append(f"not known: {', '.join(self.skipped)}")
        if self.code == 0:
            said.append("none of them has a known vulnerability")
        return said


def audit(pins: Path, command: Sequence[str] = PIP_AUDIT) -> Report:
    """Ask about every line of `pins` (name==version), and about the canary."""
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(CANARY + "\n", "utf-8")
        for file in (canary, pins):
            done = subprocess.run([*command, "--requirement", str(file)], capture_output=True, text=True)
            try:
                answer = json.loads(done.stdout)["dependencies"]
            except (json.JSONDecodeError, KeyError):
                report.broken = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                return report
            if file is canary:
                report.canary = sum(len(one.get("vulns", [])) for one in answer)
            else:
                _note(report, answer)
    return report


def _note(report: Report, answer: list[dict[str, Any]]) -> None:
    for one in answer:
        if "skip_reason" in one:
            report.skipped.append(one["name"])
            continue
        report.looked.append(one["name"])
        if one["vulns"]:
            report.found[one["name"]] = [vulnerability["id"] for vulnerability in one["vulns"]]


def main() -> int:
    report = audit(ROOT / "constraints.txt")
    print(*report.lines(), sep="\n")
    return report.code


if __name__ == "__main__":
    sys.exit(main())
