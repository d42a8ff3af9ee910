"""What holds for every command: options, languages, errors, exit codes, redaction, start-up."""

import logging
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import click
import pytest
from answers import Run

import cli
import hub.errors
import hub.plugins
from hub.config import redactor
from hub.errors import EXIT_CODES, HubError

LEAVES = {name: getattr(hub.errors, name) for name in hub.errors.__all__ if name.endswith("Error")}


@pytest.fixture
def boom(monkeypatch: pytest.MonkeyPatch) -> type[HubError]:
    """A command `boom NAME` that raises that error of the tree."""

    @click.command("boom")
    @click.argument("name")
    def command(name: str) -> None:
        raise LEAVES[name]("the {thing} is bad", remedy="mend it", thing="wheel", source="s", stream="t")

    monkeypatch.setitem(cli.hub.commands, "boom", command)  # type: ignore[attr-defined]
    return HubError


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEAVES)
def test_an_error_is_one_line_and_its_outcomes_exit_code(run: Run, boom: object, name: str) -> None:
    answer = run("boom", name)
    assert answer.err == "hub: s/t: the wheel is bad; mend it\n"
    assert answer.out == ""
    assert answer.code == EXIT_CODES[LEAVES[name].outcome]


def test_in_json_an_error_is_also_an_object_on_stdout(run: Run, boom: object) -> None:
    answer = run("--output", "json", "boom", "RefusedError")
    assert answer.line == {"error": {"outcome": "refused", "exit_code": 4, "message": "s/t: the wheel is bad; mend it"}}
    assert answer.err.count("\n") == 1


def test_secrets_are_taken_out_of_errors(run: Run, boom: object) -> None:
    redactor.add(["wheel"])
    answer = run("--output", "json", "boom", "FailedError")
    assert "wheel" not in answer.out + answer.err


def test_a_defect_shows_its_traceback_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    redactor.add(["very-secret-token"])
    error = ValueError("very-secret-token")
    cli._bug(ValueError, error, None)
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert "very-secret-token" not in shown


@pytest.mark.parametrize(
    ("words", "english", "chinese"),
    [
        (("nonsense",), "there is no command nonsense", "没有命令 nonsense"),
        (("sync", "--nonsense"), "there is no option --nonsense", "没有选项 --nonsense"),
        (("incidents", "show"), "'ID' is missing", "缺少 'ID'"),
        (("sync", "--limit", "0"), "'--limit' cannot be used", "'--limit' 不能使用"),
        (("incidents", "list", "--since", "soon"), "'--since' cannot be used", "'--since' 不能使用"),
        (("upgrade", "too", "much"), "cannot be understood", "无法理解"),
    ],
    ids=["command", "option", "missing", "range", "moment", "too many"],
)
def test_a_wrong_command_line_is_exit_2_in_both_languages(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], english: str, chinese: str
) -> None:
    answer = run(*words)
    assert (answer.code, answer.out) == (2, "")
    assert english in answer.err
    monkeypatch.setenv("HUB_LANG", "zh")
    assert chinese in run(*words).err


def test_without_a_hub_toml_the_remedy_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run("sync")
    assert answer.code == 2
    assert "run `hub init`" in answer.err


# --- options, languages, help ----------------------------------------------------------------------------------------


def test_shared_options_stand_before_or_after_the_command(run: Run, project: Path) -> None:
    for words in (
        ("--config", str(project), "--output", "json", "runs", "list"),
        ("runs", "--config", str(project), "list", "--output", "json"),
        ("runs", "list", "--config", str(project), "--output", "json"),
    ):
        answer = run(*words)
        assert (answer.code, answer.out) == (0, "")


def test_options_have_their_twin_in_the_environment(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_CONFIG", str(project))
    monkeypatch.setenv("HUB_OUTPUT", "JSON")
    monkeypatch.setenv("HUB_LOG_LEVEL", "INFO")
    assert "before" in run("upgrade").line
    assert logging.getLogger().level == logging.INFO


@pytest.mark.parametrize("variable", ["HUB_OUTPUT", "HUB_LOG_LEVEL"])
def test_a_variable_that_says_what_its_option_does_not_take(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "loud")
    answer = run("--config", str(project), "runs", "list")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"hub: {variable} is loud; set it to one of ")


def test_every_command_has_help_in_both_languages(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (_, summary) in cli.COMMANDS.items():
        monkeypatch.setenv("HUB_LANG", "en")
        english = run(name, "--help")
        assert english.code == 0
        monkeypatch.setenv("HUB_LANG", "zh")
        chinese = run(name, "--help")
        assert english.out != chinese.out, name
        assert summary in cli.COMMANDS[name]
    assert "立即同步" in run("--help").out


def test_help_of_sync_says_what_applies_a_changed_mapping(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full refresh leaves alone what the source has not changed, which surprises whoever corrected a mapping."""
    monkeypatch.setenv("HUB_LANG", "en")
    assert "A changed mapping reaches stored records by `hub remap`" in " ".join(run("sync", "--help").out.split())
    monkeypatch.setenv("HUB_LANG", "zh")
    assert "hub remap" in run("sync", "--help").out


def test_hub_alone_prints_help(run: Run) -> None:
    assert "sync" in run("--help").out
    assert run().code == 2


def test_the_version_needs_neither_the_database_nor_http_nor_settings() -> None:
    code = (
        "import sys, cli\ntry:\n    cli.main(['--version'])\nfinally:\n"
        "    print(*[name for name in ('sqlalchemy', 'httpx', 'pydantic', 'rich', 'connectors') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    version, loaded = ended.stdout.splitlines()
    assert version.count(".") == 2
    assert loaded == ""


def test_the_log_goes_to_stderr_as_json_if_asked(project: Path) -> None:
    environment = {**os.environ, "HUB_LOG": "json", "HUB_LANG": "en"}
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "--config", str(project), "--log-level", "info", "--output", "json", "sync",
         "snapshot"],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    assert ended.stdout.count("\n") == 1
    assert '"action": "run_finished"' in ended.stderr
    assert all(line.startswith("{") for line in ended.stderr.splitlines())


# --- plugins ---------------------------------------------------------------------------------------------------------


def test_a_plugin_adds_commands_but_never_replaces_ours(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin_with_commands.py").write_text(
        "import click\nfrom hub.hookspecs import hookimpl\n@hookimpl\ndef hub_cli(group):\n"
        "    @group.command('greet')\n    def greet():\n        click.echo('hello')\n"
        "    @group.command('sync')\n    def sync():\n        click.echo('stolen')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("greeter", "plugin_with_commands", "hub.v1")
    monkeypatch.setattr(hub.plugins, "installed_plugins", lambda: [entry])
    monkeypatch.setattr(cli.hub, "commands", {})
    monkeypatch.chdir(tmp_path)
    assert run("greet").out == "hello\n"
    assert "greet" in run("--help").out
    assert "stolen" not in run("sync").out


def test_plugins_are_listed_with_their_problem(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entry = EntryPoint("lost", "no_such_module_at_all", "hub.v1")
    monkeypatch.setattr(hub.plugins, "installed_plugins", lambda: [entry])
    listed = run("plugins", "--output", "json").line
    assert (listed["name"], listed["state"]) == ("lost", "broken")
    assert "is not there" in listed["reason"]
    assert listed["remedy"]
    monkeypatch.setenv("HUB_LANG", "zh")
    assert "损坏" in run("plugins").out


@pytest.mark.parametrize("defect", ["KeyError", "SystemExit"])
def test_a_defect_of_a_connector_is_one_line_of_every_command(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: str
) -> None:
    """And of its own source only; what the exception says may be anybody's number."""
    (tmp_path / "plugin_with_a_defect.py").write_text(
        "from hub.hookspecs import hookimpl\nfrom hub.source.connector import Connector\n"
        "class Rain(Connector):\n    name, title, title_en = 'rain', '雨量', 'Rain gauges'\n"
        f"    def streams(self, config): raise {defect}('13857901234')\n    def transport(self, config, context): ...\n"
        "@hookimpl\ndef hub_connectors(): return [Rain]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "plugin_with_a_defect", raising=False)
    rain = EntryPoint("rain", "plugin_with_a_defect", "hub.v1")
    monkeypatch.setattr(hub.plugins, "installed_plugins", lambda found=hub.plugins.installed_plugins: [*found(), rain])
    assert run("init", str(tmp_path / "hub")).code == 0
    monkeypatch.chdir(tmp_path / "hub")
    (tmp_path / "hub" / "files").mkdir()
    with Path("hub.toml").open("a", encoding="utf-8") as file:
        file.write('\n[sources.rain]\nconnector = "rain"\n\n[sources.drop]\nconnector = "csv_drop"\nfolder = "files"\n')
        file.write('[[sources.drop.files]]\npattern = "*.csv"\nstream = "reports"\nmapping = "snapshot/reports"\n')
    codes = {}
    for words in ("check", "sync", "status", "validate", "preview rain", "reconcile rain", "doctor"):
        answer = run(*words.split(), "--output", "json")
        codes[words] = answer.code
        assert "13857901234" not in answer.out + answer.err
        assert f"connector rain raised {defect} at " in answer.out + answer.err, words
        assert "/plugin_with_a_defect.py:5" in answer.out + answer.err
    assert codes == {
        "check": 1, "sync": 1, "status": 0, "validate": 1, "preview rain": 1, "reconcile rain": 1, "doctor": 1
    }  # fmt: skip
    outcomes = {line["source"]: line["outcome"] for line in run("sync", "--output", "json").lines}
    assert outcomes == {"rain": "failed", "drop": "ok"}


def test_a_code_table_that_is_not_there_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("init", str(tmp_path / "hub")).code == 0
    monkeypatch.chdir(tmp_path / "hub")
    for folder in ("files", "mappings"):
        Path(folder).mkdir(exist_ok=True)
    Path("mappings/own.toml").write_text(
        'version = 1\nkind = "report"\n[fields]\ntitle = "t"\nstatus = { path = "s", codes = "nosuch" }\n'
    )
    with Path("hub.toml").open("a", encoding="utf-8") as file:
        file.write('\n[sources.drop]\nconnector = "csv_drop"\nfolder = "files"\n')
        file.write('[[sources.drop.files]]\npattern = "*.csv"\nstream = "reports"\nmapping = "own"\n')
    for words in ("codes coverage", "sync", "check"):
        answer = run(*words.split())
        assert answer.code == 2, words
        assert "unknown code table nosuch; add nosuch.csv to a codes folder" in answer.out + answer.err


def test_the_built_in_connectors_come_through_the_same_door(run: Run, tmp_path: Path) -> None:
    listed = [line for line in run("plugins", "--output", "json").lines if line["name"] == "builtin"]
    assert [(line["state"], line["distribution"]) for line in listed] == [("loaded", "supervision-hub")]
    assert "hotline_8890" in listed[0]["connectors"]


# --- at the keyboard --------------------------------------------------------------------------------------------------


def completed(project: Path, line: str, at: int) -> list[str]:
    """What a shell offers at the word `at` of a line."""
    words = {"_HUB_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(at), "HUB_CONFIG": str(project)}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['hub']; import cli; cli.main()"],
        env={**os.environ, **words}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [one.removeprefix("plain,") for one in done.stdout.split()]


def test_a_shell_completes_commands_and_the_sources_of_hub_toml(run: Run, tmp_path: Path) -> None:
    run("init", str(tmp_path))
    project = tmp_path / "hub.toml"
    with project.open("a", encoding="utf-8") as file:
        file.write('[sources.hotline]\nconnector = "hotline_8890"\n[sources.patrols]\nconnector = "road_patrol"\n')
    assert completed(project, "hub qua", 1) == ["quarantine"]
    assert completed(project, "hub sync ", 2) == ["hotline", "patrols"]
    assert completed(project, "hub runs list --source p", 4) == ["patrols"]
    project.write_text("no toml")
    assert completed(project, "hub sync ", 2) == []


@pytest.mark.parametrize(("words", "meant"), [(("sinc",), "sync"), (("quarantine", "reply"), "replay")])
def test_a_misspelt_command_is_guessed(run: Run, words: tuple[str, ...], meant: str) -> None:
    answer = run(*words)
    assert (answer.code, answer.err) == (2, f"hub: there is no command {words[-1]}; did you mean {meant}?\n")


def test_the_level_of_the_log_may_stand_behind_the_command(run: Run, tmp_path: Path) -> None:
    run("init", str(tmp_path), "--log-level", "error")
    assert logging.getLogger().level == logging.ERROR
    run("--log-level", "info", "settings", "--config", str(tmp_path / "hub.toml"))
    assert logging.getLogger().level == logging.INFO
