"""hub.toml → settings: discovery, secrets, overrides, and what is said when something is wrong."""

import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr
from sqlalchemy.engine import make_url

from hub.config import (
    Environment,
    RedactingFormatter,
    Redactor,
    Schedule,
    Settings,
    Start,
    discover,
    duration,
    load,
    redactor,
)
from hub.config.values import duration_text
from hub.errors import ConfigError

NO_VARIABLES = Environment({})


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user: str
    password: SecretStr


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    address: str
    login: Login | None = None
    app_key: SecretStr = SecretStr("")


def read(folder: Path, text: str, **variables: str) -> Settings:
    (folder / "hub.toml").write_text(text, "utf-8")
    return load(folder / "hub.toml", environment=Environment(variables))


def wrong(folder: Path, text: str, **variables: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **variables)
    return str(caught.value)


def wrong_options(settings: Settings, name: str = "a") -> str:
    with pytest.raises(ConfigError) as caught:
        settings.sources[name].connector_config(Options)
    return str(caught.value)


# --- where hub.toml is -----------------------------------------------------------------------------------------------


def test_the_nearest_file_upward_is_used(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").touch()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert discover(None, NO_VARIABLES, inner) == tmp_path / "hub.toml"


def test_option_wins_over_variable_wins_over_folder(tmp_path: Path) -> None:
    for name in ("option", "variable", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hub.toml").touch()
    environment = Environment({"HUB_CONFIG": str(tmp_path / "variable" / "hub.toml")})
    assert discover(tmp_path / "option", environment, tmp_path / "folder").parent.name == "option"
    assert discover(None, environment, tmp_path / "folder").parent.name == "variable"
    assert discover(None, NO_VARIABLES, tmp_path / "folder").parent.name == "folder"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run `hub init`"):
        discover(None, NO_VARIABLES, tmp_path)
    with pytest.raises(ConfigError, match="there is no file"):
        discover(tmp_path / "nowhere.toml", NO_VARIABLES)


# --- sections --------------------------------------------------------------------------------------------------------


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert settings.store.url == f"sqlite:///{tmp_path}/hub.db"
    assert settings.defaults.zone == "Asia/Shanghai"
    assert settings.engine.kind == "inprocess"
    assert settings.sources == {}


def test_a_source_inherits_from_defaults_and_keeps_its_own(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[defaults]\nrate = 2\nfreshness = "PT10M"\n[sources.a]\nconnector = "x"\nrate = 7\naddress = "http://a"\n',
    )
    source = settings.sources["a"]
    assert (source.rate, source.freshness, source.enabled) == (7, timedelta(minutes=10), True)
    assert source.options == {"address": "http://a"}
    assert (source.name, source.connector_config(Options).address) == ("a", "http://a")


def test_relative_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    settings = read(
        tmp_path, '[store]\nurl = "sqlite:///data/x.db"\n[sources.a]\nconnector = "x"\nclient_cert = "c.pem"\n'
    )
    assert settings.store.url == f"sqlite:///{tmp_path}/data/x.db"
    assert settings.sources["a"].client_cert == tmp_path / "c.pem"


def test_a_missing_certificate_is_misconfigured(tmp_path: Path) -> None:
    settings = read(tmp_path, '[sources.a]\nconnector = "x"\nca_bundle = "none.pem"\n')
    with pytest.raises(ConfigError, match="certificate of source a cannot be read"):
        settings.sources["a"].http()


def test_network_settings_ignore_the_proxies_of_the_environment(tmp_path: Path) -> None:
    http = read(tmp_path, '[sources.a]\nconnector = "x"\nproxy = "http://p:3128"\n').sources["a"].http()
    assert (http["proxy"], http["trust_env"]) == ("http://p:3128", False)


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_an_unknown_key_names_file_line_and_nearest(tmp_path: Path) -> None:
    assert wrong(tmp_path, "[defaults]\nrate = 1\nzoen = 'UTC'\n") == (
        "hub.toml:3: defaults.zoen is not a setting; did you mean zone?"
    )


def test_a_misspelt_section_has_its_line(tmp_path: Path) -> None:
    assert (
        wrong(tmp_path, "\n[sorces.a]\nconnector = 'x'\n")
        == "hub.toml:2: sorces is not a setting; did you mean sources?"
    )


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    assert "did you mean sources?" in wrong(tmp_path, "[source.a]\nconnector = 'x'\n")


def test_an_unknown_key_without_a_near_one_lists_what_is_known(tmp_path: Path) -> None:
    assert "known here: allow, deadline" in wrong(tmp_path, "[plugins]\nqqqq = 1\n")


def test_broken_toml_is_one_line(tmp_path: Path) -> None:
    message = wrong(tmp_path, "[store\n")
    assert "is not TOML" in message
    assert "\n" not in message


def test_a_faulty_source_stops_only_itself(tmp_path: Path) -> None:
    settings = read(
        tmp_path, '[sources.good]\nconnector = "x"\n[sources.bad]\nconnector = "x"\nschedule = "61 * * * *"\n'
    )
    assert list(settings.sources) == ["good"]
    assert "hub.toml:5: sources.bad.schedule is no schedule" in str(settings.problems["bad"].error)


def test_every_fault_of_a_source_is_kept(tmp_path: Path) -> None:
    problem = read(tmp_path, '[sources.a]\nstart = "soon"\nrate = 0\n').problems["a"]
    keys = [error.values["key"] for error in problem.errors]
    assert keys == ["sources.a.start", "sources.a.rate", "sources.a.connector"]


def test_a_source_name_is_a_plain_word(tmp_path: Path) -> None:
    assert list(read(tmp_path, '[sources."Hot-Line"]\nconnector = "x"\n').problems) == ["Hot-Line"]


def test_connector_settings_are_checked_with_the_same_words(tmp_path: Path) -> None:
    settings = read(tmp_path, '[sources.a]\nconnector = "x"\naddress = "http://a"\nscedule = "5m"\n')
    assert wrong_options(settings) == "a: hub.toml:4: sources.a.scedule is not a setting; did you mean schedule?"


def test_a_nested_unknown_key_is_suggested_from_its_own_table(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[sources.a]\nconnector = "x"\naddress = "h"\n'
        '[sources.a.login]\nuser = "u"\npasswort = "${env:P}"\npassword = "${env:P}"\n',
        P="pass-word",
    )
    assert "did you mean password?" in wrong_options(settings)


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_secrets_come_from_variables_and_files(tmp_path: Path) -> None:
    secret = tmp_path / "app.key"
    secret.write_text("from-file\n")
    secret.chmod(0o600)
    settings = read(
        tmp_path,
        '[sources.a]\nconnector = "x"\naddress = "h"\napp_key = "${file:app.key}"\n'
        '[sources.b]\nconnector = "x"\naddress = "h"\napp_key = "${env:APP}"\n',
        APP="from-env",
    )
    keys = [source.connector_config(Options).app_key.get_secret_value() for source in settings.sources.values()]
    assert keys == ["from-file", "from-env"]


def test_a_literal_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    message = wrong_options(read(tmp_path, '[sources.a]\nconnector = "x"\naddress = "h"\napp_key = "hunter2"\n'))
    assert "hub.toml:4: sources.a.app_key is a secret" in message
    assert "${env:NAME}" in message
    assert "hunter2" not in message


def test_a_nested_literal_secret_is_refused(tmp_path: Path) -> None:
    text = '[sources.a]\nconnector = "x"\naddress = "h"\n[sources.a.login]\nuser = "u"\npassword = "hunter2"\n'
    assert "hub.toml:6: sources.a.login.password is a secret" in wrong_options(read(tmp_path, text))


def test_a_password_inside_an_address_is_a_literal_secret(tmp_path: Path) -> None:
    assert "store.url is a secret" in wrong(tmp_path, '[store]\nurl = "postgresql://u:hunter2@h/db"\n')
    url = read(tmp_path, '[store]\nurl = "postgresql://u:${env:P}@h/db"\n', P="hunter2").store.url
    assert url == "postgresql://u:hunter2@h/db"


@pytest.mark.parametrize("written", ["p@s/s#1?x:y%z", "p%40s%2Fs%231%3Fx%3Ay%z"], ids=["plain", "encoded"])
def test_a_password_of_any_characters_ends_where_it_should_in_an_address(tmp_path: Path, written: str) -> None:
    settings = read(tmp_path, '[store]\nurl = "postgresql://u:${env:P}@h:5/db"\n', P=written)
    url = make_url(settings.store.url)
    assert (url.username, url.password, url.host, url.database) == ("u", "p@s/s#1?x:y%z", "h", "db")
    assert "p%40s" not in redactor.text(settings.store.url)


def test_a_reference_that_is_no_password_stays_as_it_is(tmp_path: Path) -> None:
    whole = "postgresql://u:p%40@h/db?options=-c%20x"
    assert read(tmp_path, '[store]\nurl = "${env:U}"\n', U=whole).store.url == whole
    query = read(tmp_path, '[store]\nurl = "postgresql://h/db?${env:Q}@"\n', Q="a=b&c=/d").store.url
    assert query == "postgresql://h/db?a=b&c=/d@"


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX")
def test_a_secret_file_that_others_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    secret = tmp_path / "store.key"
    secret.write_text("x")
    secret.chmod(0o640)
    assert wrong(tmp_path, '[store]\nkey = "${file:store.key}"\n').endswith(f"chmod 600 {secret}")


def test_a_missing_secret_of_a_source_stops_only_that_source(tmp_path: Path) -> None:
    settings = read(tmp_path, '[sources.a]\nconnector = "x"\napp_key = "${env:NONE}"\n[sources.b]\nconnector = "x"\n')
    assert list(settings.sources) == ["b"]
    assert "environment variable NONE, which is not set" in str(settings.problems["a"].error)


def test_a_missing_setting_names_the_near_key_that_stands_there(tmp_path: Path) -> None:
    settings = read(tmp_path, '[sources.a]\nrate = 1\nconector = "x"\n[sources.b]\nconnector = "x"\nadress = "y"\n')
    said = str(settings.problems["a"].error)
    assert said == "hub.toml:3: sources.a.connector is missing; conector stands there: did you mean connector?"
    assert wrong_options(settings, "b").endswith("address is missing; adress stands there: did you mean address?")


@pytest.mark.parametrize(
    ("key", "message"),
    [(None, "key is missing"), ("c2hvcnQ=", "not 32 bytes"), ("%%%", "not 32 bytes")],
    ids=["none", "short", "no base64"],
)
def test_a_store_key_must_be_32_bytes(tmp_path: Path, key: str | None, message: str) -> None:
    text = '[store]\nkey = "${env:K}"\n' if key else ""
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text, **({"K": key} if key else {})).store.secret_key()


# --- the environment -------------------------------------------------------------------------------------------------


def test_variables_override_the_file_and_are_named_as_origin(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[defaults]\nrate = 2\n[sources.a]\nconnector = "x"\naddress = "h"\n',
        HUB_SOURCES__A__RATE="9",
        HUB_SOURCES__A__APP_KEY="secret-of-a",
        HUB_STORE__URL="sqlite:///other.db",
    )
    assert settings.sources["a"].rate == 9
    assert settings.sources["a"].connector_config(Options).app_key.get_secret_value() == "secret-of-a"
    assert settings.store.url.endswith("/other.db")
    assert settings.origin("sources", "a", "rate") == "HUB_SOURCES__A__RATE"
    assert settings.origin("sources", "a", "connector") == "hub.toml:4"
    assert settings.origin("defaults", "rate") == "hub.toml:2"
    assert settings.origin("defaults", "zone") == "default"


def test_a_misspelt_variable_is_an_error(tmp_path: Path) -> None:
    assert wrong(tmp_path, "", HUB_STORE__ULR="x") == "HUB_STORE__ULR: store.ulr is not a setting; did you mean url?"


def test_a_variable_may_hold_a_list_or_a_boolean(tmp_path: Path) -> None:
    settings = read(
        tmp_path, '[sources.a]\nconnector = "x"\n', HUB_PLUGINS__ALLOW='["one"]', HUB_SOURCES__A__ENABLED="false"
    )
    assert settings.plugins.allow == ["one"]
    assert settings.sources["a"].enabled is False


@pytest.mark.parametrize(
    ("variables", "language"),
    [({"HUB_LANG": "zh"}, "zh"), ({"LANG": "zh_CN.UTF-8"}, "zh"), ({"HUB_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en")],
    ids=["own", "locale", "own first"],
)
def test_the_language_comes_from_the_environment(variables: dict[str, str], language: str) -> None:
    assert Environment(variables).language == language


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("PT5M", timedelta(minutes=5)),
        ("P90D", timedelta(days=90)),
        ("P1DT12H", timedelta(hours=36)),
        ("P2W", timedelta(days=14)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected
    assert duration(duration_text(expected)) == expected


@pytest.mark.parametrize("text", ["", "5", "P", "PT", "P1M", "P1Y", "5 minutes", "-5m"])
def test_lengths_that_vary_or_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(text)


def test_a_schedule_is_a_cron_line_or_an_interval() -> None:
    assert Schedule.parse("0 6 * * 7").cron == "0 6 * * 7"
    assert Schedule.parse("PT5M").every == timedelta(minutes=5)


def test_a_start_is_an_instant_in_utc() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    assert Start.parse("2026-01-01").instant(now, "Asia/Shanghai") == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert Start.parse("P1D").instant(now, "Asia/Shanghai") == datetime(2026, 10, 31, tzinfo=UTC)
    assert Start.parse("2026-01-01T00:00:00+08:00").instant(now, "UTC") == datetime(2025, 12, 31, 16, tzinfo=UTC)


def test_a_start_without_offset_is_refused(tmp_path: Path) -> None:
    settings = read(tmp_path, '[sources.a]\nconnector = "x"\nstart = 2026-01-01T00:00:00\n')
    assert "an instant with offset" in str(settings.problems["a"].error)


# --- redaction -------------------------------------------------------------------------------------------------------


def test_secrets_are_redacted_by_value_longest_first() -> None:
    secrets = Redactor()
    secrets.add(["pass", "password/1"])
    assert secrets.text("pass, password/1, password%2F1") == "***, ***, ***"


def test_values_shorter_than_four_are_not_looked_for() -> None:
    """The limit: a three-letter secret stays readable. Longer ones never do."""
    secrets = Redactor()
    secrets.add(["abc"])
    assert secrets.text("abc") == "abc"


def test_of_the_tokens_of_an_account_the_newest_are_known_and_settings_always() -> None:
    """A process that runs for months is handed thousands."""
    secrets = Redactor()
    secrets.add(["from-settings"])
    secrets.add_token("other account", ["other-token"])
    for number in range(1000):
        secrets.add_token("account", [f"request-{number}", f"refresh-{number}"])
        secrets.add_token("account", [f"request-{number}", f"refresh-{number}"])
    assert secrets.text("from-settings other-token request-999 refresh-997") == "*** *** *** ***"
    assert secrets.text("request-995") == "request-995"


def test_log_lines_and_tracebacks_are_redacted() -> None:
    secrets = Redactor()
    secrets.add(["hunter2"])
    formatter = RedactingFormatter(logging.Formatter("%(message)s"), secrets)
    try:
        raise ValueError("refused hunter2")
    except ValueError:
        record = logging.LogRecord("hub", logging.ERROR, "", 0, "with %s", ("hunter2",), sys.exc_info())
    assert "hunter2" not in formatter.format(record)


def test_settings_never_show_a_secret(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[store]\nurl = "postgresql://u:${env:P}@h/db"\nkey = "${env:P}"\n'
        '[sources.a]\nconnector = "x"\napp_key = "${env:P}"\nproxy = "http://u:${env:P}@p:1"\n',
        P="hunter2",
    )
    assert "hunter2" not in repr(settings)


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_DEFAULTS__WORKERS", "2")
    (tmp_path / "hub.toml").touch()
    assert load(tmp_path / "hub.toml").defaults.workers == 2
