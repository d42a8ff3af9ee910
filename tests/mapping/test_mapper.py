"""A mapping file as a whole: what it fills, what it refuses, and that every row is a valid Incident."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import MappingError
from hub.incident import Incident, incident_id
from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS
from hub.mapping.mapping import Mapper, Mappings, UnmappableError
from hub.mapping.values import BadValueError, CodeGap

CODES = """source_code,hub_code,title,valid_from,valid_to
01,pending,待受理,,
07,closed,已办结,,
99,,故意不对照,,
"""
DATED = """source_code,hub_code,title,valid_from,valid_to
A,0101,旧类,,2025-12-31
A,0202,新类,2026-01-01,
"""
MAPPING = """
version = 3
kind = "grid_event"
[fields]
title = "name"
description = { path = ["long", "short"], optional = true }
status = { path = "state", codes = "state" }
category = { path = "kind", codes = "dated", text = "kindName" }
source_updated_at = "changed"
occurred_at = { path = "at", optional = true }
region = "grid"
officers = { path = "officers", split = ";" }
measures = { path = "measures", split = ",", codes = "state" }
fine = { path = "money.fine", unit = "万元" }
[position]
x = "lng"
y = "lat"
system = "GCJ-02"
[subject]
name = "subject.name"
code = "subject.code"
kind = "subject.kind"
person = ["1"]
[[people]]
name = "caller"
phone = { path = "phone", optional = true }
[flags]
urgent = "urgent"
[[steps]]
each = "steps"
at = "time"
name = "node"
status = { path = "state", codes = "state", optional = true }
[[attachments]]
each = "photos"
url = "."
kind = { const = "image" }
[[references]]
system = { const = "hotline_8890" }
number = "hotlineNo"
"""
RECORD: dict[str, Any] = {
    "name": "暴露垃圾", "long": None, "short": "短", "state": "07", "kind": "A", "kindName": "甲",
    "changed": "2026-05-01 08:00:00",
    "at": "2026-04-30 20:00:00", "grid": "330702001003001", "officers": "测试甲; 测试乙", "measures": "01,07",
    "money": {"fine": 0.2}, "lng": "119.65", "lat": "29.08", "subject": {"name": "虚构公司", "code": None, "kind": "2"},
    "caller": "测试丙", "urgent": "1", "steps": [{"time": "2026-05-01 07:00:00", "node": "处置"},
    {"time": "2026-04-30 21:00:00", "node": "受理", "state": "01"}], "photos": ["http://x.example/1.jpg", ""], "hotlineNo": "12",
}  # fmt: skip


@pytest.fixture(scope="module")
def mapper(tmp_path_factory: pytest.TempPathFactory) -> Mapper:
    return mappings(tmp_path_factory.mktemp("mappings")).get("events").mapper()


def mappings(folder: Path, text: str = MAPPING) -> Mappings:
    (folder / "codes").mkdir(exist_ok=True)
    (folder / "events.toml").write_text(text, "utf-8")
    (folder / "codes" / "state.csv").write_text(CODES, "utf-8")
    (folder / "codes" / "dated.csv").write_bytes(DATED.encode("gb18030"))
    return Mappings([folder])


def row(mapper: Mapper, **changes: Any) -> dict[str, Any]:
    record = {key: value for key, value in {**RECORD, **changes}.items() if value is not ...}
    mapped = mapper.map(json.dumps(record).encode())
    return dict(zip(MAPPED_COLUMNS, mapped.row, strict=True)) | {"people": mapped.people, "gaps": mapper.gaps()}


@pytest.mark.parametrize(
    ("fields", "happened"),
    [
        ('occurred_at = "o"\nreported_at = "r"', {"2026-11-02 08:00:00": "02", None: "03"}),
        ('reported_at = "r"', {"2026-11-02 08:00:00": "03"}),
        ('occurred_at = "o"', {"2026-11-02 08:00:00": "02", None: None}),
    ],
    ids=["both", "reported only", "occurred only"],
)
def test_it_happened_when_it_was_reported_if_nothing_else_is_said(
    tmp_path: Path, fields: str, happened: dict[str | None, str | None]
) -> None:
    mapper = mappings(tmp_path, f'version = 1\nkind = "report"\n[fields]\n{fields}\n').get("events").mapper()
    for said, day in happened.items():
        mapped = row(mapper, o=said, r="2026-11-03 08:00:00")["occurred_at"]
        assert mapped == (
            None if day is None else int(datetime.fromisoformat(f"2026-11-{day}T00:00:00+00:00").timestamp() * 1000)
        )


def test_what_is_wrong_with_one_path_is_said_once(tmp_path: Path) -> None:
    text = 'version = 1\nkind = "report"\n[fields]\noccurred_at = "r"\nreported_at = "r"\n'
    with pytest.raises(UnmappableError, match=r"^r: not a time in ISO form$"):
        mappings(tmp_path, text).get("events").mapper().map(b'{"r": "soon"}')


def incident(values: dict[str, Any]) -> Incident:
    """The row as the schema defines it."""
    fields: dict[str, Any] = {}
    for name in MAPPED_COLUMNS:
        value = values[name]
        if name in INSTANTS and value is not None:
            value = datetime.fromtimestamp(value / 1000, UTC)
        if name in ("fine", "confiscated") and value is not None:
            value = f"{value / 100:.2f}"
        if Incident.model_fields[name].default_factory is not None:
            value = json.loads(value) if value else []
        fields[name] = value
    return Incident(
        id=incident_id("s", "t", '"1"'), source="s", stream="t", native_id='"1"', kind="grid_event", **fields
    )


def test_every_part_of_a_mapping(mapper: Mapper) -> None:
    got = row(mapper)
    assert (got["title"], got["description"]) == ("暴露垃圾", "短")
    assert (got["status"], got["source_status"], got["source_status_text"]) == ("closed", "07", "已办结")
    assert (got["category"], got["source_category"], got["source_category_text"]) == ("0202", "A", "甲")
    assert (got["region"], got["town"]) == ("330702001003", "330702001")
    assert (got["officers"], got["measures"]) == ('["测试甲","测试乙"]', '["待受理","已办结"]')
    assert (got["fine"], got["flags"]) == (200_000, '["urgent"]')
    assert (got["subject_kind"], got["subject_name"]) == ("organization", "虚构公司")
    assert got["steps"] == (
        '[{"at":"2026-04-30T13:00:00Z","name":"受理","status":"pending"},{"at":"2026-04-30T23:00:00Z","name":"处置"}]'
    )
    assert json.loads(got["attachments"]) == [{"kind": "image", "url": "http://x.example/1.jpg"}]
    assert got["reference_numbers"] == '[{"system":"hotline_8890","number":"12"}]'
    assert got["people"] == [{"role": "reporter", "name": "测试丙"}]
    assert incident(got).steps[0].status == "pending"


def test_an_object_in_place_of_a_list_is_its_only_element(mapper: Mapper) -> None:
    step = {"time": "2026-05-01 07:00:00", "node": "处置"}
    assert row(mapper, steps=step)["steps"] == row(mapper, steps=[step])["steps"] is not None


def test_a_natural_person_is_not_in_the_row(mapper: Mapper) -> None:
    got = row(mapper, subject={"name": "测试丁", "code": "x", "kind": "1"}, name="对测试丁的检查")
    assert (got["subject_kind"], got["subject_name"], got["subject_code"]) == ("person", None, None)
    assert got["title"] == "对***的检查"
    assert {"role": "subject", "name": "测试丁", "id_number": "x"} in got["people"]


@pytest.mark.parametrize("code", ["77", "99"], ids=["unknown", "listed without a hub code"])
def test_an_unmapped_code_is_never_a_guess(mapper: Mapper, code: str) -> None:
    got = row(mapper, state=code)
    assert (got["status"], got["source_status"]) == ("unmapped", code)
    assert CodeGap("state", code) in got["gaps"]


def test_a_dated_code_goes_by_the_records_day(mapper: Mapper) -> None:
    assert row(mapper, changed="2025-06-01 08:00:00")["category"] == "0101"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ...}, "name: missing"),
        ({"state": ["07"]}, "state: wrong type (array)"),
        ({"money": {}}, "money.fine: missing"),
        ({"money": "x"}, "money: wrong type (str)"),
        ({"changed": "soon"}, "changed: not a time"),
        ({"lng": "x"}, "lng or lat: not a coordinate"),
        ({"money": {"fine": "x"}, "at": "x"}, "money.fine: not an amount"),
        ({"steps": "none"}, "steps: a list was expected"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_record_names_field_and_reason_never_the_value(
    mapper: Mapper, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnmappableError) as caught:
        row(mapper, **changes)
    assert said in str(caught.value)
    assert "soon" not in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"null", b'{"a": NaN}', b'{"name": "\xff"}', b"[" * 100_000, b'{"name": "\\ud800"}'],
    ids=["empty", "list", "null", "nan", "not utf-8", "depth", "surrogate"],
)  # fmt: skip
def test_what_is_no_record_is_refused(mapper: Mapper, raw: bytes) -> None:
    with pytest.raises(UnmappableError):
        mapper.map(raw)


@pytest.mark.parametrize("code", ["330702001001007", 330702001001007])
def test_a_number_is_cut_like_its_text(tmp_path: Path, code: object) -> None:
    text = MAPPING.replace("[fields]", '[fields]\nunit_code = { path = "code", cut = 9 }', 1)
    assert row(mappings(tmp_path, text).get("events").mapper(), code=code)["unit_code"] == "330702001"


@pytest.mark.parametrize("value", ["1", "1 ", " 是", "Y", "y", "TRUE", 1, True], ids=repr)
def test_a_flag_is_set_however_its_word_is_written(mapper: Mapper, value: object) -> None:
    """A column of fixed width pads it, a spreadsheet writes TRUE: neither may hide that a matter is urgent."""
    assert "urgent" in row(mapper, urgent=value)["flags"]


@pytest.mark.parametrize("value", [None, "", " ", "0", "否", "N", "FALSE", 0, False], ids=repr)
def test_a_flag_is_not_set_by_other_words(mapper: Mapper, value: object) -> None:
    assert row(mapper, urgent=value)["flags"] is None


def test_nul_is_replaced_and_flagged(mapper: Mapper) -> None:
    got = row(mapper, name="a\0b", caller="c\0d")
    assert got["title"] == "a\ufffdb"
    assert "nul_replaced" in got["flags"]
    assert got["people"][0]["name"] == "c\ufffdd"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (MAPPING.replace('codes = "dated"', 'codes = "nowhere"'), "nowhere"),
        (MAPPING.replace("title =", "titel ="), "titel"),
        (MAPPING.replace('"GCJ-02"', '"Mars"'), "position"),
        (MAPPING.replace("version = 3", "version = 0"), "version"),
        (MAPPING + "\n[oops", "TOML"),
        (MAPPING.replace('path = "at", optional = true', 'path = "at", zone = "Mars/Base"'), "Mars"),
        (MAPPING.replace('title = "name"', 'title = { path = "name", transform = "none" }'), "none"),
    ],
    ids=["code table", "field", "coordinates", "version", "syntax", "zone", "transform"],
)  # fmt: skip
def test_a_wrong_mapping_is_named(tmp_path: Path, broken: str, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        mappings(tmp_path, broken).get("events").mapper()


def test_a_later_folder_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, version in ((first, 1), (second, 2)):
        folder.mkdir()
        (folder / "x.toml").write_text(f'version = {version}\nkind = "case"\n', "utf-8")
    assert Mappings([first, second]).get("x").version == 2
    with pytest.raises(MappingError, match="y"):
        Mappings([first]).get("y")


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1)).map(lambda at: at.isoformat(" ", "seconds"))  # noqa: DTZ001
TEXT = st.one_of(
    st.none(), st.text(max_size=20), st.integers(-(2**70), 2**70), st.booleans(), st.floats(allow_nan=False)
)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {
            "name": TEXT, "short": TEXT, "state": TEXT, "kindName": TEXT, "grid": TEXT, "officers": TEXT, "measures": TEXT,
            "caller": TEXT, "hotlineNo": TEXT, "urgent": TEXT, "lng": st.one_of(st.none(), st.floats(-200, 200)),
            "lat": st.one_of(st.none(), st.floats(-100, 100)), "photos": st.one_of(st.none(), st.lists(TEXT, max_size=3)),
            "changed": st.one_of(st.none(), MOMENTS),
            "money": st.one_of(st.none(), st.fixed_dictionaries({"fine": st.one_of(st.none(), st.integers(-10**9, 10**9))})),
        }
    )
)  # fmt: skip
def test_every_row_is_a_valid_incident_or_refused(mapper: Mapper, changes: dict[str, Any]) -> None:
    try:
        got = row(mapper, **changes)
    except (UnmappableError, BadValueError):
        return
    made = incident(got)
    assert made.title == got["title"]
    assert made.status is None or made.status == got["status"]
    assert made.fine is None or int(made.fine * 100) == got["fine"]
