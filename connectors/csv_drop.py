"""Files dropped in a folder: CSV and spreadsheets of any origin (docs/connectors/csv_drop.md).

What a file holds is said in hub.toml: `[[sources.NAME.files]]` with a name pattern, the stream, its mapping (which
brings kind and native id), time zone and encoding. Files are only read, never changed or deleted.
"""

from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from hub.config.values import Duration
from hub.source import Connector, ConnectorConfig, FileSpec, FileTransport, SourceContext, Stream

__all__ = ["CsvDrop", "CsvDropConfig"]


class CsvDropConfig(ConnectorConfig):
    """Settings of a drop folder."""

    folder: str = Field(description="The folder; a relative one is taken from hub.toml's folder.", examples=["drop"])
    files: tuple[FileSpec, ...] = Field(
        min_length=1,
        description="Kinds of file: `[[sources.NAME.files]]` with pattern, stream, mapping, zone, encoding.",
    )
    settle: Duration = Field(
        timedelta(seconds=2),
        description="A file without NAME.done beside it is whole once size and time held still for this long.",
    )


class CsvDrop(Connector):
    """One stream for each name the file kinds give; kinds may share one and still differ in mapping and zone."""

    name = "csv_drop"
    title = "文件投放"
    title_en = "dropped files"
    arrival: ClassVar[Literal["poll", "table", "file"]] = "file"
    Config = CsvDropConfig

    def streams(self, config: Any) -> tuple[Stream, ...]:
        first = {spec.stream: spec for spec in reversed(config.files)}
        names = dict.fromkeys(spec.stream for spec in config.files)
        return tuple(Stream(name=name, title=name, mapping=first[name].mapping, complete=False) for name in names)

    def transport(self, config: Any, context: SourceContext) -> FileTransport:
        return FileTransport(config.folder, config.files, context, settle_s=config.settle.total_seconds())
