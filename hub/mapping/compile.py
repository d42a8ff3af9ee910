"""From a mapping file to straight code: each part becomes a `Part`, all parts together one generated function.

The generated function is what runs for every record; the same parts, called one by one, say which field is wrong when it
raises. So there is one meaning, not a fast one and a slow one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import msgspec

from hub.errors import MappingError
from hub.incident import Flag, Status
from hub.mapping.codes import CodeTable
from hub.mapping.definition import FieldSpec, FlagSpec, MappingFile, PositionSpec, SubjectSpec
from hub.mapping.instants import instant_reader, zone_named
from hub.mapping.lists import list_function, people_function
from hub.mapping.position import position_reader
from hub.mapping.record import Tree
from hub.mapping.transforms import (
    amount_reader,
    bad_credit_code,
    bad_id_number,
    code_reader,
    is_id_number,
    only,
    text_of,
    titles_reader,
)
from hub.mapping.values import BadValueError, Leaf, Notes

__all__ = ["MAPPED_COLUMNS", "Compiler", "Part", "generate"]

MAPPED_COLUMNS = (
    "status", "source_status", "source_status_text", "flags", "title", "description",
    "category", "source_category", "source_category_text", "channel",
    "occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at",
    "region", "town", "grid", "address", "longitude", "latitude", "source_x", "source_y", "coordinate_system",
    "unit", "unit_code", "officers", "subject_kind", "subject_name", "subject_code", "parties",
    "document_number", "measures", "basis", "fine", "confiscated", "result", "answer",
    "reference_numbers", "steps", "attachments",
)  # fmt: skip
"""What a mapping fills, in the order of the store's columns. Instants are epoch ms, money is fen, lists are JSON text."""

INSTANTS = frozenset({"occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at"})
_AMOUNTS = frozenset({"fine", "confiscated"})
_LISTS = frozenset({"officers", "measures"})
_CODED = {
    "status": ("status", "source_status", "source_status_text"),
    "category": ("category", "source_category", "source_category_text"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One call in the generated function: `function(*arguments)` fills `targets`. `paths` name it in an error."""

    targets: tuple[str, ...]
    paths: tuple[str, ...]
    arguments: tuple[str, ...]
    function: Callable[..., Any]


def _nothing(*_leaves: Leaf) -> None:
    return None


def _after(first: Callable[..., Any], then: Callable[[Any], Any]) -> Callable[..., Any]:
    """`then` of what `first` chooses, without a call more than needed."""
    if first is only:
        return then

    def both(*leaves: Leaf) -> Any:
        return then(first(*leaves))

    return both


def _json_list(items: list[str]) -> str | None:
    return msgspec.json.encode(items).decode() if items else None


def _joined_titles(items: list[str]) -> str | None:
    return "；".join(items) or None


class Compiler:
    """Builds the parts of one mapping; `notes` is where they leave flags, people and gaps while a record is mapped."""

    def __init__(
        self,
        file: MappingFile,
        tables: Mapping[str, CodeTable],
        transforms: Mapping[str, Callable[[Leaf], Leaf]],
        notes: Notes,
        zone: str = "",
    ) -> None:
        self.file = file
        self.tables = tables
        self.transforms = transforms
        self.notes = notes
        self.zone = zone or file.zone
        self.tree = Tree()
        self._parts: list[Part] = []

    def parts(self) -> list[Part]:
        """Every part, in an order in which flags come last. MappingError for unknown tables and transforms."""
        file = self.file
        for name, spec in file.fields.items():
            self._field(name, spec)
        if file.position:
            self._position(file.position)
        if file.subject:
            self._subject(file.subject)
        for people in file.people:
            self._listed((), people_function(self, people))
        for target in ("steps", "attachments", "reference_numbers", "parties"):
            specs = file.references if target == "reference_numbers" else getattr(file, target)
            if specs:
                self._listed((target,), list_function(self, target, specs))
        for flag, flag_spec in file.flags.items():
            self._flag(flag, flag_spec)
        return self._parts

    def table(self, name: str) -> CodeTable:
        try:
            return self.tables[name]
        except KeyError:
            raise MappingError(
                "unknown code table {table}", table=name, remedy="add {table}.csv to a codes folder"
            ) from None

    def instant(self, spec: FieldSpec) -> Callable[[Leaf], int | None]:
        return instant_reader(spec.zone or self.zone, spec.format or self.file.time_format, self.notes)

    def value(self, spec: FieldSpec) -> Callable[..., Leaf]:
        """The function from the leaves at `spec.path` (or `spec.join`) to the one value that counts."""
        if spec.join:
            pads = spec.pad or (0,) * len(spec.join)

            def joined(*leaves: Leaf) -> Leaf:
                if any(leaf is None or leaf == "" for leaf in leaves):
                    return None
                return "".join(str(leaf).zfill(pad) for leaf, pad in zip(leaves, pads, strict=True))

            return joined
        constant, cut = spec.const, spec.cut
        transform = self._transform(spec.transform) if spec.transform else None
        if len(spec.path) == 1 and constant is None and cut is None and transform is None:
            return only

        def chosen(*leaves: Leaf) -> Leaf:
            value: Leaf = next((leaf for leaf in leaves if leaf is not None and leaf != ""), constant)
            if transform is not None:
                value = transform(value)
            return value[:cut] if cut and isinstance(value, str) else value

        return chosen

    def _transform(self, name: str) -> Callable[[Leaf], Leaf]:
        function = self.transforms.get(name)
        if function is None:
            raise MappingError("unknown transform {name}", name=name, remedy="install the plugin that provides it")

        def guarded(value: Leaf) -> Leaf:
            try:
                found = function(value)
            except Exception as error:
                # A plugin's own code: whatever it stumbles over is the record's fault and stops nothing else.
                raise BadValueError(f"transform {name} refused it ({type(error).__name__})") from None
            if not isinstance(found, Leaf | None):
                raise BadValueError(f"transform {name} gave no single value")
            return found

        return guarded

    def _field(self, name: str, spec: FieldSpec) -> None:
        if name == "status" and not spec.codes and (spec.path or spec.join or spec.const not in set(Status)):
            raise MappingError("a status needs `codes`, or one of the hub's own as `const`", remedy="add a code table")
        if name in INSTANTS:
            self._add((name,), (spec,), _after(self.value(spec), self.instant(spec)))
        elif name in _AMOUNTS:
            self._add((name,), (spec,), _after(self.value(spec), amount_reader(spec.unit, self.notes)))
        elif name in _LISTS:
            titles = titles_reader(self.table(spec.codes) if spec.codes else None, spec.split, self.notes)
            self._add((name,), (spec,), _after(_after(self.value(spec), titles), _json_list))
        elif name in _CODED and spec.codes:
            self._coded(name, spec)
        elif name == "region":
            self._region(spec)
        elif spec.codes or spec.split:
            titles = titles_reader(self.table(spec.codes) if spec.codes else None, spec.split, self.notes)
            self._add((name,), (spec,), _after(_after(self.value(spec), titles), _joined_titles))
        else:
            self._add((name,), (spec,), _after(self.value(spec), text_of))

    def _coded(self, name: str, spec: FieldSpec) -> None:
        table = self.table(spec.codes or "")
        if name == "status":
            table.only_into(Status)
        timing = self.file.fields.get("source_updated_at") or self.file.fields.get("occurred_at")
        zone = zone_named(timing.zone or self.zone) if timing else UTC
        value, coded = self.value(spec), code_reader(table, Status.UNMAPPED, self.notes, zone)
        count, texted = len(spec.path or spec.join), int(spec.text is not None)
        specs: tuple[FieldSpec, ...] = (spec,)
        if table.dated and timing:
            specs += (timing,)
            at = _after(self.value(timing), self.instant(timing))
        else:
            at = _nothing

        def run(*leaves: Leaf) -> Any:
            return coded(value(*leaves[:count]), leaves[count] if texted else None, at(*leaves[count + texted :]))

        simple = len(specs) == 1 and not texted
        self._add(_CODED[name], specs, _after(value, coded) if simple else run)

    def _region(self, spec: FieldSpec) -> None:
        value = self.value(spec)
        coded = code_reader(self.table(spec.codes), None, self.notes) if spec.codes else None

        def region(*leaves: Leaf) -> tuple[str | None, str | None]:
            text = text_of(value(*leaves))
            if coded is not None:
                text = coded(text)[0]
            if text is None:
                return (None, None)
            text = text[:12]
            return (text, text[:9] if len(text) >= 9 else None)

        self._add(("region", "town"), (spec,), region)

    def _position(self, spec: PositionSpec) -> None:
        targets = ("longitude", "latitude", "source_x", "source_y", "coordinate_system")
        self._add(targets, (spec.x, spec.y), position_reader(spec.system, spec.bounds, self.notes))

    def _subject(self, spec: SubjectSpec) -> None:
        absent = FieldSpec()
        specs = tuple(item or absent for item in (spec.name, spec.code, spec.kind, spec.address))
        person, notes = frozenset(spec.person), self.notes
        anything = "*" in person
        spans, start = [], 0
        for item in specs:
            spans.append((start, start + len(item.paths), self.value(item)))
            start += len(item.paths)

        def subject(*leaves: Leaf) -> tuple[str | None, str | None, str | None]:
            name, code, kind, address = (
                text_of(value(*leaves[first:last])) if last > first else None for first, last, value in spans
            )
            if name is None and code is None:
                return (None, None, None)
            if kind in person or (kind and anything) or (code and is_id_number(code)):
                found = {"role": "subject", "name": name, "id_number": code, "address": address}
                notes.people.append({key: item for key, item in found.items() if item})
                if code and bad_id_number(code):
                    notes.flags.append(Flag.BAD_ID_NUMBER)
                return ("person", None, None)
            if code and bad_credit_code(code):
                notes.flags.append(Flag.BAD_CREDIT_CODE)
            return ("organization", name, code)

        self._add(("subject_kind", "subject_name", "subject_code"), specs, subject)

    def _flag(self, flag: str, spec: FlagSpec) -> None:
        value, true, notes = self.value(spec), frozenset(spec.true), self.notes
        mark = Flag(flag)

        def check(*leaves: Leaf) -> None:
            if text_of(value(*leaves)) in true:
                notes.flags.append(mark)

        self._add((), (spec,), check)

    def _listed(self, targets: tuple[str, ...], function: Callable[[Any], Any]) -> None:
        self._parts.append(Part(targets, targets or ("people",), ("record",), function))

    def _add(self, targets: tuple[str, ...], specs: tuple[FieldSpec, ...], function: Callable[..., Any]) -> None:
        for spec in specs:
            for path in spec.paths:
                self.tree.add(path, optional=spec.optional)
        paths = tuple(path for spec in specs for path in spec.paths)
        self._parts.append(Part(targets, paths, tuple(self._expression(path) for path in paths), function))

    def _expression(self, path: str) -> str:
        """`record.f0.f1`, guarded where an object on the way is null."""
        names = self.tree.attribute(path)
        steps = ["record." + ".".join(names[: depth + 1]) for depth in range(len(names))]
        guards = " and ".join(f"{step} is not None" for step in steps[:-1])
        return f"({steps[-1]} if {guards} else None)" if guards else steps[-1]


def generate(parts: list[Part]) -> Callable[[Any, Callable[[], str | None]], tuple[Any, ...]]:
    """One function (record, flags) → a tuple in the order of MAPPED_COLUMNS, made of straight calls of the parts."""
    lines = ["def row(record, flags):"]
    filled: set[str] = set()
    for number, part in enumerate(parts):
        if part.function is text_of:
            # Text that is there needs no call: most fields of most records.
            call = f"value if (value := {part.arguments[0]}).__class__ is str and value else call_{number}(value)"
        else:
            call = f"call_{number}({', '.join(part.arguments)})"
        lines.append(f"    {', '.join(part.targets)} = {call}" if part.targets else f"    {call}")
        filled.update(part.targets)
    values = ["flags()" if column == "flags" else column if column in filled else "None" for column in MAPPED_COLUMNS]
    lines.append(f"    return ({', '.join(values)})")
    namespace: dict[str, Any] = {f"call_{number}": part.function for number, part in enumerate(parts)}
    exec(compile("\n".join(lines), "<mapping>", "exec"), namespace)  # nosec B102 # lines made of our own literals and checked names
    function: Callable[[Any, Callable[[], str | None]], tuple[Any, ...]] = namespace["row"]
    return function
