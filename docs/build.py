"""Writes the pages that are made from code: `python docs/build.py` (make docs). A test compares them with what stands here."""

import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from hub.incident import Attachment, Flag, Incident, Kind, Party, Reference, Status, Step
from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.compile import Compiler
from hub.mapping.definition import EachSpec, FieldSpec, FlagSpec, MappingFile, PeopleSpec, PositionSpec, SubjectSpec
from hub.mapping.mapping import Mappings
from hub.mapping.values import Notes
from hub.store.views import VIEW_COLUMNS

DOCS = Path(__file__).parent
MAPPINGS = DOCS.parent / "mappings"

_ALSO = {
    "first_seen_at": ("When the hub first saw the record (UTC).", "every stream"),
    "changed_at": ("When the hub stored the present version (UTC).", "every stream"),
    "deleted_at": ("When the record was found withdrawn upstream; null while it lives (UTC).", "every stream"),
    "deletion": (
        "`source`: the source said so; `enumeration`: a complete reading no longer showed it.",
        "every stream",
    ),
    "revision": ("1 for the first version, counting up with every change a consumer can see.", "every stream"),
    "mapping": ("The mapping that made this version.", "every stream"),
    "mapping_version": ("Its version.", "every stream"),
    "run": ("The run that stored this version.", "every stream"),
    "occurred_ms": ("`occurred_at` as epoch milliseconds: filter and page by this one, it is indexed.", "every stream"),
}


def schema_page() -> str:
    """docs/schema.md: every column of incident_v1 with meaning, type, example and the streams that fill it."""
    fillers = _fillers()
    lines = [
        "# The incident, field by field",
        "",
        "Made from `hub/incident.py` and the mappings by `make docs`; do not edit. These are the columns of the view",
        "`incident_v1`, on SQLite and PostgreSQL alike. Instants: on SQLite ISO 8601 text ending in `Z`, on PostgreSQL",
        "`timestamptz`. Money: yuan with two decimals (SQLite text, PostgreSQL numeric). Lists: JSON text.",
        "",
        "| column | type | meaning | example | filled by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in VIEW_COLUMNS:
        if name in _ALSO:
            meaning, by = _ALSO[name]
            lines.append(f"| `{name}` | {_EXTRA_TYPES.get(name, 'text')} | {meaning} | | {by} |")
            continue
        info = Incident.model_fields[name]
        example = f"`{info.examples[0]}`" if info.examples else ""
        by = fillers.get(name, "–") if name in MAPPED_COLUMNS else "every stream"
        lines.append(f"| `{name}` | {_type(info.annotation)} | {info.description} | {example} | {by} |")
    lines += ["", "## Closed lists", ""]
    for enum in (Kind, Status, Flag):
        lines += [f"**{enum.__name__.lower()}**: " + ", ".join(f"`{member.value}`" for member in enum) + ".", ""]
    lines += ["## Elements of lists", ""]
    for part in (Step, Attachment, Party, Reference):
        lines += [f"**{part.__name__}**: " + "; ".join(_part_fields(part)) + ".", ""]
    lines += [
        "## Identity",
        "",
        "`id` = `inc_` + the first 26 characters of base32(SHA-256(canonical JSON of [source key, stream, native id])), lower case.",
        'Test vector: source `hotline_8890`, stream `work_orders`, native id `"250910171327424509"` →',
        '`inc_ntthui75ec6pvkpnvoe3kwtpzk`. A native id is its JSON text, so `5` and `"5"` are two records.',
        "",
        "People (reporters, natural-person subjects: names, phones, ID numbers, home addresses) are in no view: they are kept",
        "encrypted in the store.",
    ]
    return "\n".join(lines) + "\n"


def mapping_page() -> str:
    """docs/mapping.md: every key a mapping file may have."""
    lines = [
        "# Mapping files",
        "",
        "Made from `hub/mapping/definition.py` by `make docs`; do not edit. A mapping is one TOML file a stream, below a `mappings`",
        "folder; its name is its path without `.toml`. It says which path of the source's record fills which field of the incident.",
        "A path is dotted (`reporter.phone`). A key that is mapped but absent in a record sends the record to quarantine, unless it",
        'is `optional = true`: a renamed field must never pass unseen. null and `""` are null.',
        "",
        "```toml",
        (MAPPINGS / "grassroots_governance" / "events.toml").read_text("utf-8").rstrip(),
        "```",
        "",
        "Fields that can be filled: " + ", ".join(f"`{name}`" for name in _targets()) + ".",
        "",
    ]
    sections: list[tuple[str, type[BaseModel]]] = [
        ("The file", MappingFile), ("A field (`[fields] name = …`)", FieldSpec), ("`[position]`", PositionSpec),
        ("`[subject]`", SubjectSpec), ("`[[people]]`", PeopleSpec), ("`[flags]`", FlagSpec),
        ("`[[steps]]`, `[[attachments]]`, `[[references]]`, `[[parties]]`", EachSpec),
    ]  # fmt: skip
    for title, model in sections:
        lines += [f"## {title}", "", " ".join((model.__doc__ or "").split()), "", "| key | meaning |", "| --- | --- |"]
        inherited = set(FieldSpec.model_fields) if model is FlagSpec else set()
        lines += [
            f"| `{name}` | {info.description or ''} |"
            for name, info in model.model_fields.items()
            if name not in inherited and name != "values"
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


_EXTRA_TYPES = {
    "first_seen_at": "instant", "changed_at": "instant", "deleted_at": "instant", "revision": "integer",
    "mapping_version": "integer", "occurred_ms": "integer",
}  # fmt: skip


def _targets() -> list[str]:
    return [name for name in MAPPED_COLUMNS if name not in ("flags", "town", "longitude", "latitude")]


def _fillers() -> dict[str, str]:
    """Field → the mappings that fill it."""
    found: dict[str, list[str]] = {}
    mappings = Mappings([MAPPINGS])
    for name in sorted(mappings.names):
        mapping = mappings.get(name)
        compiled = Compiler(mapping.file, mapping.tables, mapping.transforms, Notes()).parts()
        parts = {target for part in compiled for target in part.targets}
        if mapping.file.flags:
            parts.add("flags")
        for target in parts:
            found.setdefault(target, []).append(name)
    every = len(mappings.names)
    return {target: "every mapping" if len(names) == every else ", ".join(names) for target, names in found.items()}


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), [item for item in get_args(annotation) if item is not NoneType]
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{item}`" for item in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    names = {"str": "text", "int": "integer", "float": "number", "Decimal": "yuan", "AwareDatetime": "instant"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def _part_fields(part: type[BaseModel]) -> list[str]:
    return [
        f"`{name}`" + (f" ({info.description.rstrip('.')})" if info.description else "")
        for name, info in part.model_fields.items()
    ]


def faults_page() -> str:
    """docs/faults.md: the catalogue of bad input that tests/faults tries on the real path."""
    sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests"), str(DOCS.parent / "tests" / "faults")]
    from faults_answers import ENCODING, ENVELOPE, JSON
    from faults_files import CONFIG, FILES
    from faults_http import CASES
    from faults_records import PAGING, RECORDS

    groups: dict[str, tuple[Any, ...]] = {
        "HTTP": CASES, "Envelope": ENVELOPE, "Encoding": ENCODING, "JSON": JSON, "Records": RECORDS, "Paging": PAGING,
        "Files and tables": FILES, "hub.toml": CONFIG,
    }  # fmt: skip
    lines = [
        "# What happens to bad input",
        "",
        "Made from `tests/faults` by `make docs`; do not edit. Each line is tried on the real path: server, file or table → connector",
        "kit → mapping → store → `hub sync`. Beside each fault stand good records: they are stored at once where the page can be",
        "read, else by the next run, which goes on by itself when the fault is over. In each case the run's counts are closed, its",
        "message names source and stream, and neither the source's key nor the reporter's name, phone or ID number is shown.",
        "Words in “” are in the message or in the reason of the quarantined record. On the wire every page carries two records.",
    ]
    for title, cases in groups.items():
        lines += [
            "",
            f"## {title}",
            "",
            "| no. | sent | outcome (exit code) | what comes of it |",
            "| --- | --- | --- | --- |",
        ]
        lines += [
            f"| {one.id} | {_cell(one.sends)} | {one.outcome} ({one.code}) | {_cell(one.line)} |" for one in cases
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return "".join(sign if sign.isprintable() else f"U+{ord(sign):04X}" for sign in text).replace("|", "\\|")


PAGES = {"schema.md": schema_page, "mapping.md": mapping_page, "faults.md": faults_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page(), "utf-8")
