"""A Singer tap as a source: pages, resuming from its STATE, and every way a tap may fail."""

import json
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from pydantic import SecretStr

from hub.errors import ConfigError, DeadlineError, EnvelopeError, FailedError
from hub.source import Page, SourceContext, Stream, Window
from hub.source.singer import SingerTransport, Tap

TAP = (sys.executable, str(Path(__file__).parent / "fake_tap.py"))
STREAM = Stream(name="records", title="x", mapping="x", native_id="id", endpoint=Tap(stream="orders"))
WINDOW = Window(since=datetime(2026, 11, 1, tzinfo=UTC))


def tap(context: SourceContext, mode: str = "") -> SingerTransport:
    return SingerTransport(TAP, {"start_date": "{since}", "token": SecretStr("hush"), "mode": mode}, context)


def ids(page: Page) -> list[int]:
    return [msgspec.json.decode(row)["id"] for row in page.rows]


def test_pages_until_the_tap_is_done(context: SourceContext) -> None:
    transport = tap(context)
    page = transport.fetch(STREAM, WINDOW, None)
    assert msgspec.json.decode(page.rows[0]) == {"id": 1, "since": "2026-11-01T00:00:00+00:00"}
    found = ids(page)
    while page.next is not None:
        page = transport.fetch(STREAM, WINDOW, page.next)
        found += ids(page)
    assert found == list(range(1, 2501))
    transport.close()


def test_another_process_goes_on_from_the_state(context: SourceContext) -> None:
    """Rows since then come again: which they were cannot be told by their number."""
    first = tap(context)
    position = first.fetch(STREAM, WINDOW, None).next
    first.close()
    assert position == {"state": {"last": 900}, "rows": 100}
    second = tap(context)
    page = second.fetch(STREAM, WINDOW, position)
    assert ids(page)[0] == 901
    second.close()


@pytest.mark.parametrize(
    ("mode", "error"), [("dies", FailedError), ("babbles", EnvelopeError), ("hangs", DeadlineError)]
)
def test_a_tap_that_fails_is_no_end_of_the_data(context: SourceContext, mode: str, error: type[Exception]) -> None:
    transport = tap(replace(context, deadline_s=2), mode)
    page = transport.fetch(STREAM, WINDOW, None)
    with pytest.raises(error):
        transport.fetch(STREAM, WINDOW, page.next)
    transport.close()


def test_what_is_missing_is_said(context: SourceContext) -> None:
    transport = SingerTransport(("no-such-tap",), {}, context)
    with pytest.raises(ConfigError, match="cannot be started"):
        transport.fetch(STREAM, WINDOW, None)
    transport.close()
    transport = tap(context)
    with pytest.raises(ConfigError, match="it has orders, other"):
        transport.fetch(replace(STREAM, endpoint=Tap(stream="nothing")), WINDOW, None)
    transport.close()


HEAD = """
import json, os, sys, time
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if "--discover" in sys.argv:
    print(json.dumps({"streams": [{"tap_stream_id": name, "schema": {}} for name in ("orders", "other")]}))
    sys.exit(0)
folder = Path(json.loads(Path(given["--config"]).read_text())["folder"])
def record(stream, number): print(json.dumps({"type": "RECORD", "stream": stream, "record": {"id": number}}), flush=True)
"""


def scripted(folder: Path, context: SourceContext, body: str, *, wrapped: bool = False) -> SingerTransport:
    """A tap that does what `body` says, possibly behind a shell script that waits for it."""
    script = folder / "tap.py"
    script.write_text(HEAD + body)
    command = [sys.executable, str(script)]
    if wrapped:
        command = ["sh", "-c", f'{sys.executable} {script} "$@"; exit $?', "tap"]
    return SingerTransport(tuple(command), {"folder": str(folder)}, context)


def named(name: str) -> Stream:
    return replace(STREAM, name=name, endpoint=Tap(stream=name))


def test_two_streams_at_the_same_time_have_their_own_files(context: SourceContext, tmp_path: Path) -> None:
    """A service reads the streams of one source in threads, over one transport."""
    body = """
if not (folder / "first").exists():
    (folder / "first").touch()
    while not (folder / "go").exists(): time.sleep(0.02)
for entry in json.loads(Path(given["--catalog"]).read_text())["streams"]:
    if entry["selected"]: record(entry["tap_stream_id"], entry["tap_stream_id"])
"""
    transport = scripted(tmp_path, replace(context, deadline_s=20), body)
    got: dict[str, Page] = {}
    first = threading.Thread(target=lambda: got.update(orders=transport.fetch(named("orders"), Window(), None)))
    first.start()
    while not (tmp_path / "first").exists():
        time.sleep(0.02)
    got["other"] = transport.fetch(named("other"), Window(), None)
    (tmp_path / "go").touch()
    first.join()
    transport.close()
    assert {name: ids(page) for name, page in got.items()} == {"orders": ["orders"], "other": ["other"]}


def test_rows_that_changed_places_while_no_tap_ran_are_all_read(context: SourceContext, tmp_path: Path) -> None:
    body = 'for number in json.loads((folder / "rows").read_text()): record("orders", number)\n'
    numbers = list(range(1, 1501))
    (tmp_path / "rows").write_text(json.dumps(numbers))
    transport = scripted(tmp_path, context, body)
    page = transport.fetch(named("orders"), Window(), None)
    seen = set(ids(page))
    transport.close()
    (tmp_path / "rows").write_text(json.dumps([*numbers[1:], 1]))
    transport = scripted(tmp_path, context, body)
    while page.next is not None:
        page = transport.fetch(named("orders"), Window(), json.loads(json.dumps(page.next)))
        seen |= set(ids(page))
    transport.close()
    assert seen == set(numbers)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("wrapped", [False, True], ids=["closes stdout and stays", "behind a wrapper"])
def test_the_deadline_holds_for_a_tap_that_lingers(context: SourceContext, tmp_path: Path, wrapped: bool) -> None:
    body = 'record("orders", 1)\n' + ("" if wrapped else "os.close(1)\n") + "time.sleep(20)\n"
    transport = scripted(tmp_path, replace(context, deadline_s=1), body, wrapped=wrapped)
    began = time.monotonic()
    with pytest.raises(DeadlineError):
        transport.fetch(named("orders"), Window(), None)
    assert time.monotonic() - began < 10
    transport.close()
