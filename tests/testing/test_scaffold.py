"""`hub new connector`: what it writes passes its own tests, and what a sample says is proposed with its reason."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.errors import ConfigError
from hub.mapping.mapping import Mappings
from hub.source.declared import read_connector
from hub.testing.guesses import guess
from hub.testing.scaffold import write_connector
from hub.testing.specimen import map_specimen

ORDERS = {"code": 0, "result": {"count": 3, "list": [
    {"orderNo": f"GD{number}", "bt": "路灯不亮", "zt": state, "createdAt": 1767225600000 + number,
     "modifyTime": 1767225600000 + number * 1000, "lxrName": "某人", "contactPhone": "13712345678",
     "lng": 119.6, "lat": 29.1}
    for number, state in enumerate(["待处理", "已办结", "九号"])
]}}  # fmt: skip


@pytest.mark.parametrize(
    ("declarative", "sampled", "chosen"),
    # All checks of a declarative one from a sample run in tests/docs/test_tutorial.py.
    [(True, False, "checks or maps"), (False, False, "checks or maps or documentation"), (False, True, "checks")],
    ids=["declarative", "class", "class from a sample"],
)
def test_what_is_written_passes_its_tests(tmp_path: Path, declarative: bool, sampled: bool, chosen: str) -> None:
    sample = tmp_path / "orders.json"
    sample.write_text(json.dumps(ORDERS, ensure_ascii=False), "utf-8")
    write_connector("street_lamps", tmp_path, sample=sample if sampled else None, declarative=declarative)
    root = tmp_path / "street_lamps"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "hub.testing.pytest_plugin", "-p", "no:cacheprovider",
         "-o", "pythonpath=src", "-k", f"{chosen} or first_sample", "tests"],
        cwd=root, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    package = root / "src" / "hub_connector_street_lamps"
    declaration = (package / ("connector.toml" if declarative else "__init__.py")).read_text("utf-8")
    assert "TODO 2" in declaration
    assert "guess:" in declaration
    if sampled:
        samples = (package / "conformance" / "samples" / "orders.json").read_text("utf-8")
        assert "13712345678" not in samples
        assert "TODO: map 九号" in (package / "conformance" / "street_lamps.toml").read_text("utf-8")


def test_guesses_have_reasons() -> None:
    found = guess(ORDERS)
    assert (found.rows.value, found.total.value if found.total else "") == ("result.list", "result.count")
    assert found.native_id.value == "orderNo"
    assert found.cursor is not None
    assert found.format is not None
    assert (found.cursor.value, found.format.value) == ("modifyTime", "epoch_ms")
    assert (found.codes, found.unknown_codes) == (
        [("待处理", "pending", "待处理"), ("已办结", "closed", "已办结")], ["九号"],
    )  # fmt: skip
    assert found.fields["title"].value == "bt"
    assert {role: one.value for role, one in found.people.items()} == {"name": "lxrName", "phone": "contactPhone"}
    assert found.position is not None
    assert all(one.why for one in (found.rows, found.native_id, found.cursor, *found.fields.values()))


@pytest.mark.parametrize(
    ("text", "form", "zone"),
    [
        ("2026-01-01 08:00:00", "iso", "Asia/Shanghai"), ("2026-01-01T08:00:00Z", "iso", "UTC"),
        ("2026-01-01T08:00:00+08:00", "iso", "UTC"), (1767225600, "epoch_s", "UTC"),
        ("1767225600000", "epoch_ms", "UTC"), ("2026/01/31 08:00", "%Y/%m/%d %H:%M", "Asia/Shanghai"),
        ("20260131080000", "%Y%m%d%H%M%S", "Asia/Shanghai"), ("2026-01-31 08:00", "iso", "Asia/Shanghai"),
    ],
)  # fmt: skip
def test_formats_and_zones(text: Any, form: str, zone: str) -> None:
    found = guess([{"id": 1, "updatedAt": text}])
    assert found.format is not None
    assert found.zone is not None
    assert (found.format.value, found.zone.value) == (form, zone)


LAMPS = {"ret": "00", "data": {"rows": [
    {"area": {"id": number}, "lampId": number, "place": {"street": "虚构路", "lon": 119.6, "lat": 29.1},
     "caller": {"name": "某人", "mobile": "13712345678"}, "updated": "2026/01/31 08:00", "isDeleted": number == 2,
     "visits": [{"when": "2026/01/31 09:00", "crew": "一班", "done": "查看"}] if number else []}
    for number in range(3)
]}}  # fmt: skip


def test_what_stands_inside_objects_and_lists_is_seen() -> None:
    found = guess(LAMPS)
    assert found.native_id.value == "lampId"
    assert found.code is not None
    assert found.code.value == 'path = "ret", ok = ["00"]'
    assert found.gone is not None
    assert found.gone.value == 'operation = "isDeleted"\ndeletes = ["true"]'
    assert found.fields["address"].value == "place.street"
    assert found.position is not None
    assert [one.value for one in found.position] == ["place.lon", "place.lat"]
    assert {role: one.value for role, one in found.people.items()} == {"name": "caller.name", "phone": "caller.mobile"}
    steps = {name: one.value for name, one in found.steps.items()}
    assert steps == {"each": "visits", "at": "when", "unit": "crew", "note": "done"}


@pytest.mark.parametrize("declarative", [True, False], ids=["declarative", "class"])
def test_the_package_says_what_was_seen(tmp_path: Path, declarative: bool) -> None:
    sample = tmp_path / "lamps.json"
    sample.write_text(json.dumps(LAMPS, ensure_ascii=False), "utf-8")
    write_connector("lamps", tmp_path, sample=sample, declarative=declarative)
    package = tmp_path / "lamps" / "src" / "hub_connector_lamps"
    if declarative:
        stream = read_connector(package / "connector.toml").declaration["streams"]["lamps"]  # type: ignore[attr-defined]
        assert (stream["operation"], stream["deletes"]) == ("isDeleted", ["true"])
        assert stream["window"]["format"] == stream["cursor"]["format"] == "%Y/%m/%d %H:%M"
        assert stream["envelope"]["checks"] == [{"path": "ret", "ok": ["00"]}]
    else:
        text = (package / "__init__.py").read_text("utf-8")
        compile(text, "connector", "exec")
        assert 'operation="isDeleted"' in text
        assert "Check(\"ret\", ('00',))" in text
    record = json.loads((package / "conformance" / "samples" / "lamps.json").read_text("utf-8"))[0]
    assert record["caller"] == {"name": "测试人", "mobile": "13900000000"}
    specimen = map_specimen(Mappings([package / "mappings"]).get("lamps/lamps"), LAMPS["data"]["rows"][1])  # type: ignore[index]
    assert [step["unit"] for step in specimen.fields["steps"]] == ["一班"]
    assert specimen.fields["address"] == "虚构路"


def test_without_a_cursor_the_author_is_told(tmp_path: Path) -> None:
    sample = tmp_path / "things.json"
    sample.write_text('[{"code": "a", "name": "one"}]')
    write_connector("plain", tmp_path, sample=sample, declarative=True)
    text = (tmp_path / "plain" / "src" / "hub_connector_plain" / "connector.toml").read_text("utf-8")
    assert "TODO: no time of change" in text


@pytest.mark.parametrize(
    ("name", "sample", "said"),
    [("Lamps", None, "is no name"), ("lamps", "[]", "no records"), ("lamps", "{", "cannot be read")],
)
def test_mistakes(tmp_path: Path, name: str, sample: str | None, said: str) -> None:
    file = tmp_path / "sample.json"
    file.write_text(sample or "")
    with pytest.raises(ConfigError, match=said):
        write_connector(name, tmp_path, sample=file if sample else None)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_connector("lamps", tmp_path)
    with pytest.raises(ConfigError, match="exists already"):
        write_connector("lamps", tmp_path)
