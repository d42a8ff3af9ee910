"""Which step towards a source failed before anything was asked: name, port, route, TLS, time. For every kind of source."""

import errno
import socket
import ssl

from hub.errors import UnavailableError

__all__ = ["not_connected", "root_of"]

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})


def not_connected(root: BaseException, peer: str, *, late: bool = False) -> UnavailableError:
    """`root`: what the system said; `peer`: host:port of what we connect to; `late`: it did not come about in time."""
    values = {"peer": peer, "why": _said_by_system(root)}
    if late:
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


def root_of(error: BaseException) -> BaseException:
    """Where a chain of errors began."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _said_by_system(root: BaseException) -> str:
    return (root.strerror if isinstance(root, OSError) else None) or type(root).__name__
