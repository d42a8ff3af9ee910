"""How the lines of a mapping's function read a value: where it lies, which of several counts, what is made of it first."""

from collections.abc import Callable, Mapping

from hub.errors import MappingError
from hub.mapping.codes import CodeTable, named_table
from hub.mapping.definition import FieldSpec, MappingFile
from hub.mapping.generated import Scope, access
from hub.mapping.instants import Instant
from hub.mapping.record import Tree
from hub.mapping.transforms import text_of
from hub.mapping.values import BadValueError, Leaf, Notes

__all__ = ["Expressions"]


class Expressions:
    """What all parts of one mapping share. `tree` grows with every path that is read; `notes` is where flags, people and gaps are
    left while a record is mapped."""

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
        self.scope = Scope()

    def table(self, name: str) -> CodeTable:
        return named_table(self.tables, name)

    def instant(self, spec: FieldSpec) -> Instant:
        return Instant(spec.zone or self.zone, spec.format or self.file.time_format, self.notes)

    def expression(self, spec: FieldSpec, tree: Tree | None = None, root: str = "record") -> str:
        """What reads the one value that counts of `spec.path` or `spec.join`, where `root` is of the tree's shape."""
        tree = self.tree if tree is None else tree
        for path in spec.paths:
            tree.add(path, optional=spec.optional)
        if not spec.path and not spec.join and not spec.transform:
            return self.scope.bind(spec.const[: spec.cut] if spec.const and spec.cut else spec.const)
        leaves = [access(tree, path, root) for path in spec.path or spec.join]
        choose = self._choice(spec)
        return leaves[0] if choose is None else f"{self.scope.bind(choose)}({', '.join(leaves)})"

    def _choice(self, spec: FieldSpec) -> Callable[..., Leaf] | None:
        """A function from the leaves to the value; None where there is one leaf and it is the value."""
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
            return None

        def chosen(*leaves: Leaf) -> Leaf:
            value: Leaf = next((leaf for leaf in leaves if leaf is not None and leaf != ""), constant)
            if transform is not None:
                value = transform(value)
            return (text_of(value) or "")[:cut] if cut else value

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
