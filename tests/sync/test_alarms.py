"""Alarms begin once and end once, whoever looks, and reach every channel or are tried again."""

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from rig import START, Clock, open_store, wait_until

from hub.commands.alarm_wording import alarm_wording
from hub.commands.output import Output
from hub.config import AlarmSettings, Environment, load
from hub.errors import UnavailableError
from hub.plugins import load_plugins
from hub.schedule.watch import watching
from hub.store.alarms import Amiss, settle_alarms, take_notices, tell_done
from hub.store.store import Store
from hub.sync.alarms import Alarms
from hub.sync.notify import robot_signature, webhook_signature
from hub.sync.sources import Hub
from hub.sync.volume import HOUR_MS, usual_volume

SHANGHAI = ZoneInfo("Asia/Shanghai")
AMISS = Amiss("freshness", "city", "reports", {"since": START, "objective_ms": 3_600_000, "never": False})
CONFIG = """
[sources.city]
connector = "open311"
base_url = "http://127.0.0.1:9"
freshness = "PT1H"
"""


class Receiver:
    """Takes what is posted to it; answers what the test says."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status, self.answer = 200, b'{"errcode":0,"errmsg":"ok"}'
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = open_store(store_url)
    yield store
    store.close()


def hub_of(folder: Path, store: Store, **alarms: str) -> Hub:
    file = folder / "hub.toml"
    file.write_text(CONFIG, "utf-8")
    variables = {f"HUB_ALARMS__{name.upper()}": value for name, value in alarms.items()}
    return Hub(load(file, environment=Environment(variables)), load_plugins(), store)


def put_run(store: Store, at: int, outcome: str = "ok", new: int = 0, mode: str = "incremental") -> None:
    with store.write() as transaction:
        (number,) = transaction.one("SELECT count(*) FROM run")
        transaction.run(
            "INSERT INTO run (id, source, stream, partition, mode, outcome, started_at, worker, token, fetched, new)"
            " VALUES (?, 'city', 'requests', '', ?, ?, ?, 'w', 1, ?, ?)",
            (f"r{number}", mode, outcome, at, new, new),
        )


def watcher(hub: Hub) -> Alarms:
    return Alarms(hub, alarm_wording(Output(lang="en")))


# --- beginning and ending ------------------------------------------------


def test_an_alarm_begins_once_and_ends_once(store: Store) -> None:
    for moment in (1, 2, 3):
        settle_alarms(store, ("freshness",), [AMISS], ("log",), START + moment)
    (notice,) = take_notices(store, ("log",), START + 4)
    assert (notice.event, notice.raised_at, notice.amiss.detail) == ("raised", START + 1, AMISS.detail)
    tell_done(store, [notice], START + 5)
    for moment in (6, 7):
        settle_alarms(store, ("freshness",), [], ("log",), START + moment)
    assert [one.event for one in take_notices(store, ("log",), START + 8)] == ["cleared"]
    settle_alarms(store, ("freshness",), [AMISS], ("log",), START + 9)
    again = take_notices(store, ("log",), START + 10)
    assert [one.event for one in again] == ["raised"]
    assert again[0].alarm != notice.alarm


def test_of_many_who_look_at_once_one_begins_and_one_tells(store: Store) -> None:
    told: list[Any] = []

    def look() -> None:
        settle_alarms(store, ("freshness",), [AMISS], ("log", "robot"), START)
        told.extend(take_notices(store, ("log", "robot"), START + 1))

    lookers = [threading.Thread(target=look) for _ in range(8)]
    for one in lookers:
        one.start()
    for one in lookers:
        one.join()
    assert sorted(one.channel for one in told) == ["log", "robot"]


def test_the_end_waits_for_the_beginning_and_old_news_are_dropped(store: Store) -> None:
    settle_alarms(store, ("freshness",), [AMISS], ("robot",), START)
    assert len(take_notices(store, ("robot",), START)) == 1
    settle_alarms(store, ("freshness",), [], ("robot",), START + 1)
    assert take_notices(store, ("robot",), START + 2) == []
    (retried,) = take_notices(store, ("robot",), START + 200_000)
    assert retried.event == "raised"
    day = 24 * 3_600_000
    assert take_notices(store, ("robot",), START + 2 * day) == []


def test_one_kind_does_not_end_another(store: Store) -> None:
    settle_alarms(store, ("freshness",), [AMISS], ("log",), START)
    settle_alarms(store, ("emptiness",), [], ("log",), START + 1)
    assert [one.event for one in take_notices(store, ("log",), START + 2)] == ["raised"]


# --- freshness over a real hub ------------------------------------------------


def test_freshness_is_told_once_and_its_return_once(
    store: Store, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock().patch(monkeypatch)
    alarms = watcher(hub_of(tmp_path, store, webhook=f"{receiver.url}/hook", webhook_secret="s3cret key"))
    put_run(store, START)
    clock.pass_(timedelta(minutes=59))
    assert alarms.check() == 0
    clock.pass_(timedelta(minutes=2))
    # What failed, and a backfill that went well, make nothing fresher.
    put_run(store, clock.now, "unavailable")
    put_run(store, clock.now, mode="backfill")
    assert alarms.check() == 2
    for _ in range(5):
        clock.pass_(timedelta(minutes=1))
        assert alarms.check() == 0
    put_run(store, clock.now, "partial")
    assert alarms.check() == 2
    assert alarms.check() == 0
    events = [json.loads(body) for _, _, body in receiver.got]
    assert [(event["event"], event["kind"], event["source"], event["stream"]) for event in events] == [
        ("raised", "freshness", "city", "requests"), ("cleared", "freshness", "city", "requests"),
    ]  # fmt: skip
    assert events[0]["since"] == "2027-01-15T08:00:00Z"
    assert "city/requests is too old" in events[0]["text"]
    path, headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = base64.b64encode(hmac.new(b"s3cret key", signed, hashlib.sha256).digest()).decode()
    assert (path, headers["webhook-signature"]) == ("/hook", f"v1,{mac}")


def test_a_first_reading_under_way_is_not_stale_and_a_failed_one_is(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock().patch(monkeypatch)
    alarms = watcher(hub_of(tmp_path, store))
    put_run(store, START, "running")
    clock.pass_(timedelta(hours=5))
    assert alarms.check() == 0
    with store.write() as transaction:
        transaction.run("UPDATE run SET outcome = 'refused'")
    assert alarms.check() == 1


def test_a_receiver_that_is_down_is_told_later(
    store: Store, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock().patch(monkeypatch)
    alarms = watcher(hub_of(tmp_path, store, webhook=f"{receiver.url}/hook?key=t0ken-of-the-hook", log="false"))
    put_run(store, START)
    clock.pass_(timedelta(hours=2))
    receiver.status = 503
    assert alarms.check() == 0
    assert "t0ken-of-the-hook" not in caplog.text
    receiver.status = 204
    receiver.answer = b""
    clock.pass_(timedelta(minutes=1))
    assert alarms.check() == 0
    clock.pass_(timedelta(minutes=2))
    assert alarms.check() == 1
    ids = [headers["webhook-id"] for _, headers, _ in receiver.got]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_a_receiver_that_is_down_is_asked_once_a_look(
    store: Store, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many streams are amiss: each notice would wait ten seconds for one that does not answer."""
    clock = Clock().patch(monkeypatch)
    amiss = [Amiss("freshness", "city", f"s{number}", AMISS.detail) for number in range(5)]
    monkeypatch.setattr("hub.sync.alarms.stale_streams", lambda hub, now: amiss)
    alarms = watcher(hub_of(tmp_path, store, webhook=f"{receiver.url}/hook", log="false"))
    receiver.status = 503
    assert alarms.check() == 0
    assert len(receiver.got) == 1
    receiver.status, receiver.answer = 204, b""
    clock.pass_(timedelta(minutes=5))
    assert alarms.check() == 5


@pytest.mark.parametrize("channel", ["webhook", "robot"])
@pytest.mark.parametrize("answer", [None, 500, 403, 404, 429], ids=str)
def test_a_channel_that_does_not_take_an_alarm_is_not_called_a_source(
    store: Store, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    channel: str, answer: int | None,
) -> None:  # fmt: skip
    clock = Clock().patch(monkeypatch)
    url = "http://127.0.0.1:9" if answer is None else receiver.url
    alarms = watcher(hub_of(tmp_path, store, **{channel: f"{url}/hook?access_token=x", "log": "false"}))
    put_run(store, START)
    clock.pass_(timedelta(hours=2))
    receiver.status = answer or 0
    assert alarms.check() == 0
    (said,) = [record.message for record in caplog.records]
    assert said.startswith(f"an alarm could not be told by {channel}: ")
    assert f"check {channel}, and proxy, in [alarms]" in said
    assert not re.search("source|stream|hub.toml", said)


def test_the_robot_gets_one_signed_text_and_a_refusal_in_a_200_is_one(
    store: Store, tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock().patch(monkeypatch)
    address = f"{receiver.url}/robot/send?access_token=abcdef123456"
    alarms = watcher(hub_of(tmp_path, store, robot=address, robot_secret="SEC0123456789", log="false"))
    put_run(store, START)
    clock.pass_(timedelta(hours=2))
    receiver.answer = b'{"errcode":310000,"errmsg":"sign not match"}'
    assert alarms.check() == 0
    assert "310000" in caplog.text
    assert "abcdef123456" not in caplog.text
    receiver.answer = b'{"errcode":0,"errmsg":"ok"}'
    clock.pass_(timedelta(minutes=5))
    assert alarms.check() == 1
    path, _, body = receiver.got[-1]
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    assert query["access_token"] == "abcdef123456"
    assert query["sign"] == robot_signature("SEC0123456789", query["timestamp"])
    message = json.loads(body)
    assert message["msgtype"] == "text"
    assert "city/requests" in message["text"]["content"]


def test_plugins_are_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, heard = Clock().patch(monkeypatch), []
    hub = hub_of(tmp_path, store, log="false")
    hub.plugins = SimpleNamespace(  # type: ignore[assignment]
        implements=lambda hook: hook == "hub_alarm", connector=hub.plugins.connector,
        call=lambda hook, event: heard.append((hook, event["event"])),
    )  # fmt: skip
    put_run(store, START)
    clock.pass_(timedelta(hours=2))
    watcher(hub).check()
    assert heard == [("hub_alarm", "raised")]


def test_the_signatures_are_those_of_the_public_documents() -> None:
    """Standard Webhooks' own example; the robot's by its rule, HMAC-SHA256 of timestamp, newline, secret."""
    secret, name, stamp = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
    signed = webhook_signature(secret, name, stamp, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    mac = hmac.new(b"SECx", b"1700000000000\nSECx", hashlib.sha256).digest()
    assert robot_signature("SECx", "1700000000000") == base64.b64encode(mac).decode()


def test_addresses_with_keys_do_not_stand_in_the_file(tmp_path: Path) -> None:
    assert AlarmSettings.model_fields.keys() >= {"log", "webhook", "robot"}
    file = tmp_path / "hub.toml"
    file.write_text('[alarms]\nrobot = "https://example.org/send?access_token=abc"\n', "utf-8")
    with pytest.raises(Exception, match="robot"):
        load(file, environment=Environment({}))


# --- suspicious emptiness ------------------------------------------------

#: A Friday, 15:00 in Shanghai.
NOW = int(datetime(2027, 1, 15, 7, tzinfo=UTC).timestamp() * 1000) // HOUR_MS


def history(weeks: int, volume: int = 50) -> dict[int, int]:
    """Every hour of so many weeks; at night (Shanghai) next to nothing, at the weekend a tenth."""
    found = {}
    for hour in range(NOW - weeks * 168, NOW):
        local = datetime.fromtimestamp(hour * 3600, SHANGHAI)
        busy = volume if 8 <= local.hour < 18 else 1
        found[hour] = busy // 10 if local.weekday() >= 5 else busy
    return found


@pytest.mark.parametrize(
    ("weeks", "volume", "now", "found"),
    [
        pytest.param(6, 50, 0, 50, id="nothing where fifty are usual"),
        pytest.param(6, 50, 4, 50, id="less than a tenth"),
        pytest.param(6, 50, 5, None, id="a tenth"),
        pytest.param(6, 19, 0, None, id="too few to tell"),
        pytest.param(3, 50, 0, None, id="three weeks are not enough"),
        pytest.param(6, 50, None, None, id="no good run in that hour"),
    ],
)
def test_usual_volume(weeks: int, volume: int, now: int | None, found: float | None) -> None:
    volumes = history(weeks, volume) | ({NOW: now} if now is not None else {})
    assert usual_volume(volumes, NOW, SHANGHAI) == found


def test_nights_and_weekends_are_measured_by_their_own() -> None:
    volumes = history(6, 500)
    night, sunday = NOW + 10, NOW + 48
    assert usual_volume(volumes | {night: 0}, night, SHANGHAI) is None
    assert usual_volume(volumes | {sunday: 45}, sunday, SHANGHAI) is None
    assert usual_volume(volumes | {sunday: 0}, sunday, SHANGHAI) == 50


def test_a_stream_gone_quiet_is_told(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock((NOW + 1) * HOUR_MS + 60_000).patch(monkeypatch)
    alarms = watcher(hub_of(tmp_path, store, log="true"))
    with store.write() as transaction:
        transaction.run_many(
            "INSERT INTO run (id, source, stream, partition, mode, outcome, started_at, worker, token, fetched, new)"
            " VALUES (?, 'city', 'requests', '', 'incremental', 'ok', ?, 'w', 1, ?, ?)",
            [(f"h{hour}", hour * HOUR_MS, count, count) for hour, count in history(6).items()],
        )
    put_run(store, NOW * HOUR_MS + 600_000)
    assert alarms.check() == 1
    put_run(store, (NOW + 1) * HOUR_MS + 600_000, new=60)
    clock.pass_(timedelta(hours=1))
    assert alarms.check() == 1
    with store.read() as transaction:
        assert transaction.all("SELECT kind, cleared_at IS NOT NULL FROM alarm WHERE kind = 'emptiness'")[0][1]


# --- the watch ------------------------------------------------


def test_the_watch_goes_on_after_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise ZeroDivisionError

    with watching(look, every_s=0.01):
        until = time.monotonic() + 5
        while len(looks) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    assert len(looks) >= 3
    assert "defect in the watch" in caplog.text


def test_a_watch_that_cannot_look_is_told_once_and_that_it_can_again(caplog: pytest.LogCaptureFixture) -> None:
    """Not every minute of an outage of the store."""
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) in (2, 3, 4):
            raise UnavailableError("the store cannot be reached: {reason}", reason="Connection refused")

    with watching(look, every_s=0.001):
        wait_until(lambda: len(looks) > 5)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "the watch cannot look: the store cannot be reached: Connection refused"),
        ("WARNING", "the watch looks again"),
    ]
