"""Planted secrets and planted citizens, searched for by value in everything the hub says and keeps."""

import getpass
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from answers import call

import cli
from hub.config import SourceSettings, load
from hub.errors import ConfigError
from hub.store import open_store
from hub.testing.sandbox import Sandbox

SYSTEMS = ("grassroots_governance", "snapshot", "hotline_8890", "internet_supervision")
READING = (
    ("status",), ("runs", "list"), ("incidents", "list", "--limit", "500"), ("changes", "--limit", "500"),
    ("quarantine", "list"), ("codes", "unmapped"), ("deletions", "list"), ("state", "list"), ("settings",), ("audit", "list"),
    ("plugins",), ("workers",), ("doctor",), ("check",), ("preview", "hotline_8890"), ("metrics",),
)  # fmt: skip


class World:
    def __init__(self, city: Sandbox, config: Path, said: str, database: Path) -> None:
        self.city, self.config, self.said, self.database = city, config, said, database
        self.secrets = {Path(file).read_text("utf-8").strip() for file in (city.directory / "secrets").iterdir()}
        population = city.city.population
        people = [one for one in vars(population).values() if isinstance(one, list | tuple)]
        flat = [person for group in people for person in group if hasattr(person, "id_number")]
        #: Numbers are nobody else's; names of the sandbox count, but short ones may stand in ordinary words.
        self.citizens = {value for one in flat for value in (one.phone, one.id_number) if value}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A city synced through the command line with the most talkative log; everything that was said is kept."""
    folder = tmp_path_factory.mktemp("secret")
    former = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("HUB_")}
    with Sandbox(seed=11, scale=120, directory=folder / "city", systems=SYSTEMS) as city:
        for system in SYSTEMS:
            city.fault(system, "absurd")
        config = city.config_path
        words = ("--config", str(config), "--log-level", "debug")
        out = [call(*words, "upgrade")]
        city.fault("hotline_8890", "http_500")
        out.append(call(*words, "sync"))
        for output in ("table", "json"):
            # `call` takes it from the environment, as the process would.
            os.environ["HUB_LOG"] = "json" if output == "json" else ""
            out += [call(*words, "--output", output, *one) for one in READING]
            numbers = [
                line["id"] for line in call(*words, "--output", "json", "quarantine", "list").lines if line["id"]
            ]
            out += [call(*words, "--output", output, "quarantine", "show", str(number)) for number in numbers[:20]]
        del os.environ["HUB_LOG"]
        everything = "".join(one.out + one.err for one in out)
        yield World(city, config, everything, city.directory / "hub.db")
    os.environ.update(former)


def leaks(values: set[str], text: str) -> list[str]:
    return sorted(value for value in values if value in text)


def test_there_is_something_to_find(world: World) -> None:
    assert len(world.secrets) >= len(SYSTEMS)
    assert len(world.citizens) > 20
    assert len(world.said) > 20_000


def test_no_secret_is_said(world: World) -> None:
    assert not leaks(world.secrets, world.said)


def test_no_citizen_is_said(world: World) -> None:
    assert not leaks(world.citizens, world.said)


def test_tokens_that_sources_handed_out_are_not_said_nor_kept_in_clear(world: World) -> None:
    store = open_store(load(world.config))
    with store.read() as transaction:
        bodies = [row[0] for row in transaction.all("SELECT body FROM token")]
        tokens = {
            value
            for body in bodies
            for value in store.keyring.open(bytes(body), "token", dict[str, str]).values()
            if len(value) > 8 and not value.isdigit()
        }
    store.close()
    assert not leaks(tokens, world.said)
    assert not leaks(tokens, _file(world.database))


@pytest.mark.parametrize("form", ["", "json"], ids=["plain", "json"])
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_no_level_of_the_log_says_either(world: World, level: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that says it failed, one that breaks off, one with a login page, one with nonsense."""
    monkeypatch.setenv("HUB_LOG", form)
    monkeypatch.setenv("HUB_DEFAULTS__RETRIES", "0")
    for system, fault in zip(SYSTEMS, ("error_envelope", "truncated", "login_page", "absurd"), strict=True):
        world.city.fault(system, fault, **({} if fault == "absurd" else {"times": 1000}))
    words = ("--config", str(world.config), "--log-level", level)
    try:
        answers = [call(*words, *asked) for asked in (("sync",), ("check",), ("metrics",))]
    finally:
        world.city.clear()
    assert answers[0].code not in (0, 3)
    assert answers[0].err.count("\n") > {"debug": 10, "info": 3}.get(level, -1)
    assert not leaks(world.secrets | world.citizens, "".join(one.out + one.err for one in answers))


def test_neither_stands_in_the_database_file(world: World) -> None:
    text = _file(world.database)
    assert not leaks(world.secrets, text)
    assert not leaks(world.citizens, text)
    with sqlite3.connect(world.database) as database:
        assert database.execute("SELECT count(*) FROM raw_page").fetchone()[0] > 0


def _file(database: Path) -> str:
    files = [database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))]
    return "".join(file.read_bytes().decode("utf-8", "replace") for file in files if file.exists())


def test_a_crash_shows_no_secret(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load(world.config)
    secret = max(world.secrets, key=len)
    try:
        raise ZeroDivisionError(f"in the middle of {secret} and {secret!r}\x1b[2J")
    except ZeroDivisionError as error:
        cli._bug(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert secret not in said
    assert "\x1b" not in said


def test_unmasking_is_noted_and_refused_without_a_reason(world: World) -> None:
    words = ("--config", str(world.config), "--output", "json")
    assert call(*words, "preview", "hotline_8890", "--unmask").code == 2
    assert call(*words, "preview", "hotline_8890", "--unmask", "--reason", "a test of the law").code == 0
    entry = call(*words, "audit", "list", "--limit", "1").line
    assert (entry["actor"], entry["reason"]) == (getpass.getuser(), "a test of the law")


def test_the_audit_names_the_first_altered_entry(world: World) -> None:
    words = ("--config", str(world.config))
    for number in range(3):
        call(*words, "person", "find", "--text", "nobody of this name", "--reason", f"look {number}")
    assert call(*words, "audit", "verify").code == 0
    with sqlite3.connect(world.database) as database:
        database.execute("UPDATE audit SET reason = 'nothing' WHERE number = 2")
    answer = call(*words, "audit", "verify")
    assert answer.code == 6
    assert "from entry 2 on" in answer.err


def test_erasing_and_rotating_through_the_command_line(world: World) -> None:
    words = ("--config", str(world.config), "--output", "json")
    found = ""
    for phone in sorted(world.citizens):
        if call(*words, "person", "find", "--text", phone, "--reason", "asked by the person").lines:
            found = phone
            break
    assert found
    key = world.city.directory / "secrets" / "store.key"
    before = key.read_bytes() if key.exists() else b""
    assert call(*words, "person", "erase", "--text", found, "--reason", "asked by the person").line["records"] > 0
    if before:
        assert call(*words, "key", "rotate", "--reason", "once a year").code == 0
        assert key.read_bytes() != before
        assert key.stat().st_mode & 0o077 == 0
    assert call(*words, "sync", "--full-refresh").code in (0, 3)
    assert call(*words, "person", "find", "--text", found, "--reason", "is it gone").lines == []


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644])
def test_open_secrets_are_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "password").write_text("s3cret-pass")
    (tmp_path / "password").chmod(mode)
    (tmp_path / "hub.toml").write_text('[store]\nkey = "${file:password}"\n')
    with pytest.raises(ConfigError, match="others can read"):
        load(tmp_path / "hub.toml")


def test_an_open_private_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text("-----BEGIN PRIVATE KEY-----")
    (tmp_path / "client.pem").chmod(0o644)
    settings = SourceSettings(connector="x", client_cert=tmp_path / "client.pem")
    with pytest.raises(ConfigError, match="others can read"):
        settings.http()
