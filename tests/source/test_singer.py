"""A Singer tap as a source: pages, resuming from its STATE, and every way a tap may fail."""

import sys
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
    first = tap(context)
    position = first.fetch(STREAM, WINDOW, None).next
    first.close()
    assert position == {"state": {"last": 900}, "rows": 100}
    second = tap(context)
    page = second.fetch(STREAM, WINDOW, position)
    assert ids(page)[0] == 1001
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
