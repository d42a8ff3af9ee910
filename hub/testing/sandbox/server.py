"""A small HTTP/1.1 server on the loopback address: keep-alive, no Nagle delay, every answer dated by the city's clock.

The standard library's handler spends most of its time in its header parser; requests here are simple, so they are read
by hand."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_MAX_BODY = 4 << 20


@dataclass
class Request:
    method: str
    target: str  #: path and query as sent
    headers: dict[str, str]  #: names in lower case
    body: bytes
    quirk: str | None = None  #: a fault the paging has to play: duplicate_page or shifting_pages

    @cached_property
    def path(self) -> str:
        return urlsplit(self.target).path

    @cached_property
    def raw_query(self) -> str:
        return urlsplit(self.target).query

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @cached_property
    def form(self) -> dict[str, str]:
        if "json" in self.headers.get("content-type", ""):
            return {}
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def json(self) -> dict[str, Any]:
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def cookies(self) -> dict[str, str]:
        pairs = (part.partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, _, value in pairs}


@dataclass
class Answer:
    body: bytes
    status: int = 200
    content_type: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0  #: wait before the first byte
    drip_s: float = 0.0  #: spread the body over this time
    truncate: bool = False  #: announce the whole length, send half, close
    reset: bool = False  #: close without a byte


Responder = Callable[[Request], Answer]


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress(OSError):  # the client went away first
            super().finish()

    def handle(self) -> None:
        try:
            while (request := self._read()) is not None:
                answer = self.server.responder(request)
                if not self._send(answer, head=request.method == "HEAD"):
                    return
        except (ConnectionError, TimeoutError, ValueError):
            return

    def _read(self) -> Request | None:
        line = self.rfile.readline(65537)
        if not line.strip():
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := self.rfile.readline(65537)) not in (b"\r\n", b"\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        length = min(int(headers.get("content-length", 0)), _MAX_BODY)
        return Request(method, target, headers, self.rfile.read(length) if length else b"")

    def _send(self, answer: Answer, head: bool) -> bool:
        """Send; False when the connection must be closed."""
        if answer.delay_s:
            self.server.stopping.wait(answer.delay_s)
        if answer.reset:
            return False
        fields = {
            "Date": self.server.date(),
            "Content-Type": answer.content_type,
            "Content-Length": str(len(answer.body)),
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        start = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        body = b"" if head else answer.body
        if answer.truncate:
            self.wfile.write(start + body[: len(body) // 2])
            return False
        if answer.drip_s:
            self.wfile.write(start)
            return self._drip(body, answer.drip_s)
        self.wfile.write(start + body)
        return True

    def _drip(self, body: bytes, seconds: float) -> bool:
        pieces = 20
        size = max(1, len(body) // pieces)
        for offset in range(0, len(body), size):
            self.wfile.write(body[offset : offset + size])
            self.wfile.flush()
            if self.server.stopping.wait(seconds / pieces):
                return False
        return True


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Serves one system until `stop`."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, responder: Responder, date: Callable[[], str], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.responder = responder
        self.date = date
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with suppress(OSError):  # closed by the other side already
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 2
        while self.connections and time.monotonic() < deadline:
            time.sleep(0.005)
        self._thread.join(2)


def json_answer(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"), status)
