"""The report of known vulnerabilities never takes silence for safety."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.vulnerabilities import CANARY, audit

SOUND: dict[str, Any] = {"name": "httpx", "version": "1", "vulns": []}
SICK: dict[str, Any] = {"name": "alembic", "version": "1", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}
SKIPPED: dict[str, Any] = {"name": "mako", "skip_reason": "Dependency not found on PyPI and could not be audited"}
KNOWN: dict[str, Any] = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217"}]}
BLIND = KNOWN | {"vulns": []}


@pytest.mark.parametrize(
    ("canary", "answer", "code", "says"),
    [
        (KNOWN, [SOUND], 0, "1 of 1 dependencies looked up, 0 skipped"),
        (KNOWN, [SOUND, SICK], 1, "vulnerable: alembic: PYSEC-1, PYSEC-2"),
        (SKIPPED, [SKIPPED, SKIPPED], 2, "0 of 2 dependencies looked up, 2 skipped"),
        (SKIPPED, [SKIPPED], 2, "NOTHING could be looked up"),
        (KNOWN, [SOUND, SKIPPED], 2, "not known: mako"),
        (BLIND, [SOUND], 2, f"no advisory for {CANARY}"),
        (KNOWN, [], 2, "0 of 0 dependencies looked up"),
        (KNOWN, None, 2, "pip-audit did not answer: no route to host"),
    ],
    ids=["sound", "vulnerable", "all skipped", "said plainly", "some skipped", "blind service", "nothing", "no answer"],
)
def test_report(tmp_path: Path, canary: Any, answer: Any, code: int, says: str) -> None:
    """Against a stand-in that answers as pip-audit does: always with 0, a skipped dependency among the others."""
    stand_in = tmp_path / "audit.py"
    stand_in.write_text(
        "import json, sys\n"
        f"answers = json.loads({json.dumps(json.dumps([[canary], answer]))})\n"
        "answer = answers['canary' not in sys.argv[-1]]\n"
        "sys.exit('no route to host') if answer is None else print(json.dumps({'dependencies': answer, 'fixes': []}))\n"
    )
    report = audit(tmp_path / "constraints.txt", (sys.executable, str(stand_in)))
    assert says in "\n".join(report.lines())
    assert report.code == code
