"""Puts one defect at a time into a copy of the tree and runs the tests that should notice: `python -m tests.mutations`.

Ends with 1 if a defect is not caught, or cannot be planted because the code has changed. Writes docs/mutations.md.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutations.defects import DEFECTS, Defect

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mutations.md"
COPIED = ("hub", "connectors", "mappings", "tests", "docs", "cli.py", "pyproject.toml")


def copy_tree(target: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=skip)
        else:
            shutil.copy(source, target / name)


def try_out(defect: Defect, tree: Path) -> str:
    """The test that caught it; empty if none did."""
    file = tree / defect.file
    sound = file.read_text("utf-8")
    if sound.count(defect.old) != 1:
        raise SystemExit(f"{defect.name}: its place in {defect.file} is not there exactly once any more")
    file.write_text(sound.replace(defect.old, defect.new), "utf-8")
    try:
        words = [
            sys.executable,
            "-B",
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            *defect.tests,
        ]
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, timeout=300)
    finally:
        file.write_text(sound, "utf-8")
    caught = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", done.stdout, re.MULTILINE)
    return caught[1] if done.returncode == 1 and caught else ""


def page(found: dict[str, str]) -> str:
    lines = [
        "# Seeded defects and the tests that catch them",
        "",
        "Written by `make mutations` (`python -m tests.mutations`): each defect is put into a copy of the tree, alone, and the",
        "tests that should notice are run.",
        "",
        "| defect | where | caught by |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {one.name} | `{one.file}` | `{found[one.name] or 'NOBODY'}` |" for one in DEFECTS]
    return "\n".join(lines) + "\n"


def main() -> int:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        for defect in DEFECTS:
            found[defect.name] = try_out(defect, tree)
            print(f"{'caught' if found[defect.name] else 'MISSED'}  {defect.name}: {found[defect.name]}", flush=True)
    PAGE.write_text(page(found), "utf-8")
    missed = sum(not test for test in found.values())
    print(f"{len(DEFECTS) - missed} of {len(DEFECTS)} defects caught")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
