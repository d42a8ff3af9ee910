"""The struct type a mapping's paths make: it holds just the mapped leaves, and decoding into it checks their types."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from hub.errors import FieldProblem, MappingError
from hub.mapping.values import Leaf

__all__ = ["RecordType", "Tree"]


@dataclass(slots=True)
class Tree:
    """Paths as a tree. `each` marks a list of objects (or of leaves, with no children); `optional` keys may be absent."""

    children: dict[str, "Tree"] = field(default_factory=dict)
    each: bool = False
    optional: bool = True
    leaf: bool = False

    def add(self, path: str, *, each: bool = False, optional: bool = False) -> "Tree":
        node = self
        for part in path.split("."):
            node = node.children.setdefault(part, Tree())
            node.optional = node.optional and optional
        node.each = node.each or each
        node.leaf = node.leaf or not each
        if node.leaf and node.each:
            raise MappingError("{path} is used as a value and as a list", path=path, remedy="use it as one of them")
        return node

    def annotation(self) -> Any:
        """The msgspec type: Leaf, a nested struct or a list (or its only element), each also null. MappingError if it is to be
        two of them."""
        if self.leaf and self.children:
            raise MappingError(
                "the object with {key} in it is used as a value too", key=next(iter(self.children)),
                remedy="name the value inside it",
            )  # fmt: skip
        inner: Any = self.record_struct() if self.children else Leaf
        return list[inner] | inner | Leaf if self.each else inner | None

    def record_struct(self) -> type[msgspec.Struct]:
        names = {f"f{number}": name for number, name in enumerate(self.children)}
        fields: list[Any] = [
            (attribute, self.children[name].annotation(), None)
            if self.children[name].optional
            else (attribute, self.children[name].annotation())
            for attribute, name in names.items()
        ]
        return msgspec.defstruct("Record", fields, rename=names, kw_only=True, gc=False, frozen=True)

    def attribute(self, path: str) -> tuple[str, ...]:
        """The attribute names that lead to a path, for instance ("f3", "f0")."""
        node, names = self, []
        for part in path.split("."):
            names.append(f"f{list(node.children).index(part)}")
            node = node.children[part]
        return tuple(names)


class RecordType:
    """Decodes one raw record into the struct; says which field is wrong if it cannot."""

    def __init__(self, tree: Tree) -> None:
        self.struct = tree.record_struct()
        self._paths = tree
        self.decode = msgspec.json.Decoder(self.struct).decode

    def problem(self, error: msgspec.DecodeError) -> FieldProblem:
        """The field and the reason in a decoding error; msgspec's messages name types, never values."""
        text = str(error)
        reason, _, where = text.partition(" - at `")
        path = where.rstrip("`").removeprefix("$.") or "$"
        if reason.startswith("Object missing required field `"):
            name = reason.split("`")[1]
            return FieldProblem(name if path == "$" else f"{path}.{name}", "missing")
        if isinstance(error, msgspec.ValidationError):
            return FieldProblem(path, "wrong type", reason.rpartition("got ")[2].strip("`"))
        return FieldProblem("$", "not JSON", reason.split(" (byte")[0])
