"""What httpx raises, in the hub's words: which step towards a source failed, and whom that concerns."""

import errno
import socket
import ssl

import httpx

from hub.errors import ConfigError, DeadlineError, EnvelopeError, FailedError, HubError, UnavailableError

__all__ = ["FOREIGN_ERRORS", "translated"]

#: httpx exception → what it means here. The nearest class of its family decides; tests/source/test_foreign.py holds it
#: complete.
FOREIGN_ERRORS: dict[type[Exception], type[HubError]] = {
    httpx.TimeoutException: DeadlineError,
    httpx.ConnectTimeout: UnavailableError,
    httpx.PoolTimeout: UnavailableError,
    httpx.NetworkError: UnavailableError,
    httpx.ProtocolError: UnavailableError,
    httpx.LocalProtocolError: ConfigError,
    httpx.ProxyError: UnavailableError,
    httpx.UnsupportedProtocol: ConfigError,
    httpx.DecodingError: EnvelopeError,
    httpx.TooManyRedirects: FailedError,
    httpx.InvalidURL: ConfigError,
    httpx.CookieConflict: FailedError,
    httpx.StreamError: FailedError,
    httpx.HTTPStatusError: FailedError,
}
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})


def translated(error: Exception, url: str, peer: str = "") -> HubError:
    """The hub's error for one of httpx. `url` has no query; `peer` is host:port of what we connect to, the proxy if there is
    one. Says httpx's class only: its own texts may hold the address with its query."""
    kind = next((FOREIGN_ERRORS[cls] for cls in type(error).__mro__ if cls in FOREIGN_ERRORS), FailedError)
    values = {"url": url, "why": type(error).__name__}
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return ConfigError(
            "the certificate of {url} is not trusted ({why})",
            remedy="if its authority is unknown here, set ca_bundle; if it is of another host, correct the address in hub.toml;"
            " if it has expired, its owner must renew it",
            url=url, why=getattr(root, "verify_message", type(root).__name__),
        )  # fmt: skip
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return _not_connected(error, root, peer or url)
    if issubclass(kind, DeadlineError):
        return DeadlineError(
            "{url} was reached, but did not answer in time ({why})",
            remedy="the source is slow; it is asked again later, and request_deadline in hub.toml says how long we wait",
            **values,
        )
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return UnavailableError("{url} broke off its answer ({why})", remedy="it is asked again later", **values)
    if issubclass(kind, UnavailableError):
        return UnavailableError(
            "{url} cannot be reached ({why})", remedy="check the address, the network and the proxy", **values
        )
    if issubclass(kind, ConfigError):
        return ConfigError(
            "{url} cannot be asked ({why})", remedy="check the address of the source in hub.toml", **values
        )
    if issubclass(kind, EnvelopeError):
        return EnvelopeError("the answer of {url} cannot be decoded ({why})", **values)
    return FailedError("{url} answered in a way that cannot be used ({why})", **values)


def _not_connected(error: Exception, root: BaseException, peer: str) -> UnavailableError:
    """Before anything was asked."""
    values = {"peer": peer, "why": _said_by_system(root)}
    if isinstance(error, httpx.ConnectTimeout):
        return UnavailableError(
            "no connection to {peer} came about in time",
            remedy="a firewall may drop it, or the source is overloaded; it is asked again later", peer=peer,
        )  # fmt: skip
    if isinstance(root, socket.gaierror | UnicodeError):
        return UnavailableError(
            "the host name of {peer} cannot be resolved ({why})",
            remedy="check how it is written in hub.toml, and this machine's name service (DNS)", **values,
        )  # fmt: skip
    if isinstance(root, ConnectionRefusedError):
        return UnavailableError(
            "nothing listens at {peer} (connection refused)",
            remedy="check host and port in hub.toml; if they are right, its service is down, and it is asked again later",
            peer=peer,
        )  # fmt: skip
    if isinstance(root, ssl.SSLError):
        return UnavailableError(
            "no TLS connection to {peer} came about ({why})",
            remedy="check http or https, the port and client_cert in hub.toml", peer=peer, why=root.reason or values["why"],
        )  # fmt: skip
    if isinstance(root, OSError) and root.errno in _NO_WAY:
        return UnavailableError(
            "the network of {peer} cannot be reached from here ({why})",
            remedy="check this machine's network, VPN, routes and firewall", **values,
        )  # fmt: skip
    return UnavailableError(
        "{peer} cannot be reached ({why})", remedy="check the address, the network and the proxy", **values
    )


def _said_by_system(root: BaseException) -> str:
    return (root.strerror if isinstance(root, OSError) else None) or type(root).__name__


def _root(error: BaseException) -> BaseException:
    """Where a chain of errors began."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error
