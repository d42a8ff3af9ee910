"""A broken plugin per way of breaking: it is listed with reason and remedy, and the others load."""

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.config import PluginSettings
from hub.errors import PluginError
from hub.plugins import ListedPlugin, Plugins, PluginState, load_plugins

HEAD = """
import time
from hub.hookspecs import hookimpl
from hub.source.connector import Connector
"""
GOOD = """
class Rain(Connector):
    name, title, title_en = "rain", "雨量", "Rain gauges"

    def streams(self, config): return ()
    def transport(self, config, context): ...

@hookimpl
def hub_connectors():
    return [Rain]
"""
OTHER = GOOD.replace("rain", "snow").replace("Rain", "Snow")

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one plugin module on the path, as pip would."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def put(name: str, code: str | None, *, group: str = "hub.v1", distribution: str = "") -> None:
        distribution = distribution or f"hub-connector-{name}"
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        module = f"plugin_{distribution.replace('-', '_')}"
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
        if code is not None:
            (tmp_path / f"{module}.py").write_text(HEAD + textwrap.dedent(code))

    yield put
    for module in set(sys.modules) - before:
        if module.startswith("plugin_"):
            del sys.modules[module]


def load(**settings: object) -> Plugins:
    return load_plugins(PluginSettings.model_validate(settings))


def line(plugins: Plugins, name: str) -> ListedPlugin:
    return next(line for line in plugins.listed if line.name == name)


def test_a_plugin_brings_connectors_mappings_and_transforms(install: Install, tmp_path: Path) -> None:
    install(
        "rain",
        GOOD
        + f"""
@hookimpl
def hub_mappings():
    return [{str(tmp_path)!r}]

@hookimpl
def hub_transforms():
    return {{"double": lambda value: value * 2}}
""",
    )
    plugins = load()
    assert plugins.connector("rain").title == "雨量"
    assert tmp_path in plugins.mapping_folders
    assert plugins.transforms["double"](2) == 4
    found = line(plugins, "rain")
    assert (found.distribution, found.version, found.state) == ("hub-connector-rain", "1.2", PluginState.LOADED)
    assert found.connectors == ("rain",)


BREAKING = {
    "import error": ("1 / 0", "cannot be imported: ZeroDivisionError", "traceback"),
    "exit at import": ("raise SystemExit(3)", "cannot be imported: SystemExit", "author"),
    "missing distribution": ("import no_such_library", "needs no_such_library, which is not installed", "install it"),
    "no module": (None, "its own module plugin_hub_connector_bad is not there", "install hub-connector-bad again"),
    "misspelt hook": ("@hookimpl\ndef hub_conectors(): return []", "hub_conectors is not a hook", "hub_connectors?"),
    "unmarked hook": ("def hub_connectors(): return []", "hub_connectors is not marked", "@hookimpl"),
    "wrong arguments": ("@hookimpl\ndef hub_enrich(rows, page): pass", "arguments the hub does not give", "hookspecs"),
    "exception in hook": ("@hookimpl\ndef hub_connectors(): 1 / 0", "hub_connectors raised ZeroDivisionError", "log"),
    "overdue hook": ("@hookimpl\ndef hub_connectors(): time.sleep(3)", "took longer than 0.2 s", "deadline"),
    "no list": ("@hookimpl\ndef hub_connectors(): return 5", "must return a list", "author"),
    "no mapping": ("@hookimpl\ndef hub_transforms(): return 5", "must return a mapping", "author"),
    "no class": ("@hookimpl\ndef hub_connectors(): return ['x']", "no Connector class", "classes"),
    "no title": (
        "class C(Connector):\n    name = 'c'\n@hookimpl\ndef hub_connectors(): return [C]",
        "has no title",
        "add it",
    ),
    "no streams": (
        "class C(Connector):\n    name = title = title_en = 'c'\n@hookimpl\ndef hub_connectors(): return [C]",
        "connector C has no streams, transport",
        "add",
    ),
    "no folder": ("@hookimpl\ndef hub_mappings(): return ['/no/such/folder']", "is not there", "install"),
}


@pytest.mark.parametrize(("code", "reason", "remedy"), BREAKING.values(), ids=BREAKING)
def test_a_broken_plugin_is_listed_and_the_others_load(
    install: Install, code: str | None, reason: str, remedy: str
) -> None:
    install("bad", code)
    install("rain", GOOD)
    plugins = load(deadline="0.2s")
    found = line(plugins, "bad")
    assert found.state is PluginState.BROKEN
    assert reason in found.reason
    assert remedy in found.remedy
    assert "rain" in plugins.connectors


def test_a_broken_plugin_is_one_line_of_the_log(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("bad", "raise RuntimeError('13857901234')")
    with caplog.at_level("INFO"):
        load()
    [said] = [record for record in caplog.records if record.name == "hub.plugins"]
    assert "plugin bad cannot be imported: RuntimeError at " in said.getMessage()
    assert "/plugin_hub_connector_bad.py:5" in said.getMessage()
    assert said.exc_info is None, "its traceback is for its author, and holds what it worked on"
    caplog.clear()
    with caplog.at_level("DEBUG"):
        load()
    assert "RuntimeError: 13857901234" in caplog.text


def test_the_line_of_a_mistake_in_writing_is_named(install: Install) -> None:
    install("bad", "x = (")
    assert "SyntaxError at" in line(load(), "bad").reason
    assert "/plugin_hub_connector_bad.py:5" in line(load(), "bad").reason


def test_a_text_that_a_plugin_cannot_parse_is_not_taken_for_its_own(install: Install) -> None:
    install("bad", "@hookimpl\ndef hub_connectors(): eval('(')")
    assert "/plugin_hub_connector_bad.py:6" in line(load(), "bad").reason


def test_who_needs_a_broken_plugin_is_told_why(install: Install) -> None:
    install("rain", GOOD + "1 / 0")
    install("snow", OTHER)
    plugins = load(allow=["rain"])
    for name, reason in {"rain": "cannot be imported: ZeroDivisionError", "snow": "allow does not name snow"}.items():
        with pytest.raises(PluginError, match=reason) as caught:
            plugins.connector(name)
        caught.value.within(source="s")
        assert "source" not in (line(plugins, name).problem or caught.value).values
    with pytest.raises(PluginError, match="plugins that cannot be used: rain, snow"):
        plugins.connector("something_else")


@pytest.mark.parametrize(
    "entry_points", [b"[hub.v1]\nrain\n", b"[hub.v1]\nrain = plugin\xff\n"], ids=["no value", "not UTF-8"]
)
def test_a_damaged_package_stops_nobody(
    install: Install, tmp_path: Path, entry_points: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    install("rain", GOOD)
    install("snow", OTHER)
    (tmp_path / "hub_connector_rain-1.2.dist-info" / "entry_points.txt").write_bytes(entry_points)
    assert load().connector("snow")
    assert "the entry points of hub-connector-rain cannot be read" in caplog.text


@pytest.mark.parametrize("entry_points", [b"[hub.v1]\nrain\n", b"[hub.v1]\nrain = plugin_hub_connector_rain\n"])
def test_a_package_whose_name_is_damaged_stops_nobody(install: Install, tmp_path: Path, entry_points: bytes) -> None:
    install("rain", GOOD)
    install("snow", OTHER)
    info = tmp_path / "hub_connector_rain-1.2.dist-info"
    (info / "METADATA").write_bytes(b"Name: rain\xff\n")
    (info / "entry_points.txt").write_bytes(entry_points)
    assert load().connector("snow")


def test_a_package_that_says_nothing_of_itself_is_loaded(install: Install, tmp_path: Path) -> None:
    install("rain", GOOD)
    install("snow", OTHER)
    (tmp_path / "hub_connector_rain-1.2.dist-info" / "METADATA").unlink()
    assert load().connector("rain")


def test_another_api_version_is_refused_before_import(install: Install) -> None:
    install("next", "raise AssertionError('imported')", group="hub.v2")
    found = line(load(), "next")
    assert found.reason == "next is made for hub.v2, this hub takes hub.v1"
    assert "plugin_hub_connector_next" not in sys.modules


def test_other_groups_are_not_looked_at(install: Install) -> None:
    install("elsewhere", "1 / 0", group="hub.version")
    assert all(found.name != "elsewhere" for found in load().listed)


def test_a_taken_connector_name_refuses_the_whole_second_plugin(install: Install) -> None:
    install("one", GOOD)
    install("two", GOOD + "\n@hookimpl\ndef hub_transforms(): return {'mine': str}\n")
    plugins = load()
    assert line(plugins, "one").state is PluginState.LOADED
    assert line(plugins, "two").reason == "two brings connector rain, which one brings already"
    assert "mine" not in plugins.transforms


def test_a_taken_plugin_name_is_refused(install: Install) -> None:
    install("rain", GOOD, distribution="a-first")
    install("rain", OTHER, distribution="b-second")
    plugins = load()
    assert [found.state for found in plugins.listed if found.name == "rain"] == [PluginState.LOADED, PluginState.BROKEN]
    assert "snow" not in plugins.connectors


def test_only_allowed_plugins_are_imported(install: Install) -> None:
    install("rain", GOOD)
    install("snow", OTHER)
    plugins = load(allow=["rain"])
    assert "rain" in plugins.connectors
    assert line(plugins, "snow").state is PluginState.OFF
    assert "plugin_hub_connector_snow" not in sys.modules


def test_an_unknown_connector_names_the_nearest(install: Install) -> None:
    install("rain", GOOD)
    with pytest.raises(PluginError, match="did you mean rain"):
        load().connector("rian")


def test_every_implementation_runs_although_one_raises(install: Install) -> None:
    install("bad", "@hookimpl\ndef hub_run_finished(run): raise ValueError\n")
    install("good", "seen = []\n@hookimpl\ndef hub_run_finished(run): seen.append(run)\n")
    plugins = load()
    plugins.call("hub_run_finished", run={"outcome": "ok"})
    assert sys.modules["plugin_hub_connector_good"].seen == [{"outcome": "ok"}]  # type: ignore[attr-defined]
    assert line(plugins, "bad").state is PluginState.FAILING
    assert "hub_run_finished raised ValueError" in line(plugins, "bad").reason


def test_an_overdue_call_is_left_behind_and_not_repeated(install: Install) -> None:
    install("slow", "calls = []\n@hookimpl\ndef hub_alarm(event):\n    calls.append(event)\n    time.sleep(1)\n")
    plugins = load(deadline="0.1s")
    began = time.monotonic()
    plugins.call("hub_alarm", event={"n": 1})
    plugins.call("hub_alarm", event={"n": 2})
    assert time.monotonic() - began < 0.9
    assert sys.modules["plugin_hub_connector_slow"].calls == [{"n": 1}]  # type: ignore[attr-defined]
    assert "has still not come back" in line(plugins, "slow").reason


def test_nothing_is_prepared_for_nobody(install: Install) -> None:
    install("good", "@hookimpl\ndef hub_enrich(rows): return rows\n")
    plugins = load()
    assert plugins.implements("hub_enrich")
    assert not plugins.implements("hub_alarm")
    assert plugins.call("hub_enrich", rows=[{"a": 1}]) == [[{"a": 1}]]
