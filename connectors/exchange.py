"""The district's own platforms, read through front-end exchange databases (前置库; docs/connectors/exchange.md).

Every table is a log with the exchange columns of domain.md §3 and §4.1: each version of a record is a row,
`cd_operation` says `i`, `u` or `d`, and a `d` row carries the key columns only. Rows are read in the order of `cd_seq`,
so that a late row (newer `cd_seq`, older `cd_time`) still comes last; windows are on `cd_time`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr

from hub.config.values import Duration
from hub.errors import ConfigError
from hub.source import Connector, ConnectorConfig, Cursor, SourceContext, Stream, Table, TableTransport

__all__ = ["CaseHandling", "DispatchDesk", "ExchangeConfig", "IntegratedManagement", "RoadPatrol"]


class ExchangeConfig(ConnectorConfig):
    """Settings of an exchange database."""

    url: SecretStr = Field(
        description="SQLAlchemy address of the exchange database; the account needs SELECT, nothing else.",
        examples=["${file:secrets/case_handling.url}"],
    )
    db_schema: str | None = Field(None, description="Schema the tables are in; absent: the account's own.")
    tables: dict[str, str] = Field(
        default_factory=dict,
        description="Table or view of a stream, where it is not called as usual.",
        examples=['{ cases = "aj_case_exchange" }'],
    )
    lookback: Duration = Field(
        timedelta(minutes=30),
        description="How far behind the youngest row read each run begins again, because rows may arrive late.",
    )
    page_size: int = Field(1000, ge=1, le=10_000, description="Rows a query.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """One exchange table. `key` are its key columns; `personal` are columns that name people inside other text."""

    stream: str
    title: str
    table: str
    key: str | tuple[str, ...]
    personal: tuple[str, ...] = ()


class _Exchange(Connector):
    """What the four platforms share; they differ in their tables only."""

    arrival: ClassVar[Literal["poll", "table", "file"]] = "table"
    Config = ExchangeConfig
    logs: ClassVar[tuple[_Log, ...]]

    def streams(self, config: Any) -> tuple[Stream, ...]:
        known = [log.stream for log in self.logs]
        for name in config.tables:
            if name not in known:
                raise ConfigError(
                    "tables names the stream {stream}, which there is not",
                    stream=name,
                    remedy="there are {known}",
                    known=", ".join(known),
                )
        return tuple(self._stream(log, config) for log in self.logs)

    def transport(self, config: Any, context: SourceContext) -> TableTransport:
        return TableTransport(config.url, context)

    def _stream(self, log: _Log, config: ExchangeConfig) -> Stream:
        return Stream(
            name=log.stream,
            title=log.title,
            mapping=f"{self.name}/{log.stream}",
            native_id=log.key,
            endpoint=Table(
                name=config.tables.get(log.stream, log.table),
                schema=config.db_schema,
                order=("cd_seq",),
                cursor="cd_time",
                page_size=config.page_size,
            ),
            cursor=Cursor(path="cd_time", lookback=config.lookback),
            operation="cd_operation",
            log=True,
            complete=False,
            personal=log.personal,
        )


class CaseHandling(_Exchange):
    """案件办理 (domain.md §4.2, §5). A case's name holds its party's name, so it is masked like the party."""

    name = "case_handling"
    title = "案件办理"
    title_en = "case handling"
    logs = (
        _Log(stream="cases", title="案件", table="aj_case_exchange", key="case_id", personal=("case_name",)),
    )  # fmt: skip


class RoadPatrol(_Exchange):
    """路面执法管理 (domain.md §9.2)."""

    name = "road_patrol"
    title = "路面执法管理"
    title_en = "road patrol"
    logs = (_Log(stream="findings", title="巡查发现", table="lm_event_exchange", key="event_code"),)


class IntegratedManagement(_Exchange):
    """综合管理 (domain.md §4.5, DailyInspectResult): checks and the rectification orders that follow from them."""

    name = "integrated_management"
    title = "综合管理"
    title_en = "integrated management"
    logs = (
        _Log(stream="checks", title="日常检查", table="zg_check_exchange", key="check_uid"),
        _Log(
            stream="rectifications", title="整改单", table="zg_rectification_exchange", key=("order_no", "item_no")
        ),
    )  # fmt: skip


class DispatchDesk(_Exchange):
    """接处警 (domain.md §11)."""

    name = "dispatch_desk"
    title = "接处警"
    title_en = "dispatch desk"
    logs = (_Log(stream="alarms", title="警情", table="jc_alarm_exchange", key="alarm_no"),)
