"""Which step towards a source failed, against real sockets: name, route, port, connection, TLS, answer."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from hub.errors import DeadlineError, FailedError, HubError, UnavailableError
from hub.locale import translator
from hub.source import Client, SourceContext
from hub.source.foreign import FOREIGN_ERRORS, translated


def refused(context: SourceContext, url: str) -> HubError:
    """What comes of asking there; never with the query."""
    client = Client(replace(context, deadline_s=0.5))
    try:
        with pytest.raises(HubError) as caught:
            client.send(client.request("GET", url + "/list?key=secret"))
    finally:
        client.close()
    error = caught.value
    assert error.remedy
    for lang in ("en", "zh"):
        said = error.within(source="s").render(translator(lang))  # type: ignore[arg-type]
        assert "secret" not in said
        assert httpx.URL(url).host in said or context.http
        assert bool(re.search("[一-鿿]", said)) == (lang == "zh")
    return error


@pytest.fixture
def silent() -> Iterator[str]:
    """Host and port of a socket that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def full() -> Iterator[str]:
    """Host and port of a socket that takes no further connection."""
    with ExitStack() as open_:
        server = open_.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = open_.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """Host and port where nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("name", ["nosuch.invalid", "a" * 64 + ".invalid"], ids=["unknown", "no name at all"])
def test_a_name_nobody_knows(context: SourceContext, name: str) -> None:
    error = refused(context, f"https://{name}")
    assert isinstance(error, UnavailableError)
    assert f"the host name of {name}:443 cannot be resolved" in str(error)


def test_a_port_where_nobody_listens(context: SourceContext, closed: str) -> None:
    error = refused(context, f"http://{closed}")
    assert isinstance(error, UnavailableError)
    assert f"nothing listens at {closed} (connection refused)" in str(error)


def test_a_network_without_a_way_to_it(context: SourceContext) -> None:
    """Nobody connects to an address of many: the system says so before it sends anything."""
    error = refused(context, "http://224.0.0.1")
    assert isinstance(error, UnavailableError)
    assert "the network of 224.0.0.1:80 cannot be reached from here (Network is unreachable)" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_does_not_come_about(context: SourceContext, full: str, silent: str, scheme: str) -> None:
    peer = full if scheme == "http" else silent
    error = refused(context, f"{scheme}://{peer}")
    assert type(error) is UnavailableError
    assert f"no connection to {peer} came about in time" in str(error)


def test_an_answer_that_does_not_come(context: SourceContext, silent: str) -> None:
    error = refused(context, f"http://{silent}")
    assert isinstance(error, DeadlineError)
    assert f"http://{silent}/list was reached, but did not answer in time" in str(error)


def test_plain_http_where_tls_is_expected(upstream: Any, reply: Any, context: SourceContext) -> None:
    upstream.answer = [reply(raw=lambda wire: wire.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"))]
    peer = httpx.URL(upstream.url).netloc.decode()
    error = refused(context, f"https://{peer}")
    assert isinstance(error, UnavailableError)
    assert f"no TLS connection to {peer} came about (" in str(error)


def test_a_connection_torn_down_before_tls(context: SourceContext) -> None:
    error = httpx.ConnectError("x")
    error.__cause__ = ConnectionResetError(104, "Connection reset by peer")
    assert "a.example:443 cannot be reached (Connection reset by peer)" in str(translated(error, "-", "a.example:443"))


def test_behind_a_proxy_it_is_the_proxy_that_is_named(context: SourceContext, closed: str) -> None:
    behind = replace(context, http={"proxy": f"http://me:secret@{closed}"})
    assert f"nothing listens at {closed} (" in str(refused(behind, "https://a.example"))


def every_error() -> list[type[Exception]]:
    def family(cls: type[Exception]) -> Iterator[type[Exception]]:
        yield cls
        for child in cls.__subclasses__():
            yield from family(child)

    exported = [getattr(httpx, name) for name in httpx.__all__]
    roots = [cls for cls in exported if isinstance(cls, type) and issubclass(cls, Exception)]
    return sorted({cls for root in roots for cls in family(root)}, key=lambda cls: cls.__name__)


@pytest.mark.parametrize("error", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_of_httpx_is_in_the_table(error: type[Exception]) -> None:
    umbrellas = {httpx.HTTPError, httpx.RequestError, httpx.TransportError}
    assert error in umbrellas or any(cls in FOREIGN_ERRORS for cls in error.__mro__)
    kind = next((FOREIGN_ERRORS[cls] for cls in error.__mro__ if cls in FOREIGN_ERRORS), FailedError)
    made = error.__new__(error)
    assert type(translated(made, "http://a.example/")) is kind
