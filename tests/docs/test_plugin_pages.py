"""docs/plugins.md has every hook with its arguments; every example of the kit's reference builds."""

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hub import hookspecs
from hub.config.places import Places
from hub.source import Check, Cursor, Detail, Endpoint, FileSpec, Stream, Table, WindowParams
from hub.source.declared import _config
from hub.source.parts import _NOT_WRITTEN, KINDS, Place, kind_of, make, stream_of
from hub.testing.conformance import NAMES

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "connectors" / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", REFERENCE, re.M | re.S)
PARTS: dict[str, Any] = {"cursor": Cursor, "window": WindowParams, "detail": Detail, "table": Table}
HERE = Place(Places())


def test_every_hook_stands_with_its_arguments() -> None:
    page = (DOCS / "plugins.md").read_text("utf-8")
    for name in hookspecs.__all__:
        if name.startswith("hub_"):
            arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
            assert f"`{name}({arguments})`" in page


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_build(text: str) -> None:
    text = text.replace("${base_url}", "https://river.example").replace("${secret}", "hush")
    for key, table in tomllib.loads(text).items():
        if key in KINDS:
            assert kind_of(key, table, HERE, tokens=None)
        elif key == "settings":
            assert len(_config(table, HERE).model_fields) == len(table)
        elif key == "streams":
            assert all(stream_of({"title": "", "mapping": "", **one}, HERE, name=name) for name, one in table.items())
        elif key == "files":
            assert all(make(FileSpec, kind, HERE) for kind in table["kinds"])
        else:
            assert make(PARTS[key], table, HERE)


def test_every_kind_has_an_example() -> None:
    for key, kinds in KINDS.items():
        shown = {tomllib.loads(text)[key].get("kind", "json") for text in EXAMPLES if text.startswith(f"{key} =")}
        assert shown == set(kinds)


def test_every_key_stands_in_the_reference() -> None:
    """An author of a connector.toml needs no look at the kit's code to know what there is."""
    parts = [
        Stream,
        Endpoint,
        Check,
        FileSpec,
        *PARTS.values(),
        *(part for kinds in KINDS.values() for part in kinds.values()),
    ]
    keys = {name for part in parts for name in inspect.signature(part).parameters} - _NOT_WRITTEN - {"name"}
    missing = {key for key in keys if not re.search(rf"\b{key} =|`{key}\b", REFERENCE)}
    assert missing == {"scope", "style", "by_key", "by_secret"}, "rare ones of a sign-in stand in the docstrings only"


def test_every_check_stands_in_the_reference() -> None:
    assert all(f"`{name}`" in REFERENCE for name in NAMES)
