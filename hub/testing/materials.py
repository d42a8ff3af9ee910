"""The files that make a connector what it is: its modules, the mappings and code tables its streams use, its samples.

A tier is earned by these files as they are; when one changes, the tier must be earned again. The rest of the hub is held by
the hub's own tests.
"""

import ast
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from hub.source.connector import Connector
from hub.sync.sources import Hub
from hub.testing.benches import open_bench
from hub.testing.quality import read_quality

__all__ = ["materials", "modules_of"]


def materials(connector: type[Connector]) -> tuple[Path, ...]:
    """All of them, each once. HubError if the connector cannot be opened with its quality file's settings."""
    quality, path = read_quality(connector)
    place = getattr(connector, "place", None)
    own = [place.places.file] if place is not None else modules_of(connector.__module__)
    samples = [] if quality.sandbox else sorted((path.parent / quality.samples).glob("*.json"))
    with (
        tempfile.TemporaryDirectory(prefix="hub-conformance-") as folder,
        open_bench(connector, quality, path.parent, Path(folder)) as bench,
        bench.hub.open(bench.source) as source,
    ):
        names = {stream.mapping for stream in source.streams}
        return tuple(dict.fromkeys([*own, *samples, *_meaning(bench.hub, sorted(names))]))


def modules_of(name: str) -> list[Path]:
    """The files of a module and of all modules of the same package that it imports, however far down."""
    package, found, waiting = name.partition(".")[0], dict[str, Path](), [name]
    while waiting:
        module = waiting.pop()
        spec = find_spec(module)
        if module in found or spec is None or spec.origin is None:
            continue
        found[module] = Path(spec.origin)
        imported = _imported(found[module], module if spec.submodule_search_locations else module.rpartition(".")[0])
        waiting += [one for one in imported if one.partition(".")[0] == package and _is_module(one)]
    return [found[module] for module in sorted(found)]


def _imported(file: Path, package: str) -> Iterator[str]:
    """Everything that could be a module in the file's import statements."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*parents, *([node.module] if node.module else [])])
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        # A name inside a module looks like a module inside a package.
        return False


def _meaning(hub: Hub, names: list[str]) -> Iterator[Path]:
    for name in names:
        yield next(path for folder in reversed(hub.mapping_folders()) if (path := folder / f"{name}.toml").is_file())
        for table in sorted(hub.mappings.get(name).codes):
            if (file := hub.mappings.table_file(table)) is not None:
                yield file
