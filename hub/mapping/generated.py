"""Straight code made from parts: what the lines of a generated function may call, and how one value is read in them."""

from collections.abc import Callable, Sequence
from typing import Any

from hub.mapping.record import Tree

__all__ = ["QUICK_TEXT", "Scope", "access"]

QUICK_TEXT = "value if value.__class__ is str and value"
"""Text that is there needs no call: most fields of most records."""


class Scope:
    """The names of generated lines."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}

    def bind(self, thing: Any) -> str:
        """A name for a function or table."""
        name = f"n{len(self._names)}"
        self._names[name] = thing
        return name

    def read(self, target: str, arguments: Sequence[str], function: Callable[..., Any], quick: str = "") -> list[str]:
        """Lines that set `target` to `function` of the arguments. `quick` is "result if test" of the first argument, called
        `value`, and the second, `text`: where the test holds, the function need not be called."""
        name = self.bind(function)
        if not quick:
            call = f"{name}({', '.join(arguments)})"
            return [f"{target} = {call}" if target else call]
        names = ("value", "text")[: len(arguments)]
        lines = [f"{name} = {argument}" for name, argument in zip(names, arguments, strict=True)]
        return [*lines, f"{target} = {quick} else {name}({', '.join(names)})"]

    def function(self, head: str, body: Sequence[str]) -> Callable[..., Any]:
        """The function `head` with these lines."""
        lines = [f"def made({head}):", *(f"    {line}" for line in body)]
        namespace = dict(self._names)
        exec(compile("\n".join(lines), "<mapping>", "exec"), namespace)  # nosec B102 # lines made of our own literals and checked names
        made: Callable[..., Any] = namespace["made"]
        return made


def access(tree: Tree, path: str, root: str) -> str:
    """`root.f0.f1`, guarded where an object on the way is null."""
    names = tree.attribute(path)
    steps = [f"{root}." + ".".join(names[: depth + 1]) for depth in range(len(names))]
    guards = " and ".join(f"{step} is not None" for step in steps[:-1])
    return f"({steps[-1]} if {guards} else None)" if guards else steps[-1]
