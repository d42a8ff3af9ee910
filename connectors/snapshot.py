"""随手拍, citizens' snapshot reports (domain.md §10), behind the IRS gateway. Below the gateway all is assumed."""

from connectors.irs import IrsConfig, Listing, irs_cursor, irs_endpoint, irs_transport
from hub.source import Check, Connector, Envelope, SourceContext, Stream, Transport

__all__ = ["Snapshot"]

_LISTING = Listing(
    upstream="/report/list",
    method="GET",
    page="page",
    size="size",
    max_size=200,
    since="updatedFrom",
    until="updatedTo",
    window_format="epoch_ms",
    # -1 stands for every failure; asking again later is right for all but a wrong parameter, and harmless then.
    envelope=Envelope(
        rows="data.list", total="data.total", checks=(Check("code", (0,), {"-1": "unavailable"}),), message="msg"
    ),
)


class Snapshot(Connector):
    """Reports with photos. Withdrawn reports vanish; only a full refresh shows that."""

    name = "snapshot"
    title = "随手拍"
    title_en = "Snapshot reports"
    Config = IrsConfig

    def streams(self, config: IrsConfig) -> tuple[Stream, ...]:
        return (
            Stream(
                name="reports",
                title="随手拍上报",
                mapping="snapshot/reports",
                native_id="reportId",
                endpoint=irs_endpoint(config, _LISTING),
                cursor=irs_cursor(config, "updateTime", "epoch_ms"),
            ),
        )

    def transport(self, config: IrsConfig, context: SourceContext) -> Transport:
        return irs_transport(config, context)
