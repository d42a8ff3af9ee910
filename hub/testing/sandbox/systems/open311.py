"""Open311 GeoReport v2, JSON and XML, with paging and the `updated_after`, `updated_before` extensions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from hub.testing.sandbox.absurd import VALUE_KINDS, bend_values
from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import DAY, iso_local
from hub.testing.sandbox.events import CATEGORIES, CLASSES
from hub.testing.sandbox.records import Record, Row, page_of
from hub.testing.sandbox.server import Answer, Request, json_answer
from hub.testing.sandbox.systems.system import Pager, ParameterError, Secret, System, moment, whole
from hub.testing.sandbox.systems.telling import category_name, describe

BASE = "/open311/v2"
JURISDICTION = "wucheng.example"
_SPAN_S = 90 * DAY


class RefusalError(Exception):
    """The request is answered with a GeoReport error of this code."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class Open311(System):
    def __init__(self, name: str, city: City, directory: Path) -> None:
        super().__init__(name, city, directory)
        self.api_key = hashlib.md5(f"{city.seed}/open311".encode(), usedforsecurity=False).hexdigest()
        self.pager = Pager(city, self.shelves["requests"], service_request)
        self._elements: dict[tuple[int, int], str] = {}

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "base_url": base_url + BASE,
            "jurisdiction_id": JURISDICTION,
            "api_key": Secret(self.api_key),
            "format": "json",
        }

    def pagers(self) -> list[Pager]:
        return [self.pager]

    def error_envelope(self, code: str | None) -> Answer:
        return json_answer([{"code": int(code or 500), "description": "internal error"}])

    def handle(self, request: Request) -> Answer:
        name, _, form = request.path.removeprefix(BASE + "/").rpartition(".")
        xml = form == "xml"
        try:
            if not request.path.startswith(BASE + "/") or form not in ("json", "xml"):
                raise RefusalError(404, "no such resource")
            self._admit(request.query)
            if name == "services":
                return _services(xml)
            return self._answer(self._wanted(request, name), xml)
        except ParameterError as error:
            return _refuse(400, str(error), xml)
        except RefusalError as error:
            return _refuse(error.code, str(error), xml)

    def _admit(self, query: Mapping[str, str]) -> None:
        if not query.get("jurisdiction_id"):
            raise RefusalError(400, "jurisdiction_id was not provided")
        if query["jurisdiction_id"] != JURISDICTION:
            raise RefusalError(404, "jurisdiction_id was not found")
        if query.get("api_key", self.api_key) != self.api_key:
            raise RefusalError(403, "invalid api_key")

    def _wanted(self, request: Request, name: str) -> Sequence[Row]:
        if name == "requests":
            return self._page(request)
        wanted = name.removeprefix("requests/")
        rows = [row for row in self.pager.shelf.rows if row.record.native_id == wanted]
        if not rows:
            raise RefusalError(404, "service_request_id was not found")
        return rows

    def _page(self, request: Request) -> Sequence[Row]:
        query = request.query
        size, page = whole(query, "page_size", 50, 200), whole(query, "page", 1)
        after, before = moment(query, "updated_after", _w3c), moment(query, "updated_before", _w3c)
        start, end = moment(query, "start_date", _w3c), moment(query, "end_date", _w3c)
        by_update = after is not None or before is not None
        if not by_update and start is None and end is None:
            start = self.city.clock.now - _SPAN_S
        plain = not (query.get("status") or query.get("service_code"))
        if by_update and plain and start is None and end is None:
            low = None if after is None else after + 1
            return self.pager.rows(request, page, size, low, None if before is None else before + 1)[0]
        if page > 1 and request.quirk == "shifting_pages":
            self.city.shift(self.pager.shelf.spec.key)
        if page > 1 and request.quirk == "duplicate_page":
            page -= 1
        window = self.pager.shelf.select(None if after is None else after + 1, None if before is None else before + 1)
        rows = [row for row in window if _matches(row, start, end, query)]
        if by_update:
            return page_of(rows, page, size)
        rows.sort(key=lambda row: (row.record.occurred, row.order))
        return page_of(rows, page, size, descending=True)

    def _answer(self, rows: Sequence[Row], xml: bool) -> Answer:
        if not xml:
            return Answer(self.pager.joined(rows).encode("utf-8", "surrogatepass"))
        return _xml("service_requests", "".join(self._element(row) for row in rows))

    def _element(self, row: Row) -> str:
        key = (row.record.number, row.index)
        if key not in self._elements:
            values = service_request(row.record, row.index)
            if row.record.absurd in VALUE_KINDS:  # the other kinds of nonsense cannot be said in XML
                values = bend_values(row.record.spec.key, row.record.absurd, values)
            self._elements[key] = f"<request>{_children(values)}</request>"
        return self._elements[key]


def service_request(record: Record, index: int) -> dict[str, Any]:
    version, stage = record.versions[index], record.stage(index)
    closed = stage.status == "closed"
    return {
        "service_request_id": record.native_id,
        "status": stage.code,
        "status_notes": "Resolved on site." if closed else None,
        "service_name": category_name(record, index),
        "service_code": version.category,
        "description": describe(record, index),
        "agency_responsible": record.event.authority.name,
        "service_notice": None,
        "requested_datetime": iso_local(record.occurred),
        "updated_datetime": iso_local(version.at),
        "expected_datetime": iso_local(record.reported + 7 * DAY),
        "address": record.event.address,
        "address_id": None,
        "zipcode": "321000",
        "lat": record.lat,
        "long": record.lon,
        "media_url": f"http://photos.example/{record.native_id}.jpg" if record.salt % 2 else None,
    }


def _matches(row: Row, start: int | None, end: int | None, query: Mapping[str, str]) -> bool:
    record = row.record
    return (
        (start is None or record.occurred >= start)
        and (end is None or record.occurred <= end)
        and (not query.get("status") or record.stage(row.index).code in query["status"].split(","))
        and (not query.get("service_code") or record.versions[row.index].category in query["service_code"].split(","))
    )


def _w3c(text: str) -> int:
    """A W3C date-time; one without an offset is refused, because the standard asks for it."""
    at = datetime.fromisoformat(text.replace(" ", "+"))
    if at.tzinfo is None:
        raise ValueError(text)
    return int(at.timestamp())


def _services(xml: bool) -> Answer:
    services = [
        {
            "service_code": code,
            "service_name": name,
            "description": name,
            "metadata": False,
            "type": "realtime",
            "keywords": "",
            "group": CLASSES[code[:2]],
        }
        for code, name in CATEGORIES.items()
    ]
    if not xml:
        return json_answer(services)
    return _xml("services", "".join(f"<service>{_children(service)}</service>" for service in services))


def _children(values: Mapping[str, Any]) -> str:
    return "".join(f"<{name}>{'' if value is None else escape(str(value))}</{name}>" for name, value in values.items())


def _xml(root: str, content: str, status: int = 200) -> Answer:
    text = f'<?xml version="1.0" encoding="utf-8"?><{root}>{content}</{root}>'
    return Answer(text.encode("utf-8", "surrogatepass"), status, "text/xml; charset=utf-8")


def _refuse(code: int, description: str, xml: bool) -> Answer:
    error = {"code": code, "description": description}
    return _xml("errors", f"<error>{_children(error)}</error>", code) if xml else json_answer([error], code)
