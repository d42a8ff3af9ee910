"""Importing a plugin in a process of its own: the only way to find out that it hangs, exits or eats memory there.

What a plugin's thread can do to the hub's process cannot be undone, so that this is looked at before it is let in.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from hub.errors import PluginError

__all__ = ["Probe", "probe"]

_CHILD = """
import importlib.metadata, json, resource, sys, time

def memory():
    try:
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * resource.getpagesize()
    except OSError:  # not Linux: the highest so far, which may include what the parent process had
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

before, began = memory(), time.perf_counter()
importlib.metadata.EntryPoint(*sys.argv[1:]).load()
found = {"seconds": time.perf_counter() - began, "bytes": memory() - before}
print(json.dumps(found), file=sys.__stdout__, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Probe:
    """What an import costs: seconds, and bytes of memory it added to an empty Python process."""

    seconds: float = 0.0
    bytes: int = 0
    problem: PluginError | None = None


def probe(entry: EntryPoint, deadline_s: float = 20.0) -> Probe:
    """Import a plugin in a child process. Never raises for the plugin: `problem` says what it did."""
    plugin, line = entry.name, [sys.executable, "-c", _CHILD, entry.name, entry.value, entry.group]
    try:
        child = subprocess.run(line, capture_output=True, timeout=deadline_s, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return Probe(deadline_s, problem=PluginError(
            "{plugin} was still importing after {seconds} s", remedy="uninstall it, or report it to its author",
            plugin=plugin, seconds=f"{deadline_s:g}",
        ))  # fmt: skip
    if child.returncode != 0 or not child.stdout.strip():
        return Probe(problem=PluginError(
            "{plugin} ended its process while importing, with {code}",
            remedy="uninstall it, or report it to its author", plugin=plugin, code=child.returncode,
        ))  # fmt: skip
    found = json.loads(child.stdout.splitlines()[-1])
    return Probe(round(found["seconds"], 3), int(found["bytes"]))
