"""The quality file of a connector: how it is put to the test, what it is exempt from and why, and the tier it earned.

It lies beside the connector: `conformance/NAME.toml`. The tier counts only for the very files that earned it, which are
listed with it, and for the version of the plugin interface it was earned with.
"""

import hashlib
import inspect
import json
import os
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.config.writing import writing
from hub.errors import ConfigError
from hub.hookspecs import API_VERSION
from hub.source.connector import Connector

__all__ = ["Earned", "Quality", "Tier", "earned_tier", "fingerprint", "quality_file", "read_quality", "record_tier"]


class Tier(StrEnum):
    """How far a connector is proven; each includes the ones before."""

    NONE = "none"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


class Earned(BaseModel):
    """What was earned, by what. Not to be written by hand: `of` would not fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: Tier
    of: str
    files: tuple[str, ...]


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
    earned: Earned | None = Field(None, description="Written by `hub conformance --record`.")


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


def fingerprint(connector: type[Connector], tier: Tier, files: Sequence[str]) -> str:
    """Of the tier, the interface, the quality file's own words and the files (named from the connector's folder). OSError
    if one is gone."""
    path = quality_file(connector)
    digest = hashlib.sha256(f"{API_VERSION} {tier}\0{_own_words(path)}".encode())
    for name in files:
        digest.update(name.encode() + b"\0" + (path.parent.parent / name).read_bytes())
    return digest.hexdigest()[:16]


def _own_words(path: Path) -> str:
    return path.read_text("utf-8").split("\n[earned]")[0].rstrip() + "\n"


def earned_tier(connector: type[Connector]) -> Tier:
    """The tier on record, `none` if there is none or the connector changed since."""
    try:
        quality, _ = read_quality(connector)
        earned = quality.earned
        current = earned is not None and earned.of == fingerprint(connector, earned.tier, earned.files)
    except (ConfigError, OSError, TypeError):
        return Tier.NONE
    return earned.tier if earned is not None and current else Tier.NONE


def record_tier(connector: type[Connector], tier: Tier, materials: Sequence[Path]) -> Path:
    """Write the earned tier and what earned it into the quality file, in place of an older one."""
    path = quality_file(connector)
    home = path.parent.parent
    files = sorted(Path(os.path.relpath(one, home)).as_posix() for one in materials)
    lines = [
        "[earned]", f'tier = "{tier}"', f'of = "{fingerprint(connector, tier, files)}"',
        f"files = {json.dumps(files, indent=2)}",
    ]  # fmt: skip
    with writing(path):
        path.write_text("\n".join([_own_words(path), *lines]) + "\n", "utf-8")
    return path
