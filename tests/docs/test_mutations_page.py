"""docs/mutations.md lists the seeded defects as they are, and each can still be planted and has its test."""

import re
from pathlib import Path

from tests.mutations.__main__ import planted_once
from tests.mutations.defects import DEFECTS

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (.+?) \| `(.+?)` \| `(.+?)` \|$", re.MULTILINE)


def test_every_defect_is_listed_with_a_test_that_is_there() -> None:
    rows = ROW.findall((ROOT / "docs" / "mutations.md").read_text("utf-8"))
    assert [(name, file) for name, file, _ in rows] == [(one.name, one.file) for one in DEFECTS], "run make mutations"
    for name, _, test in rows:
        file, _, function = test.partition("::")
        assert f"def {function.partition('[')[0]}(" in (ROOT / file).read_text("utf-8"), f"{name}: {test}"


def test_every_defect_can_still_be_planted() -> None:
    assert [one.name for one in DEFECTS if not planted_once(one, ROOT)] == []


def test_they_are_many_and_each_is_one_of_a_kind() -> None:
    assert len(DEFECTS) >= 15
    assert len({one.name for one in DEFECTS}) == len(DEFECTS)
