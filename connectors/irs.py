"""Systems behind the province's IRS gateway (domain.md §2): it signs every call, and passes answers on unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from hub.config.values import Duration
from hub.source import (
    BgHmac,
    ConnectorConfig,
    Cursor,
    Endpoint,
    Envelope,
    Keyset,
    RestTransport,
    SourceContext,
    WindowParams,
)

__all__ = ["IrsConfig", "Listing", "irs_cursor", "irs_endpoint", "irs_transport"]

Parameter = Literal["page", "size", "since", "until"]


class IrsConfig(ConnectorConfig):
    """What a source behind the gateway needs. The last four settings are for what is assumed of what lies behind."""

    base_url: str = Field(description="Scheme, host and port of the gateway.")
    access_key: str = Field(description="AK of this hub (BCDSGA_…), issued with the route.")
    secret_key: SecretStr = Field(description="SK of this hub (BCDSGS_…).")
    path: str = Field(
        pattern="^/", description="Route the key is granted, for instance /restapi/prod/IC33070220240101000001."
    )
    upstream: str | None = Field(None, pattern="^/", description="Path below the route, if it is not the usual one.")
    page_size: int | None = Field(None, ge=1, description="Rows a page; the platform's maximum if left out.")
    lookback: Duration = Field(
        timedelta(minutes=30),
        description="How far before the cursor each sync reads again, for rows that come late; at least 15 minutes.",
    )
    params: dict[Parameter, str] = Field(
        default_factory=dict, description="Other names of the parameters page, size, since and until."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How a system behind the gateway lists its records by time of change, ascending.

    `window_format` is how since and until are written, `since_inclusive` whether the start belongs to the window. The
    names of the four parameters are the system's own; `sort` is sent where ascending is not the only order it knows.
    """

    upstream: str
    method: Literal["GET", "POST"]
    page: str
    size: str
    max_size: int
    since: str
    until: str
    window_format: Literal["local", "iso", "epoch_ms"]
    envelope: Envelope
    since_inclusive: bool = True
    sort: Mapping[str, str] = field(default_factory=dict)


def irs_endpoint(config: IrsConfig, listing: Listing) -> Endpoint:
    """The listing as these settings have it."""
    names = config.params
    return Endpoint(
        path=config.path.rstrip("/") + (config.upstream or listing.upstream),
        method=listing.method,
        carry="query" if listing.method == "GET" else "json",
        sort=listing.sort,
        window=WindowParams(
            since=names.get("since", listing.since),
            until=names.get("until", listing.until),
            format=listing.window_format,
            since_inclusive=listing.since_inclusive,
        ),
        paging=Keyset(
            page=names.get("page", listing.page),
            size=names.get("size", listing.size),
            per_page=min(config.page_size or listing.max_size, listing.max_size),
        ),
        envelope=listing.envelope,
    )


def irs_cursor(config: IrsConfig, path: str, form: str) -> Cursor:
    """The field of the last change; three minutes of safety, because rows are visible only after they are dated."""
    return Cursor(path=path, format=form, lookback=config.lookback, safety_lag=timedelta(minutes=3))


def irs_transport(config: IrsConfig, context: SourceContext) -> RestTransport:
    return RestTransport(config.base_url, context, BgHmac(config.access_key, config.secret_key))
