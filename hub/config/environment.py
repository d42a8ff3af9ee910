"""The one place that looks at the process environment."""

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Environment", "override_paths"]

PREFIX = "HUB_"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the hub reads of the environment: its own variables, and those that `${env:NAME}` names."""

    variables: Mapping[str, str]

    @classmethod
    def of_process(cls) -> "Environment":
        return cls(os.environ)

    @property
    def config(self) -> Path | None:
        """HUB_CONFIG: the hub.toml to use."""
        value = self.variables.get("HUB_CONFIG")
        return Path(value) if value else None

    @property
    def language(self) -> str:
        """HUB_LANG, else the language of the locale: a bare tag such as `zh` or `en`."""
        for name in ("HUB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
            if value := self.variables.get(name):
                return value.replace("-", "_").split("_")[0].split(".")[0].lower()
        return (locale.getlocale()[0] or "en").split("_")[0].lower()

    @property
    def json_log(self) -> bool:
        """HUB_LOG=json: log lines are JSON objects."""
        return self.variables.get("HUB_LOG", "").lower() == "json"

    def option(self, name: str) -> str | None:
        """The environment twin of a global option, in lower case: `output` is HUB_OUTPUT."""
        return self.variables.get(PREFIX + name.upper().replace("-", "_"), "").lower() or None


def override_paths(environment: Environment) -> dict[tuple[str, ...], tuple[str, str]]:
    """Settings path → (variable, value) of every `HUB_SECTION__…__KEY` variable, in lower case.

    Only names with a double underscore are settings, so that HUB_LANG, HUB_CONFIG and the like keep their own meaning.
    """
    found = {}
    for name, value in sorted(environment.variables.items()):
        if name.startswith(PREFIX) and "__" in name:
            found[tuple(part.lower() for part in name.removeprefix(PREFIX).split("__"))] = (name, value)
    return found
