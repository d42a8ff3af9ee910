"""The IRS gateway (domain.md §2), which only authenticates, and the five systems behind it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import instant
from hub.testing.sandbox.server import Answer, Request, json_answer
from hub.testing.sandbox.systems.irs_rows import RENDERERS
from hub.testing.sandbox.systems.system import (
    Pager,
    ParameterError,
    Secret,
    System,
    after_ms,
    ceil_ms,
    json_text,
    moment,
    whole,
)

SKEW_S = 90
#: An instant read from a parameter as the bound of a half-open window, epoch seconds.
Bound = Callable[[str], int]


def signature(secret: str, method: str, path: str, query: str, access_key: str, date: str) -> str:
    """base64 HMAC-SHA256 over five lines, each ended by a newline; the body is not signed."""
    text = f"{method}\n{path}\n{query}\n{access_key}\n{date}\n"
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Platform:
    """How one upstream system reads its parameters and wraps its rows."""

    route: str  #: the number of its /restapi/prod/IC… route
    method: str
    upstream: str  #: path below the route
    page: str
    size: str
    max_size: int
    low: tuple[str, Bound]
    high: tuple[str, Bound]
    success: str  #: the answer with {rows}, {total}, {page}, {size} and {pages} to be put in
    failure: Callable[[int, str], str]  #: (400 or 500, message) → answer
    ordered: bool = False  #: takes order=asc|desc, and sorts descending without it


def _local(text: str) -> int:
    return instant(text)


def _after(text: str) -> int:
    """`x > text` and `x <= text`: whole seconds from the next one on."""
    return instant(text) + 1


def _code_text(code: int, message: str) -> str:
    return f'{{"success":false,"code":"{code}","msg":{json_text(message)},"data":null}}'


def _code_message(code: int, message: str) -> str:
    return f'{{"code":{code},"message":{json_text(message)},"data":null}}'


def _code_msg(code: int, message: str) -> str:
    return f'{{"code":{code},"msg":{json_text(message)},"data":null}}'


def _error_code(code: int, message: str) -> str:
    return f'{{"success":false,"errorCode":"E{code}","errorMsg":{json_text(message)},"data":null}}'


def _minus_one(code: int, message: str) -> str:
    return f'{{"code":-1,"msg":{json_text(message)},"data":null}}'


PLATFORMS = {
    "grassroots_governance": Platform(
        "000001",
        "GET",
        "/event/page",
        "pageNum",
        "pageSize",
        1000,
        ("updateTimeStart", _local),
        ("updateTimeEnd", _local),
        '{"success":true,"code":"200","msg":"ok","data":{"total":%(total)d,"rows":%(rows)s}}',
        _code_text,
        ordered=True,
    ),
    "grassroots_market": Platform(
        "000002",
        "POST",
        "/event/page",
        "pageNum",
        "pageSize",
        1000,
        ("updateTimeStart", ceil_ms),
        ("updateTimeEnd", after_ms),
        '{"code":0,"message":"success","data":{"total":%(total)d,"size":%(size)d,"current":%(page)d,"pages":%(pages)d,'
        '"records":%(rows)s}}',
        _code_message,
    ),
    "grassroots_enforcement": Platform(
        "000003",
        "GET",
        "/event/page",
        "page",
        "size",
        500,
        ("updatedAfter", _after),
        ("updatedBefore", _after),
        '{"code":200,"msg":"操作成功","data":{"total":%(total)d,"rows":%(rows)s}}',
        _code_msg,
        ordered=True,
    ),
    "grassroots_services": Platform(
        "000004",
        "POST",
        "/event/page",
        "pageNo",
        "pageSize",
        500,
        ("gxsjStart", _local),
        ("gxsjEnd", _local),
        '{"success":true,"errorCode":null,"errorMsg":null,"data":{"total":"%(total)d","records":%(rows)s}}',
        _error_code,
    ),
    "snapshot": Platform(
        "000005",
        "GET",
        "/report/list",
        "page",
        "size",
        200,
        ("updatedFrom", ceil_ms),
        ("updatedTo", ceil_ms),
        '{"code":0,"msg":"","data":{"total":%(total)d,"list":%(rows)s}}',
        _minus_one,
    ),
}


class Irs(System):
    """One system behind its route of the gateway."""

    def __init__(self, name: str, city: City, directory: Path) -> None:
        super().__init__(name, city, directory)
        self.platform = PLATFORMS[name]
        self.access_key = f"BCDSGA_{self._hex('access')}"
        self.secret_key = f"BCDSGS_{self._hex('secret')}"
        self.route = f"/restapi/prod/IC33070220240101{self.platform.route}"
        (shelf,) = self.shelves.values()
        self.pager = Pager(city, shelf, RENDERERS[shelf.spec.key])
        self.wall: Callable[[], float] = time.time

    def _hex(self, purpose: str) -> str:
        text = f"{self.city.seed}/{self.name}/{purpose}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url,
            "access_key": self.access_key,
            "secret_key": Secret(self.secret_key),
            "path": self.route,
        }

    def pagers(self) -> list[Pager]:
        return [self.pager]

    def error_envelope(self, code: str | None) -> Answer:
        return _answer(self.platform.failure(int(code or 500), "系统繁忙"))

    # -- the wire -----------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        if refused := self._refusal(request):
            return json_answer({"message": refused}, 401)
        platform = self.platform
        if request.path != self.route + platform.upstream:
            return json_answer({"timestamp": self.city.clock.now * 1000, "status": 404, "error": "Not Found"}, 404)
        if request.method != platform.method:
            return json_answer(
                {"timestamp": self.city.clock.now * 1000, "status": 405, "error": "Method Not Allowed"}, 405
            )
        try:
            return self._page(request, request.query if platform.method == "GET" else request.json)
        except ParameterError as error:
            return _answer(platform.failure(400, str(error)))

    def _refusal(self, request: Request) -> str | None:
        """The gateway's message, or None when key, time and signature are right."""
        headers = request.headers
        if headers.get("x-bg-hmac-access-key") != self.access_key:
            return "Invalid access key"
        date = headers.get("x-bg-date-time", "")
        if not self._timely(date):
            return "Clock skew exceeded"
        given = headers.get("x-bg-hmac-signature", "")
        if headers.get("x-bg-hmac-algorithm") != "hmac-sha256":
            return "Invalid signature"
        wanted = (
            signature(self.secret_key, request.method, request.path, query, self.access_key, date)
            for query in canonical_queries(request.raw_query)
        )
        if not any(hmac.compare_digest(given.encode(), one.encode()) for one in wanted):
            return "Invalid signature"
        if request.path != self.route and not request.path.startswith(self.route + "/"):
            return "The route_id is forbidden."
        return None

    def _timely(self, date: str) -> bool:
        """Within 90 s of the city's clock, or of the machine's: a client may sign with either."""
        try:
            at = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return False
        return min(abs(at - self.city.clock.now), abs(at - self.wall())) <= SKEW_S

    def _page(self, request: Request, values: Mapping[str, Any]) -> Answer:
        platform = self.platform
        page, size = whole(values, platform.page, 1), whole(values, platform.size, 100, platform.max_size)
        low, high = moment(values, *platform.low), moment(values, *platform.high)
        order = values.get("order") or "desc"
        if platform.ordered and order not in ("asc", "desc"):
            raise ParameterError("order")
        rows, total = self.pager.rows(request, page, size, low, high, platform.ordered and order == "desc")
        parts = {
            "total": total,
            "rows": self.pager.joined(rows),
            "page": page,
            "size": size,
            "pages": -(-total // size),
        }
        return _answer(platform.success % parts)


def canonical_queries(raw: str) -> tuple[str, str]:
    """`k=v` sorted and joined, as sent and decoded: public clients do either."""
    sent = "&".join(sorted(part for part in raw.split("&") if part))
    return sent, "&".join(sorted(f"{key}={value}" for key, value in parse_qsl(raw, keep_blank_values=True)))


def _answer(text: str) -> Answer:
    return Answer(text.encode("utf-8", "surrogatepass"), content_type="application/json")
