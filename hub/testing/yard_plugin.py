"""The yard's connector: streams of numbered records behind a deliberate delay, so that workers wait and do not
compute."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import Field

from hub.errors import UnavailableError
from hub.hookspecs import hookimpl
from hub.source.connector import Connector, ConnectorConfig, SourceContext
from hub.source.stream import Cursor, Page, Position, Stream, Window

__all__ = ["Yard", "YardTransport", "hub_connectors", "hub_mappings"]


class YardConfig(ConnectorConfig):
    base_url: str = Field(description="Where the yard's upstream listens.")
    streams: int = Field(1, description="How many streams.")
    pages: int = Field(10, description="Pages of a stream.")
    latency: float = Field(0.02, description="Seconds that a page takes.")
    partitions: list[str] = Field(default_factory=list, description="Parts that may be read at the same time.")


class YardTransport:
    def __init__(self, config: YardConfig, context: SourceContext) -> None:
        self._config, self._acquire = config, context.acquire
        self._client = httpx.Client(base_url=config.base_url, timeout=30, trust_env=False)

    def fetch(self, stream: Stream, window: Window, position: Position | None) -> Page:
        self._acquire("yard")
        config = self._config
        asked: dict[str, Any] = {
            "stream": stream.name, "page": position["page"] if position else 0, "pages": config.pages,
            "latency": config.latency, "part": window.partition, "parts": len(config.partitions),
            "since": int(window.since.timestamp() * 1000) if window.since else 0,
        }  # fmt: skip
        try:
            answer = self._client.get("/", params=asked)
        except httpx.HTTPError as error:
            raise UnavailableError("the yard does not answer") from error
        told = json.loads(answer.content)
        rows = [json.dumps(row).encode() for row in told["rows"]]
        following = {"page": told["next"]} if told["next"] is not None else None
        return Page(rows=rows, next=following, clock=datetime.fromtimestamp(told["clock"] / 1000, UTC))

    def detail(self, stream: Stream, row: bytes) -> bytes:
        return row

    def renew(self) -> None:
        """There is no session."""

    def close(self) -> None:
        self._client.close()


class Yard(Connector):
    name = "yard"
    title = "试验场"
    title_en = "Yard"
    Config: ClassVar[type[ConnectorConfig]] = YardConfig

    def streams(self, config: YardConfig) -> tuple[Stream, ...]:
        cursor = Cursor(path="at", format="epoch_ms", lookback=timedelta(0), safety_lag=timedelta(0))
        return tuple(
            Stream(
                name=f"s{number:02}", title="记录", mapping="yard/records", native_id="id", cursor=cursor,
                partitions=tuple(config.partitions),
            )
            for number in range(config.streams)
        )  # fmt: skip

    def transport(self, config: YardConfig, context: SourceContext) -> YardTransport:
        return YardTransport(config, context)


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    return [Yard]


@hookimpl
def hub_mappings() -> list[Path]:
    """The folder that `hub.testing.yard` wrote beside this plugin's entry point."""
    from importlib.metadata import distribution

    return [Path(str(distribution("hub-yard").locate_file("mappings")))]
