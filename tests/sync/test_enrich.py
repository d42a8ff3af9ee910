"""What a plugin adds to a page's rows before they are stored."""

from pathlib import Path
from typing import Any

from rig import MAPPING, START, Rig, write_mapping
from upstream import Upstream

from hub.errors import Outcome
from hub.sync.job import Hooks
from hub.sync.remap import remap


def test_what_fits_a_column_is_stored_and_nothing_else(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 1000)
    added = {"unit": "执法局", "fine": 150, "longitude": 119.5, "title": 7, "due_at": "2027", "latitude": 29, "key": 9}
    rig.hooks = Hooks(enrich=lambda rows: [[dict(row) | added for row in rows], [{}, {}]])
    assert rig.run().counts.new == 1
    columns = "unit, fine, longitude, title, due_at, latitude"
    assert [tuple(row) for row in rig.all(f"SELECT {columns} FROM incident")] == [
        ("执法局", 150, 119.5, "title of a", None, None)
    ]


def test_an_update_is_enriched_too(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", START - 1000)
    rig.run()
    rig.hooks = Hooks(enrich=lambda rows: [[enriched(row) for row in rows]])
    upstream.put("a", START - 500, "changed")
    assert rig.run().counts.changed == 1
    assert [tuple(row) for row in rig.all("SELECT title, unit FROM incident")] == [("changed", "changed!")]


def enriched(row: dict[str, Any]) -> dict[str, Any]:
    return {"unit": f"{row['title']}!"}


UNIT = Hooks(enrich=lambda rows: [[{"unit": "执法局"} for _ in rows]])


def test_other_bytes_of_an_enriched_record_are_no_revision(rig: Rig, upstream: Upstream) -> None:
    rig.hooks = UNIT
    upstream.put("x", START - 1000, other="a")
    rig.run()
    upstream.put("x", START - 1000, other="b")
    assert rig.run().counts.changed == 0


def test_a_remap_keeps_what_plugins_added(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    rig.hooks = UNIT
    upstream.put("x", START - 1000, more="m")
    rig.run()
    newer = MAPPING.replace("[[people]]", 'description = { path = "more" }\n[[people]]').replace(
        "version = 1", "version = 2"
    )
    rig.mappings = write_mapping(tmp_path / "newer", newer)
    assert remap(rig.store, rig.job, "one").run.outcome is Outcome.OK
    assert rig.all("SELECT unit, description, revision FROM incident") == [("执法局", "m", 2)]


def test_what_comes_out_of_quarantine_is_enriched(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    rig.hooks = UNIT
    strict = MAPPING.replace("[[people]]", 'fine = { path = "fine", optional = true }\n[[people]]')
    rig.mappings = write_mapping(tmp_path / "strict", strict)
    upstream.put("x", START - 1000, fine="much")
    rig.run()
    rig.mappings = write_mapping(tmp_path / "newer", MAPPING.replace("version = 1", "version = 2"))
    rig.run()
    assert rig.all("SELECT unit FROM incident") == [("执法局",)]


def test_details_are_enriched_a_page_at_a_time(rig: Rig, upstream: Upstream) -> None:
    asked: list[int] = []
    rig.hooks = Hooks(enrich=lambda rows: asked.append(len(rows)) or [[{"unit": "执法局"} for _ in rows]])  # type: ignore[func-returns-value]
    rig.shape(two_step=True)
    upstream.details = True
    for name in "ab":
        upstream.put(name, START - 1000)
    rig.run()
    assert asked == [2]
    assert rig.all("SELECT unit FROM incident") == [("执法局",)] * 2
