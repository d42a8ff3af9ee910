"""Puts one defect at a time into a copy of the tree and runs the tests that should notice: `python -m tests.mutations`.

Ends with 1 if a defect is not caught, or cannot be planted because the code has changed. Writes docs/mutations.md; if
words are given: then only the defects with one of them in their name are tried, and only their lines written anew.
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
#: A line of the page: the defect and its test.
ROW = re.compile(r"^\| (.+?) \| `.+?` \| `(.+?)` \|$", re.MULTILINE)
COPIED = ("hub", "connectors", "mappings", "tests", "docs", "cli.py", "pyproject.toml")


def copy_tree(target: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=skip)
        else:
            shutil.copy(source, target / name)


def planted_once(defect: Defect, tree: Path) -> bool:
    """Whether the defect's place is where it was."""
    return (tree / defect.file).read_text("utf-8").count(defect.old) == 1


def run_tests(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *words]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=600)


def try_out(defect: Defect, tree: Path) -> str:
    """The test that caught it; empty if none did. A test that also fails without the defect catches nothing."""
    file = tree / defect.file
    sound = file.read_text("utf-8")
    if not planted_once(defect, tree):
        raise SystemExit(f"{defect.name}: its place in {defect.file} is not there exactly once any more")
    file.write_text(sound.replace(defect.old, defect.new), "utf-8")
    try:
        done = run_tests(tree, *defect.tests)
    finally:
        file.write_text(sound, "utf-8")
    caught = re.search(r"^FAILED (tests/.+?)(?: - |$)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or not caught:
        return ""
    if run_tests(tree, caught[1]).returncode:
        raise SystemExit(f"{caught[1]} fails without any defect")
    return caught[1]


def page(found: dict[str, str]) -> str:
    lines = [
        "# Seeded defects and the tests that catch them",
        "",
        "Written by `make mutations`, which puts each defect into a copy of the tree, alone, and runs the tests that should",
        "notice; do not edit. `tests/docs/test_mutations_page.py` holds that each defect is listed and can still be planted,",
        "and that its test is still there; that it still catches the defect only `make mutations` shows (ten minutes).",
        "",
        "| defect | where | caught by |",
        "| --- | --- | --- |",
    ]  # fmt: skip
    lines += [f"| {one.name} | `{one.file}` | `{found.get(one.name) or 'NOBODY'}` |" for one in DEFECTS]
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    chosen = [one for one in DEFECTS if not words or any(word in one.name for word in words)]
    found = dict(ROW.findall(PAGE.read_text("utf-8"))) if words else {}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        for defect in chosen:
            found[defect.name] = try_out(defect, tree)
            print(f"{'caught' if found[defect.name] else 'MISSED'}  {defect.name}: {found[defect.name]}", flush=True)
    PAGE.write_text(page(found), "utf-8")
    missed = sum(not found[one.name] for one in chosen)
    print(f"{len(chosen) - missed} of {len(chosen)} defects caught")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
