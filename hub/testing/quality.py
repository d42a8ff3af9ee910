"""The quality file of a connector: how it is put to the test, what it is exempt from and why, and the tier it earned.

It lies beside the connector: `conformance/NAME.toml`. The tier counts only for the very files that earned it.
"""

import hashlib
import inspect
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.errors import ConfigError
from hub.source.connector import Connector

__all__ = ["Quality", "Tier", "earned_tier", "fingerprint", "quality_file", "read_quality", "record_tier"]


class Tier(StrEnum):
    """How far a connector is proven; each includes the ones before."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Quality(BaseModel):
    """One quality file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: dict[str, Any] = Field(
        default_factory=dict, description="Settings for the test; {folder} stands for a folder of its own."
    )
    samples: str = Field("samples", description="Folder with STREAM.json: records as the source sends them.")
    sandbox: str = Field("", description="System of the hub's sandbox to be tested against, in place of samples.")
    documentation: str = Field("README.md", description="The page that documents the connector.")
    exempt: dict[str, str] = Field(default_factory=dict, description="Check → why it cannot apply.")
    earned: dict[str, str] = Field(default_factory=dict, description="Written by `hub conformance --record`.")


def quality_file(connector: type[Connector]) -> Path:
    """Where the quality file of a connector lies, whether or not it is there."""
    place = getattr(connector, "place", None)
    home = place.places.file if place is not None else Path(inspect.getfile(connector))
    return home.parent / "conformance" / f"{connector.name}.toml"


def read_quality(connector: type[Connector]) -> tuple[Quality, Path]:
    """ConfigError if the file is missing or wrong."""
    path = quality_file(connector)
    try:
        return Quality.model_validate(tomllib.loads(path.read_text("utf-8"))), path
    except FileNotFoundError:
        raise ConfigError(
            "connector {connector} has no quality file {path}",
            connector=connector.name,
            path=path,
            remedy="write it: settings for the test, samples, exemptions (docs/connectors/README.md)",
        ) from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        why = error.errors(include_input=False)[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfigError("{path} cannot be read: {why}", remedy="check the file", path=path, why=why) from error


def fingerprint(connector: type[Connector]) -> str:
    """Of everything beside the connector that makes it what it is: code, declaration, mappings, code tables."""
    folder = quality_file(connector).parent.parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".toml", ".csv") and "conformance" not in path.relative_to(folder).parts:
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def earned_tier(connector: type[Connector]) -> Tier:
    """The tier on record, `none` if there is none or the connector changed since."""
    try:
        quality, _ = read_quality(connector)
    except (ConfigError, OSError, TypeError):
        return Tier.NONE
    tier = quality.earned.get("tier", "none")
    current = quality.earned.get("of") == fingerprint(connector)
    return Tier(tier) if current and tier in set(Tier) else Tier.NONE


def record_tier(connector: type[Connector], tier: Tier) -> Path:
    """Write the earned tier into the quality file, in place of an older one."""
    path = quality_file(connector)
    kept = path.read_text("utf-8").split("\n[earned]")[0].rstrip() + "\n"
    path.write_text(f'{kept}\n[earned]\ntier = "{tier}"\nof = "{fingerprint(connector)}"\n', "utf-8")
    return path
