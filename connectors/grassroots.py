"""The four platforms of grassroots governance (domain.md §8): one kind of system, four dialects, told apart by data.

Everything below the gateway is assumed; docs/connectors/grassroots.md says what, and which setting changes it.
"""

from dataclasses import dataclass
from typing import ClassVar

from connectors.irs import IrsConfig, Listing, irs_cursor, irs_endpoint, irs_transport
from hub.source import Check, Connector, Envelope, SourceContext, Stream, Transport
from hub.source.envelope import ErrorKind

__all__ = [
    "Grassroots",
    "GrassrootsEnforcement",
    "GrassrootsGovernance",
    "GrassrootsMarket",
    "GrassrootsServices",
    "Platform",
]

_ERRORS: dict[str, ErrorKind] = {"400": "misconfigured", "500": "unavailable"}
_TEXT_ERRORS: dict[str, ErrorKind] = {"E400": "misconfigured", "E500": "unavailable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What one platform does its own way. `deleted`: flag of a withdrawn row and its value; without one, rows vanish.

    `personal`: paths that hold a natural person's data in some records and a company's in others.
    """

    listing: Listing
    native_id: str
    updated: str
    updated_format: str
    deleted: tuple[str, str] | None = None
    personal: tuple[str, ...] = ()


class Grassroots(Connector):
    """Events of one platform, with their steps."""

    Config = IrsConfig
    platform: ClassVar[Platform]

    def streams(self, config: IrsConfig) -> tuple[Stream, ...]:
        platform = self.platform
        flag, value = platform.deleted or (None, "")
        return (
            Stream(
                name="events",
                title=f"{self.title}事件",
                mapping=f"{self.name}/events",
                native_id=platform.native_id,
                endpoint=irs_endpoint(config, platform.listing),
                cursor=irs_cursor(config, platform.updated, platform.updated_format),
                operation=flag,
                deletes=(value,),
                personal=platform.personal,
            ),
        )

    def transport(self, config: IrsConfig, context: SourceContext) -> Transport:
        return irs_transport(config, context)


class GrassrootsGovernance(Grassroots):
    name = "grassroots_governance"
    title = "四平台综治工作"
    title_en = "Grassroots platform: public security governance"
    platform = Platform(
        listing=Listing(
            upstream="/event/page",
            method="GET",
            page="pageNum",
            size="pageSize",
            max_size=1000,
            since="updateTimeStart",
            until="updateTimeEnd",
            window_format="local",
            sort={"order": "asc"},
            envelope=Envelope(
                rows="data.rows",
                total="data.total",
                checks=(Check("code", ("200",), _ERRORS), Check("success", (True,))),
                message="msg",
            ),
        ),
        native_id="eventId",
        updated="updateTime",
        updated_format="iso",
        deleted=("delFlag", "1"),
    )


class GrassrootsMarket(Grassroots):
    name = "grassroots_market"
    title = "四平台市场监管"
    title_en = "Grassroots platform: market regulation"
    platform = Platform(
        listing=Listing(
            upstream="/event/page",
            method="POST",
            page="pageNum",
            size="pageSize",
            max_size=1000,
            since="updateTimeStart",
            until="updateTimeEnd",
            window_format="epoch_ms",
            envelope=Envelope(
                rows="data.records", total="data.total", checks=(Check("code", (0,), _ERRORS),), message="message"
            ),
        ),
        native_id="id",
        updated="updateTime",
        updated_format="epoch_ms",
    )


class GrassrootsEnforcement(Grassroots):
    name = "grassroots_enforcement"
    title = "四平台综合执法"
    title_en = "Grassroots platform: enforcement"
    platform = Platform(
        listing=Listing(
            upstream="/event/page",
            method="GET",
            page="page",
            size="size",
            max_size=500,
            since="updatedAfter",
            until="updatedBefore",
            window_format="iso",
            since_inclusive=False,
            sort={"order": "asc"},
            envelope=Envelope(
                rows="data.rows", total="data.total", checks=(Check("code", (200,), _ERRORS),), message="msg"
            ),
        ),
        native_id="id",
        updated="updatedAt",
        updated_format="iso",
        deleted=("deleted", "true"),
        personal=("subjectName", "subjectCode"),
    )


class GrassrootsServices(Grassroots):
    name = "grassroots_services"
    title = "四平台便民服务"
    title_en = "Grassroots platform: public services"
    platform = Platform(
        listing=Listing(
            upstream="/event/page",
            method="POST",
            page="pageNo",
            size="pageSize",
            max_size=500,
            since="gxsjStart",
            until="gxsjEnd",
            window_format="local",
            envelope=Envelope(
                rows="data.records",
                total="data.total",
                checks=(Check("errorCode", (None,), _TEXT_ERRORS), Check("success", (True,))),
                message="errorMsg",
            ),
        ),
        native_id="sjbh",
        updated="gxsj",
        updated_format="iso",
    )
