"""What a plugin adds to a page's rows before they are stored."""

from typing import Any

from rig import START, Rig
from upstream import Upstream

from hub.sync.job import Hooks


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
