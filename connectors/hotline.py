"""8890 / 12345 hotline (domain.md §7.1): a session cookie, a list, and behind each row an array of field descriptors.

JSON comes as text/html, and a lost session as a login page with status 200. The list knows windows of thirty days on
the time of receipt only, newest first, so each sync reads the last thirty days again; what changed, the list row shows.
"""

from datetime import timedelta
from typing import Any, Literal

import msgspec
from pydantic import Field, SecretStr

from hub.config.values import Duration
from hub.source import (
    Check,
    Connector,
    ConnectorConfig,
    Cursor,
    Detail,
    Endpoint,
    Envelope,
    PageNumber,
    RestTransport,
    SessionCookie,
    SourceContext,
    Stream,
    Transport,
    WindowParams,
)

__all__ = ["Hotline", "HotlineConfig", "flat_order"]

_MAX_PAGE = 500
_SUCCESS = ("success",)

Parameter = Literal["page", "size", "since", "until", "detail_id"]


class HotlineConfig(ConnectorConfig):
    """The hotline's own settings. All but the first three are assumed and may need other values."""

    base_url: str = Field(description="Scheme, host and port of the hotline platform.")
    username: str = Field(description="Account of this hub; it needs to see the district's orders, nothing else.")
    password: SecretStr = Field(description="Password of that account.")
    login_path: str = Field("/login.php", pattern="^/", description="Where the login form is sent.")
    orders_path: str = Field(
        "/payroll_sub_list_act_doris.php", pattern="^/", description="Where the list and the details are asked for."
    )
    cookie: str = Field("PHPSESSID", description="Name of the session cookie.")
    page_size: int = Field(200, ge=1, le=_MAX_PAGE, description="Rows of the list a page; at most 500.")
    window: Duration = Field(
        timedelta(days=30), description="Widest window the list answers, on the time of receipt, both ends included."
    )
    lookback: Duration = Field(
        timedelta(days=30),
        description="How far back each sync looks for orders that changed: longer than any order stays open.",
    )
    details_at_once: int = Field(
        4, ge=1, le=16, description="Details asked for at the same time; `rate` bounds them all the same."
    )
    params: dict[Parameter, str] = Field(
        default_factory=dict, description="Other names of the parameters page, size, since, until and detail_id."
    )


class Hotline(Connector):
    """Work orders. The raw record kept is the answer with the detail, byte for byte."""

    name = "hotline_8890"
    title = "8890便民服务热线"
    title_en = "8890 hotline"
    Config = HotlineConfig

    def streams(self, config: HotlineConfig) -> tuple[Stream, ...]:
        # Both ends are rounded outward to whole seconds, which must not make the window wider than the list answers.
        span = config.window - timedelta(seconds=2)
        return (
            Stream(
                name="work_orders",
                title="热线工单",
                mapping="hotline_8890/work_orders",
                native_id="roll_number",
                endpoint=_endpoint(config, span),
                cursor=Cursor(
                    path="update_time", lookback=config.lookback, safety_lag=timedelta(minutes=3), max_span=span
                ),
                reshape=flat_order,
                window_field="reported_at",
                two_step=True,
                details_at_once=config.details_at_once,
            ),
        )

    def transport(self, config: HotlineConfig, context: SourceContext) -> Transport:
        session = SessionCookie(
            config.base_url.rstrip("/") + config.login_path,
            {"username": config.username, "password": config.password},
            context.tokens,
            key=config.username,
            name=config.cookie,
            checks=(Check("status", _SUCCESS),),
            message="des",
        )
        return RestTransport(config.base_url, context, session)


def _endpoint(config: HotlineConfig, span: timedelta) -> Endpoint:
    names = config.params
    return Endpoint(
        path=config.orders_path,
        method="POST",
        carry="form",
        params={"act": "search_payroll_list"},
        window=WindowParams(
            since=names.get("since", "search_start_time"), until=names.get("until", "search_end_time"), span=span
        ),
        # New orders push rows to later pages, withdrawn ones pull them forward: a window that moved is read again.
        paging=PageNumber(
            page=names.get("page", "page"), size=names.get("size", "pagesize"), per_page=config.page_size, restarts=3
        ),
        envelope=Envelope(
            rows="res", total="total", checks=(Check("status", _SUCCESS, {"error": "unavailable"}),), message="des"
        ),
        detail=Detail(
            path=config.orders_path,
            method="POST",
            carry="form",
            params={"act": "payroll_view_module"},
            row_params={names.get("detail_id", "id"): "id"},
            # The record is the whole answer: the steps stand beside the descriptors.
            envelope=Envelope(rows="", checks=(Check("status", _SUCCESS),), message="des"),
        ),
    )


class _Descriptor(msgspec.Struct):
    """One field of the detail page. `choice_value` is text, or a list of texts (boxes ticked, files)."""

    fd_name: str
    choice_value: Any
    type: str = ""


class _Detail(msgspec.Struct):
    res: list[_Descriptor]
    steps: Any = None


class _ListRow(msgspec.Struct):
    res: msgspec.UnsetType | msgspec.Raw = msgspec.UNSET


_list_row = msgspec.json.Decoder(_ListRow)
_detail = msgspec.json.Decoder(_Detail)


def flat_order(raw: bytes) -> bytes:
    """A detail as a flat object: fd_name → choice_value, ticked boxes joined by `/`, and `steps`. A list row stays.

    Raises ValueError (msgspec's) for what is neither, or names a field twice.
    """
    if _list_row.decode(raw).res is msgspec.UNSET:
        return raw
    detail = _detail.decode(raw)
    order: dict[str, Any] = {}
    for field in detail.res:
        if field.fd_name in order:
            raise msgspec.ValidationError("a field stands twice")
        order[field.fd_name] = _value(field)
    return msgspec.json.encode({**order, "steps": detail.steps})


def _value(field: _Descriptor) -> Any:
    value = field.choice_value
    if field.type == "checkbox" and isinstance(value, list):
        return "/".join(str(part) for part in value)
    return value
