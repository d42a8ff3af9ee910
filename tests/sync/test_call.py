"""A call that never comes back is left behind and counted; whoever waited goes on (promise 9)."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rig import START, Rig, open_store, write_mapping
from upstream import Upstream

from hub.errors import FencedError, Outcome, OverdueError
from hub.sync.call import MOST_LEFT_BEHIND, Call, left_behind

SHORT = {"page_deadline": timedelta(seconds=0.05), "request_deadline": timedelta(seconds=0.05), "retries": 0}


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What hanging code waits for; at the end of the test it comes."""
    event = threading.Event()
    yield event
    event.set()


def call(work: Callable[[], Any], seconds: float = 0.03, source: str = "s") -> Call[Any]:
    return Call(work, source=source, due=time.monotonic() + seconds / 2, grace_s=seconds / 2)


def test_an_answer_and_an_error_come_through() -> None:
    assert call(lambda: 7).result() == 7
    with pytest.raises(TimeoutError, match="of the work itself"):
        call(lambda: (_ for _ in ()).throw(TimeoutError("of the work itself"))).result()


def test_what_hangs_is_left_behind_and_counted(never: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()
    hanging = call(never.wait, 0.05, source="hung")
    with pytest.raises(OverdueError, match="has not come back for"):
        hanging.result()
    hanging.end()
    assert time.monotonic() - began < 2
    assert left_behind("hung") == 1
    assert [record.action for record in caplog.records if record.levelno == logging.ERROR] == ["call_left_behind"]  # type: ignore[attr-defined]
    never.set()
    hanging._thread.join(5)
    assert left_behind("hung") == 0, "it came back after all"


def test_a_source_with_too_many_calls_out_is_not_called_again(never: threading.Event) -> None:
    for _ in range(MOST_LEFT_BEHIND):
        with pytest.raises(OverdueError):
            call(never.wait, source="many").result()
    asked: list[int] = []
    with pytest.raises(OverdueError, match="never came back, so this process does not call it again"):
        call(lambda: asked.append(1), source="many")
    assert asked == []
    assert call(lambda: "others are").result() == "others are"


def test_the_thread_holds_no_process_up(never: threading.Event) -> None:
    hanging = call(never.wait)
    assert hanging._thread.daemon
    hanging.end()


def test_a_lost_lease_ends_the_waiting(never: threading.Event) -> None:
    def lost() -> None:
        raise FencedError("lost")

    with pytest.raises(FencedError):
        call(never.wait, 60).result(lost, 0.001)


@pytest.mark.parametrize("where", ["first page", "second page", "detail"])
def test_a_hanging_run_fails_gives_its_lease_back_and_the_next_one_works(
    store_url: str, tmp_path: Path, never: threading.Event, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    upstream = Upstream(size=2, details=where == "detail")
    for number in range(4):
        upstream.put(f"r{number}", START + number)
    store = open_store(store_url)
    rig = Rig(store, write_mapping(tmp_path / "m"), upstream, source=where).set(**SHORT)
    rig.shape(two_step=upstream.details)
    detail = upstream.detail

    def hang(up: Upstream) -> None:
        if (where, up.fetches) in (("first page", 1), ("second page", 2)):
            never.wait()

    def hang_in_detail(stream: Any, row: bytes) -> bytes:
        if upstream.detailed == 1:
            never.wait()
        return detail(stream, row)

    upstream.before_fetch = hang
    monkeypatch.setattr(upstream, "detail", hang_in_detail)
    result = rig.run()
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, OverdueError)
    assert (result.error.values["source"], result.error.values["stream"]) == (where, "records")
    assert rig.all("SELECT outcome FROM run") == [("failed",)]
    assert rig.all("SELECT count(*) FROM lease WHERE expires_at > 0")[0][0] == 0
    assert len(rig.living()) == (2 if where == "second page" else 0), "whole pages are kept"
    upstream.before_fetch = lambda up: None
    monkeypatch.setattr(upstream, "detail", detail)
    assert rig.run().outcome is Outcome.OK
    assert len(rig.living()) == 4
    never.set()
    store.close()
