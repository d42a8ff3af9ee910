"""Find plugins, load them one by one, and call their hooks so that a bad one is listed and hurts nobody else."""

import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from hub import hookspecs
from hub.data_plugin import HOOKS, hooks_of
from hub.errors import PluginError, raised_at

if TYPE_CHECKING:
    from hub.config import PluginSettings
    from hub.source.connector import Connector

__all__ = ["GROUP", "ListedPlugin", "PluginState", "Plugins", "foreign_plugins", "installed_plugins", "load_plugins"]

log = logging.getLogger("hub.plugins")

GROUP = f"hub.v{hookspecs.API_VERSION}"
_ANY_GROUP = re.compile(r"hub\.v(\d+)")
#: The hub's own distribution: its plugins come through the same door, first, and need no permission.
_OWN = "supervision-hub"


class PluginState(StrEnum):
    """How a plugin fares."""

    LOADED = "loaded"
    #: Installed, but `[plugins] allow` does not name it.
    OFF = "off"
    #: Could not be loaded; nothing of it is used.
    BROKEN = "broken"
    #: Loaded, but a hook of it raised or was overdue.
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class ListedPlugin:
    """One line of `hub plugins`. `problem` says reason and remedy unless all is well."""

    name: str
    distribution: str
    version: str
    state: PluginState
    connectors: tuple[str, ...] = ()
    problem: PluginError | None = None

    @property
    def reason(self) -> str:
        """What is wrong, in English; `hub plugins` renders `problem` in the operator's language."""
        return self.problem.template.format_map(self.problem.values) if self.problem else ""

    @property
    def remedy(self) -> str:
        return self.problem.remedy.format_map(self.problem.values) if self.problem else ""


@dataclass(slots=True)
class _Plugin:
    """A registered plugin in a manager of its own, so that no other plugin can break its calls."""

    name: str
    manager: pluggy.PluginManager
    overdue: threading.Thread | None = None

    def implements(self, hook: str) -> bool:
        return bool(getattr(self.manager.hook, hook).get_hookimpls())

    def call(self, hook: str, arguments: Mapping[str, Any], deadline_s: float) -> list[Any]:
        """The results of this plugin's implementations. Raises PluginError if it raises or is overdue."""
        if self.overdue is not None and self.overdue.is_alive():
            raise PluginError(
                "{plugin} has still not come back from an earlier call of a hook",
                remedy="remove the plugin or report it to its author",
                plugin=self.name,
            )
        log.debug("hook %s of %s", hook, self.name, extra={"action": "hook_called", "plugin": self.name})
        answer: list[Any] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                answer.extend(getattr(self.manager.hook, hook)(**arguments))
            except (Exception, SystemExit) as exc:
                failure.append(exc)

        thread = threading.Thread(target=work, name=f"plugin-{self.name}", daemon=True)
        thread.start()
        thread.join(deadline_s)
        if thread.is_alive():
            self.overdue = thread
            raise PluginError(
                "{plugin}: hook {hook} took longer than {seconds} s",
                remedy="report it to the plugin's author, or raise [plugins] deadline",
                plugin=self.name,
                hook=hook,
                seconds=f"{deadline_s:g}",
            )
        if failure and isinstance(failure[0], PluginError):
            raise failure[0].within(plugin=self.name)
        if failure:
            raise PluginError(
                "{plugin}: hook {hook} raised {error} at {place}",
                remedy="`hub --log-level debug plugins` shows its traceback; report it to its author",
                plugin=self.name,
                hook=hook,
                error=type(failure[0]).__name__,
                place=raised_at(failure[0]),
            ) from failure[0]
        return answer


@dataclass(slots=True)
class Plugins:
    """What the installed plugins bring. `listed` has every plugin found, also those that could not be used."""

    deadline_s: float = 5.0
    connectors: "dict[str, type[Connector]]" = field(default_factory=dict)
    mapping_folders: list[Path] = field(default_factory=list)
    transforms: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    listed: list[ListedPlugin] = field(default_factory=list)
    _loaded: list[_Plugin] = field(default_factory=list)
    _providers: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connector(self, name: str) -> "type[Connector]":
        """The connector class of that name. Raises PluginError with the nearest name, or why its plugin is broken."""
        from hub.config.nearest import nearest

        if name in self.connectors:
            return self.connectors[name]
        unusable = [line for line in self.listed if line.state in (PluginState.BROKEN, PluginState.OFF)]
        if own := next((line.problem for line in unusable if line.name == name), None):
            # A copy: whoever gets it writes the source into it.
            raise copy(own)
        if guess := nearest(name, self.connectors):
            raise PluginError(
                "there is no connector {connector}", remedy="did you mean {nearest}?", connector=name, nearest=guess
            )
        raise PluginError(
            "there is no connector {connector}; plugins that cannot be used: {plugins}",
            remedy="`hub plugins` lists what there is, and what is broken", connector=name,
            plugins=", ".join(line.name for line in unusable) or "-",
        )  # fmt: skip

    def implements(self, hook: str) -> bool:
        """Whether any plugin has this hook, so that nothing is prepared for nobody."""
        return any(plugin.implements(hook) for plugin in self._loaded)

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """Call one plugin after the other; what raises or is overdue is listed and logged, the others still run.

        A plugin is waited for until the deadline; after that its call is left to itself and it is not called again
        before that one ends.
        """
        results: list[Any] = []
        for plugin in self._loaded:
            if plugin.implements(hook):
                try:
                    results += plugin.call(hook, arguments, self.deadline_s)
                except PluginError as error:
                    self._failing(plugin.name, error)
        return results

    def _failing(self, name: str, error: PluginError) -> None:
        log.warning("%s", error, extra={"action": "hook_failed", "plugin": name}, exc_info=error.__cause__)
        with self._lock:
            for index, line in enumerate(self.listed):
                if line.name == name and line.state is not PluginState.BROKEN:
                    self.listed[index] = replace(line, state=PluginState.FAILING, problem=error)

    def _take(self, plugin: _Plugin) -> tuple[str, ...]:
        """Everything a plugin brings, all of it or, on PluginError, nothing."""
        connectors = list(_connectors(plugin, self._ask(plugin, "hub_connectors")))
        folders = [_folder(plugin, folder) for folder in self._ask(plugin, "hub_mappings")]
        transforms = self._transforms(plugin)
        names = [f"connector {connector.name}" for connector in connectors]
        names += [f"transform {name}" for name in transforms]
        for name in names:
            if name in self._providers or names.count(name) > 1:
                raise PluginError(
                    "{plugin} brings {thing}, which {other} brings already",
                    remedy="uninstall one of the two",
                    plugin=plugin.name,
                    thing=name,
                    other=self._providers.get(name, plugin.name),
                )
        self._providers.update(dict.fromkeys(names, plugin.name))
        self.connectors.update((connector.name, connector) for connector in connectors)
        self.mapping_folders += folders
        self.transforms.update(transforms)
        self._loaded.append(plugin)
        return tuple(connector.name for connector in connectors)

    def _transforms(self, plugin: _Plugin) -> dict[str, Callable[[Any], Any]]:
        found: dict[str, Callable[[Any], Any]] = {}
        for answer in self._ask_all(plugin, "hub_transforms"):
            if not isinstance(answer, Mapping):
                raise PluginError(
                    "{plugin}: hook {hook} must return a mapping",
                    remedy="report it to the plugin's author",
                    plugin=plugin.name,
                    hook="hub_transforms",
                )
            found.update(answer)
        return found

    def _ask_all(self, plugin: _Plugin, hook: str) -> list[Any]:
        return plugin.call(hook, {}, self.deadline_s) if plugin.implements(hook) else []

    def _ask(self, plugin: _Plugin, hook: str) -> list[Any]:
        answers = self._ask_all(plugin, hook)
        if not all(isinstance(answer, Iterable) for answer in answers):
            raise PluginError(
                "{plugin}: hook {hook} must return a list",
                remedy="report it to the plugin's author",
                plugin=plugin.name,
                hook=hook,
            )
        return [item for answer in answers for item in answer]


def load_plugins(settings: "PluginSettings | None" = None) -> Plugins:
    """Every installed plugin, the hub's own first. Never raises for a plugin: `Plugins.listed` says how each fares."""
    from hub.config import PluginSettings

    settings = settings or PluginSettings()
    plugins = Plugins(deadline_s=settings.deadline.total_seconds())
    seen: set[str] = set()
    for entry in installed_plugins():
        version = entry.dist.version if entry.dist else ""
        line = ListedPlugin(entry.name, _distribution(entry), version, PluginState.LOADED)
        try:
            _refuse_before_import(entry, seen)
            if settings.allow is not None and entry.name not in settings.allow and line.distribution != _OWN:
                off = PluginError("[plugins] allow does not name {plugin}", remedy="add it there", plugin=entry.name)
                plugins.listed.append(replace(line, state=PluginState.OFF, problem=off))
                continue
            seen.add(entry.name)
            line = replace(line, connectors=plugins._take(_register(entry)))
        except PluginError as error:
            marks = {"action": "plugin_broken", "plugin": entry.name}
            log.warning("%s", error, extra=marks)
            log.debug("the traceback of %s", entry.name, extra=marks, exc_info=error.__cause__)
            line = replace(line, state=PluginState.BROKEN, problem=error)
        plugins.listed.append(line)
    return plugins


def foreign_plugins() -> bool:
    """Whether any plugin beside the hub's own is installed; nothing is imported to find out."""
    return any(_distribution(entry) != _OWN for entry in installed_plugins())


def installed_plugins() -> list[EntryPoint]:
    """Entry points of every `hub.vN`, the hub's own first; a distribution found twice on the path counts once."""
    found: dict[tuple[str, str, str], EntryPoint] = {}
    for distribution in distributions():
        for name, entry in _entry_points(distribution):
            found.setdefault((name, entry.group, entry.name), entry)
    return sorted(found.values(), key=lambda entry: (_distribution(entry) != _OWN, _distribution(entry), entry.name))


def _entry_points(distribution: Distribution) -> list[tuple[str, EntryPoint]]:
    """Those of every `hub.vN`, with the distribution's name. None of a distribution that is damaged: any package of the
    environment may be, also one of no concern."""
    try:
        ours = [entry for entry in distribution.entry_points if _ANY_GROUP.fullmatch(entry.group)]
        return [(distribution.name, entry) for entry in ours]
    except (ValueError, TypeError, OSError) as exc:
        name = "?"
        with suppress(ValueError):
            name = distribution.name
        values = name, type(exc).__name__
        log.warning("the entry points of %s cannot be read: %s", *values, extra={"action": "plugin_broken"})
        return []


def _distribution(entry: EntryPoint) -> str:
    return (entry.dist.name or "") if entry.dist else ""


def _refuse_before_import(entry: EntryPoint, seen: set[str]) -> None:
    if entry.group != GROUP:
        raise PluginError(
            "{plugin} is made for {group}, this hub takes {own}",
            remedy="install a version of {distribution} made for {own}",
            plugin=entry.name,
            group=entry.group,
            own=GROUP,
            distribution=_distribution(entry),
        )
    if entry.name in seen:
        raise PluginError(
            "another plugin is called {plugin} already", remedy="uninstall one of the two", plugin=entry.name
        )


def _register(entry: EntryPoint) -> _Plugin:
    module = hooks_of(_import(entry))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    _check_names(entry.name, module, manager)
    try:
        manager.register(module, entry.name)
    except pluggy.PluginValidationError as exc:
        raise PluginError(
            "{plugin} has a hook with arguments the hub does not give",
            remedy="compare its arguments with hub/hookspecs.py", plugin=entry.name,
        ) from exc  # fmt: skip
    return _Plugin(entry.name, manager)


def _import(entry: EntryPoint) -> object:
    try:
        module: object = entry.load()
    except ModuleNotFoundError as exc:
        if exc.name and entry.module.split(".")[0] == exc.name.split(".")[0]:
            raise PluginError(
                "{plugin}: its own module {module} is not there",
                remedy="install {distribution} again",
                plugin=entry.name,
                module=exc.name,
                distribution=_distribution(entry),
            ) from exc
        raise PluginError(
            "{plugin} needs {module}, which is not installed",
            remedy="install it beside the hub, then run `hub plugins`", plugin=entry.name, module=exc.name,
        ) from exc  # fmt: skip
    except (Exception, SystemExit) as exc:
        raise PluginError(
            "plugin {plugin} cannot be imported: {error} at {place}",
            remedy="`hub --log-level debug plugins` shows its traceback; report it to its author",
            plugin=entry.name, error=type(exc).__name__, place=raised_at(exc),
        ) from exc  # fmt: skip
    return module


def _check_names(name: str, module: object, manager: pluggy.PluginManager) -> None:
    """pluggy takes a misspelt hook in silence, and one without its mark as well."""
    from hub.config.nearest import nearest

    for attribute in dir(module):
        if not attribute.startswith("hub_") or not callable(getattr(module, attribute)):
            continue
        if attribute not in HOOKS:
            raise PluginError(
                "{plugin}: {hook} is not a hook",
                remedy="did you mean {nearest}?",
                plugin=name,
                hook=attribute,
                nearest=nearest(attribute, HOOKS) or ", ".join(sorted(HOOKS)),
            )
        if manager.parse_hookimpl_opts(module, attribute) is None:
            raise PluginError(
                "{plugin}: {hook} is not marked as a hook", remedy="put @hookimpl above it", plugin=name, hook=attribute
            )


def _connectors(plugin: _Plugin, found: Iterable[Any]) -> "Iterator[type[Connector]]":
    from hub.source.connector import Connector

    for connector in found:
        if not (isinstance(connector, type) and issubclass(connector, Connector)):
            raise PluginError(
                "{plugin}: hub_connectors returns something that is no Connector class",
                remedy="return classes, not instances", plugin=plugin.name,
            )  # fmt: skip
        lacking = [one for one in ("name", "title", "title_en") if not isinstance(getattr(connector, one, None), str)]
        lacking += sorted(connector.__abstractmethods__)
        if lacking:
            raise PluginError(
                "{plugin}: connector {connector} has no {attribute}", remedy="add it to the class",
                plugin=plugin.name, connector=connector.__name__, attribute=", ".join(lacking),
            )  # fmt: skip
        yield connector


def _folder(plugin: _Plugin, folder: Any) -> Path:
    path = Path(folder)
    if not path.is_dir():
        raise PluginError(
            "{plugin}: mapping folder {folder} is not there",
            remedy="install the plugin again", plugin=plugin.name, folder=path,
        )  # fmt: skip
    return path
