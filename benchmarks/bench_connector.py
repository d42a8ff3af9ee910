"""The connector of the benchmark's upstream system: the REST kit and one stream, as a connector author writes it."""

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from hub.source.connector import Connector, ConnectorConfig, SourceContext
from hub.source.envelope import Check, Envelope
from hub.source.paging import PageNumber
from hub.source.rest import Endpoint, RestTransport, WindowParams
from hub.source.stream import Cursor, Stream

__all__ = ["BenchConnector"]


class BenchConfig(ConnectorConfig):
    base_url: str = Field(description="Address of the system, up to its delay.")
    page_size: int = Field(1000, description="Records asked for at a time.")


class BenchConnector(Connector):
    name = "bench"
    title = "基准测试"
    title_en = "Benchmark"
    Config: ClassVar[type[ConnectorConfig]] = BenchConfig

    def streams(self, config: BenchConfig) -> tuple[Stream, ...]:
        endpoint = Endpoint(
            path="/orders",
            window=WindowParams(since="since"),
            paging=PageNumber(per_page=config.page_size),
            envelope=Envelope(rows="data.rows", total="data.total", checks=(Check("code", (0,)),)),
        )
        return (
            Stream(
                name="work_orders",
                title="工单",
                mapping="bench/work_orders",
                native_id="orderNo",
                cursor=Cursor(path="updateTime", lookback=timedelta(minutes=10)),
                endpoint=endpoint,
            ),
        )

    def transport(self, config: BenchConfig, context: SourceContext) -> RestTransport:
        return RestTransport(config.base_url, context)
