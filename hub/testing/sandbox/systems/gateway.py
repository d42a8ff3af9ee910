"""The provincial gateway: key exchange, signed business calls, two-level envelope, result codes (domain.md §1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import instant
from hub.testing.sandbox.records import Shelf
from hub.testing.sandbox.server import Answer, Request
from hub.testing.sandbox.systems.gateway_rows import RENDERERS
from hub.testing.sandbox.systems.system import (
    Pager,
    ParameterError,
    Secret,
    System,
    ceil_ms,
    json_text,
    moment,
    whole,
)

BY_KEY = "/gateway/app/refreshTokenByKey.htm"
BY_SECRET = "/gateway/app/refreshTokenBySec.htm"
REFRESH_LIFE_S = 48 * 3600
REQUEST_LIFE_S = 15 * 60

_MESSAGES = {
    "11": "请求密钥不在有效期内",
    "14": "签名错误",
    "18": "接口调用次数超限",
    "96": "数据错误",
    "97": "参数缺失",
    "98": "参数类型错误",
    "99": "系统异常",
}
#: A window [low, high) of epoch seconds read from business parameters.
Window = Callable[[Mapping[str, Any]], tuple[int | None, int | None]]


def sign(app_key: str, secret: str, request_time: str) -> str:
    return hashlib.md5(f"{app_key}{secret}{request_time}".encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Api:
    """One business interface: its path, its window parameters and how it wraps rows into `datas`."""

    path: str
    window: Window
    wrap: Callable[[str, int, str], str]  #: (rows as JSON text, total, query id) → the JSON text of `datas`
    total_told: bool = False  #: whether totalDataCount is right; else it is 0
    max_size: int = 1000


def _dated(low: str, high: str, high_inclusive: bool = False) -> Window:
    def read(values: Mapping[str, Any]) -> tuple[int | None, int | None]:
        end = moment(values, high, _clock_text)
        return moment(values, low, _clock_text), end if end is None or not high_inclusive else end + 1

    return read


def _clock_text(text: str) -> int:
    if len(text) != 19:
        raise ValueError(text)
    return instant(text)


def _batched(values: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """cdBatchStart, cdTimeStart (inclusive) and cdTimeEnd (exclusive); the later of the two starts counts."""
    low, high = _dated("cdTimeStart", "cdTimeEnd")(values)
    batch = moment(values, "cdBatchStart", _batch_start)
    return max((start for start in (low, batch) if start is not None), default=None), high


def _batch_start(text: str) -> int:
    if len(text) != 13 or not text.isdigit():
        raise ValueError(text)
    return instant(f"{text[:4]}-{text[4:6]}-{text[6:8]}T00:00:00") + (int(text[8:]) - 1) * 900


def _milliseconds(values: Mapping[str, Any]) -> tuple[int | None, int | None]:
    return moment(values, "updateTimeStart", ceil_ms), moment(values, "updateTimeEnd", ceil_ms)


def _success(rows: str, total: int, query: str) -> str:
    return '""' if rows == "[]" else json_text(f'{{"success":true,"data":{rows},"errorMsg":""}}')


def _result(rows: str, total: int, query: str) -> str:
    inner = f'{{"status":"1","code":"0","errorDesc":"","result":{rows},"queryId":"{query}"}}'
    return f'{{"code":200,"data":{inner},"message":"success"}}'


def _bare(rows: str, total: int, query: str) -> str:
    return rows


def _bare_text(rows: str, total: int, query: str) -> str:
    return json_text(rows)


def _flag(rows: str, total: int, query: str) -> str:
    return json_text(f'{{"flag":"1","msg":"ok","body":{rows}}}')


def _total_rows(rows: str, total: int, query: str) -> str:
    return json_text(f'{{"total":{total},"rows":{rows}}}')


_GENERAL = "/gateway/api/001003001/dataSharing/"
_JUSTICE = "/gateway/api/001003001029/dataSharing/"
APIS = {
    "internet_supervision.inspections": Api(_GENERAL + "aK3xQ9mZr7LtW2pB.htm", _batched, _success),
    "internet_supervision.penalties": Api(_GENERAL + "Vb8nT4cYw1HsJ6dE.htm", _batched, _result, total_told=True),
    "internet_supervision.coercions": Api(_GENERAL + "Gf5uR2kXo9MaP7iC.htm", _batched, _bare),
    "internet_supervision.other_acts": Api(_GENERAL + "Zq6eD1yNh3SvU8wF.htm", _batched, _flag),
    "internet_supervision.check_tasks": Api(_GENERAL + "getCheckResultList.htm", _batched, _bare_text, total_told=True),
    "enforcement_supervision.cases": Api(
        _JUSTICE + "hT7wB3nLq5KzX1cR.htm", _dated("gxsjq", "gxsjz", True), _total_rows
    ),
    "enforcement_supervision.supervision_leads": Api(
        _JUSTICE + "Yp2vM8sGd4JfA6uN.htm", _milliseconds, _result, total_told=True, max_size=500
    ),
    "enforcement_supervision.referrals": Api(
        _JUSTICE + "eR9kC5xWt1QbH3oV.htm", _dated("updateDateStart", "updateDateEnd"), _flag, max_size=500
    ),
}


class Gateway(System):
    """`carry` says where the three authentication values stand in business calls: "params" or "headers"."""

    def __init__(self, name: str, city: City, directory: Path, carry: str) -> None:
        super().__init__(name, city, directory)
        self.carry = carry
        number = 1 if carry == "params" else 2
        self.app_key = f"A330702330702202601{number:06d}"
        self.app_secret = self._hex("appSecret")
        self.refresh_secret: str | None = None
        self.request_secret: str | None = None
        self.refresh_end = self.request_end = 0
        self.exchanges = 0
        self.calls = 0
        self.apis = {APIS[shelf.spec.key].path: self._api(shelf) for shelf in self.shelves.values()}

    def _api(self, shelf: Shelf) -> tuple[Api, Pager]:
        key = shelf.spec.key
        return APIS[key], Pager(self.city, shelf, RENDERERS[key])

    def _hex(self, *parts: object) -> str:
        text = "/".join(map(str, (self.city.seed, self.name, *parts)))
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "app_key": self.app_key,
            "app_secret": Secret(self.app_secret),
            "carry": self.carry,
            "apis": {shelf.spec.name: APIS[shelf.spec.key].path for shelf in self.shelves.values()},
        }

    def is_credential_call(self, request: Request) -> bool:
        return request.path.startswith("/gateway/app/")

    def forget_credentials(self) -> None:
        self.refresh_secret = self.request_secret = None

    def error_envelope(self, code: str | None) -> Answer:
        return self._refuse(code or "99")

    def pagers(self) -> list[Pager]:
        return [pager for _, pager in self.apis.values()]

    # -- the wire -----------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        self.calls += 1
        if request.path == BY_KEY:
            return self._exchange(request, self.app_secret, None)
        if request.path == BY_SECRET:
            return self._exchange(request, self.refresh_secret, self.refresh_end)
        if request.path not in self.apis:
            return self._refuse("99")
        headers = self.carry == "headers"
        refused = self._authenticate(
            request.headers if headers else {**request.query, **request.form},
            self.request_secret,
            self.request_end,
            headers,
        )
        if refused:
            return self._refuse(refused)
        api, pager = self.apis[request.path]
        try:
            return self._page(request, api, pager, request.json if headers else {**request.query, **request.form})
        except ParameterError as error:
            return self._refuse("97" if error.missing else "98", str(error))

    def _authenticate(
        self, values: Mapping[str, str], secret: str | None, end: int | None, headers: bool
    ) -> str | None:
        """The result code of a refusal, or None when signature and time are right."""
        names = ("appkey", "sign", "requesttime") if headers else ("appKey", "sign", "requestTime")
        app_key, signature, request_time = (values.get(name, "") for name in names)
        if not (app_key and signature and request_time):
            return "97"
        if not request_time.isdigit():
            return "98"
        if secret is None:
            return "11"
        if app_key != self.app_key or signature != sign(app_key, secret, request_time):
            return "14"
        return "11" if end is not None and self.city.clock.now >= end else None

    def _exchange(self, request: Request, secret: str | None, end: int | None) -> Answer:
        """A and B: new secrets that replace the old ones at once."""
        refused = self._authenticate({**request.query, **request.form}, secret, end, headers=False)
        if refused:
            return self._refuse(refused)
        self.exchanges += 1
        now = self.city.clock.now
        self.refresh_secret = self._hex("refresh", self.exchanges)
        self.request_secret = self._hex("request", self.exchanges)
        self.refresh_end, self.request_end = now + REFRESH_LIFE_S, now + REQUEST_LIFE_S
        datas = (
            f'{{"refreshSecret":"{self.refresh_secret}","refreshSecretEndTime":{self.refresh_end * 1000},'
            f'"requestSecret":"{self.request_secret}","requestSecretEndTime":{self.request_end * 1000}}}'
        )
        return self._envelope("00", "成功", datas, tail=',"interfaces":null')

    def _page(self, request: Request, api: Api, pager: Pager, values: Mapping[str, Any]) -> Answer:
        low, high = api.window(values)
        size = whole(values, "pageSize", 100, api.max_size)
        town = str(values.get("townCode", ""))
        rows, total = pager.rows(request, whole(values, "pageNo", 1), size, low, high, town=town)
        told = total if api.total_told else 0
        pages = -(-told // size) if told else 1
        datas = api.wrap(pager.joined(rows), total, self._hex("query", self.calls))
        return self._envelope("00", "成功", datas, len(rows), told, pages)

    def _refuse(self, code: str, message: str | None = None) -> Answer:
        return self._envelope(code, message or _MESSAGES.get(code, "失败"), '""')

    def _envelope(
        self, code: str, message: str, datas: str, count: int = 0, total: int = 0, pages: int = 1, tail: str = ""
    ) -> Answer:
        text = (
            f'{{"code":"{code}","msg":{json_text(message)},"data":"","datas":{datas},"dataCount":{count},'
            f'"totalDataCount":{total},"totalPage":{pages},"requestId":"{self._hex("call", self.calls)}"{tail}}}'
        )
        return Answer(text.encode("utf-8", "surrogatepass"))


internet_supervision = partial(Gateway, carry="params")
enforcement_supervision = partial(Gateway, carry="headers")
