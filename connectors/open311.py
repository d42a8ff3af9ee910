"""Open311 GeoReport v2, the worldwide standard of the same job, in JSON or XML (docs/connectors/open311.md).

The answer is a bare array (or `<service_requests>`); a refusal is an array of `{code, description}`. Servers that know
`updated_after` (exclusive, an extension most of them have) are read by time of change, ascending; the others by
`requested_datetime` in windows of `start_date` and `end_date`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from pydantic import AwareDatetime, Field, SecretStr

from hub.config.values import Duration
from hub.source import (
    ApiKey,
    Connector,
    ConnectorConfig,
    Cursor,
    Endpoint,
    Envelope,
    ErrorKind,
    Keyset,
    PageNumber,
    RestTransport,
    SourceContext,
    Stream,
    WindowParams,
    XmlEnvelope,
    xml_to_flat,
)

__all__ = ["Open311", "Open311Config", "request_record"]

_ERRORS: dict[str, ErrorKind] = {"400": "misconfigured", "403": "refused", "404": "misconfigured", "500": "unavailable"}
_ID = "service_request_id"


class Open311Config(ConnectorConfig):
    """Settings of a GeoReport v2 server."""

    base_url: str = Field(
        description="Address in front of /requests.json, as the server's discovery names it.",
        examples=["https://311.example.gov/open311/v2"],
    )
    jurisdiction_id: str = Field("", description="Jurisdiction to ask for; empty where the server has only one.")
    api_key: SecretStr | None = Field(None, description="Key of the server, where it wants one for reading.")
    format: Literal["json", "xml"] = Field("json", description="json or xml; records and their ids are the same.")
    mapping: str = Field("open311/requests", description="Mapping of the city: its codes, categories and extra fields.")
    filter: Literal["updated_after", "start_date"] = Field(
        "updated_after", description="What the server can filter on: time of change, or (the bare standard) of request."
    )
    lookback: Duration = Field(
        timedelta(minutes=30),
        description="How far behind the youngest change each run begins again. With filter = start_date also how long "
        "after its request a change is still noticed: then take weeks.",
    )
    earliest: AwareDatetime = Field(
        datetime(2000, 1, 1, tzinfo=UTC), description="No request is older than this; without it servers give 90 days."
    )
    span: Duration | None = Field(
        None, description="With filter = start_date: widest window the server answers (the standard says 90 days)."
    )
    page_size: int = Field(100, ge=1, le=1000, description="Requests a page; fewer, if the server grants fewer.")


class Open311(Connector):
    """The stream `requests` of one jurisdiction."""

    name = "open311"
    title = "Open311 服务请求"
    title_en = "Open311 GeoReport v2"
    Config = Open311Config

    def streams(self, config: Any) -> tuple[Stream, ...]:
        xml = config.format == "xml"
        by_request = config.filter == "start_date"
        return (
            Stream(
                name="requests",
                title="服务请求",
                mapping=config.mapping,
                native_id=_ID,
                endpoint=_endpoint(config),
                cursor=Cursor(path="updated_datetime", zone="UTC", lookback=config.lookback),
                reshape=xml_to_flat if xml else request_record,
                window_field="reported_at" if by_request else "",
            ),
        )

    def transport(self, config: Any, context: SourceContext) -> RestTransport:
        auth = ApiKey("api_key", config.api_key, place="query") if config.api_key else None
        return RestTransport(config.base_url, context, auth)


def request_record(row: bytes) -> bytes:
    """A JSON record with its id as text: servers write numbers or text, XML only text, and the record is the same."""
    try:
        record = msgspec.json.decode(row, type=dict[str, msgspec.Raw])
        number = msgspec.json.decode(record[_ID], type=int)
    except (msgspec.DecodeError, KeyError):
        # Text already, or nothing that identifies a record: the engine says so.
        return row
    return msgspec.json.encode({**record, _ID: str(number)})


def _endpoint(config: Open311Config) -> Endpoint:
    given = {"jurisdiction_id": config.jurisdiction_id} if config.jurisdiction_id else {}
    envelope = (
        XmlEnvelope(row="request", root="service_requests", errors=_ERRORS)
        if config.format == "xml"
        else Envelope(error_row=("code", "description"), error_codes=_ERRORS)
    )
    # A server may grant fewer rows than asked for without a word, so only an empty page is the last one.
    if config.filter == "start_date":
        return Endpoint(
            path=f"/requests.{config.format}",
            params=given,
            window=WindowParams(
                since="start_date",
                until="end_date",
                format="iso",
                zone="UTC",
                earliest=config.earliest,
                span=config.span,
            ),
            paging=PageNumber(size="page_size", per_page=config.page_size, ends="empty"),
            envelope=envelope,
        )
    return Endpoint(
        path=f"/requests.{config.format}",
        # Without a start_date the standard means the last 90 days only.
        params={**given, "start_date": config.earliest.isoformat(timespec="seconds")},
        window=WindowParams(
            since="updated_after", format="iso", zone="UTC", since_inclusive=False, earliest=config.earliest
        ),
        paging=Keyset(size="page_size", per_page=config.page_size, ends="empty"),
        envelope=envelope,
    )
