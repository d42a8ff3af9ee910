"""A traceback tells where and of which class, never what was worked on: the text of an exception may hold a whole record."""

import asyncio
import io
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator

import click
import pydantic
import pytest
import sqlalchemy
from answers import call

import cli
from hub.commands.logs import start_logging
from hub.config import RedactingFormatter
from hub.errors import FailedError

CITIZEN = "张三 13857901234"


class Dying:
    def __del__(self) -> None:
        raise LookupError(CITIZEN)


class Report(pydantic.BaseModel):
    phone: int


def noted() -> None:
    error = ValueError("no")
    error.add_note(CITIZEN)
    raise error


def cause() -> None:
    try:
        int(CITIZEN)
    except ValueError as error:
        raise KeyError("phone") from error


def context() -> None:
    try:
        {}[CITIZEN]
    except KeyError:
        _ = 1 / 0


def group() -> None:
    raise ExceptionGroup(CITIZEN, [ValueError(CITIZEN), ExceptionGroup("inner", [KeyError(CITIZEN)])])


def statement() -> None:
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        connection.execute(sqlalchemy.text("SELECT * FROM nothing WHERE name = :name"), {"name": CITIZEN})


def model() -> None:
    Report.model_validate({"phone": CITIZEN})


def source_line() -> None:
    exec(compile(f"raise ValueError('{CITIZEN}')", "record", "exec"))


RAISING = (noted, cause, context, group, statement, model, source_line)


@pytest.fixture(params=[False, True], ids=["plain", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    stream, root = io.StringIO(), logging.getLogger()
    level = root.level
    start_logging("debug", as_json=request.param, stream=stream)
    yield stream
    root.removeHandler(own_handler())
    root.setLevel(level)


def own_handler() -> logging.Handler:
    """pytest has some beside it."""
    (only,) = [one for one in logging.getLogger().handlers if isinstance(one.formatter, RedactingFormatter)]
    return only


@pytest.mark.parametrize("work", RAISING)
def test_what_an_exception_says_is_not_logged(work: Callable[[], None], log: io.StringIO) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each raises another one
        work()
    error = caught.value
    assert CITIZEN in "".join(traceback.format_exception(error)), "there is something to find"
    logging.getLogger("hub.test").error("defect of %s", error, exc_info=error)
    logging.getLogger("plugin").error(f"cannot work on {error}", exc_info=error)
    logging.getLogger("plugin").warning("%s and %r", error, error)
    said = log.getvalue()
    assert type(error).__name__ in said
    assert "13857901234" not in said
    assert "张三" not in said
    assert __file__ in said
    assert f"in {work.__name__}" in said


def test_an_error_of_the_hub_says_its_text_and_what_led_to_it(log: io.StringIO) -> None:
    try:
        try:
            int(CITIZEN)
        except ValueError as error:
            raise FailedError("row {row} cannot be used", row=7) from error
    except FailedError:
        logging.getLogger("hub.test").exception("defect")
    said = log.getvalue()
    assert "hub.errors.FailedError: row 7 cannot be used" in said
    assert said.index("ValueError") < said.index("which caused:") < said.index("FailedError")


def test_what_asyncio_says_of_a_forgotten_task_names_nobody(log: io.StringIO) -> None:
    async def forget() -> None:
        async def work() -> None:
            raise ValueError(CITIZEN)

        task = asyncio.ensure_future(work())
        await asyncio.wait([task])
        del task

    asyncio.run(forget())
    assert "never retrieved" in log.getvalue()
    assert "13857901234" not in log.getvalue()


def test_a_line_that_cannot_be_made_shows_no_argument(log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("plugin", logging.WARNING, __file__, 1, "%d reports", (CITIZEN,), None)
    own_handler().handle(record)
    assert "cannot be written" in log.getvalue()
    assert "13857901234" not in log.getvalue() + capsys.readouterr().err


def test_a_plugin_asked_for_its_commands_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(self: cli.Hub, context: click.Context) -> None:
        logging.getLogger("hub.plugins").warning("hook failed", exc_info=ValueError(CITIZEN))

    monkeypatch.setattr(cli.Hub, "_ask_plugins", ask)
    answer = call("--help")
    assert "ValueError" in answer.err
    assert "13857901234" not in answer.err


def test_a_crash_of_the_process_or_of_a_thread_names_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    thread = threading.Thread(target=int, args=(CITIZEN,))
    thread.start()
    thread.join()
    Dying()
    try:
        statement()
    except sqlalchemy.exc.OperationalError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.count("ValueError") == 1
    assert "LookupError" in said
    assert "sqlalchemy.exc.OperationalError" in said
    assert "13857901234" not in said
