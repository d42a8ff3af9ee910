"""`hub doctor` finds what was put there to be found, says what to do, and ends with the right code."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from answers import Run, call
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from hub.config import load
from hub.store import open_store
from hub.store.store import Transaction
from hub.sync.told import unsteady

NOW = time.time_ns() // 1_000_000
HOUR = 3_600_000


def put(project: Path, *statements: str) -> None:
    store = open_store(load(project))
    with store.write() as transaction:
        for statement in statements:
            transaction.run(statement)
    store.close()


def add_run(transaction_id: str, outcome: str, started_at: int) -> str:
    return (
        "INSERT INTO run (id, source, stream, partition, mode, outcome, started_at, worker, token) VALUES"
        f" ('{transaction_id}', 'snapshot', 'reports', '', 'incremental', '{outcome}', {started_at}, 'host:1:a', 1)"
    )


@pytest.fixture
def checks(data: Run):
    """What `hub doctor` finds: {check: [findings]} and its exit code."""

    def look() -> tuple[dict[str, list[str]], int]:
        answer, found = data("doctor"), {}
        for line in answer.lines:
            found.setdefault(line["check"], []).append(line["finding"])
        return found, answer.code

    return look


def test_a_healthy_installation_has_no_finding_that_counts(hub: Run, checks) -> None:
    found, code = checks()
    assert code == 0, found
    assert not found.keys() - {"secrets", "waiting", "clocks"}


def test_stale_abandoned_overdue_and_growing(project: Path, checks) -> None:
    put(
        project,
        add_run("r1", "ok", NOW - 30 * HOUR),
        add_run("r2", "running", NOW - HOUR),
        "INSERT INTO schedule (source, stream, partition, rule, next_due_at)"
        f" VALUES ('snapshot', 'reports', '', '5m UTC', {NOW - 2 * HOUR})",
        *(
            "INSERT INTO quarantine (source, stream, raw_hash, reason, raw_page, raw_index, mapping, mapping_version,"
            f" status, times, run, first_seen_at, last_seen_at) VALUES ('snapshot', 'reports', x'{number:02x}', 'bad',"
            f" 1, 0, 'm', 1, 'open', 1, 'r1', {NOW - HOUR}, {NOW})"
            for number in range(12)
        ),
        "INSERT INTO deletion (source, stream, partition, run, status, records, living, keys, held_at)"
        f" VALUES ('snapshot', 'reports', '', 'r1', 'held', 30, 100, x'00', {NOW})",
        "INSERT INTO code_gap (source, stream, code_table, code, count, first_seen_at, last_seen_at)"
        f" VALUES ('snapshot', 'reports', 't', 'c', 1, {NOW}, {NOW})",
        "INSERT INTO state (source, stream, partition, body, updated_at)"
        f""" VALUES ('snapshot', 'reports', '', '{{"reading":{{"mode":"full_refresh","broken":true}}}}', {NOW})""",
        "INSERT INTO raw_page (id, source, stream, run, fetched_at, source_clock, mapping, zone, origin, key_id, body)"
        f" VALUES (900, 'snapshot', 'reports', 'r1', {NOW}, {NOW - 400_000}, 'm', 'UTC', 'o', 'k', x'00')",
    )
    found, code = checks()
    assert code == 6
    assert "the last good sync is" in found["freshness"][0]
    assert "host:1:a died" in found["runs"][0]
    assert found["schedules"][0].startswith("1 schedules are overdue, the longest by PT2H")
    assert "grew by 12 records" in found["quarantine"][0]
    assert "the clock of snapshot is 400 s behind ours" in found["clocks"][0]
    assert found["clocks"][0].count("snapshot") == 1
    assert [part for part in found["waiting"] if "30 deletions" in part]
    assert [part for part in found["waiting"] if "1 codes" in part]
    assert [part for part in found["waiting"] if "no longer prove" in part]


@pytest.mark.parametrize("outcome", ["ok", "partial"])
def test_rows_that_the_newest_run_may_have_missed_are_a_hint(project: Path, checks, outcome: str) -> None:
    """As where a source grants fewer rows a page than it did."""
    put(project, add_run("r1", outcome, NOW - 60_000), f"UPDATE run SET error = '{unsteady().render()}'")
    found, code = checks()
    assert (len(found["last runs"]), code) == (1, 0)
    assert "lower the page size" in found["last runs"][0]
    put(project, add_run("r2", "ok", NOW))
    assert "last runs" not in checks()[0]


def test_a_section_whose_connector_cannot_use_it_is_misconfigured(project: Path, checks) -> None:
    """No run is noted of a source that cannot be opened, so only its section tells."""
    text = project.read_text("utf-8")
    project.write_text(text.replace('connector = "snapshot"', 'connector = "snapshop"'), "utf-8")
    found, code = checks()
    assert code == 2
    assert "did you mean snapshot" in found["settings"][0]
    project.write_text(text.replace("access_key = ", "acess_key = "), "utf-8")
    found, code = checks()
    assert code == 2
    assert any("hub.toml" in one and "acess_key" in one for one in found["settings"])


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        ("refused", 4, "did not let"),
        ("misconfigured", 2, "misconfigured"),
        ("failed", 1, "could not use"),
        ("unavailable", 0, ""),
    ],
)
def test_what_no_later_run_mends_by_itself(project: Path, checks, outcome: str, code: int, said: str) -> None:
    """An expired password is told before the stream is overdue."""
    put(project, add_run("r1", "ok", NOW - 60_000), add_run("r2", outcome, NOW - 1000))
    found, ended = checks()
    assert ended == code
    (finding,) = found.get("last runs", [""])
    assert said in finding
    assert finding.startswith("snapshot/reports: the" if said else "")
    put(project, add_run("r3", "ok", NOW))
    assert checks()[1] == 0


def test_a_run_from_a_clock_that_was_ahead_hides_nothing(project: Path, data: Run, checks) -> None:
    """Nor a stream that is stale, nor a password that expired since: until the clock has caught up, or for years."""
    put(
        project,
        add_run("r9", "ok", NOW + 8000 * HOUR),
        add_run("r1", "ok", NOW - 9 * HOUR),
        add_run("r2", "refused", NOW - HOUR),
    )
    found, _ = checks()
    assert "the last good sync is PT9H" in found["freshness"][0]
    assert "did not let" in found["last runs"][0]
    (line,) = [line for line in data("status").lines if line["stream"] == "reports"]
    assert (line["outcome"], line["breached"]) == ("refused", True)


def test_indices_that_a_killed_filling_left_off_are_a_hint(project: Path, checks) -> None:
    put(project, "DROP INDEX incident_by_id")
    found, code = checks()
    assert code == 0
    assert "do without incident_by_id" in found["indices"][0]


def test_open_secrets_are_misconfigured(project: Path, checks) -> None:
    folder = project.parent / "secrets"
    folder.mkdir()
    (folder / "forgotten.key").write_text("s3cret")
    os.chmod(folder / "forgotten.key", 0o644)
    found, code = checks()
    assert code == 2
    assert "forgotten.key holds a secret" in found["secrets"][0]
    os.chmod(folder / "forgotten.key", 0o600)
    os.chmod(project, 0o666)
    assert checks()[1] == 2


@pytest.mark.parametrize(("days", "code", "said"), [(-1, 6, "has ended on"), (10, 0, "ends on"), (90, 0, "")])
def test_certificates_that_end(project: Path, checks, days: int, code: int, said: str) -> None:
    key, end = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + timedelta(days=days)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(end - timedelta(days=365)).not_valid_after(end).sign(key, SHA256())
    )  # fmt: skip
    (project.parent / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    text = project.read_text("utf-8").replace("[sources.snapshot]", '[sources.snapshot]\nca_bundle = "ca.pem"')
    project.write_text(text, "utf-8")
    found, ended = checks()
    assert ended == code
    assert bool(said) == ("certificates" in found)
    assert said in " ".join(found.get("certificates", []))


def test_a_full_disk(project: Path, checks, monkeypatch: pytest.MonkeyPatch) -> None:
    from hub.sync import doctor

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(total=10**12, free=10**6))
    found, code = checks()
    assert code == 6
    assert "only 0 MiB" in found["disk"][0]


def test_another_key_is_misconfigured_and_alarms_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(project, add_run("r1", "ok", NOW - 30 * HOUR))
    answer = call("--config", str(project), "doctor", "--alarm")
    assert answer.code == 6
    store = open_store(load(project))
    with store.read() as transaction:
        assert isinstance(transaction, Transaction)
        assert transaction.one("SELECT count(*) FROM alarm WHERE cleared_at IS NULL")[0] == 1
    store.close()
    monkeypatch.setenv("HUB_STORE__KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    assert call("--config", str(project), "doctor").code == 2
