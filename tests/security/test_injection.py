"""What a source writes into a record reaches a screen, a log and a spreadsheet as text and as nothing else."""

import io
import json
import logging

import pytest

from hub.commands.logs import start_logging
from hub.commands.neutral import harmless, harmless_json, harmless_lines
from hub.commands.output import Column, Output
from hub.config import redactor

#: Clears the screen, sets the window's title, writes to the clipboard, answers as if typed, hides, turns the direction.
ATTACKS = {
    "clear": "道路\x1b[2J破损",
    "title": "a\x1b]0;root@hub\x07b",
    "clipboard": "a\x1b]52;c;cm0gLXJmIC8=\x07b",
    "c1": "a\x9b31mb\x90q\x9c",
    "backspace": "安全\b\b危险",
    "carriage": "first\rsecond",
    "line": "2027-01-01T00:00:00Z INFO forged\n2027-01-01T00:00:01Z ERROR forged",
    "separator": "a\u2028b\u2029c\x85d",
    "direction": "价 \u202e00001\u202c 元 \u2066x\u2069",
    "delete": "a\x7fb",
    "nul": "a\x00b",
}
COLUMNS = (Column("id", "Record"), Column("title", "Title"))
OBEYED = {chr(number) for number in (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)} | set(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


@pytest.fixture(params=ATTACKS.values(), ids=ATTACKS)
def attack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_nothing_that_a_terminal_obeys_is_left(attack: str) -> None:
    assert not (OBEYED | {"\n"}) & set(harmless(attack))
    assert not OBEYED & set(harmless_lines(attack))
    assert not OBEYED & set(harmless_json(json.dumps(attack, ensure_ascii=False)))
    assert json.loads(harmless_json(json.dumps(attack, ensure_ascii=False))) == attack


@pytest.mark.parametrize("format_", ["table", "json"])
def test_answers_are_harmless(attack: str, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(format_)  # type: ignore[arg-type]
    record = {"id": attack, "title": attack, "list": [attack], attack: "key", "nested": {"note": attack}}
    output.rows([record], COLUMNS)
    output.record(record, COLUMNS)
    output.beside(record, "title", "nested")
    if format_ == "table":
        output.fields(record)
        output.heading(attack)
    output.say("{key} is cancelled", key=attack)
    assert not OBEYED & set(capsys.readouterr().out)


def test_a_line_break_in_a_record_makes_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([{"id": "1\n999  forged", "title": "x"}], COLUMNS)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_markup_in_a_record_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([{"id": "[link=file:///etc/passwd]x[/link]", "title": "[red]x[/red] [/]"}], COLUMNS)
    shown = capsys.readouterr().out
    assert "[link=file:///etc/passwd]x[/link]" in shown
    assert "[/]" in shown


@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_log_lines_are_harmless_and_stay_lines(attack: str, as_json: bool) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    level = root.level
    start_logging("debug", as_json=as_json, stream=stream)
    try:
        log = logging.getLogger("hub.test")
        log.warning("file %s was set aside", attack, extra={"action": "file_set_aside", "source": attack})
        try:
            raise ValueError(attack)
        except ValueError:
            log.exception("defect")
    finally:
        root.removeHandler(root.handlers[-1])
        root.setLevel(level)
    said = stream.getvalue()
    assert not OBEYED & set(said)
    lines = [line for line in said.splitlines() if not line.startswith("  ")]
    assert len(lines) == 2


def test_half_a_secret_is_not_shown_where_a_table_breaks_it(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "s3cret-" + "0123456789abcdef" * 30
    redactor.add([secret])
    Output().rows([{"id": 1, "title": f"refused: {secret}"}], COLUMNS)
    Output().beside({"title": secret, "id": secret}, "title", "id")
    assert "0123456789abcdef" not in capsys.readouterr().out


def test_a_secret_is_found_in_every_form_it_takes() -> None:
    secret = 'p"a\\ss/wörd 密&钥\n2nd line'
    redactor.add([secret])
    for form in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret), f"x={secret}"):
        left = redactor.text(form)
        assert "wörd" not in left, form
        assert "\\u00f6" not in left, form
