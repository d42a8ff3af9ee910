"""The two systems behind the provincial gateway: 互联网+监管 and 行政执法监督 (domain.md §1, §4–6).

They share key exchange and envelope and differ in data: where the signing values travel, the paths, the window
parameters, and how each stream wraps its rows. What public sources do not say is a setting with the likeliest default.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.config.values import Duration
from hub.source import (
    GATEWAY_CHECK,
    Check,
    Connector,
    ConnectorConfig,
    Cursor,
    Endpoint,
    Envelope,
    GatewayMd5,
    Keyset,
    RestTransport,
    SourceContext,
    Stream,
    Transport,
    WindowParams,
)

__all__ = ["EnforcementSupervision", "InternetSupervision"]

_SAFETY_LAG = timedelta(seconds=120)

_PARTS = "Streams that several workers read at the same time, in parts that the interface can tell apart."

ApiPath = Annotated[str, Field(pattern=r"^/\S+$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewayConfig(ConnectorConfig):
    """What both systems need."""

    base_url: str = Field(
        description="Scheme, host and port of the gateway.", examples=["https://gateway.example.gov.cn"]
    )
    app_key: str = Field(description="appKey issued for this hub.", examples=["A330702330702202601000001"])
    app_secret: SecretStr = Field(description="appSecret; signs the key exchange only.")
    carry: Literal["params", "headers"] = Field(
        "params",
        description='Where appKey, sign and requestTime travel: "params" beside the business parameters, or "headers" '
        "with the business parameters as a JSON body.",
    )
    method: Literal["GET", "POST"] = Field(
        "POST", description='With carry = "params": POST sends a form, GET a query. With headers it is always POST.'
    )
    by_key_path: ApiPath = Field("/gateway/app/refreshTokenByKey.htm", description="Key exchange with the appSecret.")
    by_secret_path: ApiPath = Field(
        "/gateway/app/refreshTokenBySec.htm", description="Key exchange with the refreshSecret."
    )
    page_parameter: str = Field("pageNo", description="Parameter with the page's number, from 1.")
    size_parameter: str = Field("pageSize", description="Parameter with the rows a page.")
    page_size: int = Field(500, ge=1, description="Rows a page; not more than the interface grants.")
    last_page: Literal["short", "empty"] = Field(
        "short",
        description='How the last page is known: "short" of page_size, or "empty" where the interface silently grants '
        "fewer rows than asked for (more requests, always safe).",
    )
    lookback: Duration = Field(
        timedelta(minutes=20),
        description="Read again at every sync, because rows may be written later than the time they carry.",
    )


class Parts(_Table):
    """A large stream read in parts at the same time."""

    parameter: str = Field(min_length=1, description="Parameter that narrows a request to one part.")
    values: tuple[str, ...] = Field(
        min_length=1, description="The parts, for instance codes of townships; together they must be everything."
    )


class InternetParts(_Table):
    """Streams read in parts; the others are read whole."""

    inspections: Parts | None = Field(None, description="行政检查.")
    penalties: Parts | None = Field(None, description="行政处罚.")
    coercions: Parts | None = Field(None, description="行政强制.")
    other_acts: Parts | None = Field(None, description="其他行为.")
    check_tasks: Parts | None = Field(None, description="双随机抽查结果.")


class EnforcementParts(_Table):
    """Streams read in parts; the others are read whole."""

    cases: Parts | None = Field(None, description="案件中心.")
    supervision_leads: Parts | None = Field(None, description="监督线索.")
    referrals: Parts | None = Field(None, description="抄告抄送.")


class InternetApis(_Table):
    """Path of each interface that the platform granted; a stream without one is not read."""

    inspections: ApiPath | None = Field(None, description="行政检查, for instance /gateway/api/…/….htm.")
    penalties: ApiPath | None = Field(None, description="行政处罚.")
    coercions: ApiPath | None = Field(None, description="行政强制.")
    other_acts: ApiPath | None = Field(None, description="其他行为.")
    check_tasks: ApiPath | None = Field(None, description="双随机抽查结果.")


class EnforcementApis(_Table):
    """Path of each interface that the platform granted; a stream without one is not read."""

    cases: ApiPath | None = Field(None, description="案件中心.")
    supervision_leads: ApiPath | None = Field(None, description="监督线索.")
    referrals: ApiPath | None = Field(None, description="抄告抄送.")


class WindowNames(_Table):
    """The two parameters that narrow a request to what changed in a period."""

    since: str = Field(description="Parameter with the beginning, inclusive.")
    until: str = Field(description="Parameter with the end.")


class EnforcementWindows(_Table):
    """The window parameters of each stream."""

    cases: WindowNames = WindowNames(since="gxsjq", until="gxsjz")
    supervision_leads: WindowNames = WindowNames(since="updateTimeStart", until="updateTimeEnd")
    referrals: WindowNames = WindowNames(since="updateDateStart", until="updateDateEnd")


class InternetSupervisionConfig(GatewayConfig):
    apis: InternetApis = Field(description="Paths of the interfaces, by stream.")
    window: WindowNames = Field(
        WindowNames(since="cdTimeStart", until="cdTimeEnd"), description="Parameters that bound cd_time."
    )
    parts: InternetParts = Field(InternetParts(), description=_PARTS)


class EnforcementSupervisionConfig(GatewayConfig):
    carry: Literal["params", "headers"] = Field(
        "headers", description='As for internet_supervision; "headers" is usual here.'
    )
    apis: EnforcementApis = Field(description="Paths of the interfaces, by stream.")
    windows: EnforcementWindows = Field(EnforcementWindows(), description="Window parameters, by stream.")
    parts: EnforcementParts = Field(EnforcementParts(), description=_PARTS)


def _envelope(rows: str, *inner: Check, total: str | None = None) -> Envelope:
    """`datas` in one of its forms; text or not, the path goes through it. Empty text and an empty list stand for no rows
    (§1.3)."""
    return Envelope(
        rows=rows,
        total=total,
        checks=(GATEWAY_CHECK, *inner),
        message=("datas.errorMsg", "datas.data.errorDesc", "datas.message", "datas.msg", "msg"),
        empty=("", "[]"),
    )


_SUCCESS = _envelope("datas.data", Check("datas.success", (True,)))
_RESULT = _envelope(
    "datas.data.result",
    Check("datas.code", (200,), {"500": "unavailable"}),
    Check("datas.data.status", ("1",)),
)
_BARE = _envelope("datas")
_BODY = _envelope("datas.body", Check("datas.flag", ("1",)))
#: The only total that can be trusted: totalDataCount is often 0 although rows exist (domain.md §1.3).
_ROWS = _envelope("datas.rows", total="datas.total")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    """The wire facts of one stream. `time` and `form`: the path of its time of change, and how that travels both ways;
    `most`: the largest page it serves; more is silently cut, and a short page would end the reading. `personal`: texts
    that repeat a natural person's name."""

    title: str
    native_id: str
    time: str
    envelope: Envelope
    form: Literal["local", "epoch_ms"] = "local"
    most: int = 1000
    personal: tuple[str, ...] = ()

    def endpoint(self, config: GatewayConfig, path: str, window: WindowNames, parts: Parts | None) -> Endpoint:
        in_headers, posts = config.carry == "headers", config.method == "POST"
        return Endpoint(
            path=path,
            method="POST" if in_headers or posts else "GET",
            carry="json" if in_headers else "form" if posts else "query",
            window=WindowParams(since=window.since, until=window.until, format=self.form),
            partition=parts.parameter if parts else "",
            paging=Keyset(
                page=config.page_parameter,
                size=config.size_parameter,
                per_page=min(config.page_size, self.most),
                ends=config.last_page,
            ),
            envelope=self.envelope,
        )

    def cursor(self, config: GatewayConfig) -> Cursor:
        form = "iso" if self.form == "local" else self.form
        return Cursor(path=self.time, format=form, lookback=config.lookback, safety_lag=_SAFETY_LAG)


class _Gateway(Connector):
    """What both connectors do alike."""

    def transport(self, config: Any, context: SourceContext) -> Transport:
        auth = GatewayMd5(
            config.base_url,
            config.app_key,
            config.app_secret,
            context.tokens,
            carry=config.carry,
            by_key=config.by_key_path,
            by_secret=config.by_secret_path,
        )
        return RestTransport(config.base_url, context, auth)


class InternetSupervision(_Gateway):
    """互联网+监管: five exchange logs; every version of a record is a row, a `d` row says that it was withdrawn."""

    name = "internet_supervision"
    title = "互联网+监管"
    title_en = "Internet+Supervision"
    Config: ClassVar[type[ConnectorConfig]] = InternetSupervisionConfig

    def streams(self, config: Any) -> tuple[Stream, ...]:
        return tuple(
            Stream(
                name=name,
                title=api.title,
                mapping=f"{self.name}/{name}",
                native_id=api.native_id,
                endpoint=api.endpoint(config, path, config.window, parts := getattr(config.parts, name)),
                partitions=parts.values if parts else (),
                cursor=api.cursor(config),
                personal=api.personal,
                operation="cd_operation",
                log=True,
                complete=False,
            )
            for name, api in _INTERNET.items()
            if (path := getattr(config.apis, name))
        )


class EnforcementSupervision(_Gateway):
    """行政执法监督: the present state of cases, supervision leads and referrals; a withdrawn record just vanishes."""

    name = "enforcement_supervision"
    title = "行政执法监督"
    title_en = "Enforcement supervision"
    Config: ClassVar[type[ConnectorConfig]] = EnforcementSupervisionConfig

    def streams(self, config: Any) -> tuple[Stream, ...]:
        return tuple(
            Stream(
                name=name,
                title=api.title,
                mapping=f"{self.name}/{name}",
                native_id=api.native_id,
                endpoint=api.endpoint(
                    config, path, getattr(config.windows, name), parts := getattr(config.parts, name)
                ),
                partitions=parts.values if parts else (),
                cursor=api.cursor(config),
                personal=api.personal,
            )
            for name, api in _ENFORCEMENT.items()
            if (path := getattr(config.apis, name))
        )


def _log(title: str, envelope: Envelope, *personal: str) -> _Api:
    return _Api(title=title, native_id="record_unique_identity", time="cd_time", envelope=envelope, personal=personal)


_INTERNET = {
    "inspections": _log("行政检查", _SUCCESS, "check_action_name", "supervise_object"),
    "penalties": _log("行政处罚", _RESULT, "punishActionName"),
    "coercions": _log("行政强制", _BARE, "qzxwmc"),
    "other_acts": _log("其他行为", _BODY, "act_name"),
    "check_tasks": _log("双随机抽查结果", _BARE),
}
_ENFORCEMENT = {
    "cases": _Api(title="案件", native_id="AJBH", time="SJC", envelope=_ROWS, personal=("AJMC",)),
    "supervision_leads": _Api(
        title="监督线索", native_id="leadId", time="updateTime", envelope=_RESULT, form="epoch_ms", most=500
    ),
    "referrals": _Api(title="抄告抄送", native_id="uid", time="updateDate", envelope=_BODY, most=500),
}
