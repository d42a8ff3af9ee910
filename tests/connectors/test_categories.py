"""docs/categories.md and the code tables that fill `category` say the same."""

import re

from written import ROOT, code_table

from hub.mapping.mapping import Mappings

PAGE = (ROOT / "docs" / "categories.md").read_text("utf-8")
LISTED = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))


def tables() -> set[str]:
    """Every code table some mapping translates categories with."""
    mappings = Mappings([ROOT / "mappings"])
    found = (mappings.get(name).file.fields.get("category") for name in mappings.names)
    return {spec.codes for spec in found if spec is not None and spec.codes}


def test_every_category_is_documented_and_every_documented_one_is_used() -> None:
    classes = set(code_table("event_classes").entries)
    used = {row.hub_code for name in tables() for rows in code_table(name).entries.values() for row in rows}
    assert used - classes - {""} == LISTED


def test_event_classes_map_to_themselves() -> None:
    entries = code_table("event_classes").entries
    assert all(rows[0].hub_code == code and rows[0].title for code, rows in entries.items())
    assert {code[:2] for code in entries} == {"01", "02", "03", "04", "05"}
    assert len(entries) == 54
