"""What httpx raises, in the hub's words: which step towards a source failed, and whom that concerns."""

import ssl

import httpx

from hub.errors import ConfigError, DeadlineError, EnvelopeError, FailedError, HubError, UnavailableError
from hub.source.reaching import not_connected, root_of

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


def translated(error: Exception, url: str, peer: str = "") -> HubError:
    """The hub's error for one of httpx. `url` has no query; `peer` is host:port of what we connect to, the proxy if there is
    one. Says httpx's class only: its own texts may hold the address with its query."""
    kind = next((FOREIGN_ERRORS[cls] for cls in type(error).__mro__ if cls in FOREIGN_ERRORS), FailedError)
    values = {"url": url, "why": type(error).__name__}
    root = root_of(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return ConfigError(
            "the certificate of {url} is not trusted ({why})",
            remedy="if its authority is unknown here, set ca_bundle; if it is of another host, correct the address in hub.toml;"
            " if it has expired, its owner must renew it",
            url=url, why=getattr(root, "verify_message", type(root).__name__),
        )  # fmt: skip
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return not_connected(root, peer or url, late=isinstance(error, httpx.ConnectTimeout))
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
