"""The upstream system: serves rendered work orders over loopback HTTP. Its own process, so that its CPU is not counted.

    GET /{records}/{round}/{delay_ms}/orders?page=3&size=1000[&since=2025-12-31 23:50:00]

A system of that many records answers after `delay_ms`. With `since` after the first day it shows what changed in that
round: every hundredth record with a new time, status and result; without `since` always the base.
"""

import mmap
import sys
import time
from array import array
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from records import CHANGED_EVERY

__all__ = ["Pages", "serve"]

_FIRST_DAY = "2025-01-02"


class Pages:
    """Slices of one rendered file."""

    def __init__(self, stem: Path) -> None:
        self._offsets = array("q", stem.with_suffix(".off").read_bytes())
        with stem.with_suffix(".json").open("rb") as data:
            self._data = mmap.mmap(data.fileno(), 0, access=mmap.ACCESS_READ)

    def page(self, total: int, number: int, size: int) -> bytes:
        """The body of page `number` (from 1) of a system of `total` records."""
        first = min((number - 1) * size, total)
        last = min(first + size, total)
        rows = self._data[self._offsets[first] : self._offsets[last] - 1] if last > first else b""
        return b'{"code":0,"message":"success","data":{"total":%d,"rows":[%b]}}' % (total, rows)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    base: Pages
    delta: Pages

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        records, number_of_round, delay_ms = (int(part) for part in url.path.split("/")[1:4])
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        time.sleep(delay_ms / 1000)
        page, size = int(query["page"]), int(query["size"])
        if query.get("since", "") > _FIRST_DAY:
            total = -(-records // CHANGED_EVERY) if number_of_round else 0
            body = self.delta.page(total, page, size).replace(b"2026-01-01", b"2026-01-%02d" % number_of_round)
        else:
            body = self.base.page(records, page, size)
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
