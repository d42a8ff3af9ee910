"""init, upgrade, settings, store: the commands that make and keep a project."""

import re
import stat
from pathlib import Path

import pytest
from answers import Run

from hub.config import load


def test_init_makes_config_key_and_store(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    answer = run("init", str(folder), "--output", "json")
    assert answer.code == 0
    assert answer.line["config"] == str(folder / "hub.toml")
    assert {path.name for path in folder.iterdir()} == {"hub.toml", "hub.db", "secrets", ".gitignore"}
    assert stat.S_IMODE((folder / "secrets" / "store.key").stat().st_mode) == 0o600
    assert "secrets/" in (folder / ".gitignore").read_text()
    assert len(load(folder / "hub.toml").store.secret_key()) == 32


def test_init_never_writes_over_a_project(run: Run, tmp_path: Path) -> None:
    run("init", str(tmp_path))
    key = (tmp_path / "secrets" / "store.key").read_text()
    answer = run("init", str(tmp_path))
    assert answer.code == 2
    assert "exists already" in answer.err
    assert (tmp_path / "secrets" / "store.key").read_text() == key


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_commented_line_of_the_example_is_a_setting(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str
) -> None:
    monkeypatch.setenv("HUB_LANG", lang)
    run("init", str(tmp_path))
    file = tmp_path / "hub.toml"
    lines = []
    for line in file.read_text("utf-8").splitlines():
        bare = line.removeprefix("# ")
        is_setting = bare.startswith("[sources") or (" = " in bare and bare.split(" = ")[0].isidentifier())
        lines.append(bare.replace("NAME", "x") if line.startswith("# ") and is_setting else line)
    text = "\n".join(line for line in lines if not line.startswith("ca_bundle"))
    file.write_text(text, "utf-8")
    for named in re.findall(r"\$\{file:([^}]+)\}", text):
        secret = tmp_path / named
        if not secret.exists():
            secret.write_text("https://alarms.example/hook", "utf-8")
            secret.chmod(0o600)
    settings = load(file)
    assert list(settings.sources) == ["x"], settings.problems
    assert settings.sources["x"].options == {}


def test_upgrade_twice_changes_nothing(data: Run) -> None:
    answer = data("upgrade").line
    assert answer["before"] == answer["after"]


def test_a_store_without_schema_says_upgrade(run: Run, tmp_path: Path) -> None:
    run("init", str(tmp_path))
    (tmp_path / "hub.db").unlink()
    answer = run("--config", str(tmp_path), "runs", "list")
    assert answer.code == 2
    assert "hub upgrade" in answer.err


@pytest.mark.parametrize("rotated", [False, True])
def test_files_that_an_editor_saved_with_a_byte_order_mark_are_read(run: Run, tmp_path: Path, rotated: bool) -> None:
    """Notepad writes one before the text: of hub.toml, of a key or password."""
    run("init", str(tmp_path))
    for file in (tmp_path / "hub.toml", tmp_path / "secrets" / "store.key"):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    config = ("--config", str(tmp_path))
    assert not rotated or run(*config, "key", "rotate", "--reason", "x").code == 0
    assert run(*config, "validate").code == 0
    assert run(*config, "sync").code == 0


def test_another_key_is_exit_2(run: Run, tmp_path: Path) -> None:
    run("init", str(tmp_path))
    key = tmp_path / "secrets" / "store.key"
    key.write_text("A" * 43 + "=")
    answer = run("--config", str(tmp_path), "sync")
    assert answer.code == 2
    assert "another key" in answer.err


def test_settings_show_where_each_comes_from(data: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_DEFAULTS__WORKERS", "3")
    shown = {line["key"]: line for line in data("settings").lines}
    assert (shown["defaults.workers"]["value"], shown["defaults.workers"]["origin"]) == ("3", "HUB_DEFAULTS__WORKERS")
    assert shown["store.url"]["origin"].startswith("hub.toml:")
    assert shown["defaults.zone"]["origin"] == "default"
    assert shown["store.key"]["value"] == "**********"


TAP = """
[sources.tap]
connector = "singer"
proxy = "http://someone@proxy.example:3128"
command = ["taps/tap", "--at", "https://me@example.org/path?token=abcdef"]
tap_config = { maybe = "a-key" }
tap_secrets = { key = "${env:TAP_KEY}" }
streams = [{ name = "reports", tap = "${env:TAP_KEY}", mapping = "m", native_id = ["id"] }]
[sources.bad]
connector = "singer"
command = "shown by nobody"
"""


def test_settings_show_what_a_connector_is_given_but_nothing_secret(
    data: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_KEY", "abc")
    project.write_text(project.read_text("utf-8") + TAP, "utf-8")
    shown = {line["key"]: line["value"] for line in data("settings").lines}
    assert shown["sources.snapshot.base_url"].startswith("http://127.0.0.1:")
    assert shown["sources.snapshot.secret_key"] == "…"
    assert shown["sources.tap.proxy"] == "http://…@proxy.example:3128"
    assert shown["sources.tap.command"] == '["taps/tap", "--at", "https://…@example.org/path?…"]'
    assert (shown["sources.tap.tap_config"], shown["sources.tap.tap_secrets"]) == ("…", '{"key": "…"}')
    assert shown["sources.tap.streams"] == '[{"name": "reports", "tap": "…", "mapping": "m", "native_id": ["id"]}]'
    assert shown["sources.bad.command"] == "…"
    assert shown["retention.schedule"] == "20 3 * * *"


def test_settings_show_what_a_variable_says_but_nothing_secret(
    data: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_KEY", "abc")
    said = {
        "SNAPSHOT__BASE_URL": "https://me:mine@example.org/a?key=abcdef", "SNAPSHOT__SECRET_KEY": "12345678",
        "TAP__COMMAND": '["other"]', "TAP__TAP_CONFIG__MAYBE": "b-key", "TAP__TAP_SECRETS__KEY": "c-key",
        "BAD__COMMAND": "shown by nobody", "SNAPSHOT__PAGE_SIZE": "50", "SNAPSHOT__ACCESS_KEY": "${env:TAP_KEY}",
    }  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(f"HUB_SOURCES__{name}", value)
    project.write_text(project.read_text("utf-8") + TAP, "utf-8")
    answer = data("settings")
    shown = {line["key"].removeprefix("sources."): line for line in answer.lines}
    told = {name: shown[name.lower().replace("__", ".", 1)]["value"] for name in said if name.count("__") == 1}
    assert told == {
        "SNAPSHOT__BASE_URL": "https://…@example.org/a?…", "SNAPSHOT__SECRET_KEY": "…", "TAP__COMMAND": '["other"]',
        "BAD__COMMAND": "…", "SNAPSHOT__ACCESS_KEY": "…", "SNAPSHOT__PAGE_SIZE": "50",
    }  # fmt: skip
    assert (shown["tap.tap_config"]["value"], shown["tap.tap_secrets"]["value"]) == ("…", '{"key": "…"}')
    assert shown["snapshot.base_url"]["origin"] == "HUB_SOURCES__SNAPSHOT__BASE_URL"
    assert not any(secret in answer.out for secret in ("mine", "abcdef", "12345678", "b-key", "c-key", "shown by"))


def test_backup_and_restore_give_the_same_store(data: Run, run: Run, project: Path, tmp_path: Path) -> None:
    assert data("sync").code == 0
    before = [line["id"] for line in data("incidents", "list", "--limit", "1000").lines]
    file = tmp_path / "copy.db"
    saved = data("store", "backup", str(file)).line
    assert saved["incidents"] == len(before) > 10
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert data("store", "backup", str(file)).code == 2
    assert "not empty" in data("store", "restore", str(file)).err

    text = project.read_text("utf-8").replace("hub.db", "other.db")
    other = tmp_path / "other.toml"
    other.write_text(text, "utf-8")
    assert run("--config", str(other), "store", "restore", str(file)).code == 0
    listed = run("--config", str(other), "--output", "json", "incidents", "list", "--limit", "1000").lines
    assert [line["id"] for line in listed] == before
    again = run("--config", str(other), "--output", "json", "sync", "snapshot").line
    assert (again["outcome"], again["new"]) == ("ok", 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("store", "backup", "/proc/hub-backup.db"),
        ("codes", "unmapped", "--csv", "{file}/codes.csv"),
        ("new", "connector", "lamps", "--in", "{file}"),
        ("init", "{file}/project"),
    ],
    ids=["a backup", "a list of codes", "a package", "a project"],
)
def test_a_place_that_cannot_be_written_is_one_line(data: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    answer = data(*(word.format(file=file) for word in arguments))
    assert answer.code == 2
    assert re.search(
        r"(proc|file)/.* cannot be written: (No such file or|Not a) directory; check the folder", answer.err
    )
