"""A line to the database that can be cut: a TCP proxy in front of a PostgreSQL that listens on a socket file."""

import socket
import threading
from contextlib import suppress

from sqlalchemy.engine import make_url

__all__ = ["Line"]


class Line:
    """`url` leads through it. While it is cut nothing arrives on either side and nobody is told; `mend` lets what waited
    go on, `tear` also breaks every connection there was, as a firewall that forgot them does. While it is `away` nobody is let
    in, as if the database were down; `refused` counts who tried."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        folder = parsed.query["host"]
        assert isinstance(folder, str)
        self._target = f"{folder}/.s.PGSQL.{parsed.query.get('port', 5432)}"
        self._open = threading.Event()
        self._open.set()
        self.away = threading.Event()
        self.refused = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(hide_password=False)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    def tear(self) -> None:
        """Break every connection; new ones get through."""
        broken, self._sockets = self._sockets, []
        for end in broken:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.set()

    def close(self) -> None:
        self._listener.close()
        self.tear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.away.is_set():
                    self.refused += 1
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._sockets += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                target.sendall(data)
        self._open.wait()
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
