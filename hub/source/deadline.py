"""One total deadline over everything a request does on the network.

httpx's time-outs are per read: a source that drips one byte a second, in the header as in the body, outlives them all.
Here every single read and write gets at most what is left of the whole.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

__all__ = ["deadline", "deadline_transport", "remaining"]

_ends: ContextVar[float | None] = ContextVar("request_ends", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything that this thread reads or writes inside must be done in `seconds`."""
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def remaining() -> float:
    """Seconds left, never below zero; infinite without a deadline."""
    ends = _ends.get()
    return float("inf") if ends is None else max(0.0, ends - time.monotonic())


def deadline_transport(http: dict[str, Any]) -> httpx.HTTPTransport:
    """httpx's own transport for these network settings (verify, proxy, trust_env …) under the deadline."""
    transport = httpx.HTTPTransport(**http)
    # httpcore takes a network backend, but httpx does not pass one on; tests/source/test_deadline.py holds this line.
    transport._pool._network_backend = _Backend()
    return transport


def _limited(timeout: float | None, error: type[Exception]) -> float | None:
    left = remaining()
    if left <= 0:
        raise error("the deadline of the whole request has passed")
    return timeout if left == float("inf") else left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _limited(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _limited(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _limited(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        limited = _limited(timeout, httpcore.ConnectTimeout)
        try:
            return _Stream(self._inner.connect_tcp(host, port, limited, local_address, socket_options))
        except UnicodeError as exc:
            # A label of a name that is empty or longer than 63: neither httpcore nor httpx looks for it.
            raise httpcore.ConnectError("not a host name") from exc

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(min(seconds, remaining()))
