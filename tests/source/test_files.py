"""Dropped files: when they are whole, what sets them aside, what a row is, and that none is read twice."""

import json
import os
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from hub.errors import RefusedError, UnavailableError
from hub.source import FileSpec, FileTransport, Page, SourceContext, Stream, Window
from hub.source.folder import Folder
from hub.source.formulas import formula_errors
from hub.source.sheets import SetAsideError, encoding_of

HEADER, ROW = "编号,描述", "JD-1,占道经营"
CSV = f"{HEADER}\n{ROW}\n"
SPEC = FileSpec(pattern="east_*", stream="events", mapping="events")
STREAM = Stream(name="events", title="事件", mapping="events")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


OPEN: list[FileTransport] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def transport(context: SourceContext, *specs: FileSpec, settle_s: float = 0.0) -> FileTransport:
    OPEN.append(FileTransport("drop", specs or (SPEC,), context, settle_s=settle_s))
    return OPEN[-1]


def read(
    reader: FileTransport, context: SourceContext, wanted: Stream = STREAM, *, remember: bool = True
) -> list[Page]:
    """Every page but the last, empty one; the ledger learns each file as the engine would."""
    pages: list[Page] = []
    position: Any = None
    while True:
        page = reader.fetch(wanted, Window(), position)
        if page.next is None:
            assert page.rows == []
            return pages
        pages.append(page)
        if page.file and remember:
            context.files.read.add(page.file.sha256)  # type: ignore[attr-defined]
        position = json.loads(json.dumps(page.next))


def rows(pages: list[Page]) -> list[dict[str, str]]:
    return [json.loads(row) for page in pages for row in page.rows]


# --- content ---------------------------------------------------------------------------------------------------------


def test_a_row_is_canonical_text_and_the_page_says_where_from(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_text("b,a\n2,1\n", "utf-8")
    spec = FileSpec(pattern="east_*", stream="events", mapping="east", zone="UTC")
    (page,) = read(transport(context, spec), context)
    assert page.rows == [b'{"a":"1","b":"2"}']
    assert page.file is not None
    assert (page.file.name, page.file.size, page.file.reason) == ("east_1.csv", 8, "")
    assert page.origin == f"east_1.csv {page.file.sha256} row 1"
    assert (page.mapping, page.zone, page.clock, page.requests) == ("east", "UTC", None, 0)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings_are_found_out(context: SourceContext, folder: Path, codec: str) -> None:
    (folder / "east_1.csv").write_bytes(CSV.encode(codec))
    assert rows(read(transport(context), context)) == [{"编号": "JD-1", "描述": "占道经营"}]


@pytest.mark.parametrize(
    ("codec", "declared"), [("gbk", "gbk"), ("gb18030", "gb2312"), ("utf-8-sig", "utf-8"), ("big5", "big5")]
)
def test_encodings_are_declared(context: SourceContext, folder: Path, codec: str, declared: str) -> None:
    text = CSV if codec != "big5" else "編號,描述\nJD-1,占道\n"
    (folder / "east_1.csv").write_bytes(text.encode(codec))
    (row,) = rows(read(transport(context, SPEC.model_copy(update={"encoding": declared})), context))
    assert row["描述"].startswith("占道")


def test_what_cannot_be_decoded(context: SourceContext, folder: Path, tmp_path: Path) -> None:
    (folder / "east_1.csv").write_bytes(CSV.encode("gbk"))
    (page,) = read(transport(context, SPEC.model_copy(update={"encoding": "utf-8"})), context)
    assert page.file is not None
    assert page.file.reason == "cannot be decoded as utf-8"
    noise = tmp_path / "noise"
    noise.write_bytes(bytes(range(256)) * 4)
    with pytest.raises(SetAsideError):
        encoding_of(noise, "no-such-codec")


@pytest.mark.parametrize("declared", ["gbk", "gb2312", "GB18030"])
def test_utf8_is_not_read_as_the_gb_encoding_it_is_said_to_be(
    context: SourceContext, folder: Path, declared: str
) -> None:
    (folder / "east_1.csv").write_text(CSV, "utf-8")
    (page,) = read(transport(context, SPEC.model_copy(update={"encoding": declared})), context)
    assert page.file is not None
    assert (page.rows, page.file.reason) == ([], f"is UTF-8, not {declared}")


def test_a_few_bytes_that_could_be_both_are_what_is_declared(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_bytes("a,b\n1,一\n".encode("gbk"))
    (page,) = read(transport(context, SPEC.model_copy(update={"encoding": "gbk"})), context)
    assert rows([page]) == [{"a": "1", "b": "一"}]


def test_detection_comes_last(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("name,città\nà,é perché così è più là\n".encode("cp1252") * 20 + b"\xe9")
    assert encoding_of(path) not in ("utf-8", "gb18030")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n,,\n", "is empty"),
        ("a,,b\n1,2,3\n", "has no header line"),
        ("1,2\n3,4\n", "has no header line"),
        ("a,b,a\n1,2,3\n", "names a column twice: number 1, 3"),
        ("JD-1,陈测试,陈测试\nJD-2,王测试,王测试\n", "names a column twice: number 2, 3"),
        ("a,b\n1,2\n", "lacks column 编号"),
    ],
)
def test_a_file_without_a_good_header_is_set_aside_whole(
    context: SourceContext, folder: Path, text: str, reason: str
) -> None:
    (folder / "east_1.csv").write_text(text, "utf-8")
    columns = ("编号",) if "lacks" in reason else ()
    (page,) = read(transport(context, SPEC.model_copy(update={"columns": columns})), context)
    assert page.file is not None
    assert (page.rows, page.file.reason) == ([], reason)


def test_ragged_rows_are_set_aside_alone(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_text('a,b\n1,2\n3\n4,5,6\n\n,\n7,8,,\n9,"x\ny"\n', "utf-8")
    (page,) = read(transport(context), context)
    assert rows([page]) == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}, {"a": "9", "b": "x\ny"}]
    assert [(bad.raw, bad.reason) for bad in page.bad] == [
        (b'["3"]', "row 2: 1 fields where the header has 2"),
        (b'["4","5","6"]', "row 3: 3 fields where the header has 2"),
    ]


def test_a_file_that_breaks_off_keeps_what_was_read(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_text('a,b\n1,2\n3,"' + "x" * 200_000, "utf-8")
    (page,) = read(transport(context), context)
    assert rows([page]) == [{"a": "1", "b": "2"}]
    assert page.file is not None
    assert page.file.reason.startswith("cannot be read from line")


@pytest.mark.parametrize("rest", ["3,e\n", '3,"ok"\n4,g\n'], ids=["never closed", "closed by the next quote"])
def test_a_stray_quote_swallows_no_rows(context: SourceContext, folder: Path, rest: str) -> None:
    (folder / "east_1.csv").write_text('a,b\n0,x\n1,"bad\n2,c\n' + rest, "utf-8")
    (page,) = read(transport(context), context)
    assert rows([page]) == [{"a": "0", "b": "x"}]
    assert page.file is not None
    assert page.file.reason.startswith("cannot be read from line")


def test_another_delimiter(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_text("a;b\n1;2\n", "utf-8")
    assert rows(read(transport(context, SPEC.model_copy(update={"delimiter": ";"})), context)) == [{"a": "1", "b": "2"}]


def workbook(path: Path, *lines: list[Any], sheet: str = "数据") -> None:
    book = openpyxl.Workbook()
    book.create_sheet(sheet)
    for line in lines:
        book[sheet].append(line)
    book.worksheets[0].append(["x"])
    book.save(path)


def test_spreadsheets_give_texts(context: SourceContext, folder: Path) -> None:
    from datetime import date, datetime

    moment = datetime(2026, 11, 20, 8, 0, 5)  # noqa: DTZ001 - a cell has no zone
    workbook(
        folder / "east_1.xlsx",
        ["编号", "数", "时", "日", "真", None],
        [],
        ["00012", 12, moment, date(2026, 1, 2), True],
        ["a", 1.5],
    )
    (page,) = read(transport(context, SPEC.model_copy(update={"sheet": "数据"})), context)
    assert rows([page]) == [
        {"编号": "00012", "数": "12", "时": "2026-11-20 08:00:05", "日": "2026-01-02", "真": "true"},
        {"编号": "a", "数": "1.5", "时": "", "日": "", "真": ""},
    ]


def test_a_number_that_a_spreadsheet_cannot_keep_sets_its_row_aside(context: SourceContext, folder: Path) -> None:
    numbers = [330702199001011234, 330702199001011235, 2026010112345678, 2**53 - 1, 2**53, -3]
    workbook(folder / "east_1.xlsx", ["编号"], *([number] for number in numbers))
    (page,) = read(transport(context, SPEC.model_copy(update={"sheet": "数据"})), context)
    assert [row["编号"] for row in rows([page])] == ["2026010112345678", "9007199254740991", "-3"]
    said = "a number too long for a spreadsheet to keep: send it as text"
    assert [bad.reason for bad in page.bad] == [f"row {row}: {said}" for row in (1, 2, 5)]


def test_a_number_of_which_excel_keeps_fifteen_digits_sets_its_row_aside(context: SourceContext, folder: Path) -> None:
    """Two components, 3307020101000001 and …2, as Excel saves them: they would be one record."""
    workbook(folder / "east_1.xlsx", ["编号"], [3307020101000000], [3307020101000000], [330702010100000])
    (page,) = read(transport(context, SPEC.model_copy(update={"sheet": "数据"})), context)
    assert [row["编号"] for row in rows([page])] == ["330702010100000"]
    assert len(page.bad) == 2


def test_a_number_that_excel_cut_short_in_a_csv_file_sets_its_row_aside(context: SourceContext, folder: Path) -> None:
    """Every number of that length and beginning reads like it: they would be one record."""
    texts = ["3.30702E+17", "1E+11", "3307020101000001", "E+15", "1.5E-05", "1.000000E+06", "A3.3E+17"]
    (folder / "east_1.csv").write_text("编号\n" + "".join(f"{text}\n" for text in texts), "utf-8")
    (page,) = read(transport(context), context)
    assert [row["编号"] for row in rows([page])] == texts[2:]
    said = "a number cut short by a spreadsheet: send it as text"
    assert [bad.reason for bad in page.bad] == [f"row 1: {said}", f"row 2: {said}"]


def test_a_merged_cell_holds_for_all_its_rows(context: SourceContext, folder: Path) -> None:
    workbook(folder / "east_1.xlsx", ["编号", "街道"], ["1", "城东"], ["2"], ["3"], [], ["4"], ["5", "城西"])
    book = openpyxl.load_workbook(folder / "east_1.xlsx")
    book["数据"].merge_cells("B2:B4")
    book.save(folder / "east_1.xlsx")
    (page,) = read(transport(context, SPEC.model_copy(update={"sheet": "数据"})), context)
    assert [row["街道"] for row in rows([page])] == ["城东", "城东", "城东", "", "城西"]


def test_the_error_of_a_formula_is_no_empty_cell(context: SourceContext, folder: Path) -> None:
    path = folder / "east_1.xlsx"
    workbook(
        path, ["编号", "街道", "数"], ["1", "#N/A", 1], ["2", "城东", "#REF!"], [], ["3", "a", 3], ["#VALUE!", "", ""]
    )
    book = openpyxl.load_workbook(path)
    book["数据"].merge_cells("B2:B3")
    book["数据"]["B5"].data_type = "s"  # somebody wrote it there
    book["数据"]["B5"] = "#N/A "
    book.save(path)
    (page,) = read(transport(context, SPEC.model_copy(update={"sheet": "数据"})), context)
    assert rows([page]) == [
        {"编号": "1", "街道": {"formula_error": "#N/A"}, "数": "1"},
        {"编号": "2", "街道": {"formula_error": "#N/A"}, "数": {"formula_error": "#REF!"}},
        {"编号": "3", "街道": "#N/A ", "数": "3"},
        {"编号": {"formula_error": "#VALUE!"}, "街道": "", "数": ""},
    ]


BOOK = """<workbook xmlns="urn:x" xmlns:r="urn:r"><sheets><sheet name="a" r:id="r1"/><sheet name="b &amp; c" r:id="r2"/>
</sheets></workbook>"""
LINKS = """<Relationships><Relationship Id="r1" Target="worksheets/none.xml"/>
<Relationship Id="r2" Target="/xl\\Sheets/Two.xml"/></Relationships>"""
CELLS = """<x:worksheet xmlns:x="urn:x"><x:sheetData><x:row><x:c t="s"><x:v>0</x:v></x:c><x:c t = 'e'><x:f>1/0</x:f>
<x:v>#DIV/0!</x:v></x:c></x:row><x:row r="7"><x:c t="e" r="AB7"><x:v>#N/A</x:v></x:c><x:c t="n"><x:v>1</x:v></x:c>
</x:row></x:sheetData></x:worksheet>"""


def errors_of(folder: Path, **parts: str | bytes) -> dict[int, dict[int, str]]:
    given = {"xl/workbook.xml": BOOK, "xl/_rels/workbook.xml.rels": LINKS, "xl/sheets/two.xml": CELLS}
    with zipfile.ZipFile(folder / "book.zip", "w") as archive:
        for name, part in {**given, **{name.replace("_", "/"): part for name, part in parts.items()}}.items():
            archive.writestr(name, part)
    with zipfile.ZipFile(folder / "book.zip") as archive:
        return formula_errors(archive, "b & c")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_errors_of_formulas_however_a_program_writes_the_sheet(tmp_path: Path, encoding: str) -> None:
    written = {0: {1: "#DIV/0!"}, 6: {27: "#N/A"}}
    assert errors_of(tmp_path, **{"xl_sheets_two.xml": CELLS.encode(encoding)}) == written
    filled = CELLS.replace("<x:row>", " " * (2 << 20) + "<x:row>")
    assert errors_of(tmp_path, **{"xl_sheets_two.xml": filled.encode(encoding)}) == written


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl_workbook.xml", BOOK.replace("b &amp; c", "d")), ("xl_workbook.xml", "no XML"),
        ("xl_sheets_two.xml", CELLS[:-20]), ("xl_sheets_two.xml", "<!DOCTYPE x [<!ENTITY a 'b'>]>" + CELLS),
    ],
    ids=["another sheet", "no workbook", "half a sheet", "a document type"],
)  # fmt: skip
def test_a_workbook_in_which_nobody_could_tell(tmp_path: Path, part: str, content: str) -> None:
    with pytest.raises(ValueError, match="the workbook"):
        errors_of(tmp_path, **{part: content})


@pytest.mark.parametrize("content", [b"no spreadsheet", b"PK\x03\x04 broken"], ids=repr)
def test_a_broken_spreadsheet_is_set_aside(context: SourceContext, folder: Path, content: bytes) -> None:
    (folder / "east_1.xlsx").write_bytes(content)
    (page,) = read(transport(context), context)
    assert page.file is not None
    assert page.file.reason.startswith("is no readable spreadsheet")


def test_a_missing_sheet_is_a_reason(context: SourceContext, folder: Path) -> None:
    workbook(folder / "east_1.xlsx", ["a"], ["1"])
    (page,) = read(transport(context, SPEC.model_copy(update={"sheet": "没有"})), context)
    assert page.file is not None
    assert page.file.reason.startswith("is no readable spreadsheet")


# --- which files -----------------------------------------------------------------------------------------------------


def test_what_fits_none_or_two_patterns_is_set_aside_by_the_first_stream(context: SourceContext, folder: Path) -> None:
    (folder / "weekly.csv").write_text(CSV, "utf-8")
    (folder / "east_1.csv").write_text(CSV + "JD-2,x\n", "utf-8")
    specs = (
        FileSpec(pattern="west_*", stream="west", mapping="m"),
        FileSpec(pattern="east_*", stream="events", mapping="m"),
        FileSpec(pattern="*_1.csv", stream="events", mapping="m"),
    )
    reader = transport(context, *specs)
    assert read(reader, context) == []
    pages = read(reader, context, replace(STREAM, name="west"))
    assert {page.file.reason for page in pages if page.file} == {
        "fits no pattern",
        "fits several patterns: east_*, *_1.csv",
    }


def test_a_file_is_read_once_by_its_content(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_text(CSV, "utf-8")
    reader = transport(context)
    assert len(read(reader, context)) == 1
    assert read(reader, context) == []
    (folder / "east_1.csv").rename(folder / "east_2.csv")
    assert read(transport(context), context) == []
    (folder / "east_2.csv").write_text(CSV + "JD-2,x\n", "utf-8")
    assert len(read(reader, context)) == 1
    assert (folder / "east_2.csv").exists()


def test_nothing_is_read_twice_in_one_reading_even_before_the_ledger_knows(
    context: SourceContext, folder: Path
) -> None:
    for number in (1, 2, 3):
        (folder / f"east_{number}.csv").write_text(f"a\n{number}\n", "utf-8")
    assert rows(read(transport(context), context, remember=False)) == [{"a": "1"}, {"a": "2"}, {"a": "3"}]


def test_older_files_come_first(context: SourceContext, folder: Path) -> None:
    for name, age in (("east_a.csv", 10), ("east_b.csv", 30), ("east_c.csv", 20)):
        (folder / name).write_text(f"a\n{name}\n", "utf-8")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    assert [row["a"] for row in rows(read(transport(context), context))] == ["east_b.csv", "east_c.csv", "east_a.csv"]


def test_half_sent_names_are_passed_over(context: SourceContext, folder: Path) -> None:
    for name in (".east_1.csv", "east_1.csv.part", "east_1.csv.tmp", "~$east_1.xlsx", "east_1.csv.done"):
        (folder / name).write_text(CSV, "utf-8")
    (folder / "east_folder").mkdir()
    assert read(transport(context), context) == []


def look(folder: Path, context: SourceContext, during: Any) -> list[str]:
    """Names found whole, with `during` done while the folder waits."""
    watched = Folder(folder, ("*",), context.files, 0.05, sleep=lambda seconds: (during(), time.sleep(seconds))[1])
    found = watched.next_whole(lambda file: True, None)
    return [found.path.name] if found else []


def test_a_file_must_hold_still_between_two_looks(context: SourceContext, folder: Path) -> None:
    path = folder / "east_1.csv"
    path.write_text(CSV, "utf-8")
    assert look(folder, context, lambda: path.write_text(CSV + CSV, "utf-8")) == []
    assert look(folder, context, lambda: None) == ["east_1.csv"]
    assert look(folder, context, path.unlink) == []


def test_a_done_mark_needs_no_waiting(context: SourceContext, folder: Path) -> None:
    (folder / "east_1.csv").write_text(CSV, "utf-8")
    (folder / "east_1.csv.done").touch()

    def never() -> None:
        raise AssertionError

    assert look(folder, context, never) == ["east_1.csv"]


def test_a_done_mark_older_than_the_file_says_nothing_of_it(context: SourceContext, folder: Path) -> None:
    """A sender who writes the same name each day leaves the mark of the first day."""
    (folder / "east_1.csv.done").touch()
    os.utime(folder / "east_1.csv.done", (1_700_000_000, 1_700_000_000))
    path = folder / "east_1.csv"
    path.write_text(CSV, "utf-8")
    assert look(folder, context, lambda: path.write_text(CSV + CSV, "utf-8")) == []


def test_a_folder_that_is_not_there(context: SourceContext) -> None:
    with pytest.raises(UnavailableError, match="folder drop"):
        transport(context).fetch(STREAM, Window(), None)


def test_a_file_that_may_not_be_read(context: SourceContext, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "east_1.csv").write_text(CSV, "utf-8")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RefusedError, match=r"east_1\.csv"):
        transport(context).fetch(STREAM, Window(), None)


# --- pages -----------------------------------------------------------------------------------------------------------


def long_file(folder: Path) -> Path:
    path = folder / "east_1.csv"
    lines = [f"{number},x" if number % 100 else f"{number}" for number in range(2500)]
    path.write_text("编号,描述\n" + "\n".join(lines) + "\n", "utf-8")
    return path


def test_a_long_file_comes_in_pages_and_is_done_with_the_last(context: SourceContext, folder: Path) -> None:
    long_file(folder)
    pages = read(transport(context), context)
    assert [len(page.rows) + len(page.bad) for page in pages] == [1000, 1000, 500]
    assert [page.file is not None for page in pages] == [False, False, True]
    assert [page.origin.split(" row ")[1] for page in pages] == ["1", "1001", "2001"]


def test_another_process_goes_on_in_the_middle(context: SourceContext, folder: Path) -> None:
    long_file(folder)
    first = transport(context).fetch(STREAM, Window(), None)
    second = transport(context).fetch(STREAM, Window(), json.loads(json.dumps(first.next)))
    assert json.loads(second.rows[0])["编号"] == "1001"


def test_a_file_replaced_in_the_middle_is_another_file(context: SourceContext, folder: Path) -> None:
    path = long_file(folder)
    reader = transport(context)
    first = reader.fetch(STREAM, Window(), None)
    path.write_text("编号,描述\n1,neu\n", "utf-8")
    page = reader.fetch(STREAM, Window(), first.next)
    assert rows([page]) == [{"编号": "1", "描述": "neu"}]
    path.unlink()
    assert reader.fetch(STREAM, Window(), first.next).next is None


def test_nothing_to_renew(context: SourceContext) -> None:
    reader = transport(context)
    reader.renew()
    assert reader.detail(STREAM, b"{}") == b"{}"
