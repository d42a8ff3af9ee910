"""Times, places and money: from what sources write to what the store keeps."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from hub.errors import MappingError
from hub.incident import Flag
from hub.mapping.generated import Scope
from hub.mapping.instants import Instant, iso_utc
from hub.mapping.position import from_bd09, from_gcj02, position_reader, to_gcj02
from hub.mapping.transforms import (
    amount_reader,
    bad_credit_code,
    bad_id_number,
    region_reader,
    subject_reader,
    text_of,
)
from hub.mapping.values import BadValueError, Notes

CHINA = (72.0, 15.0, 138.0, 56.0)


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "form", "written", "meant"),
    [
        ("Asia/Shanghai", "iso", "2026-11-19 17:13:27", utc(2026, 11, 19, 9, 13, 27)),
        ("Asia/Shanghai", "iso", "2026-11-19T17:13:27", utc(2026, 11, 19, 9, 13, 27)),
        ("Asia/Shanghai", "iso", "2026-11-19", utc(2026, 11, 18, 16)),
        ("Asia/Shanghai", "iso", "2026-11-19 17:13", utc(2026, 11, 19, 9, 13)),
        ("Asia/Shanghai", "iso", "2026-11-19T09:13:27Z", utc(2026, 11, 19, 9, 13, 27)),
        ("UTC", "iso", "2026-11-19T17:13:27+08:00", utc(2026, 11, 19, 9, 13, 27)),
        ("UTC", "iso", "2026-11-19 17:13:27", utc(2026, 11, 19, 17, 13, 27)),
        ("America/Los_Angeles", "iso", "2020-01-01 00:05:00", utc(2020, 1, 1, 8, 5)),
        ("America/Los_Angeles", "%m/%d/%y %H:%M", "1/1/20 0:05", utc(2020, 1, 1, 8, 5)),
        ("America/Los_Angeles", "%m/%d/%y %H:%M", "7/1/20 0:05", utc(2020, 7, 1, 7, 5)),
        ("Asia/Shanghai", "%Y%m%d%H%M%S", "20261119171327", utc(2026, 11, 19, 9, 13, 27)),
        ("Asia/Shanghai", "%Y%m%d%H%M%S%f", "20261119171327000", utc(2026, 11, 19, 9, 13, 27)),
        ("UTC", "%Y%m%dT%H%M%S%z", "20261119T171327+08:00", utc(2026, 11, 19, 9, 13, 27)),
        ("Asia/Shanghai", "%Y%m%d %H:%M", "20261119 8:05", utc(2026, 11, 19, 0, 5)),
        ("Asia/Shanghai", "%Y年%m月%d日", "2026年1月5日", utc(2026, 1, 4, 16)),
        ("UTC", "epoch_ms", 1763769600000, 1763769600000),
        ("UTC", "epoch_ms", "1763769600000", 1763769600000),
        ("UTC", "epoch_s", 1763769600, 1763769600000),
        ("UTC", "iso", None, None),
        ("UTC", "iso", "", None),
    ],
)
def test_a_time_is_read_in_its_zone_and_form(zone: str, form: str, written: object, meant: int | None) -> None:
    assert Instant(zone, form, Notes()).read(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "2026-13-01 00:00:00", "2026-02-30 00:00:00", "2026-11-19 24:00:00", "2026-11-19 23:60:00", "2026-11-19 23:59:60",
        "2026-11-19 +7:13:27", "2026-11-19 17:13:2x", "0000-00-00 00:00:00", "2026-W47-4 17:13:27", "20261119171327",
        "yesterday", "待定", "2026/11/19 17:13:27", 20261119, True, 1.5,
    ],
)  # fmt: skip
def test_an_impossible_time_is_an_error(written: object) -> None:
    with pytest.raises(BadValueError):
        Instant("Asia/Shanghai", "iso", Notes()).read(written)


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("%Y%m%d%H%M%S", "202611191713"),
        ("%Y%m%d%H%M%S", "2026111917132"),
        ("%Y%m%dT%H%M%S%z", "20261119T1713+08:00"),
        ("%Y%m%d", "2026115"),
        ("%Y%m%d %H:%M:%S", "2026115 17:13:27"),
    ],
)
def test_a_time_without_separators_that_lacks_digits_is_an_error(form: str, written: str) -> None:
    """strptime shares out what is there: of 17:13 it makes three seconds past 17:01."""
    with pytest.raises(BadValueError):
        Instant("Asia/Shanghai", form, Notes()).read(written)


@pytest.mark.parametrize("written", ["x", 1.5, True, "1763769600000.0"])
def test_an_impossible_epoch_is_an_error(written: object) -> None:
    with pytest.raises(BadValueError):
        Instant("UTC", "epoch_ms", Notes()).read(written)


@pytest.mark.parametrize(
    ("zone", "written", "flags"),
    [
        ("America/Los_Angeles", "2026-03-08 02:30:00", [Flag.TIME_AMBIGUOUS]),
        ("America/Los_Angeles", "2026-11-01 01:30:00", [Flag.TIME_AMBIGUOUS]),
        ("America/Los_Angeles", "2026-11-01 02:30:00", []),
        ("Asia/Shanghai", "1900-01-01 00:00:00", [Flag.TIME_IMPLAUSIBLE]),
        ("Asia/Shanghai", "2999-12-31 00:00:00", [Flag.TIME_IMPLAUSIBLE]),
        ("Asia/Shanghai", "2999-12-31", [Flag.TIME_IMPLAUSIBLE]),
    ],
    ids=["gap", "overlap", "after the overlap", "1900", "2999", "2999 as a day"],
)
def test_an_odd_time_is_kept_and_flagged(zone: str, written: str, flags: list[Flag]) -> None:
    notes = Notes()
    read = Instant(zone, "iso", notes).read
    assert read(written) is not None
    assert notes.flags == flags
    assert read(written) is not None
    assert notes.flags == flags * 2, "also when the hour is remembered"


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(MappingError, match="Asia/Jinhua"):
        Instant("Asia/Jinhua", "iso", Notes())


@given(st.datetimes(min_value=datetime(1991, 1, 1), max_value=datetime(2099, 12, 31)))  # noqa: DTZ001 - local on purpose
def test_local_times_of_shanghai_are_eight_hours_ahead(local: datetime) -> None:
    local = local.replace(microsecond=0)
    ms = Instant("Asia/Shanghai", "iso", Notes()).read(local.isoformat(" "))
    summer_time = local.year == 1991 and 4 <= local.month <= 9
    assert summer_time or ms == int(local.replace(tzinfo=UTC).timestamp() * 1000) - 8 * 3_600_000


@given(
    st.sampled_from(["Asia/Shanghai", "America/Los_Angeles", "Asia/Kolkata", "UTC"]),
    st.datetimes(min_value=datetime(1985, 1, 1), max_value=datetime(2105, 1, 1)),  # noqa: DTZ001 - local on purpose
    st.sampled_from(
        ["{:%Y-%m-%d %H:%M:%S}", "{:%Y-%m-%dT%H:%M:%S}", "{:%Y-%m-%d %H:%M:60}", "{:%Y-%m-%d}", "{:%Y-%m-%d %H}"]
    ),
)
def test_the_quick_way_to_a_time_gives_what_the_long_way_gives(zone: str, local: datetime, form: str) -> None:
    instant, scope, text = Instant(zone, "iso", Notes()), Scope(), form.format(local)
    for read, quick in ((instant.read, instant.quick(scope)), (instant.read_iso, instant.quick_iso(scope))):
        lines = scope.read("made", ["given"], lambda value: "the long way", quick)
        function = scope.function("given", [*lines, "return made"])
        try:
            meant = read(text)
        except BadValueError:
            meant = None
        assert function(text) in (meant, "the long way")
        assert function(None) == function(20261119) == "the long way"


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_iso_text_is_the_same_instant(ms: int) -> None:
    text = iso_utc(ms)
    assert text.endswith("Z")
    assert round(datetime.fromisoformat(text).timestamp() * 1000) == ms


@pytest.mark.parametrize(
    ("unit", "written", "fen", "flags"),
    [
        ("万元", 0.2, 200_000, []),
        ("万元", "0.2", 200_000, []),
        ("万元", 1, 1_000_000, []),
        ("元", "2,000.00", 200_000, []),
        ("元", "-1,234,567", -123_456_700, []),
        ("元", 0.1, 10, []),
        ("元", "0.125", 12, [Flag.AMOUNT_ROUNDED]),
        ("元", -5, -500, []),
        ("元", None, None, []),
        ("元", "", None, []),
    ],
)
def test_money_becomes_fen(unit: str, written: object, fen: int | None, flags: list[Flag]) -> None:
    notes = Notes()
    assert amount_reader(unit, notes)(written) == fen
    assert notes.flags == flags


@pytest.mark.parametrize(
    "written", ["二千", "2000元", "NaN", "Infinity", "1e400", float("nan"), "--", "1,5", "12,34.00", ",100"]
)
def test_what_is_no_amount_is_an_error(written: object) -> None:
    with pytest.raises(BadValueError):
        amount_reader("元", Notes())(written)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6))
def test_ten_thousands_of_yuan_keep_every_digit(amount: Decimal) -> None:
    assert amount_reader("万元", Notes())(str(amount)) == int(amount * 1_000_000)


@given(st.floats(73, 135), st.floats(18, 53))
def test_gcj_02_is_undone_within_a_centimetre(lon: float, lat: float) -> None:
    back_lon, back_lat = from_gcj02(*to_gcj02(lon, lat))
    assert abs(back_lon - lon) < 1e-7
    assert abs(back_lat - lat) < 1e-7


def test_gcj_02_of_a_known_point() -> None:
    # 天安门, WGS-84 116.391251, 39.907378; the published offset puts it some 550 m to the north-east.
    lon, lat = to_gcj02(116.391251, 39.907378)
    assert (round(lon, 4), round(lat, 4)) == (116.3975, 39.9088)
    assert to_gcj02(2.35, 48.85) == (2.35, 48.85), "outside China nothing is shifted"


def test_bd_09_lies_beyond_gcj_02() -> None:
    lon, lat = from_bd09(116.404, 39.915)
    assert (round(lon, 3), round(lat, 3)) == (116.391, 39.907)


@pytest.mark.parametrize(
    ("x", "y", "placed", "flags"),
    [
        ("119.65", "29.08", (119.65, 29.08, 119.65, 29.08, "WGS-84"), []),
        ("29.08", "119.65", (119.65, 29.08, 29.08, 119.65, "WGS-84"), [Flag.POSITION_SWAPPED]),
        (0, 0, (None, None, 0.0, 0.0, "WGS-84"), [Flag.POSITION_ZERO]),
        (2.35, 48.85, (2.35, 48.85, 2.35, 48.85, "WGS-84"), [Flag.POSITION_OUTSIDE]),
        (500, 1000, (None, None, 500.0, 1000.0, "WGS-84"), [Flag.POSITION_OUTSIDE]),
        ("", "", (None, None, None, None, None), []),
        (None, None, (None, None, None, None, None), []),
    ],
    ids=["text", "exchanged", "zero", "elsewhere", "nowhere", "empty", "null"],
)
def test_a_place_is_kept_as_sent_and_put_right(x: object, y: object, placed: object, flags: list[Flag]) -> None:
    notes = Notes()
    assert position_reader("WGS-84", CHINA, notes)(x, y) == placed
    assert notes.flags == flags


@pytest.mark.parametrize("written", ["东经119", True, "nan", "inf", "1" * 400])
def test_what_is_no_coordinate_is_an_error(written: object) -> None:
    with pytest.raises(BadValueError):
        position_reader("WGS-84", CHINA, Notes())(written, 29.0)


@pytest.mark.parametrize(
    ("leaf", "text"), [("a", "a"), (" a ", " a "), ("", None), (None, None), (5, "5"), (True, "true"), (0.5, "0.5")]
)
def test_text_is_as_the_source_wrote_it(leaf: object, text: str | None) -> None:
    assert text_of(leaf) == text


@given(st.integers(min_value=-(10**16), max_value=10**16), st.sampled_from(["元", "万元"]))
def test_an_amount_as_a_number_is_read_like_its_text(fen: int, unit: str) -> None:
    number = float(Decimal(fen) / {"元": 100, "万元": 1_000_000}[unit])
    notes = Notes()
    assert amount_reader(unit, notes)(number) == amount_reader(unit, notes)(repr(number))


@pytest.mark.parametrize(
    ("code", "flags"),
    [
        ("330702199001011237 ", []),
        ("\u3000330702199001011237", []),
        ("330702 19900101 1237", []),
        ("330702-19900101-1237", []),
        ("330702199001011238", [Flag.BAD_ID_NUMBER]),
        ("330702900101123", []),
        ("330702 900101 123", []),
    ],
)
def test_an_id_number_gets_into_no_incident_however_it_is_written(code: str, flags: list[Flag]) -> None:
    notes = Notes()
    assert subject_reader(frozenset(), notes)("测试甲", code) == ("person", None, None)
    assert notes.people == [{"role": "subject", "name": "测试甲", "id_number": code}]
    assert notes.flags == flags


@pytest.mark.parametrize(
    ("number", "bad"),
    [
        ("330702196001011233", False),  # older than the district's code
        ("330702199001011237", False),
        ("933156198001011233", False),  # a foreigner's
        ("330702199002301236", True),  # no such day
        ("330702199001011238", True),
        ("33070219900101123", True),
        ("3307021990010112377", True),
        ("33070219900101123A", True),
        ("330702900101123", False),
        ("", True),
    ],
)
def test_an_id_number_is_judged_by_its_shape_day_and_check_digit(number: str, bad: bool) -> None:
    assert bad_id_number(number) is bad


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(100_000, 999_999), st.integers(0, 999))
def test_one_wrong_digit_of_an_id_number_is_noticed(birth: date, region: int, order: int) -> None:
    body = f"{region}{birth:%Y%m%d}{order:03d}"
    number = body + ric.calc_check_digit(body + "0")
    assert not bad_id_number(number)
    assert not bad_id_number(number.lower())
    for place in range(17):
        wrong = str((int(number[place]) + 1) % 10)
        assert bad_id_number(number[:place] + wrong + number[place + 1 :])


@pytest.mark.parametrize("code", ["91330702MA28D0000X", "330702600012345", "12330702-1", "330702199013011237"])
def test_a_number_of_another_shape_names_a_company(code: str) -> None:
    assert subject_reader(frozenset(), Notes())("测试公司", code) == ("organization", "测试公司", code)


@pytest.mark.parametrize(
    ("written", "region", "town"),
    [
        ("330702001", "330702001", "330702001"),
        ("330702001   ", "330702001", "330702001"),
        ("330702001001007", "330702001001", "330702001"),
        (330702, "330702", None),
        ("", None, None),
    ],
)
def test_a_region_is_its_digits(written: str | int, region: str | None, town: str | None) -> None:
    assert region_reader(None)(written) == (region, town)


@pytest.mark.parametrize(
    "written", ["金华市婺城区城东街道东关社区", "城东街道", "３３０７０２００１", "330702-001", True]
)
def test_a_name_is_no_region(written: str | bool) -> None:
    with pytest.raises(BadValueError):
        region_reader(None)(written)


@pytest.mark.parametrize("kind", [None, "", " "], ids=repr)
def test_a_subject_of_whom_nothing_says_that_he_is_an_organisation_is_kept_out_of_the_incident(
    kind: str | None,
) -> None:
    notes = Notes()
    assert subject_reader(frozenset({"1"}), notes)("测试甲", None, kind) == ("person", None, None)
    assert notes.people == [{"role": "subject", "name": "测试甲"}]
    assert subject_reader(frozenset({"1"}), Notes())("测试甲", "K-7", kind) == ("person", None, None)
    code = "91330702MA28D12N5N"
    assert bad_credit_code(code) is False
    assert subject_reader(frozenset({"1"}), Notes())("测试公司", code, kind) == ("organization", "测试公司", code)


def test_a_kind_that_is_sent_for_persons_only_is_not_missed_for_others() -> None:
    assert subject_reader(frozenset({"*"}), Notes())("测试公司", None, None) == ("organization", "测试公司", None)


def test_the_kind_of_a_subject_may_be_padded() -> None:
    assert subject_reader(frozenset({"1"}), Notes())("测试甲", None, "1 ") == ("person", None, None)
