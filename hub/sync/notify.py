"""Telling somebody outside: a signed webhook and a DingTalk-style group robot."""

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec

from hub.clock import now_ms
from hub.config import AlarmSettings
from hub.errors import ConfigError, HubError, RefusedError
from hub.source.client import Client
from hub.source.said import quiet

__all__ = ["post_robot", "post_webhook", "robot_signature", "webhook_signature"]


def post_webhook(client: Client, settings: AlarmSettings, event: dict[str, Any]) -> None:
    """One alarm as JSON, signed as Standard Webhooks says: webhook-id, webhook-timestamp (seconds), webhook-signature.

    The id is the same each time an event is sent, so that whoever gets it twice can tell. Raises HubError.
    """
    body = msgspec.json.encode(event)
    stamp, name = str(now_ms() // 1000), f"{event['alarm']}.{event['event']}"
    headers = {"content-type": "application/json", "webhook-id": name, "webhook-timestamp": stamp}
    if settings.webhook_secret is not None:
        key = settings.webhook_secret.get_secret_value()
        headers["webhook-signature"] = webhook_signature(key, name, stamp, body)
    _post(client, "webhook", settings.webhook.get_secret_value() if settings.webhook else "", body, headers)


def post_robot(client: Client, settings: AlarmSettings, text: str) -> None:
    """A text message to a group. RefusedError if the robot's answer has an `errcode` other than 0 (it comes with
    200)."""
    address = httpx.URL(settings.robot.get_secret_value() if settings.robot else "")
    query = parse_qsl(address.query.decode())
    if settings.robot_secret is not None:
        stamp = str(now_ms())
        query += [("timestamp", stamp), ("sign", robot_signature(settings.robot_secret.get_secret_value(), stamp))]
    body = msgspec.json.encode({"msgtype": "text", "text": {"content": text}})
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = _post(client, "robot", str(address.copy_with(params=query)), body, headers)
    try:
        said = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.DecodeError:
        said = {}
    if said.get("errcode", 0) != 0:
        raise RefusedError(
            "the robot refuses ({code}: {said})", remedy="check robot and robot_secret in [alarms]",
            code=said["errcode"], said=quiet(str(said.get("errmsg", "-"))),
        )  # fmt: skip


def webhook_signature(secret: str, name: str, stamp: str, body: bytes) -> str:
    """`v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; a key that begins with `whsec_` is base64."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    except ValueError as exc:
        raise ConfigError(
            "[alarms] webhook_secret begins with whsec_ but is not base64", remedy="copy it whole"
        ) from exc
    mac = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


def robot_signature(secret: str, stamp: str) -> str:
    """base64 of HMAC-SHA256 over `timestamp\\nsecret` under the secret, the timestamp in ms."""
    mac = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def _post(client: Client, channel: str, address: str, body: bytes, headers: dict[str, str]) -> bytes:
    try:
        request = client.request("POST", address, content=body, headers=headers)
        return client.send(request, empty_on=(204,)).body
    except HubError as error:
        # What a client tells to do is about sources.
        error.remedy = "check {channel}, and proxy, in [alarms] and whether that answers; the alarm is told again later"
        error.within(channel=channel)
        raise
