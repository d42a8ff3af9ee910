"""What the kit's simulated records say of themselves is what a hub can read of them."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.source import Cursor, Stream
from hub.source.instants import read_instant
from hub.testing.world import World

NOW = datetime(2026, 11, 20, 8, 0, 33, tzinfo=UTC)


@pytest.mark.parametrize("form", ["iso", "epoch_ms", "%Y/%m/%d %H:%M", "%Y%m%d%H%M%S", "%Y-%m-%d"])
def test_a_record_changed_when_its_own_time_says(form: str) -> None:
    """A source that tells times to the minute was graded as if it had stored the seconds: no connector of it could pass."""
    stream = Stream(name="lamps", title="", mapping="", native_id="id", cursor=Cursor(path="at", format=form))
    world = World(stream, [{"id": 1, "at": ""}], NOW)
    added, touched = world.grow(2, since=NOW - timedelta(hours=3), apart=timedelta(seconds=61))
    world.touch(touched, NOW - timedelta(seconds=5))
    assert [read_instant(one.record["at"], form, "Asia/Shanghai") for one in (added, touched)] == [added.at, touched.at]
