"""Parts of a mapping that make lists: people, steps, attachments, references to other systems, parties."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from math import inf
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from hub.incident import ATTACHMENT_KINDS, Flag, Status
from hub.mapping.definition import EachSpec, FieldSpec, PeopleSpec
from hub.mapping.record import Tree
from hub.mapping.transforms import bad_id_number, code_reader, only, text_of
from hub.mapping.values import BadValueError

if TYPE_CHECKING:
    from hub.mapping.compile import Compiler

__all__ = ["iso_utc", "list_function", "people_function"]

Getter = Callable[[Any], Any]
_INSTANT_KEYS = frozenset({"at", "due_at"})
_PERSON_KEYS = ("name", "phone", "id_number", "address", "account")
#: Where the hub's own code is wanted, not the source's text for it.
_HUB_CODED = {"status": tuple(Status), "kind": ATTACHMENT_KINDS}
_NEEDED = {
    "steps": ("at", "name"),
    "attachments": ("url",),
    "reference_numbers": ("number",),
    "parties": ("name", "code"),
}


#: Seconds of an hour → ":mm:ss".
_SECONDS = [f":{second // 60:02}:{second % 60:02}" for second in range(3600)]


def iso_utc(ms: int) -> str:
    """`2026-11-19T09:13:27Z`, with three decimals only where there are milliseconds."""
    hour, rest = divmod(ms, 3_600_000)
    seconds, fraction = divmod(rest, 1000)
    return _hour_text(hour) + _SECONDS[seconds] + (f".{fraction:03d}Z" if fraction else "Z")


@lru_cache(maxsize=20_000)
def _hour_text(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H")


def people_function(compiler: "Compiler", spec: PeopleSpec) -> Callable[[Any], None]:
    """Notes every person of a record (or of a list in it) for the person table."""
    notes = compiler.notes
    node, elements = _elements(compiler.tree, spec.each, None, False)
    specs = {key: item for key in _PERSON_KEYS if (item := getattr(spec, key)) is not None}
    getters = {key: _getter(compiler, node, item, text_of) for key, item in specs.items()}
    nature = _getter(compiler, node, spec.nature, text_of) if spec.nature else None
    organization = frozenset(spec.organization)

    def people(record: Any) -> None:
        for element in elements(record):
            if nature is not None and nature(element) in organization:
                continue
            person = {key: text for key, get in getters.items() if (text := get(element))}
            if person:
                if "id_number" in person and bad_id_number(person["id_number"]):
                    notes.flags.append(Flag.BAD_ID_NUMBER)
                notes.people.append({"role": spec.role, **person})

    return people


def list_function(compiler: "Compiler", target: str, specs: tuple[EachSpec, ...]) -> Callable[[Any], str | None]:
    """A function from the whole record to the JSON text of one list, because several specs may add to it."""
    readers = [_each_reader(compiler, target, spec) for spec in specs]

    def gather(record: Any) -> str | None:
        items = [item for reader in readers for item in reader(record)]
        if not items:
            return None
        if target == "steps":
            items.sort(key=lambda item: item.get("at", inf))
        for item in items:
            for key in _INSTANT_KEYS & item.keys():
                item[key] = iso_utc(item[key])
        return msgspec.json.encode(items).decode()

    return gather


def _each_reader(compiler: "Compiler", target: str, spec: EachSpec) -> Callable[[Any], Iterator[dict[str, Any]]]:
    node, elements = _elements(compiler.tree, spec.each, spec.split, spec.optional)
    readers: dict[str, Getter] = {}
    fixed: dict[str, str] = {}
    for key, item in spec.values.items():
        if item.const is not None and not item.path:
            fixed[key] = item.const
        elif item.path == (".",):
            readers[key] = text_of
        else:
            readers[key] = _getter(
                compiler, node, item, compiler.instant(item) if key in _INSTANT_KEYS else text_of, key
            )
    getters, needed = tuple(readers.items()), _NEEDED[target]
    nature = _getter(compiler, node, spec.nature, text_of) if spec.nature else None
    organization = frozenset(spec.organization)

    def read(record: Any) -> Iterator[dict[str, Any]]:
        for element in elements(record):
            if nature is not None and nature(element) not in organization:
                continue
            found = dict(fixed)
            useful = False
            for key, get in getters:
                value = get(element)
                if value is not None:
                    found[key] = value
                    useful = useful or key in needed
            if useful:
                yield found

    return read


def _elements(tree: Tree, each: str | None, separator: str | None, optional: bool) -> tuple[Tree, Callable[[Any], Any]]:
    """Where an element's own paths go in the tree, and a function from the record to its elements."""
    if not each:
        return tree, lambda record: (record,)
    node = tree.add(each, each=not separator, optional=optional)
    names = tree.attribute(each)

    def elements(record: Any) -> Any:
        for name in names:
            record = getattr(record, name) if record is not None else None
        if separator:
            return [part.strip() for part in str(record).split(separator) if part.strip()] if record else ()
        if record is None or record == "":
            return ()
        if not isinstance(record, list):
            raise BadValueError("a list was expected")
        return record

    return node, elements


def _getter(compiler: "Compiler", node: Tree, spec: FieldSpec, then: Callable[[Any], Any], key: str = "") -> Getter:
    """A function from an element (or the record) to one value; null anywhere on the way gives null."""
    for path in spec.paths:
        node.add(path, optional=spec.optional)
    routes = [node.attribute(path) for path in spec.path or spec.join]
    value = compiler.value(spec)
    table = compiler.table(spec.codes) if spec.codes else None
    if table is not None and key in _HUB_CODED:
        table.only_into(_HUB_CODED[key])
    coded = code_reader(table, None, compiler.notes) if table is not None else None
    if coded is None and value is only and len(routes[0]) == 1:
        leaf = attrgetter(routes[0][0])
        return lambda element: then(leaf(element))

    def get(element: Any) -> Any:
        leaves = [_leaf(element, names) for names in routes]
        if coded is None:
            return then(value(*leaves))
        hub_code, source_code, title = coded(value(*leaves))
        return hub_code if key in _HUB_CODED else title or source_code

    return get


def _leaf(element: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if element is None:
            return None
        if isinstance(element, str | int | float):
            raise BadValueError("an object was expected")
        element = getattr(element, name)
    return element
