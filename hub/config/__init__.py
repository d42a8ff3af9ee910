"""hub.toml and the environment, read once and turned into typed settings. Nothing else in the hub reads either.

Names are loaded when first asked for: pydantic is heavy, and `hub --version` needs none of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.config.alarms import AlarmSettings
    from hub.config.environment import Environment
    from hub.config.loading import discover, load
    from hub.config.models import (
        DefaultSettings,
        EngineSettings,
        PluginSettings,
        RetentionSettings,
        SourceSettings,
        StoreSettings,
    )
    from hub.config.redact import RedactingFormatter, Redactor, redactor
    from hub.config.settings import Settings, SourceProblem
    from hub.config.values import Schedule, Start, duration, duration_text

__all__ = [
    "AlarmSettings",
    "DefaultSettings",
    "EngineSettings",
    "Environment",
    "PluginSettings",
    "RedactingFormatter",
    "Redactor",
    "RetentionSettings",
    "Schedule",
    "Settings",
    "SourceProblem",
    "SourceSettings",
    "Start",
    "StoreSettings",
    "discover",
    "duration",
    "duration_text",
    "load",
    "redactor",
]

_HOMES = {
    "hub.config.alarms": ("AlarmSettings",),
    "hub.config.environment": ("Environment",),
    "hub.config.loading": ("discover", "load"),
    "hub.config.models": (
        "DefaultSettings",
        "EngineSettings",
        "PluginSettings",
        "RetentionSettings",
        "SourceSettings",
        "StoreSettings",
    ),
    "hub.config.redact": ("RedactingFormatter", "Redactor", "redactor"),
    "hub.config.settings": ("Settings", "SourceProblem"),
    "hub.config.values": ("Schedule", "Start", "duration", "duration_text"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
