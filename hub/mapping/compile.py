"""From a mapping file to straight code: each part becomes a `Part`, all parts together one generated function.

The generated function is what runs for every record; the same parts, called one by one, say which field is wrong when it
raises. So there is one meaning, not a fast one and a slow one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec

from hub.errors import MappingError
from hub.incident import Flag, Status
from hub.mapping.columns import INSTANTS, MAPPED_COLUMNS
from hub.mapping.definition import FieldSpec, FlagSpec, SubjectSpec
from hub.mapping.expressions import Expressions
from hub.mapping.generated import QUICK_TEXT, access
from hub.mapping.instants import zone_named
from hub.mapping.lists import list_function, people_function
from hub.mapping.position import position_reader
from hub.mapping.transforms import (
    amount_reader,
    code_reader,
    ready_codes,
    region_reader,
    subject_reader,
    text_of,
    titles_reader,
    word_of,
)
from hub.mapping.values import Leaf

__all__ = ["Compiler", "Part"]

_AMOUNTS = frozenset({"fine", "confiscated"})
_PLACE = ("longitude", "latitude", "source_x", "source_y", "coordinate_system")
_SUBJECT = ("subject_kind", "subject_name", "subject_code")
_LISTS = frozenset({"officers", "measures"})
_QUICK_REGION = (
    "(value[:12], value[:9]) if value.__class__ is str and len(value) >= 9 and value.isascii() and value[:12].isdigit()"
)
_CODED = {
    "status": ("status", "source_status", "source_status_text"),
    "category": ("category", "source_category", "source_category_text"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of the generated function: they fill `targets`. `paths` name it in an error."""

    targets: tuple[str, ...]
    paths: tuple[str, ...]
    lines: list[str]


def _json_list(items: list[str]) -> str | None:
    return msgspec.json.encode(items).decode() if items else None


def _joined_titles(items: list[str]) -> str | None:
    return "；".join(items) or None


class Compiler(Expressions):
    """Builds the parts of one mapping."""

    def parts(self) -> list[Part]:
        """Every part, in an order in which flags come last. MappingError for unknown tables and transforms."""
        self._parts: list[Part] = []
        file = self.file
        for name, spec in file.fields.items():
            self._field(name, spec)
        if file.position:
            position = file.position
            reader = position_reader(position.system, position.bounds, self.notes)
            self._add(_PLACE, (position.x, position.y), reader)
        if file.subject:
            self._subject(file.subject)
        for people in file.people:
            self._listed((), people_function(self, people))
        for target in ("steps", "attachments", "reference_numbers", "parties"):
            specs = file.references if target == "reference_numbers" else getattr(file, target)
            if specs:
                self._listed((target,), list_function(self, target, specs))
        for flag, flag_spec in file.flags.items():
            self._flag(Flag(flag), flag_spec)
        return self._parts

    def row(self, parts: list[Part]) -> Callable[[Any, Callable[[], str | None]], tuple[Any, ...]]:
        """One function (record, flags) → a tuple in the order of MAPPED_COLUMNS, made of the parts' lines."""
        filled = {target for part in parts for target in part.targets}
        flags = f"flags() if {self.scope.bind(self.notes.flags)} else None"
        told = {name: name for name in filled} | {"flags": flags}
        if "reported_at" in filled:
            # Lists and readers go by when it happened: a source that only says when it heard of it must not hide there.
            happened = "occurred_at if occurred_at is not None else reported_at"
            told["occurred_at"] = happened if "occurred_at" in filled else "reported_at"
        values = [told.get(name, "None") for name in MAPPED_COLUMNS]
        lines = [line for part in parts for line in part.lines]
        return self.scope.function("record, flags", [*lines, f"return ({', '.join(values)})"])

    def _field(self, name: str, spec: FieldSpec) -> None:
        if name == "status" and not spec.codes and (spec.path or spec.join or spec.const not in set(Status)):
            raise MappingError("a status needs `codes`, or one of the hub's own as `const`", remedy="add a code table")
        if name in INSTANTS:
            instant = self.instant(spec)
            self._add((name,), (spec,), instant.read, instant.quick(self.scope))
        elif name in _AMOUNTS:
            self._add((name,), (spec,), amount_reader(spec.unit, self.notes))
        elif name in _CODED and spec.codes:
            self._coded(name, spec)
        elif name == "region":
            coded = code_reader(self.table(spec.codes), None, self.notes) if spec.codes else None
            quick = _QUICK_REGION if coded is None else ""
            self._add(("region", "town"), (spec,), region_reader(coded), quick)
        elif name in _LISTS or spec.codes or spec.split:
            titles = titles_reader(self.table(spec.codes) if spec.codes else None, spec.split, self.notes)
            shown = _json_list if name in _LISTS else _joined_titles
            self._add((name,), (spec,), lambda value: shown(titles(value)))
        else:
            self._add((name,), (spec,), text_of, QUICK_TEXT)

    def _coded(self, name: str, spec: FieldSpec) -> None:
        table = self.table(spec.codes or "")
        if name == "status":
            table.only_into(Status)
        timings = [self.file.fields[key] for key in ("source_updated_at", "occurred_at") if key in self.file.fields]
        zone = zone_named(timings[0].zone or self.zone) if timings else UTC
        arguments, paths, quick = [self.expression(spec)], spec.paths, ""
        if spec.text is not None:
            arguments.append(access(self.tree, spec.text, "record"))
        if table.dated and timings:
            ats = [f"{self.scope.bind(self.instant(one).read)}({self.expression(one)})" for one in timings]
            at = f"(at if (at := {ats[0]}) is not None else {ats[1]})" if len(ats) > 1 else ats[0]
            arguments = [arguments[0], *(arguments[1:] or ["None"]), at]
            paths = (*paths, *(path for one in timings for path in one.paths))
        if not table.dated:
            ready = self.scope.bind(ready_codes(table).get)
            known = f"value.__class__ is str and (ready := {ready}(value)) is not None"
            told = "(ready[0], value, text)" if spec.text is not None else "ready"
            quick = f"{told} if {'text.__class__ is str and text and ' if spec.text is not None else ''}{known}"
        lines = self.scope.read(
            ", ".join(_CODED[name]), arguments, code_reader(table, Status.UNMAPPED, self.notes, zone), quick
        )
        self._parts.append(Part(_CODED[name], paths, lines))

    def _subject(self, spec: SubjectSpec) -> None:
        specs = tuple(item or FieldSpec() for item in (spec.name, spec.code, spec.kind, spec.address))
        self._add(_SUBJECT, specs, subject_reader(frozenset(spec.person), self.notes))

    def _flag(self, flag: Flag, spec: FlagSpec) -> None:
        true = frozenset(map(word_of, spec.true))

        def check(value: Leaf) -> None:
            if word_of(value) in true:
                self.notes.flags.append(flag)

        # False equals every zero.
        never = frozenset({None, ""} if true & {"false", "0", "0.0", "-0.0"} else {None, "", False})
        test = f"if value not in {self.scope.bind(never)}: {self.scope.bind(check)}(value)"
        self._parts.append(Part((), spec.paths, [f"value = {self.expression(spec)}", test]))

    def _listed(self, targets: tuple[str, ...], function: Callable[[Any], Any]) -> None:
        lines = self.scope.read(", ".join(targets), ["record"], function)
        self._parts.append(Part(targets, targets or ("people",), lines))

    def _add(
        self, targets: tuple[str, ...], specs: tuple[FieldSpec, ...], function: Callable[..., Any], quick: str = ""
    ) -> None:
        paths = tuple(path for spec in specs for path in spec.paths)
        arguments = [self.expression(spec) for spec in specs]
        self._parts.append(Part(targets, paths, self.scope.read(", ".join(targets), arguments, function, quick)))
