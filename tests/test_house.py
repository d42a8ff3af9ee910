"""The rules of the house: imports run one way, files stay small, names mean something, texts are in both languages."""

import ast
import builtins
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from string import Formatter

import pytest

import cli
import hub.errors
from hub.commands.wording import help_texts
from hub.config.alarms import AlarmSettings
from hub.config.models import (
    DefaultSettings,
    EngineSettings,
    PluginSettings,
    RetentionSettings,
    SourceSettings,
    StoreSettings,
)
from hub.errors import EXIT_CODES, HubError, Outcome
from hub.incident import Flag, Kind, Status
from hub.locale import error_templates, reason_templates, title, translate
from hub.locale.retelling import retell, retell_reason
from hub.plugins import PluginState

ROOT = Path(__file__).parent.parent
SOURCES = sorted([ROOT / "cli.py", *(ROOT / "hub").rglob("*.py"), *(ROOT / "connectors").rglob("*.py")])
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]
ERROR_NAMES = {name for name in dir(hub.errors) if name.endswith("Error")}

#: Package → the packages of this project it may import, itself aside.
BELOW = {
    "hub.errors": set(),
    "hub.clock": set(),
    "hub.incident": set(),
    "hub.config": {"hub.errors"},
    "hub.locale": {"hub.config"},
    "hub.source": {"hub.errors", "hub.incident", "hub.config", "hub.clock"},
    "hub.mapping": {"hub.errors", "hub.incident", "hub.config"},
    "hub.hookspecs": {"hub.source"},
    "hub.plugins": {"hub.hookspecs", "hub.data_plugin", "hub.source", "hub.errors", "hub.config"},
    "hub.store": {"hub.errors", "hub.incident", "hub.config", "hub.clock", "hub.mapping", "hub.source"},
}
BELOW["hub.data_plugin"] = {"hub.hookspecs", "hub.source"}
BELOW["hub.probing"] = {"hub.errors"}
BELOW["hub.sync"] = {*BELOW["hub.store"], "hub.store", "hub.plugins"}
BELOW["hub.schedule"] = {*BELOW["hub.sync"], "hub.sync"}
BELOW["hub.testing"] = {*BELOW["hub.schedule"], "hub.schedule", "hub.hookspecs"}
BELOW["hub.commands"] = {*BELOW["hub.testing"], "hub.locale", "hub.probing", "hub.testing"}
BELOW["cli"] = {*BELOW["hub.commands"], "hub.commands"}
BELOW["connectors"] = {"hub.source", "hub.hookspecs", "hub.incident", "hub.errors", "hub.config"}

BANNED_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "misc", "core", "lib", "tools"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def package(module: str) -> str:
    """`hub.store.page` belongs to `hub.store`, `connectors.open311` to `connectors`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "hub" and len(parts) > 1 else parts[0]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "hub":
                yield from ((f"hub.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


# --- imports, sizes, names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_run_one_way(path: Path) -> None:
    own = package(module_name(path))
    if own == "hub":
        return
    allowed = BELOW[own] | {own}
    wrong = [
        f"line {line}: {name}"
        for name, line in imported(path)
        if name.split(".")[0] in {"hub", "connectors", "mappings", "cli", "tests"} and package(name) not in allowed
    ]
    assert not wrong


def test_the_sandbox_shares_nothing_with_what_it_tests() -> None:
    """A misunderstanding in a connector or mapping must not cancel out in the sandbox."""
    parsing = ("hub.mapping", "hub.store", "hub.sync", "hub.source", "connectors")
    for path in (ROOT / "hub" / "testing" / "sandbox").rglob("*.py"):
        shared = [name for name, _ in imported(path) if name.startswith(parsing)]
        assert not shared, f"{path.relative_to(ROOT)} imports {shared}"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_test_files_stay_readable() -> None:
    assert not [path.name for path in (ROOT / "tests").rglob("*.py") if len(path.read_text("utf-8").splitlines()) > 600]


def test_no_file_is_a_drawer() -> None:
    assert not [name for name in NAMES if Path(name).stem in BANNED_NAMES]


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_public_modules_list_what_they_offer(path: Path) -> None:
    inside_the_sandbox = "sandbox" in path.parts and path.parent.name + path.name != "sandbox__init__.py"
    empty = not path.read_text("utf-8").strip()
    if inside_the_sandbox or empty or "migrations" in path.parts:
        return
    listed = [
        ast.literal_eval(node.value)
        for node in tree(path).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    assert len(listed) == 1, "no __all__"
    defined = {name for node in ast.walk(tree(path)) for name in _names(node)}
    assert set(listed[0]) <= defined


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.ImportFrom() | ast.Import():
            return [alias.asname or alias.name for alias in node.names]
    return []


def test_nothing_names_a_machine() -> None:
    """Paths of one machine's home, work or scratch folders have no place in what is shipped."""
    machine = re.compile(r"/(?:root|home/\w+|Users/\w+|work|tmp)/")
    texts = [*SOURCES, *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"]
    assert not [path.name for path in texts if path.exists() and machine.search(path.read_text("utf-8"))]


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    if path.parent.name == "config":
        return
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}), f"line {node.lineno}"
        assert not (isinstance(node, ast.keyword) and node.arg == "envvar"), "click would read the environment itself"


def test_exceptions_belong_to_the_tree() -> None:
    plain = {"Exception", "RuntimeError", "BaseException"}
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                assert getattr(node.exc.func, "id", "") not in plain, f"{path.relative_to(ROOT)}:{node.lineno}"


# --- errors ----------------------------------------------------------------------------------------------------------


def test_the_drawing_of_the_error_tree_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    stack: list[tuple[int, str]] = []
    for line in (hub.errors.__doc__ or "").splitlines():
        if found := re.search(r"(\w+Error)\b", line):
            while stack and stack[-1][0] >= found.start():
                stack.pop()
            drawn[found[1]] = stack[-1][1] if stack else "Exception"
            stack.append((found.start(), found[1]))
    real = {
        name: error.__bases__[0].__name__
        for name in ERROR_NAMES
        if not hasattr(builtins, name) and issubclass(error := getattr(hub.errors, name), HubError)
    }
    assert drawn == real


def test_every_outcome_of_an_error_has_an_exit_code() -> None:
    assert {getattr(hub.errors, name).outcome for name in ERROR_NAMES} <= EXIT_CODES.keys()


# --- both languages --------------------------------------------------------------------------------------------------


def constructors() -> set[str]:
    """Names of every class of the error tree, also those that modules add below it."""
    known, grown = set(ERROR_NAMES), True
    while grown:
        grown = False
        for path in SOURCES:
            for node in ast.walk(tree(path)):
                parents = node.bases if isinstance(node, ast.ClassDef) and node.name not in known else []
                if isinstance(node, ast.ClassDef) and any(getattr(parent, "id", "") in known for parent in parents):
                    known.add(node.name)
                    grown = True
    return known


def literal(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def error_texts() -> Iterator[tuple[str, str]]:
    """(text, place) of every template and remedy at a raise site, or of a remedy given to an error on its way."""
    errors = constructors()
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors and path.name != "errors.py":
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                texts = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "remedy")]
                for text in texts:
                    for part in (text.body, text.orelse) if isinstance(text, ast.IfExp) else (text,):
                        yield literal(part) or f"not a literal at {place}", place
            if (
                isinstance(node, ast.Assign)
                and getattr(node.targets[0], "attr", "") == "remedy"
                and literal(node.value)
            ):
                yield literal(node.value) or "", f"{path.relative_to(ROOT)}:{node.lineno}"


def command_texts() -> Iterator[tuple[str, str]]:
    """(text, place) of what commands say: Column headings, `say`, `text`, `translate` and `empty=` literals, help."""
    speaking = {"Column": 1, "say": 0, "text": 0, "translate": 0}
    for path in [ROOT / "cli.py", *(ROOT / "hub" / "commands").rglob("*.py"), ROOT / "hub" / "config" / "project.py"]:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                texts = node.args[speaking[name] : speaking[name] + 1] if name in speaking else []
                texts += [word.value for word in node.keywords if word.arg == "empty"]
                yield from ((text, path.name) for node_ in texts if (text := literal(node_)))
    context = cli.hub.make_context("hub", ["--version"], resilient_parsing=True)
    for name, (module, summary) in cli.COMMANDS.items():
        yield summary, "cli.py"
        command = cli.hub.get_command(context, name)
        assert command is not None
        yield from ((text, f"{module}.py") for text in help_texts(command))
    yield from ((text, "cli.py") for text in help_texts(cli.hub) if text not in {"Show the version and exit."})


def setting_texts() -> Iterator[tuple[str, str]]:
    for info in AlarmSettings.model_fields.values():
        yield info.description or "", "AlarmSettings"
    for model in (
        StoreSettings,
        DefaultSettings,
        PluginSettings,
        EngineSettings,
        RetentionSettings,
        SourceSettings,
    ):
        for name, info in model.model_fields.items():
            yield info.description or f"{name} has no description", model.__name__


def every_text() -> dict[str, str]:
    return dict([*error_texts(), *command_texts(), *setting_texts()])


def test_every_text_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_LANG", "en")
    missing = [f"{place}: {text!r}" for text, place in every_text().items() if text and translate(text, "zh") == text]
    assert not missing, "\n".join(["add to hub/locale/zh.toml:", *missing])


def test_no_translation_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_LANG", "en")
    known = every_text()
    catalogue = tomllib.loads((ROOT / "hub" / "locale" / "zh.toml").read_text("utf-8"))
    del catalogue["reasons"]
    assert not [text for section in catalogue.values() for text in section if text not in known]


def test_an_error_kept_as_text_is_told_in_the_other_language() -> None:
    """Whichever template it was made of, alone or before a remedy."""
    for english, chinese in error_templates().items():
        values = {name: f"<{name}>" for _, name, _, _ in Formatter().parse(english) if name}
        before, after = english.format_map(values), chinese.format_map(values)
        assert retell(before, "zh") == after
        assert retell(f"{before}; see the log", "zh") == f"{after}; 请看日志"
        assert retell(before, "en") == before
    assert retell("what a plugin said, in its own words", "zh") == "what a plugin said, in its own words"


def test_a_long_error_that_nearly_is_a_template_stays_as_it_is() -> None:
    """What a source or a connector said may be long, and `hub runs list` tells twenty of them: no pattern may go back and forth
    over it."""
    for near in ("https://a.example: ", "no rows at x in the answer; ", "(200: "):
        long = near * (20_000 // len(near))
        assert retell(long, "zh") == long


#: Reasons that no class of error carries.
REASONS = (
    "not UTF-8", "nested too deeply", "not JSON: invalid number", "not XML: mismatched tag", "no text in column photo",
    "cannot be reshaped (KeyError)", "its detail is of another record", "its detail: no native id at id", "fits no pattern",
    "fits several patterns: a*, b*", "row 7: 3 fields where the header has 4",
    "row 8: a number too long for a spreadsheet to keep: send it as text",
    "row 9: a number cut short by a spreadsheet: send it as text",
)  # fmt: skip


def reason_texts() -> Iterator[str]:
    """Why records and files are set aside, places filled with anything."""
    yield from REASONS
    said_at = {"BadValueError": 0, "NoIdentityError": 0, "SetAsideError": 0, "FieldProblem": 1}
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in said_at and len(node.args) > said_at[name]:
                match node.args[said_at[name]]:
                    case ast.Constant(value=str(text)):
                        yield text
                    case ast.JoinedStr(values=parts):
                        yield "".join(literal(part) or "x" for part in parts)


def test_every_reason_is_told_in_the_other_language() -> None:
    texts = set(reason_texts())
    told = {text: retell_reason(text, "zh") for text in texts}
    assert not [text for text, chinese in told.items() if chinese.isascii()]
    shapes = [re.sub(r"\\{\w+\\}", ".+", re.escape(english)) for english in reason_templates()]
    assert not [shape for shape in shapes if not any(re.search(shape, text) for text in texts)], "left over"
    several = "persons.0.age: wrong type (array); at or seen: missing; what a plugin says"
    assert retell_reason(several, "zh") == "persons.0.age：类型不对（array）；at or seen：缺失；what a plugin says"
    refused = retell_reason("its detail: the answer has no data; see the answer with hub preview", "zh")
    assert re.match("其详情：[一-鿿]", refused)
    assert retell_reason(several, "en") == several


def test_translations_keep_the_places() -> None:
    catalogue = tomllib.loads((ROOT / "hub" / "locale" / "zh.toml").read_text("utf-8"))
    place = re.compile(r"(?<!\{)\{(\w+)\}")
    for section in catalogue.values():
        for english, chinese in section.items():
            assert set(place.findall(english)) == set(place.findall(chinese)), english


@pytest.mark.parametrize(
    ("group", "codes"),
    [("status", Status), ("kind", Kind), ("flag", Flag), ("outcome", Outcome), ("plugin", PluginState)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_code_has_a_title_in_both_languages(group: str, codes: type) -> None:
    for code in codes:  # type: ignore[attr-defined]
        assert title(group, code, "en").isascii()
        assert not title(group, code, "zh").isascii(), f"{group} {code}"


def test_error_classes_are_listed_in_order() -> None:
    listed = [name for name in hub.errors.__all__ if name.endswith("Error")]
    assert all(first < second for first, second in pairwise(listed))
