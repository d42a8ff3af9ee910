"""Everything a plugin can do: the hooks of entry-point group `hub.v1`. docs/plugins.md shows each in use.

A plugin is a module (or object) named by an entry point of that group; it marks functions with `hookimpl`. It
implements the hooks it wants and leaves out the rest; arguments it does not need may be left out as well.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from hub.source.connector import Connector

__all__ = [
    "API_VERSION",
    "PROJECT",
    "hookimpl",
    "hub_alarm",
    "hub_changes_committed",
    "hub_cli",
    "hub_connectors",
    "hub_enrich",
    "hub_mappings",
    "hub_run_finished",
    "hub_transforms",
]

PROJECT = "hub"
#: The number in the entry-point group, so that it is known before anything of a plugin is imported.
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def hub_connectors() -> "Sequence[type[Connector]]":  # type: ignore[empty-body]
    """The connectors this plugin brings.

    When: once, when plugins are loaded. By: every command that deals with sources, in its main thread's care.
    Return: connector classes; names must be new in this installation.
    If it raises, is overdue, or a name is taken: the whole plugin is listed as broken and left out; others load.
    """


@hookspec
def hub_mappings() -> "Sequence[Path]":  # type: ignore[empty-body]
    """Folders of mapping files (`*.toml`) and code tables (`codes/*.csv`).

    When: once, when plugins are loaded. By: every command that deals with sources, in its main thread's care.
    Return: existing folders.
    If it raises, is overdue, or a folder is missing: the whole plugin is listed as broken and left out; others load.
    """


@hookspec
def hub_transforms() -> "Mapping[str, Callable[[Any], Any]]":  # type: ignore[empty-body]
    """Functions that mapping files may name as `transform`: one leaf value (text, number, boolean or None) to another.

    When: once, when plugins are loaded; a transform then runs once a value, in the thread that maps the page.
    Return: name → function. A function is pure and quick, and raises ValueError for a value it cannot read.
    If the hook raises, is overdue, or a name is taken: the whole plugin is listed as broken and left out. If a function
    raises: the record goes to quarantine.
    """


@hookspec
def hub_enrich(rows: "Sequence[Mapping[str, Any]]") -> "Sequence[Mapping[str, Any]] | None":
    """Complete a page's storage-ready rows.

    When: for a page's records as they are mapped, before they are compared with what is stored, also in a remap or when a record
    is tried again; only if a plugin implements it. By: the engine, in a thread of its own.
    Return: as many rows in the same order, or None to leave them. Identity, times and raw records are not changed; a value
    that is not of its column's type (text, whole number, float) is left out.
    If it raises, is overdue or returns another number of rows: the page goes on as it was; it is listed as failing.
    """


@hookspec
def hub_changes_committed(changes: "Sequence[Mapping[str, Any]]") -> None:
    """Changes were committed. Only a hint: the change feed is the truth, and a hint may be lost or come twice.

    When: after a page's transaction. By: the engine, in a thread of its own.
    Return: nothing.
    If it raises or is overdue: nothing is undone; the plugin is listed as failing.
    """


@hookspec
def hub_run_finished(run: "Mapping[str, Any]") -> None:
    """A run ended; `run` has the keys of `hub sync --output json`.

    When: after the run was written to the store. By: the engine, in a thread of its own.
    Return: nothing.
    If it raises or is overdue: the run keeps its outcome; the plugin is listed as failing.
    """


@hookspec
def hub_alarm(event: "Mapping[str, Any]") -> None:
    """Something a person should know: a source went down or came back, a freshness objective was missed.

    When: once as it begins and once as it ends. By: the engine or `hub serve`, in a thread of its own.
    Return: nothing.
    If it raises or is overdue: the alarm stays in the log and in `hub status`; the plugin is listed as failing.
    """


@hookspec
def hub_cli(group: "click.Group") -> None:
    """Add commands to `hub`.

    When: if the command line names a command the hub does not have, or asks for help. By: the command line.
    Return: nothing; `group.add_command(…)`. A name the hub has itself stays the hub's.
    If it raises or is overdue: its commands are missing; the plugin is listed as failing.
    """
