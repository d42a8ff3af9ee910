"""What `hub.source` offers, and what it costs to ask for it."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

import hub.source
from hub.source.deadline import deadline, deadline_transport, remaining
from hub.source.instants import http_date, read_instant, resolution, write_instant


def test_every_name_is_there_and_listed() -> None:
    for name in hub.source.__all__:
        assert getattr(hub.source, name) is not None
    assert dir(hub.source) == sorted(hub.source.__all__)
    assert set(hub.source.__all__) == set(hub.source._HOME)
    with pytest.raises(AttributeError):
        _ = hub.source.nothing


def test_declaring_needs_no_network_library() -> None:
    code = "import sys; from hub.source import Connector, Stream; assert not {'httpx', 'sqlalchemy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_deadline_hangs_on_httpx_as_it_is() -> None:
    transport = deadline_transport({})
    assert type(transport._pool._network_backend).__module__ == "hub.source.deadline"
    transport.close()


def test_deadlines_nest() -> None:
    assert remaining() == float("inf")
    with deadline(10):
        assert 9 < remaining() <= 10
        with deadline(0):
            assert remaining() == 0
        assert remaining() > 9
    assert remaining() == float("inf")


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ("2026-11-20 08:00:00", "iso", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00:00+08:00", "iso", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T00:00:00Z", "iso", datetime(2026, 11, 20, tzinfo=UTC)),
        (1_000, "epoch_ms", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("1", "epoch_s", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
        ("20261120", "%Y%m%d", datetime(2026, 11, 19, 16, tzinfo=UTC)),
        ("soon", "iso", None),
        (None, "iso", None),
        (True, "epoch_s", None),
        ("x", "epoch_s", None),
        (10**30, "epoch_s", None),
        ("0001-01-01 00:00:00", "iso", None),
    ],
)
def test_reading_a_cursor(value: object, form: str, expected: datetime | None) -> None:
    assert read_instant(value, form, "Asia/Shanghai") == expected


@pytest.mark.parametrize(
    "form", ["iso", "local", "epoch_ms", "epoch_s", "%Y%m%d", "%Y-%m-%d %H", "%Y-%m-%dT%H:%M:%S.%f"]
)
def test_what_is_written_is_read_again_within_its_step(form: str) -> None:
    moment = datetime(2026, 11, 20, 3, 4, 5, 678_901, tzinfo=UTC)
    down, up = (
        read_instant(write_instant(moment, form, "Asia/Shanghai", up=up), form, "Asia/Shanghai") for up in (False, True)
    )
    assert down is not None
    assert up is not None
    assert down <= moment <= up
    assert up - down in (resolution(form), resolution(form) * 0)


@pytest.mark.parametrize(
    ("form", "end"),
    [
        ("epoch_s", 1793525431),
        ("epoch_ms", 1793525430500),
        ("iso", "2026-11-01T01:30:31-08:00"),
        ("local", "2026-11-01 02:30:31"),
        ("%Y-%m-%d %H:%M", "2026-11-01 02:31"),
    ],
)
def test_the_end_of_a_window_is_never_written_earlier_than_meant(form: str, end: object) -> None:
    """On 1 November 2026 Los Angeles had the hour from 1 to 2 twice; a text without zone would name the first."""
    second = datetime(2026, 11, 1, 9, 30, 30, 500_000, tzinfo=UTC)
    assert write_instant(second, form, "America/Los_Angeles", up=True) == end


def test_http_dates() -> None:
    assert http_date("Fri, 20 Nov 2026 08:00:00 GMT") == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert http_date("Fri, 20 Nov 2026 16:00:00 +0800") == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert http_date("Fri, 20 Nov 2026 08:00:00") == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert http_date(None) is None
    assert http_date("yesterday") is None
