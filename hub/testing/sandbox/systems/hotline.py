"""The hotline platform: a session cookie, JSON under text/html, a list and a detail per order (domain.md §7.1)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hub.testing.sandbox.absurd import bend_values, finish
from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import DAY, instant
from hub.testing.sandbox.faults import LOGIN_PAGE
from hub.testing.sandbox.records import Row, dump
from hub.testing.sandbox.server import Answer, Request
from hub.testing.sandbox.systems.hotline_rows import descriptors, detail, order, order_id, steps
from hub.testing.sandbox.systems.system import Pager, ParameterError, Secret, System, moment, whole

LOGIN = "/login.php"
ORDERS = "/payroll_sub_list_act_doris.php"
SESSION_S = 30 * 60
WINDOW_S = 30 * DAY


class Hotline(System):
    def __init__(self, name: str, city: City, directory: Path) -> None:
        super().__init__(name, city, directory)
        self.username = "wucheng_hub"
        self.password = self._digest("password")[:16]
        self.sessions: dict[str, int] = {}  # cookie → last use, epoch seconds
        self.logins = 0
        self.shelf = self.shelves["work_orders"]
        self.pager = Pager(city, self.shelf, order, spoils=False)
        self._details: dict[str, Row] = {}
        self._texts: dict[tuple[int, int], str] = {}
        self._known_rows: list[Row] | None = None

    def _digest(self, *parts: object) -> str:
        text = "/".join(map(str, (self.city.seed, self.name, *parts)))
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def settings(self, base_url: str) -> dict[str, Any]:
        return {"base_url": base_url, "username": self.username, "password": Secret(self.password)}

    def is_credential_call(self, request: Request) -> bool:
        return request.path == LOGIN

    def forget_credentials(self) -> None:
        self.sessions.clear()

    def pagers(self) -> list[Pager]:
        return [self.pager]

    def error_envelope(self, code: str | None) -> Answer:
        return _says(f'{{"status":"error","des":{json.dumps(code or "系统繁忙", ensure_ascii=False)},"res":[]}}')

    # -- the wire -----------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        if request.path == LOGIN and request.method == "POST":
            return self._login(request.form)
        if not self._session_lives(request.cookies.get("PHPSESSID", "")):
            return _says(LOGIN_PAGE)
        form = {**request.query, **request.form}
        if request.path != ORDERS:
            return Answer(b"<html><body>404</body></html>", 404, "text/html")
        if form.get("act") == "payroll_view_module":
            return self._detail(form.get("id", ""))
        if form.get("act") == "search_payroll_list":
            return self._list(request, form)
        return self.error_envelope("参数错误: act")

    def _login(self, form: dict[str, str]) -> Answer:
        if (form.get("username"), form.get("password")) != (self.username, self.password):
            return self.error_envelope("用户名或密码错误")
        self.logins += 1
        cookie = self._digest("session", self.logins)[:26]
        self.sessions[cookie] = self.city.clock.now
        answer = _says('{"status":"success","des":"登录成功","res":[]}')
        answer.headers["Set-Cookie"] = f"PHPSESSID={cookie}; path=/; HttpOnly"
        return answer

    def _session_lives(self, cookie: str) -> bool:
        used = self.sessions.get(cookie)
        now = self.city.clock.now
        if used is None or now - used >= SESSION_S:
            return False
        self.sessions[cookie] = now
        return True

    def _list(self, request: Request, form: dict[str, str]) -> Answer:
        try:
            low = moment(form, "search_start_time", instant)
            high = moment(form, "search_end_time", instant)
            page, size = whole(form, "page", 1), whole(form, "pagesize", 20, 500)
        except ParameterError as error:
            return self.error_envelope(str(error))
        if low is None or high is None or high - low > WINDOW_S:
            return self.error_envelope("查询时间跨度不能超过30天")
        status = form.get("search_payroll_result_tmp")
        if status:
            matching = [row for row in self.shelf.select(low, high + 1) if row.record.stage(row.index).code == status]
            rows, total = matching[::-1][(page - 1) * size : page * size], len(matching)
        else:
            found, total = self.pager.rows(request, page, size, low, high + 1, descending=True)
            rows = list(found)
        return _says(f'{{"status":"success","des":"","total":"{total}","res":{self.pager.joined(rows)}}}')

    def _detail(self, wanted: str) -> Answer:
        rows = self.shelf.rows
        if rows is not self._known_rows:
            self._known_rows = rows
            self._details = {order_id(row.record): row for row in rows}
        row = self._details.get(wanted)
        if row is None:
            return self.error_envelope("工单不存在")
        key = (row.record.number, row.index)
        if key not in self._texts:
            self._texts[key] = self._detail_text(row)
        return _says(self._texts[key])

    def _detail_text(self, row: Row) -> str:
        record, values = row.record, detail(row.record, row.index)
        if record.absurd:
            values = bend_values(self.shelf.spec.key, record.absurd, values)
        text = dump({"status": "success", "des": "", "res": descriptors(values), "steps": steps(record, row.index)})
        return finish(record.absurd or "", text)


def _says(text: str) -> Answer:
    """Everything is text/html here, JSON too."""
    return Answer(text.encode("utf-8", "surrogatepass"), content_type="text/html; charset=UTF-8")
