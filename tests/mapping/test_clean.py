"""What must not stand in mapped text, and what a foreign function or an odd record must not do (promises 7 and 11)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from rig import write_mapping

from hub.errors import MappingError
from hub.incident import Flag
from hub.mapping.clean import LONGEST_TEXT
from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.mapping import Mapper, Mappings, UnmappableError

TEXT = """
version = 1
kind = "work_order"
[fields]
title = { path = "title", optional = true }
description = { path = "description", optional = true }
status = { path = "state", codes = "states", optional = true }
fine = { path = "fine", optional = true }
occurred_at = { path = "at", format = "epoch_ms", optional = true }
[[people]]
name = { path = "who", optional = true }
phone = { path = "phone", optional = true }
id_number = { path = "number", optional = true }
[[attachments]]
each = "files"
optional = true
title = { path = "title", optional = true }
url = "url"
[[steps]]
each = "steps"
optional = true
name = { path = "name", optional = true }
note = { path = "note", optional = true }
at = { path = "at", optional = true }
"""


@pytest.fixture
def mapper(tmp_path: Path) -> Mapper:
    return write_mapping(tmp_path, TEXT, codes={"states": "1,closed,已办结,,\n"}).get("rig").mapper()


def mapped(mapper: Mapper, record: dict[str, Any] | bytes) -> dict[str, Any]:
    raw = record if isinstance(record, bytes) else msgspec.json.encode(record)
    row = dict(zip(MAPPED_COLUMNS, mapper.map(raw).row, strict=True))
    for name in ("steps", "flags"):
        row[name] = msgspec.json.decode(row[name]) if row[name] else []
    return row


def test_people_are_masked_in_free_text(mapper: Mapper) -> None:
    row = mapped(
        mapper, {"who": "王小芳", "phone": "13800001111", "title": "王小芳来电", "description": "回拨13800001111"}
    )
    assert (row["title"], row["description"]) == ("***来电", "回拨***")


@pytest.mark.parametrize("who", ["测试甲 ", " 测试甲", "测\u3000试甲", "测 试 甲"])
@pytest.mark.parametrize("told", ["测试甲", "测试\u3000甲"])
def test_a_name_is_masked_however_it_is_spaced(mapper: Mapper, who: str, told: str) -> None:
    row = mapped(mapper, {"who": who, "title": f"{told}来电", "steps": [{"name": "受理", "note": f"转{told}处理"}]})
    assert (row["title"], row["steps"]) == ("***来电", [{"name": "受理", "note": "转***处理"}])


@pytest.mark.parametrize(
    ("phone", "told", "left"),
    [
        ("13800001111", "138 0000 1111", "***"),
        ("13800001111", "138-0000-1111，138 0000 1111", "***，***"),
        ("138-0000-1111", "13800001111", "***"),
        ("138\u300000001111", "13800001111", "***"),
        ("+8613800001111", "13800001111", "***"),
        ("8613800001111", "+86 138 0000 1111", "+86 ***"),
        ("13800001111", "+86 138-0000-1111", "+86 ***"),
        ("0579-80001111", "057980001111", "***"),
        ("0579-80001111", "0579 8000 1111", "***"),
        ("13800001111", "１３８００００１１１１", "***"),
        ("１３８００００１１１１", "13800001111", "***"),
        ("138-0000-1111", "１３８－００００－１１１１", "***"),
        ("13800001111", "138.0000.1111", "***"),
        ("13800001111", "138\t0000\n1111", "***"),
        ("13800001111/13900002222", "13900002222", "***"),
    ],
)
def test_a_phone_is_masked_however_it_is_written(mapper: Mapper, phone: str, told: str, left: str) -> None:
    row = mapped(mapper, {"phone": phone, "title": "2026-11-20 1111", "description": f"请回电{told}。"})
    assert (row["title"], row["description"]) == ("2026-11-20 1111", f"请回电{left}。")


@pytest.mark.parametrize("number", ["11010119900307803X", "11010119900307803x", "110101 19900307 803X"])
@pytest.mark.parametrize(
    "told",
    ["11010119900307803x", "110101 19900307 803X", "110101-19900307-803x", "１１０１０１１９９００３０７８０３ｘ"],
)
def test_an_id_number_is_masked_however_it_is_written(mapper: Mapper, number: str, told: str) -> None:
    assert mapped(mapper, {"number": number, "title": f"证号{told}"})["title"] == "证号***"


def test_files_are_named_after_nobody(mapper: Mapper) -> None:
    file = {"title": "测试甲身份证.jpg", "url": "/files/测试甲.jpg"}
    row = mapped(mapper, {"who": "测试甲", "title": "x", "files": [file]})
    assert msgspec.json.decode(row["attachments"]) == [{"title": "***身份证.jpg", "url": "/files/***.jpg"}]


def test_words_beside_each_other_are_no_name(mapper: Mapper) -> None:
    assert mapped(mapper, {"who": "Ton", "title": "that one"})["title"] == "that one"


@pytest.mark.parametrize("who", ["name", "at", '"', '","', "note", "2027", "00", "\\u", "{}", "[{", '王"芳'])
def test_name_that_looks_like_the_lists_own_text_damages_nothing(mapper: Mapper, who: str) -> None:
    """A source's default (`name`, `00`) must mask neither keys nor times of the list; a quoted name is masked all the same."""
    step = {"name": "受理", "note": f"转{who}处理", "at": "2027-01-15 08:00:00"}
    row = mapped(mapper, {"who": who, "phone": "00", "steps": [step]})
    expected = f"转{who}处理" if len(who) == 1 else "转***处理"
    assert row["steps"] == [{"name": "受理", "note": expected, "at": "2027-01-15T00:00:00Z"}]


def test_nul_is_replaced_everywhere_and_written_escapes_are_left(mapper: Mapper) -> None:
    step = {"name": "a\0b", "note": "a text that says \\u0000"}
    record = {"title": "x\0y", "who": "王\0芳", "state": "9\0", "steps": [step]}
    row = mapped(mapper, record)
    assert row["title"] == "x\ufffdy"
    assert row["steps"] == [{"name": "a\ufffdb", "note": "a text that says \\u0000"}]
    assert row["flags"] == [Flag.NUL_REPLACED]
    assert [gap.code for gap in mapper.gaps()] == ["9\ufffd"]
    assert row["source_status"] == "9\ufffd"


def test_text_that_only_speaks_of_nul_is_no_nul(mapper: Mapper) -> None:
    row = mapped(mapper, {"title": "the escape \\u0000", "steps": [{"name": "\\u0000"}]})
    assert (row["title"], row["steps"], row["flags"]) == ("the escape \\u0000", [{"name": "\\u0000"}], [])


def test_oversize_text_is_cut_and_flagged(mapper: Mapper) -> None:
    row = mapped(mapper, {"title": "长" * (LONGEST_TEXT + 5), "description": "短" * 99})
    assert (len(row["title"]), row["description"], row["flags"]) == (LONGEST_TEXT, "短" * 99, [Flag.TEXT_CUT])
    assert mapped(mapper, {"title": "长" * LONGEST_TEXT})["flags"] == []


BAD: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "money beyond every exponent": ({"fine": "9e999999"}, "fine: not an amount"),
    "money beyond the column": ({"fine": "1e30"}, "fine: not an amount"),
    "time beyond the calendar": ({"at": 10**18}, "at: not a time of years 1 to 9999"),
    "time before the calendar": ({"at": -(10**15)}, "at: not a time of years 1 to 9999"),
    "time beyond every number": ({"at": "9" * 400}, "at: not an epoch number"),
    "time with underscores": ({"at": "1_000"}, "at: not an epoch number"),
    "time in other digits": ({"at": "１２３"}, "at: not an epoch number"),
    "step before the calendar": ({"steps": [{"at": "0001-01-01 00:00:00"}]}, "steps: not a time"),
    "step after the calendar": ({"steps": [{"at": "9999-12-31T23:59:59-10:00"}]}, "steps: not a time"),
    "lone surrogate": (b'{"title": "\\ud800"}', "$: not JSON"),
    "nothing but brackets": (b"[" * 50_000, "$: wrong type (array)"),
}


@pytest.mark.parametrize(("record", "said"), BAD.values(), ids=BAD)
def test_odd_record_is_refused_and_never_a_defect(mapper: Mapper, record: Any, said: str) -> None:
    with pytest.raises(UnmappableError) as caught:
        mapped(mapper, record)
    assert str(caught.value).startswith(said)
    assert mapped(mapper, {"title": "next"})["title"] == "next"


def test_refused_record_leaves_no_gap_behind(mapper: Mapper) -> None:
    """Its unknown code would be counted for the record that follows."""
    with pytest.raises(UnmappableError):
        mapped(mapper, {"state": "7", "fine": "x"})
    mapped(mapper, {"title": "next"})
    assert mapper.gaps() == []


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, ZeroDivisionError, OverflowError])
def test_transform_may_stumble_over_a_record(tmp_path: Path, error: type[Exception]) -> None:
    def odd(value: Any) -> Any:
        if value == "odd":
            raise error("with the value odd in it")
        return value

    text = 'version = 1\nkind = "case"\n[fields]\ntitle = { path = "title", transform = "odd" }\n'
    write_mapping(tmp_path, text)
    mapper = Mappings([tmp_path], {"odd": odd}).get("rig").mapper()
    with pytest.raises(UnmappableError) as caught:
        mapped(mapper, {"title": "odd"})
    assert str(caught.value) == f"title: transform odd refused it ({error.__name__})"
    assert mapped(mapper, {"title": "even"})["title"] == "even"


@pytest.mark.parametrize("given", [{}, [], b"x", object()], ids=["object", "list", "bytes", "anything"])
def test_transform_must_give_a_single_value(tmp_path: Path, given: Any) -> None:
    text = 'version = 1\nkind = "case"\n[fields]\ntitle = { path = "title", transform = "odd" }\n'
    write_mapping(tmp_path, text)
    mapper = Mappings([tmp_path], {"odd": lambda value: given}).get("rig").mapper()
    with pytest.raises(UnmappableError, match="no single value"):
        mapped(mapper, {"title": "x"})


HEAD = 'version = 1\nkind = "case"\n'
WRONG: dict[str, tuple[str, str]] = {
    "status without codes": ('[fields]\nstatus = "state"\n', "a status needs"),
    "status that is none": ('[fields]\nstatus = { const = "done" }\n', "a status needs"),
    "status code that is none": ('[fields]\nstatus = { path = "s", codes = "odd" }\n', "none of the hub's codes"),
    "step's status code that is none": (
        '[[steps]]\nname = "n"\nstatus = { path = "s", codes = "odd" }\n', "none of the hub's codes",
    ),
    "step's status without codes": ('[[steps]]\nname = "n"\nstatus = "s"\n', "needs `codes`"),
    "attachment of a kind that is none": ('[[attachments]]\nurl = "u"\nkind = { const = "hologram" }\n', "needs `codes`"),
    "key that a step has not": ('[[steps]]\nname = "n"\nwho = "w"\n', "steps.0.who: unknown key"),
    "reference without system": ('[[references]]\nnumber = "n"\n', "references.0: system needs a `const`"),
    "party without role": ('[[parties]]\nname = "n"\n', "parties.0: role needs a `const`"),
    "pads that do not fit": ('[fields]\ncategory = { join = ["a", "b"], pad = [2] }\n', "pad needs one number"),
    "unknown epoch": ('[fields]\noccurred_at = { path = "a", format = "epoch_us" }\n', "unknown time format"),
    "value and object": ('[fields]\ntitle = "a"\nresult = "a.b"\n', "used as a value too"),
    "value and list": ('[fields]\ntitle = "a"\n[[steps]]\neach = "a"\nname = "n"\n', "as a list"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_mapping_that_could_make_no_valid_incident_is_refused(tmp_path: Path, text: str, said: str) -> None:
    mappings = write_mapping(tmp_path, HEAD + text, codes={"odd": "1,finished,办结,,\n"})
    with pytest.raises(MappingError) as caught:
        mappings.get("rig").mapper()
    assert said in str(caught.value)


def test_mapping_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_bytes('version = 1\nkind = "案件"\n'.encode("gb18030"))
    with pytest.raises(MappingError, match="is not UTF-8"):
        Mappings([tmp_path]).get("rig")


def test_code_is_dated_by_the_sources_day(tmp_path: Path) -> None:
    """02:00 in Shanghai is still the day before in UTC."""
    text = HEAD + '[fields]\nstatus = { path = "s", codes = "dated" }\noccurred_at = "at"\n'
    codes = {"dated": "1,pending,旧,,2026-12-31\n1,closed,新,2027-01-01,\n"}
    mapper = write_mapping(tmp_path, text, codes=codes).get("rig").mapper()
    for at, status in (("2026-12-31 23:59:59", "pending"), ("2027-01-01 02:00:00", "closed")):
        row = dict(zip(MAPPED_COLUMNS, mapper.map(msgspec.json.encode({"s": "1", "at": at})).row, strict=True))
        assert row["status"] == status, at


def test_position_that_leaves_the_globe_by_conversion_is_none(tmp_path: Path) -> None:
    text = HEAD + '[position]\nx = "x"\ny = "y"\nsystem = "BD-09"\n'
    mapper = write_mapping(tmp_path, text).get("rig").mapper()
    row = dict(zip(MAPPED_COLUMNS, mapper.map(b'{"x": -180, "y": 10}').row, strict=True))
    assert (row["longitude"], row["latitude"], row["source_x"]) == (None, None, -180)


def test_code_is_dated_by_what_happened_where_nothing_says_when_it_changed(tmp_path: Path) -> None:
    """Dates as a spreadsheet saves them."""
    text = HEAD + '[fields]\nstatus = { path = "s", codes = "dated" }\nsource_updated_at = "u"\noccurred_at = "o"\n'
    codes = {"dated": "1,pending,旧,,2026/1/4\n1,closed,新,2026/1/5,\n"}
    mapper = write_mapping(tmp_path, text, codes=codes).get("rig").mapper()
    for changed, happened, status in (
        (None, "2025-05-01 00:00:00", "pending"),
        ("2026-01-05 00:00:00", "2025-05-01 00:00:00", "closed"),
        ("", "2026-01-05 00:00:00", "closed"),
    ):
        raw = msgspec.json.encode({"s": "1", "u": changed, "o": happened})
        assert dict(zip(MAPPED_COLUMNS, mapper.map(raw).row, strict=True))["status"] == status


def test_region_that_is_a_name_is_refused(tmp_path: Path) -> None:
    mapper = write_mapping(tmp_path, HEAD + '[fields]\nregion = "r"\n').get("rig").mapper()
    with pytest.raises(UnmappableError, match="r: not a region code"):
        mapper.map(msgspec.json.encode({"r": "金华市婺城区城东街道东关社区"}))
