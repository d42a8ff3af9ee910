"""The upstream system: serves rendered work orders over loopback HTTP. Its own process, so that its CPU is not counted.

    GET /{records}/{changed}/{delay_ms}/{order}/orders?page=3&size=1000[&since=2025-12-31 23:50:00]

A system of that many records answers after `delay_ms`, in `order` "time" or "shuffled". With `since` after its first
day it shows `changed` records (every hundredth of the base) in a version that no reading has seen before: each first
page begins a new round, whose day stands in their time and result. Without `since` it shows the base.
"""

import mmap
import sys
import time
from array import array
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

__all__ = ["Pages", "serve"]

_FIRST_DAY = "2025-01-02"
_CHANGED = date(2026, 1, 1)
_STRIDE = 7_368_787  # a prime: number * stride % total visits every record once, far from its neighbours
_HEAD = b'{"code":0,"message":"success","data":{"total":%d,"rows":['


class Pages:
    """Slices of one rendered file."""

    def __init__(self, stem: Path) -> None:
        self._offsets = array("q", stem.with_suffix(".off").read_bytes())
        with stem.with_suffix(".json").open("rb") as data:
            self._data = mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ)

    def page(self, total: int, number: int, size: int, *, shuffled: bool = False) -> bytes:
        """The body of page `number` (from 1) of a system of `total` records."""
        first = min((number - 1) * size, total)
        last = min(first + size, total)
        if shuffled:
            rows = b",".join(self._rows(place * _STRIDE % total) for place in range(first, last))
        else:
            rows = self._rows(first, last) if last > first else b""
        return _HEAD % total + rows + b"]}}"

    def _rows(self, first: int, last: int = 0) -> bytes:
        return self._data[self._offsets[first] : self._offsets[last or first + 1] - 1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Head and body are two packets: without this the second waits 40 ms for the first to be acknowledged.
    disable_nagle_algorithm = True
    base: Pages
    delta: Pages
    rounds = 0

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        *numbers, order = url.path.split("/")[1:5]
        records, changed, delay_ms = map(int, numbers)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        time.sleep(delay_ms / 1000)
        page, size = int(query["page"]), int(query["size"])
        if query.get("since", "") > _FIRST_DAY:
            _Handler.rounds += page == 1
            day = (_CHANGED + timedelta(days=_Handler.rounds)).isoformat()
            body = self.delta.page(changed, page, size).replace(b"2026-01-01", day.encode())
        else:
            body = self.base.page(records, page, size, shuffled=order == "shuffled")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing is logged."""


def serve(folder: Path) -> None:
    """Serve until killed; the port is the first line of standard output."""
    _Handler.base, _Handler.delta = Pages(folder / "base"), Pages(folder / "delta")
    ThreadingHTTPServer.request_queue_size = 64
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
