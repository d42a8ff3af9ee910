"""Writing a connector's package: entry point, connector, mapping, code table, samples, tests and a page.

Its tests pass as written. What a sample says is proposed and marked with its reason; what only a person knows is marked
TODO in the generated text.
"""

import copy
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from hub.config.writing import writing
from hub.errors import ConfigError
from hub.testing.guesses import Guess, Sampled, guess
from hub.testing.world import at_path, put_path

__all__ = ["write_connector"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PRIVATE = {"name": "测试人", "phone": "13900000000"}


def write_connector(name: str, folder: Path, *, sample: Path | None = None, declarative: bool = False) -> list[Path]:
    """The files written below `folder`/NAME. ConfigError if the name, the sample or the folder cannot be used."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "{name} is no name for a connector", name=name, remedy="small letters, digits and single underscores"
        )
    root = folder / name
    if root.exists():
        raise ConfigError("{path} exists already", path=root, remedy="take another name or another folder")
    found = guess(_document(sample))
    stream = re.sub(r"\W+", "_", sample.stem.lower()) if sample else "records"
    places = _places(name, stream, found, declarative)
    package = root / "src" / f"hub_connector_{name}"
    texts = {
        root / "pyproject.toml": _template("pyproject.toml", places),
        root / "tests" / "test_conformance.py": _template("test_conformance.py", places),
        package / "README.md": _template("README.md", places),
        package / "mappings" / name / f"{stream}.toml": _mapping(name, found),
        package / "mappings" / "codes" / f"{name}_status.csv": _codes(found),
        package / "conformance" / f"{name}.toml": _quality(found),
        package / "conformance" / "samples" / f"{stream}.json": _samples(found),
    }
    if declarative:
        texts |= {package / "__init__.py": "", package / "connector.toml": _template("connector.toml", places)}
    else:
        texts |= {package / "__init__.py": _template("connector.py", places)}
    with writing(root):
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return list(texts)


def _document(sample: Path | None) -> Any:
    try:
        body = sample.read_bytes() if sample else (files("hub.testing") / "templates" / "sample.json").read_bytes()
        return msgspec.json.decode(body)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            "the sample {path} cannot be read: {why}",
            path=sample,
            why=type(error).__name__,
            remedy="give a file with JSON in UTF-8",
        ) from error


def _template(name: str, places: dict[str, str]) -> str:
    text = (files("hub.testing") / "templates" / f"{name}.txt").read_text("utf-8")
    return re.sub(r"@(\w+)@", lambda place: places[place[1]], text)


def _mark(sampled: Sampled) -> str:
    return f"# guess: {sampled.why}\n"


def _places(name: str, stream: str, found: Guess, declarative: bool) -> dict[str, str]:
    kind = "".join(part.title() for part in name.split("_"))
    pad, deep = " " * 16, " " * 20
    rows, total = found.rows.value, found.total.value if found.total else None
    code = found.code.value if found.code else 'path = "code", ok = [0]' if rows and "." in rows else ""
    toml_envelope = [f'rows = "{rows}"'] + ([f'total = "{total}"'] if total else [])
    py_envelope = [f'rows="{rows}"'] + ([f'total="{total}"'] if total else [])
    if code:
        toml_envelope.append(f"checks = [{{ {code} }}]")
        said = tomllib.loads(f"check = {{ {code} }}")["check"]
        py_envelope.append(f"checks=(Check({json.dumps(said['path'])}, ({said['ok'][0]!r},)),)")
    importing, connector = f"import hub_connector_{name}", f"hub_connector_{name}.{kind}"
    if declarative:
        importing += "\nfrom hub.source.declared import read_connector"
        connector = 'read_connector(HOME / "connector.toml")'
    return {
        "name": name, "dashed": name.replace("_", "-"), "class": kind, "stream": stream,
        "importing": importing, "connector": connector,
        "declaration": "connector.toml" if declarative else "__init__.py",
        "native_id": found.native_id.value,
        "id_mark": _mark(found.native_id) + ("" if declarative else pad),
        "rows_mark": _mark(found.rows) + ("" if declarative else deep),
        "cursor": _cursor_toml(found), "cursor_py": _cursor_py(found, pad),
        "gone": f"{_mark(found.gone)}{found.gone.value}\n" if found.gone else "", "gone_py": _gone_py(found, pad),
        "window_format": _window_format(found),
        "envelope": ", ".join(toml_envelope), "envelope_py": ", ".join(py_envelope),
    }  # fmt: skip


def _cursor_toml(found: Guess) -> str:
    if not (found.cursor and found.format and found.zone):
        return "# TODO: no time of change was found in the sample: without a cursor each sync reads everything.\n"
    why = f"{found.cursor.why}; {found.format.why}; {found.zone.why}"
    values = f'path = "{found.cursor.value}", format = "{found.format.value}", zone = "{found.zone.value}"'
    return f'# guess: {why}\ncursor = {{ {values}, lookback = "30m" }}\n'


def _cursor_py(found: Guess, pad: str) -> str:
    if not (found.cursor and found.format and found.zone):
        return f"# TODO: no time of change was found in the sample: without a cursor each sync reads everything.\n{pad}"
    why = f"{found.cursor.why}; {found.format.why}; {found.zone.why}"
    path, form, zone = found.cursor.value, found.format.value, found.zone.value
    return (
        f'# guess: {why}\n{pad}cursor=Cursor(\n{pad}    path="{path}", format="{form}", zone="{zone}",'
        f" lookback=timedelta(minutes=30),\n{pad}),\n{pad}"
    )


def _gone_py(found: Guess, pad: str) -> str:
    if not found.gone:
        return ""
    said = tomllib.loads(found.gone.value)
    operation, deleted = json.dumps(said["operation"]), json.dumps(said["deletes"][0])
    return f"{_mark(found.gone)}{pad}operation={operation},\n{pad}deletes=({deleted},),\n{pad}"


def _window_format(found: Guess) -> str:
    """A source mostly takes times as it sends them; ISO 8601 with an offset is "iso" in a request, without one "local"."""
    if not (found.format and found.zone) or found.format.value == "iso":
        return "iso" if found.zone and found.zone.value == "UTC" and found.format else "local"
    return found.format.value


def _mapping(name: str, found: Guess) -> str:
    lines = [
        f"# {name}: what a record means. The grammar is docs/mapping.md of the hub.", "version = 1",
        "# TODO: the kind of record: work_order, report, grid_event, inspection, penalty, patrol_finding …",
        'kind = "report"',
    ]  # fmt: skip
    if found.format and found.zone:
        lines += [f'time_format = "{found.format.value}"', f'zone = "{found.zone.value}"']
    lines += ["", "[fields]", "# TODO: check each; a key that may be absent needs optional = true."]
    if found.status:
        lines.append(f"# guess: {found.status.why}")
        lines.append(f'status = {{ path = "{found.status.value}", codes = "{name}_status" }}')
    if found.cursor:
        lines += [f"# guess: {found.cursor.why}", f'source_updated_at = "{found.cursor.value}"']
    for field, sampled in found.fields.items():
        lines += [f"# guess: {sampled.why}", f'{field} = "{sampled.value}"']
    if found.position:
        x, y = found.position
        lines += ["", "# TODO: which coordinate system? Telephones and Chinese maps mostly give GCJ-02.", "[position]"]
        lines += [f'x = "{x.value}"', f'y = "{y.value}"', 'system = "GCJ-02"']
    if found.steps:
        lines += ["", "# guess: " + found.steps["each"].why, "[[steps]]"]
        lines += [f'{name} = "{sampled.value}"' for name, sampled in found.steps.items()]
    if found.people:
        lines += ["", "# guess: " + next(iter(found.people.values())).why, "[[people]]", 'role = "reporter"']
        lines += [f'{role} = "{sampled.value}"' for role, sampled in found.people.items()]
    return "\n".join(lines) + "\n"


def _codes(found: Guess) -> str:
    rows = [f"{code},{state},{title},," for code, state, title in found.codes]
    return "\n".join(["source_code,hub_code,title,valid_from,valid_to", *rows]) + "\n"


def _quality(found: Guess) -> str:
    lines = [
        "# How `hub conformance` tests this connector: settings for a simulated source that speaks as it declares.",
        "[config]", 'base_url = "https://upstream.invalid"', 'api_key = "a-key-for-tests"', "page_size = 7",
    ]  # fmt: skip
    lines += ["", "# What begins with TODO lets the tests pass, but earns no tier.", "[exempt]"]
    lines.append('documentation = "TODO: finish README.md, then remove this line"')
    if found.unknown_codes:
        codes = ", ".join(found.unknown_codes)
        lines.append(f'codes_governed = "TODO: map {codes} in the code table, then remove this line"')
    return "\n".join(lines) + "\n"


def _samples(found: Guess) -> str:
    """The sample's records, people's data replaced, since samples are kept with the code."""
    records = copy.deepcopy(found.records[:20])
    for record in records:
        for role, sampled in found.people.items():
            if at_path(record, sampled.value) is not None:
                put_path(record, sampled.value, _PRIVATE[role])
    return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
