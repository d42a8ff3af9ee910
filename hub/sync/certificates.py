"""Certificates that end: those in files, and those that https sources show."""

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from hub.config import SourceSettings
from hub.errors import HubError

__all__ = ["Certificate", "certificates_of"]

_DEADLINE_S = 5.0


class Certificate:
    """`where` is a file or host:port; `ends_at` is aware UTC, None if it cannot be looked at (`trusted` says whether
    the reason is that it is not trusted)."""

    def __init__(self, where: str, ends_at: datetime | None, trusted: bool = True) -> None:
        self.where, self.ends_at, self.trusted = where, ends_at, trusted


def certificates_of(settings: SourceSettings) -> Iterator[Certificate]:
    """What a source's section names and what its https addresses show. Behind a proxy only the files are looked at."""
    for file in (settings.ca_bundle, settings.client_cert):
        if file is not None:
            yield from _in_file(file)
    if settings.proxy is None:
        for host, port in sorted(set(_https(settings.options))):
            yield _shown(settings, host, port)


def _in_file(file: Path) -> Iterator[Certificate]:
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        yield Certificate(str(file), None)
        return
    yield Certificate(str(file), min(one.not_valid_after_utc for one in found))


def _https(value: Any) -> Iterator[tuple[str, int]]:
    """Host and port of every https address among a connector's settings, at any depth."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _https(item)
    elif isinstance(value, str) and value.startswith("https://"):
        try:
            address = urlsplit(value)
            if address.hostname:
                yield address.hostname, address.port or 443
        except ValueError:
            return


def _shown(settings: SourceSettings, host: str, port: int) -> Certificate:
    where = f"{host}:{port}"
    try:
        context = settings.http()["verify"]
        with (
            socket.create_connection((host, port), _DEADLINE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            shown = secure.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError:
        return Certificate(where, None, trusted=False)
    except (OSError, HubError):
        # Whether it is reached is `hub check`'s question.
        return Certificate(where, None)
    return Certificate(where, x509.load_der_x509_certificate(shown).not_valid_after_utc)
