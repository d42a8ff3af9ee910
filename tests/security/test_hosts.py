"""Nothing is sent to a host that hub.toml does not name, and nothing over a connection whose certificate does not hold."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from scripted import Reply, Upstream

from hub.config import SourceSettings
from hub.errors import ConfigError, EnvelopeError, HubError, RefusedError
from hub.source import ApiKey, Client, Cursor, Endpoint, Envelope, NextLink, RestTransport, SourceContext, Stream
from hub.source.stream import Window

NOW = datetime.now(UTC)
Serve = Callable[..., Upstream]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server; `serve(context)` one over TLS."""
    servers: list[Upstream] = []

    def start(tls: ssl.SSLContext | None = None) -> Upstream:
        servers.append(Upstream(tls))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def context(http: dict[str, Any] | None = None) -> SourceContext:
    unused: Any = None
    return SourceContext(source="s", tokens=unused, files=unused, http=http or {}, deadline_s=5)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_neither_request_nor_key_elsewhere(serve: Serve, status: int) -> None:
    here, elsewhere = serve(), serve()
    here.answer = [Reply(b"", status, {"Location": f"{elsewhere.url}/records"})]
    client = Client(context(), ApiKey("X-Key", SecretStr("k3y")))
    with pytest.raises(RefusedError, match="another host"):
        client.send(client.request("GET", here.url))
    client.close()
    assert len(here.seen) == 1
    assert elsewhere.seen == []


@pytest.mark.parametrize("way", ["body", "header", "user in front", "scheme only"])
def test_a_link_to_the_next_page_is_not_followed_elsewhere(serve: Serve, way: str) -> None:
    here, elsewhere = serve(), serve()
    link = {
        "user in front": here.url.replace("//", "//127.0.0.1@").replace("127.0.0.1:", "127.0.0.2:"),
        "scheme only": f"//{elsewhere.url.split('//')[1]}/records",
    }.get(way, f"{elsewhere.url}/records")
    headers = {"Link": f'<{link}>; rel="next"'} if way == "header" else {}
    here.answer = [Reply('{"rows": [{"id": 1, "at": "2026-01-01 00:00:00"}], "next": "%s"}' % link, headers=headers)]  # noqa: UP031
    paging = NextLink() if way == "header" else NextLink(path="next")
    endpoint = Endpoint(path="/records", paging=paging, envelope=Envelope(rows="rows"))
    stream = Stream(name="r", title="r", mapping="m", native_id="id", cursor=Cursor(path="at"), endpoint=endpoint)
    transport = RestTransport(here.url, context(), ApiKey("X-Key", SecretStr("k3y")))
    with pytest.raises(EnvelopeError, match="another host"):
        transport.fetch(stream, Window(), None)
    transport.close()
    assert elsewhere.seen == []


class Authority:
    """Signs certificates for 127.0.0.1; `file` is what `ca_bundle` names."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
        made = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), True)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, True)
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, begins: int = -60, ends: int = 60
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
        )
        return builder.not_valid_before(NOW + timedelta(days=begins)).not_valid_after(NOW + timedelta(days=ends))

    def server(self, host: str = "127.0.0.1", **days: int) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
        made = self._builder(name, key, **days).add_extension(names, False).sign(self.key, hashes.SHA256())
        pem = self.folder / f"server{x509.random_serial_number()}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(pem)
        return tls


def ask(server: Upstream, trusted: Authority | None) -> int:
    settings = SourceSettings(connector="x", ca_bundle=trusted.file if trusted else None)
    client = Client(context(settings.http()), ApiKey("X-Key", SecretStr("k3y")))
    try:
        return client.send(client.request("GET", server.url.replace("http:", "https:"))).status
    finally:
        client.close()


def test_a_certificate_that_holds_is_taken(serve: Serve, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert ask(serve(authority.server()), authority) == 200


@pytest.mark.parametrize(
    ("days", "host", "known"),
    [
        ({"ends": -1}, "127.0.0.1", True),
        ({"begins": 2}, "127.0.0.1", True),
        ({}, "127.0.0.9", True),
        ({}, "127.0.0.1", False),
    ],
    ids=["expired", "not yet valid", "of another host", "of an unknown authority"],
)
def test_a_certificate_that_does_not_hold_gets_no_request(
    serve: Serve, tmp_path: Path, days: dict[str, int], host: str, known: bool
) -> None:
    authority = Authority(tmp_path)
    server = serve(authority.server(host, **days))
    with pytest.raises(HubError) as caught:
        ask(server, authority if known else None)
    assert isinstance(caught.value, ConfigError)
    assert "is not trusted" in str(caught.value)
    assert server.seen == [], "no request, no key"
