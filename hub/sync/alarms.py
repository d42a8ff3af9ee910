"""Alarms: what is amiss is told once as it begins and once as it ends, over every channel, until each has taken it."""

import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from hub.clock import now_ms
from hub.errors import HubError, UnavailableError
from hub.mapping.instants import iso_utc
from hub.source.client import Client
from hub.source.connector import SourceContext
from hub.store.alarms import Notice, settle_alarms, take_notices, tell_done
from hub.store.tokens import StoredFiles, StoredTokens
from hub.sync.notify import post_robot, post_webhook
from hub.sync.objectives import empty_streams, stale_streams
from hub.sync.sources import Hub
from hub.sync.volume import HOUR_MS

__all__ = ["Alarms", "Wording", "alarm_event"]

log = logging.getLogger("hub.alarms")
_DEADLINE_S = 10.0
_LONGEST_ANSWER = 64 * 1024
Wording = Callable[[Notice], str]
"""A notice as a sentence in the operator's language."""


class Alarms:
    """Looks and tells. Several processes may do so on one store: each alarm is begun by one of them and told by one
    of them.

    A channel that cannot be reached is tried again, later each time, for a day. If a process dies between telling
    and noting it, the next one tells again: the webhook's id stays the same.
    """

    def __init__(self, hub: Hub, wording: Wording) -> None:
        self._hub, self._wording, self._settings = hub, wording, hub.settings.alarms
        self._hour = -1
        self._away = ""

    def check(self) -> int:
        """Look once and tell what has to be told; how many notices were told."""
        now = now_ms()
        settle_alarms(self._hub.store, ("freshness",), stale_streams(self._hub, now), self.channels, now)
        if self._hour != now // HOUR_MS:
            # It is about whole hours, so it cannot change before the next one.
            self._hour = now // HOUR_MS
            settle_alarms(self._hub.store, ("emptiness",), empty_streams(self._hub, now), self.channels, now)
        return self._tell(now)

    @property
    def channels(self) -> tuple[str, ...]:
        """The log always stands first: it needs nobody else."""
        wanted = {
            "log": self._settings.log, "plugins": self._hub.plugins.implements("hub_alarm"),
            "webhook": self._settings.webhook is not None, "robot": self._settings.robot is not None,
        }  # fmt: skip
        return tuple(name for name, on in wanted.items() if on)

    def _tell(self, now: int) -> int:
        self._away = ""
        notices = take_notices(self._hub.store, self.channels, now)
        told = [notice for notice in notices if notice.channel in ("log", "plugins", "webhook") and self._told(notice)]
        robot = [notice for notice in notices if notice.channel == "robot"]
        # A group robot takes twenty messages a minute: whatever is to be said goes into one.
        if robot and self._sent("robot", lambda client: post_robot(client, self._settings, self._said(robot))):
            told += robot
        tell_done(self._hub.store, told, now_ms())
        return len(told)

    def _told(self, notice: Notice) -> bool:
        event = alarm_event(notice, self._wording(notice))
        if notice.channel == "webhook":
            return self._sent("webhook", lambda client: post_webhook(client, self._settings, event))
        if notice.channel == "plugins":
            self._hub.plugins.call("hub_alarm", event=event)
        else:
            marks = {"source": notice.amiss.source, "stream": notice.amiss.stream}
            log.warning("%s", event["text"], extra={"action": f"alarm_{notice.event}", **marks})
        return True

    def _said(self, notices: Sequence[Notice]) -> str:
        return "\n".join(self._wording(notice) for notice in notices)

    def _sent(self, channel: str, send: Callable[[Client], object]) -> bool:
        if self._away == channel:
            return False
        try:
            client = self._client()
            try:
                send(client)
            finally:
                client.close()
        except HubError as error:
            if isinstance(error, UnavailableError):
                # A hundred notices would each wait for the whole deadline, and the next look with them.
                self._away = channel
            log.error("an alarm could not be told by %s: %s", channel, error, extra={"action": "alarm_not_told"})
            return False
        return True

    def _client(self) -> Client:
        """Deadline, byte limit, no redirect to another host: as for any source."""
        http = {"proxy": self._settings.proxy, "trust_env": False, "verify": ssl.create_default_context()}
        context = SourceContext(
            source="alarms",
            tokens=StoredTokens(self._hub.store, self._hub.owner),
            files=StoredFiles(self._hub.store, str),
            http=http,
            deadline_s=_DEADLINE_S,
            max_bytes=_LONGEST_ANSWER,
        )
        return Client(context)


def alarm_event(notice: Notice, text: str) -> dict[str, Any]:
    """What hook and webhook get. Instants are ISO 8601, UTC; figures are those of the alarm's beginning."""
    detail = {key: iso_utc(value) if key == "since" else value for key, value in notice.amiss.detail.items()}
    return {
        "alarm": notice.alarm, "event": notice.event, "kind": notice.amiss.kind, "source": notice.amiss.source,
        "stream": notice.amiss.stream, "raised_at": iso_utc(notice.raised_at), "at": iso_utc(notice.at), "text": text,
        **detail,
    }  # fmt: skip
