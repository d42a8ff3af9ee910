"""quarantine: look, try again, give up; on a city of its own, because nonsense once planted stays."""

import re

import pytest
from answers import Run

from hub.testing.sandbox import Sandbox


def test_quarantine_list_show_replay_drop(data: Run, city: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    city.fault("road_patrol", "absurd")
    answer = data("sync", "road_patrol")
    assert (answer.code, answer.line["outcome"]) == (3, "partial")
    rows = data("quarantine", "list").lines
    assert rows
    number = str(rows[0]["id"])
    shown = data("quarantine", "show", number).line
    assert shown["reason"] == rows[0]["reason"]
    assert shown["raw"]
    assert shown["reason"].isascii()
    with monkeypatch.context() as chinese:
        chinese.setenv("HUB_LANG", "zh")
        assert all(re.search("[一-鿿]", row["reason"]) for row in data("quarantine", "list").lines)
        assert re.search("[一-鿿]", data("quarantine", "show", number).line["reason"])
    replayed = data("quarantine", "replay", number).line
    assert (replayed["mode"], replayed["quarantined"]) == ("replay", 1)
    assert data("quarantine", "replay").code == 2
    assert data("quarantine", "drop", number).code == 2
    assert data("quarantine", "drop", number, "--reason", "a test record").line == {"dropped": [int(number)]}
    assert int(number) not in [row["id"] for row in data("quarantine", "list").lines]
    assert int(number) in [row["id"] for row in data("quarantine", "list", "--all").lines]
    assert data("quarantine", "show", "99999").code == 2


def test_unmasking_a_quarantined_record_needs_a_reason(data: Run, city: Sandbox) -> None:
    city.fault("road_patrol", "absurd")
    data("sync", "road_patrol")
    number = str(data("quarantine", "list").lines[0]["id"])
    assert data("quarantine", "show", number, "--unmask").code == 2
    assert data("quarantine", "show", number, "--unmask", "--reason", "training").code == 0
