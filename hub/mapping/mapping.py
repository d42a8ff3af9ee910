"""A mapping ready for use: finds files and code tables, hands out mappers, maps one raw record to one storage-ready row."""

from collections.abc import Callable, Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from hub.errors import FieldProblem, MappingError
from hub.incident import Flag, Kind
from hub.mapping.clean import LONGEST_TEXT, within_length, without_nul, without_people
from hub.mapping.codes import CodeTable, CodeTables
from hub.mapping.columns import MAPPED_COLUMNS
from hub.mapping.compile import Compiler
from hub.mapping.definition import MappingFile, load_mapping
from hub.mapping.record import RecordType
from hub.mapping.values import BadValueError, CodeGap, Leaf, Notes, PersonRecord

__all__ = ["Mapped", "Mapper", "Mapping", "Mappings", "UnmappableError"]

_FLAGS_AT = MAPPED_COLUMNS.index("flags")


class UnmappableError(Exception):
    """One record cannot be mapped. It carries fields and reasons, never values."""

    def __init__(self, problems: Iterable[FieldProblem]) -> None:
        # Two fields may be read from one path: what is wrong there is said once.
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("; ".join(str(problem) for problem in self.problems))


class Mapped(msgspec.Struct, frozen=True, gc=False):
    """One record in the store's terms: `row` in the order of MAPPED_COLUMNS, and the people it names."""

    row: tuple[Any, ...]
    people: list[PersonRecord]


class Mapper:
    """Maps the records of one run, one after the other; not shared between threads."""

    def __init__(self, mapping: "Mapping", zone: str = "") -> None:
        self._notes = Notes()
        self._compiler = Compiler(mapping.file, mapping.tables, mapping.transforms, self._notes, zone)
        self._parts = self._compiler.parts()
        self._record = RecordType(self._compiler.tree)
        self._row = self._compiler.row(self._parts)

    def map(self, raw: bytes) -> Mapped:
        """Decode and map one (reshaped) record. UnmappableError lists every field that is wrong."""
        notes = self._notes
        notes.flags.clear()
        people: list[PersonRecord] = []
        notes.people = people
        try:
            record = self._record.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = (
                FieldProblem("$", "not JSON")
                if not isinstance(error, msgspec.DecodeError)
                else self._record.problem(error)
            )
            raise UnmappableError([problem]) from None
        before = len(notes.gaps)
        try:
            row = self._row(record, self._flags)
        except BadValueError:
            problems = self._diagnose(record)
            del notes.gaps[before:]
            raise UnmappableError(problems) from None
        if b"\\" in raw and b"\\u0000" in raw:
            row = self._without_nul(row, before)
        if people:
            row = without_people(row, people)
        if len(raw) > LONGEST_TEXT:
            row = self._cleaned(row, within_length(row), Flag.TEXT_CUT)
        return Mapped(row, people)

    def gaps(self) -> list[CodeGap]:
        """The unmapped codes met since the last call."""
        gaps = self._notes.gaps
        if gaps:
            self._notes.gaps = []
        return gaps

    def _flags(self) -> str | None:
        flags = self._notes.flags
        return msgspec.json.encode(sorted(set(flags))).decode() if flags else None

    def _diagnose(self, record: Any) -> list[FieldProblem]:
        """Each part alone, so that every wrong field is named."""
        problems = []
        for part in self._parts:
            try:
                self._compiler.row([part])(record, self._flags)
            except BadValueError as error:
                problems.append(FieldProblem(" or ".join(part.paths), str(error)))
        return problems

    def _cleaned(self, row: tuple[Any, ...], clean: tuple[Any, ...], flag: Flag) -> tuple[Any, ...]:
        """The clean row, with the flag that says so if it is another one."""
        if clean == row:
            return row
        self._notes.flags.append(flag)
        return (*clean[:_FLAGS_AT], self._flags(), *clean[_FLAGS_AT + 1 :])

    def _without_nul(self, row: tuple[Any, ...], first_gap: int) -> tuple[Any, ...]:
        """No U+0000 in the row, its people and the codes nobody knows."""
        notes = self._notes
        for person in notes.people:
            person.update({key: text.replace("\0", "\ufffd") for key, text in person.items()})
        notes.gaps[first_gap:] = [
            CodeGap(gap.table, gap.code.replace("\0", "\ufffd"), gap.text.replace("\0", "\ufffd"))
            for gap in notes.gaps[first_gap:]
        ]
        return self._cleaned(row, without_nul(row), Flag.NUL_REPLACED)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping file with the code tables and transforms it may name."""

    name: str
    file: MappingFile
    tables: Table[str, CodeTable] = field(repr=False)
    transforms: Table[str, Callable[[Leaf], Leaf]] = field(repr=False)

    @property
    def version(self) -> int:
        return self.file.version

    @property
    def kind(self) -> Kind:
        return self.file.kind

    @property
    def personal_paths(self) -> tuple[str, ...]:
        """Paths in the reshaped record that hold people's data; lists are written `list[].key`."""
        paths = []
        for people in self.file.people:
            before = f"{people.each}[]." if people.each else ""
            specs = (people.name, people.phone, people.id_number, people.address, people.account)
            paths += [before + path for spec in specs if spec for path in spec.paths]
        if self.file.subject and self.file.subject.person:
            subject = (self.file.subject.name, self.file.subject.code, self.file.subject.address)
            paths += [path for spec in subject if spec for path in spec.paths]
        return tuple(dict.fromkeys(paths))

    @property
    def codes(self) -> frozenset[str]:
        """The code tables it names."""
        return frozenset(_codes_in(self.file.model_dump()))

    def mapper(self, zone: str = "") -> Mapper:
        """A compiled mapper; `zone` stands in for the mapping's own. MappingError if a table or transform is unknown or wrong."""
        try:
            return Mapper(self, zone)
        except MappingError as error:
            raise error.within(mapping=self.name) from error.__cause__


def _codes_in(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        yield from (item for key, item in value.items() if key == "codes" and isinstance(item, str))
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _codes_in(item)


class Mappings:
    """Every mapping and code table in the folders that plugins bring; later folders win, so an operator can override."""

    def __init__(self, folders: Iterable[Path], transforms: Table[str, Callable[[Leaf], Leaf]] | None = None) -> None:
        self._files: dict[str, Path] = {}
        self._table_files: dict[str, Path] = {}
        self._loaded: dict[str, Mapping] = {}
        self._checked: set[str] = set()
        self._tables: dict[str, CodeTable] = {}
        self._transforms = transforms or {}
        for folder in folders:
            for path in sorted(folder.rglob("*.toml")):
                self._files[path.relative_to(folder).with_suffix("").as_posix()] = path
            self._table_files.update({path.stem: path for path in sorted(folder.rglob("codes/*.csv"))})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def table_file(self, name: str) -> Path | None:
        """The file of the code table in force, None if there is no such table."""
        return self._table_files.get(name)

    def check(self, name: str) -> None:
        """MappingError if the mapping cannot be made into a mapper. Looked at once, because it takes milliseconds."""
        if name not in self._checked:
            self.get(name).mapper()
            self._checked.add(name)

    def get(self, name: str) -> Mapping:
        """The mapping of that name (its path below the folder, without .toml). MappingError if there is none or it is wrong."""
        if name not in self._loaded:
            path = self._files.get(name)
            if path is None:
                raise MappingError(
                    "no mapping named {name}", name=name, remedy="known: {known}", known=", ".join(self._files)
                )
            tables = CodeTables(name, self._table_files, self._tables)
            self._loaded[name] = Mapping(name, load_mapping(path), tables, self._transforms)
        return self._loaded[name]
