"""Parts of a mapping that make lists: people, steps, attachments, references to other systems, parties."""

from collections.abc import Callable, Collection
from operator import attrgetter
from typing import Any

import msgspec

from hub.incident import ATTACHMENT_KINDS, Flag, Status
from hub.mapping.definition import EachSpec, FieldSpec, PeopleSpec
from hub.mapping.expressions import Expressions
from hub.mapping.generated import QUICK_TEXT, access
from hub.mapping.record import Tree
from hub.mapping.transforms import bad_id_number, code_reader, text_of
from hub.mapping.values import BadValueError, PersonRecord

__all__ = ["list_function", "people_function"]

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
#: Length of `2026-11-19T09:13:27Z`.
_WHOLE_SECONDS = 20
_encode = msgspec.json.Encoder().encode


def people_function(shared: Expressions, spec: PeopleSpec) -> Callable[[Any], None]:
    """Notes every person of a record (or of a list in it) for the person table."""
    notes = shared.notes

    def note(person: PersonRecord) -> None:
        if "id_number" in person and bad_id_number(person["id_number"]):
            notes.flags.append(Flag.BAD_ID_NUMBER)
        notes.people.append(person)

    tree, loop = _elements(shared, spec.each, None, False)
    specs = {key: item for key in _PERSON_KEYS if (item := getattr(spec, key)) is not None}
    lines = [
        *_nature(shared, tree, spec, "in"),
        f'found = {{"role": {shared.scope.bind(spec.role)}}}',
        *[line for key, item in specs.items() for line in _person_key(shared, tree, key, item)],
        f"if len(found) > 1: {shared.scope.bind(note)}(found)",
    ]
    return shared.scope.function("record", [loop, *(f"    {line}" for line in lines)])


def list_function(shared: Expressions, target: str, specs: tuple[EachSpec, ...]) -> Callable[[Any], str | None]:
    """A function from the whole record to the JSON text of one list, because several specs may add to it."""
    scope, lines = shared.scope, ["items = []"]
    for spec in specs:
        tree, loop = _elements(shared, spec.each, spec.split, spec.optional)
        fixed = {key: item.const for key, item in spec.values.items() if item.const is not None and not item.path}
        read = {key: item for key, item in spec.values.items() if key not in fixed}
        useful = " or ".join(f"its_{key} is not None" for key in _NEEDED[target] if key in read)
        item = scope.bind(_item_type((*fixed, *read), target))
        values = ", ".join([*map(scope.bind, fixed.values()), *(f"its_{key}" for key in read)])
        own = [
            *_nature(shared, tree, spec, "not in"),
            *[
                line
                for key, item in read.items()
                for line in _key(shared, tree, key, item, f"its_{key}", instants=True)
            ],
            f"if {useful or False}: items.append({item}({values}))",
        ]
        lines += [loop, *(f"    {line}" for line in own)]
    sort = scope.bind(_oldest_first if target == "steps" else list)
    return scope.function("record", [*lines, f"return {scope.bind(_json)}({sort}(items)) if items else None"])


def _item_type(keys: Collection[str], target: str) -> type[msgspec.Struct]:
    """An element of a list: null keys are left out of its JSON, the others stand in this order. Every step has an `at`."""
    names = [*keys, *(["at"] if target == "steps" and "at" not in keys else [])]
    return msgspec.defstruct("Item", [(name, str | None, None) for name in names], omit_defaults=True, gc=False)


def _json(items: list[Any]) -> str:
    return _encode(items).decode()


_at = attrgetter("at")


def _oldest_first(steps: list[Any]) -> list[Any]:
    """By time, those without one last. Without its Z an instant stands before the same one with a fraction."""
    before = ""
    for at in map(_at, steps):
        if at is None or len(at) != _WHOLE_SECONDS or at < before:
            return sorted(steps, key=lambda step: (step.at or "~")[:-1])
        before = at
    return steps


def _key(shared: Expressions, tree: Tree, key: str, spec: FieldSpec, target: str, *, instants: bool) -> list[str]:
    """Lines that set `target` to one value of an element."""
    scope = shared.scope
    value = "element" if spec.path == (".",) else shared.expression(spec, tree, "element")
    if spec.codes:
        return scope.read(target, [value], _coded(shared, key, spec.codes))
    if instants and key in _INSTANT_KEYS:
        instant = shared.instant(spec)
        return scope.read(target, [value], instant.read_iso, instant.quick_iso(scope))
    return scope.read(target, [value], text_of, QUICK_TEXT)


def _person_key(shared: Expressions, tree: Tree, key: str, spec: FieldSpec) -> list[str]:
    lines = _key(shared, tree, key, spec, "value", instants=False)
    return [*lines, f"if value is not None: found[{key!r}] = value"]


def _coded(shared: Expressions, key: str, codes: str) -> Callable[[Any], str | None]:
    table = shared.table(codes)
    if key in _HUB_CODED:
        table.only_into(_HUB_CODED[key])
    coded = code_reader(table, None, shared.notes)

    def read(value: Any) -> str | None:
        hub_code, source_code, title = coded(value)
        return hub_code if key in _HUB_CODED else title or source_code

    return read


def _nature(shared: Expressions, tree: Tree, spec: EachSpec | PeopleSpec, skip: str) -> list[str]:
    """Lines that leave out elements: organisations where people are wanted, and the other way round."""
    if spec.nature is None:
        return []
    nature = shared.expression(spec.nature, tree, "element")
    scope = shared.scope
    return [
        *scope.read("value", [nature], text_of, QUICK_TEXT),
        f"if value {skip} {scope.bind(frozenset(spec.organization))}: continue",
    ]


def _elements(shared: Expressions, each: str | None, separator: str | None, optional: bool) -> tuple[Tree, str]:
    """Where an element's own paths go in the tree, and the line that walks the elements."""
    if not each:
        return shared.tree, "for element in (record,):"
    node = shared.tree.add(each, each=not separator, optional=optional)

    def elements(found: Any) -> Any:
        if found is None or found == "":
            return ()
        if separator:
            return [part.strip() for part in str(found).split(separator) if part.strip()]
        if isinstance(found, msgspec.Struct):
            return (found,)  # XML does not tell a list of one from its element, nor does JSON that was made of it
        if not isinstance(found, list):
            raise BadValueError("a list was expected")
        return found

    found = access(shared.tree, each, "record")
    return (
        node,
        f"for element in found if (found := {found}).__class__ is list else {shared.scope.bind(elements)}(found):",
    )
