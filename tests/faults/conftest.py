"""A hub of its own for each case: real hub.toml, store and command line, and the bench as an installed plugin."""

import base64
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from answers import Answer, call
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fault_bench import KEY, PLANTED, SECRET
from rig import open_store
from scripted import Upstream

import hub.plugins


@dataclass
class Trial:
    """One hub.toml and everything the hub ever said while it was tried."""

    file: Path
    said: str = ""

    def hub(self, *words: str, level: str = "debug") -> Answer:
        answer = call("--config", str(self.file), "--log-level", level, *words)
        self.said += answer.out + answer.err
        return answer

    def data(self, *words: str) -> Answer:
        return self.hub("--output", "json", *words)

    def rows(self, statement: str) -> list[dict[str, Any]]:
        store = open_store(f"sqlite:///{self.file.parent / 'hub.db'}")
        try:
            with store.engine.connect() as connection:
                return [dict(row) for row in connection.exec_driver_sql(statement).mappings()]
        finally:
            store.close()

    def incidents(self) -> dict[str, dict[str, Any]]:
        """Living incidents by native id, its quotes taken off a text."""
        rows = self.rows("SELECT * FROM incident WHERE deleted_at IS NULL")
        return {row["native_id"].strip('"'): row for row in rows}

    def check(self) -> None:
        """What holds whatever was sent: every run is closed, and no secret or citizen was ever shown."""
        for run in self.rows("SELECT * FROM run"):
            assert run["fetched"] == run["new"] + run["changed"] + run["unchanged"] + run["quarantined"], run
            assert run["outcome"] != "running"
        shown = [value for value in PLANTED if value in self.said]
        assert not shown, f"{len(shown)} planted values were shown"


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Trial]:
    """`trial(toml)`: a hub with these sources, its store made; `[store]` and `[defaults]` are there already."""
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_LANG", "en")
    monkeypatch.setenv("FAULTY_KEY", SECRET)
    monkeypatch.setenv("FAULTY_STORE_KEY", base64.b64encode(KEY).decode())
    installed = hub.plugins.installed_plugins
    bench = EntryPoint("faults", "fault_bench", hub.plugins.GROUP)
    monkeypatch.setattr(hub.plugins, "installed_plugins", lambda: [*installed(), bench])
    head = f"""
[store]
url = "sqlite:///{tmp_path / "hub.db"}"
key = "${{env:FAULTY_STORE_KEY}}"
[defaults]
rate = 100000.0
retries = 0
start = "2000-01-01"
"""

    def make(toml: str) -> Trial:
        open_store(f"sqlite:///{tmp_path / 'hub.db'}").close()
        file = tmp_path / "hub.toml"
        file.write_text(head + toml, "utf-8")
        return Trial(file)

    return make


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def tls_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """A server whose certificate it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    file = tmp_path_factory.mktemp("tls") / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = Upstream(context)
    yield server
    server.stop()
