"""A small Open311 GeoReport v2 server over the rows of the 311 sample: JSON and XML, `updated_after`, `start_date`.

It reads the published columns by itself (nothing of the hub is used) and grants at most 100 rows a page, untold.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

__all__ = ["Served", "georeport_server", "service_request"]

_LOS_ANGELES = ZoneInfo("America/Los_Angeles")
_MOST = 100


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    day, clock = text.split(" ")
    month, day_of_month, year = (int(part) for part in day.split("/"))
    hour, minute = (int(part) for part in clock.split(":"))
    return datetime(2000 + year, month, day_of_month, hour, minute, tzinfo=_LOS_ANGELES)


def _w3c(text: str) -> str | None:
    moment = _instant(text)
    return moment.isoformat() if moment else None


def service_request(row: dict[str, str]) -> dict[str, Any]:
    """A published row as GeoReport shows it; `extended_status` is this city's own addition to the standard."""
    return {
        "service_request_id": row["srnumber"],
        "status": "open" if row["status"] in ("Open", "Pending") else "closed",
        "extended_status": row["status"],
        "status_notes": None,
        "service_name": row["requesttype"],
        "service_code": row["requesttype"].upper(),
        "description": None,
        "agency_responsible": row["owner"],
        "service_notice": None,
        "requested_datetime": _w3c(row["createddate"]),
        "updated_datetime": _w3c(row["updateddate"]),
        "expected_datetime": _w3c(row["servicedate"]),
        "address": row["address"],
        "address_id": None,
        "zipcode": row["zipcode"],
        "lat": float(row["latitude"]) if row["latitude"] else None,
        "long": float(row["longitude"]) if row["longitude"] else None,
        "media_url": None,
    }


class Served:
    """What the server holds; `asked` are the queries so far."""

    def __init__(self, rows: Sequence[dict[str, str]]) -> None:
        self.requests = [service_request(row) for row in rows]
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def page(self, query: dict[str, str]) -> list[dict[str, Any]]:
        self.asked.append(query)
        found = self.requests
        if "start_date" in query:
            start = datetime.fromisoformat(query["start_date"])
            found = [row for row in found if datetime.fromisoformat(row["requested_datetime"]) >= start]
        if "end_date" in query:
            end = datetime.fromisoformat(query["end_date"])
            found = [row for row in found if datetime.fromisoformat(row["requested_datetime"]) <= end]
        if "updated_after" in query:
            after = datetime.fromisoformat(query["updated_after"])
            found = [row for row in found if datetime.fromisoformat(row["updated_datetime"]) > after]
            found = sorted(found, key=lambda row: datetime.fromisoformat(row["updated_datetime"]))
        else:
            found = sorted(found, key=lambda row: datetime.fromisoformat(row["requested_datetime"]), reverse=True)
        size = min(int(query.get("page_size", "50")), _MOST)
        first = (int(query.get("page", "1")) - 1) * size
        return found[first : first + size]


def _xml(requests: Sequence[dict[str, Any]]) -> str:
    elements = (
        "".join(f"<{key}>{'' if value is None else escape(str(value))}</{key}>" for key, value in request.items())
        for request in requests
    )
    content = "".join(f"<request>{element}</request>" for element in elements)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<service_requests>{content}</service_requests>'


@contextmanager
def georeport_server(rows: Sequence[dict[str, str]]) -> Iterator[Served]:
    """The rows, served on the loopback address while the block lasts."""
    served = Served(rows)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            found = served.page(query)
            if address.path == "/v2/requests.xml":
                body, kind = _xml(found).encode(), "text/xml; charset=utf-8"
            elif address.path == "/v2/requests.json":
                body, kind = json.dumps(found).encode(), "application/json"
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/v2"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
