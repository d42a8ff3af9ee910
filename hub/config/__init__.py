"""hub.toml and the environment, read once and turned into typed settings. Nothing else in the hub reads either."""

from hub.config.alarms import AlarmSettings
from hub.config.environment import Environment
from hub.config.load import discover, load
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
