"""Any Singer tap as a source (docs/connectors/singer.md): hundreds of systems somebody wrote a reader for already."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.config.values import Duration
from hub.source import Connector, ConnectorConfig, Cursor, SourceContext, Stream
from hub.source.singer import SingerTransport, Tap

__all__ = ["Singer", "SingerConfig", "SingerStream"]


class SingerStream(BaseModel):
    """One stream of a tap: an entry of `[[sources.NAME.streams]]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Name of the stream here.")
    tap: str = Field("", description="Name of the stream in the tap's catalog, if it is another.")
    mapping: str = Field(description="Mapping that reads the records.")
    native_id: tuple[str, ...] = Field(min_length=1, description="Path or paths of the record's id.")
    cursor: str = Field("", description="Path of the time of change; empty: every sync reads all.")
    cursor_zone: str = Field("UTC", description="Zone of that time, where it has no offset.")
    cursor_format: str = Field("iso", description="Its format: iso, epoch_ms, epoch_s or a strptime pattern.")
    lookback: Duration | None = Field(None, description="How far before the cursor each sync reads again.")
    complete: bool = Field(False, description="A reading without window shows every living record.")


class SingerConfig(ConnectorConfig):
    """Settings of a tap."""

    command: tuple[str, ...] = Field(
        min_length=1, description="The tap's program and first arguments.", examples=['["taps/csv/bin/tap-csv"]']
    )
    tap_config: dict[str, Any] = Field(
        default_factory=dict,
        description="The tap's own configuration; `{since}` stands for the start of the window.",
        # Only the tap knows what of it is secret.
        repr=False,
    )
    tap_secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="Further keys of the tap's configuration that are secret."
    )
    streams: tuple[SingerStream, ...] = Field(min_length=1, description="Streams to read: `[[sources.NAME.streams]]`.")


class Singer(Connector):
    """The streams that the settings name."""

    name = "singer"
    title = "Singer 数据抽取器"
    title_en = "Singer tap"
    Config = SingerConfig

    def streams(self, config: Any) -> tuple[Stream, ...]:
        return tuple(_stream(one) for one in config.streams)

    def transport(self, config: Any, context: SourceContext) -> SingerTransport:
        return SingerTransport(config.command, {**config.tap_config, **config.tap_secrets}, context)


def _stream(one: SingerStream) -> Stream:
    back = {} if one.lookback is None else {"lookback": one.lookback}
    cursor = Cursor(path=one.cursor, zone=one.cursor_zone, format=one.cursor_format, **back) if one.cursor else None
    return Stream(
        name=one.name, title=one.name, mapping=one.mapping, native_id=one.native_id, endpoint=Tap(stream=one.tap),
        cursor=cursor, complete=one.complete,
    )  # fmt: skip
