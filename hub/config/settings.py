"""All settings of one hub.toml, typed, with the origin of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.config.alarms import AlarmSettings
from hub.config.models import (
    DefaultSettings,
    EngineSettings,
    PluginSettings,
    RetentionSettings,
    SourceSettings,
    StoreSettings,
)
from hub.config.nearest import nearest
from hub.config.places import KeyPath, Places
from hub.errors import ConfigError

__all__ = ["Settings", "SourceProblem", "unknown_source"]


def unknown_source(name: str, configured: Sequence[str], stored: Sequence[str] = ()) -> ConfigError:
    """The error for a source nobody knows, with the nearest name of hub.toml or of the store if one is near."""
    guess = nearest(name, (*configured, *stored))
    return ConfigError(
        "there is no source {source}",
        source=name,
        remedy="did you mean {nearest}?" if guess else "hub.toml has {known}",
        nearest=guess,
        known=", ".join(configured),
    )


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """A `[sources.NAME]` section that cannot be used; the other sources are not concerned."""

    name: str
    errors: tuple[ConfigError, ...]

    @property
    def error(self) -> ConfigError:
        """The first thing to put right."""
        return self.errors[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What hub.toml and the environment say. A source with a faulty section stands in `problems` only."""

    file: Path
    store: StoreSettings = field(default_factory=StoreSettings)
    defaults: DefaultSettings = field(default_factory=DefaultSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    sources: dict[str, SourceSettings] = field(default_factory=dict)
    problems: dict[str, SourceProblem] = field(default_factory=dict)
    places: Places = field(default_factory=Places, repr=False)

    @property
    def folder(self) -> Path:
        """hub.toml's folder, from which relative paths are taken."""
        return self.file.parent

    @property
    def zone(self) -> ZoneInfo:
        """The zone of `[defaults]`, in which times are shown and schedules meant."""
        return ZoneInfo(self.defaults.zone)

    def source_names(self, wanted: Sequence[str] = ()) -> tuple[str, ...]:
        """The sources asked for, or every enabled one. ConfigError for a name that hub.toml does not have."""
        known = (*self.sources, *self.problems)
        for name in wanted:
            if name not in known:
                raise unknown_source(name, known)
        enabled = [name for name in known if name in self.problems or self.sources[name].enabled]
        return tuple(wanted) or tuple(enabled)

    def origin(self, *path: str) -> str:
        """Where a setting came from: `hub.toml:12`, a variable's name, `[defaults]` by its own line, or `default`."""
        full: KeyPath = path
        found = self.places.origin(full)
        if found == "default" and path[0] == "sources" and path[-1] in DefaultSettings.model_fields:
            return self.places.origin(("defaults", path[-1]))
        return found
