"""The kit grades connectors of tables, logs, files and taps, and catches those that break one promise over any of them."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from twins import (
    DropsRows,
    ForgetsTheLookback,
    GoesOnBehindTies,
    KnowsNoEnd,
    NeverForgets,
    NewState,
    RemembersWhatItShowed,
    ShowsAWindowOnce,
    SkipsWhenResumed,
    TakesErrorsForEmpty,
    Twin,
    Unreadable,
    broken,
)

from connectors.singer import Singer
from hub.source import Connector, Page, Stream, Window
from hub.source.declared import read_connector
from hub.testing.conformance import NAMES, Tier, Verdict, grade, run_check

HEAD = 'name = "{name}"\ntitle = "巡查"\ntitle_en = "Patrols"\n'
TABLE = """
[settings]
url = { description = "Address of the database.", type = "secret" }
page_size = { description = "Rows a query.", default = 100 }
[table]
url = "${url}"
[streams.findings]
native_id = "id"
cursor = { path = "updated_at" }
"""
KINDS = {
    "plain": TABLE
    + 'table = { name = "findings", order = ["updated_at", "id"], cursor = "updated_at", page_size = "${page_size}" }\n',
    "logged": TABLE
    + 'table = { name = "findings", order = ["cd_seq"], cursor = "updated_at", page_size = "${page_size}" }\n'
    + 'operation = "cd_operation"\nlog = true\ncomplete = false\n',
    "dropped": """
[settings]
folder = { description = "Where files arrive." }
[files]
folder = "${folder}"
kinds = [
  { pattern = "west_*.csv", stream = "findings", mapping = "dropped/findings", encoding = "gbk", zone = "UTC" },
  { pattern = "east_*.xlsx", stream = "findings", mapping = "dropped/findings" },
]
""",
}
MAPPING = """version = 1
kind = "patrol_finding"
native_id = ["id"]
[fields]
title = "title"
status = { path = "state", codes = "findings_state" }
source_updated_at = "updated_at"
[[people]]
role = "reporter"
phone = "phone"
"""
SAMPLES = [
    {"id": "A1", "title": "水面漂浮物", "state": "1", "updated_at": "2026-11-01 08:00:00", "phone": "13800000001"},
    {"id": "A2", "title": "违规排污口", "state": "2", "updated_at": "2026-11-02 09:00:00", "phone": "13800000002"},
]


def made(folder: Path, name: str) -> type[Connector]:
    """A declared connector with everything beside it that the kit wants."""
    home = folder / name
    config = (
        'folder = "{folder}/drop"' if name == "dropped" else 'url = "sqlite:///{folder}/upstream.db"\npage_size = 7'
    )
    rows = [{**row, "cd_operation": "i"} if name == "logged" else row for row in SAMPLES]
    texts = {
        "connector.toml": HEAD.replace("{name}", name) + KINDS[name],
        "README.md": "findings, url, page_size, folder",
        f"mappings/{name}/findings.toml": MAPPING,
        "mappings/codes/findings_state.csv": "source_code,hub_code,title,valid_from,valid_to\n1,pending,,,\n2,closed,,,\n",
        f"conformance/{name}.toml": f"[config]\n{config}\n",
        "conformance/samples/findings.json": json.dumps(rows),
    }
    for path, text in texts.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text, "utf-8")
    return read_connector(home / "connector.toml")


@pytest.fixture(scope="module")
def connectors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, type[Connector]]:
    folder = tmp_path_factory.mktemp("kit")
    return {**{name: made(folder, name) for name in KINDS}, "singer": Singer}


class CountsRows(Twin):
    """Goes on after so many rows, whatever has moved since."""

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        whole = replace(stream, endpoint=replace(stream.endpoint, page_size=10_000))
        rows = super().fetch(whole, window, None).rows
        at, size = position["row"] if position else 0, stream.endpoint.page_size
        return Page(rows[at : at + size], {"row": at + size} if at + size < len(rows) else None)


class LogsItsAddress(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        address = self.good._url.render_as_string(hide_password=False)  # type: ignore[attr-defined]
        logging.getLogger("hub.plugin").info("reading %s", address)
        return super().fetch(stream, window, position)


class LogsItsSettings(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        password = self.good._config["password"].get_secret_value()  # type: ignore[attr-defined]
        logging.getLogger("hub.plugin").info("running the tap with %s", password)
        return super().fetch(stream, window, position)


class LooksAtNewFilesOnly(Twin):
    """Passes over a file older than the newest it has read."""

    newest: ClassVar[float] = 0.0

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        if page.file is None:
            return page
        at = (self.good._folder._path / page.file.name).stat().st_mtime  # type: ignore[attr-defined]
        older, type(self).newest = at < self.newest, max(at, self.newest)
        return replace(page, rows=[]) if older else page


class RemembersFilesByName(Twin):
    names: ClassVar[set[str]] = set()

    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        known = page.file is not None and page.file.name in self.names
        self.names.update({page.file.name} if page.file else ())
        return replace(page, rows=[]) if known else page


class IgnoresWithdrawals(Twin):
    def fetch(self, stream: Stream, window: Window, position: Any) -> Page:
        page = super().fetch(stream, window, position)
        return replace(page, rows=[row for row in page.rows if b'"cd_operation":"d"' not in row])


EVERYWHERE: dict[str, type[Twin]] = {
    "checks": Unreadable, "maps": DropsRows, "ties": GoesOnBehindTies, "empty_or_refused": TakesErrorsForEmpty,
    "kill_and_resume": RemembersWhatItShowed, "codes_governed": NewState,
}  # fmt: skip
WITH_CURSOR: dict[str, type[Twin]] = {
    **EVERYWHERE, "resumes": SkipsWhenResumed, "late_rows": ForgetsTheLookback, "reconciles": ShowsAWindowOnce,
    "backfill": KnowsNoEnd,
}  # fmt: skip
TWINS: dict[str, dict[str, type[Twin]]] = {
    "plain": {**WITH_CURSOR, "page_shift": CountsRows, "redaction": LogsItsAddress, "deletes": NeverForgets},
    "logged": {**WITH_CURSOR, "redaction": LogsItsAddress, "deletes": IgnoresWithdrawals},
    "dropped": {**EVERYWHERE, "late_rows": LooksAtNewFilesOnly, "page_shift": RemembersFilesByName},
    "singer": {
        "maps": DropsRows, "empty_or_refused": TakesErrorsForEmpty, "kill_and_resume": RemembersWhatItShowed,
        "redaction": LogsItsSettings, "deletes": NeverForgets,
    },
}  # fmt: skip
CASES = [(kind, check, twin) for kind, twins in TWINS.items() for check, twin in twins.items()]
#: What cannot apply, and so is exempt by itself with its reason.
EXEMPT = {
    "plain": {"token_expiry", "retry_after"},
    "logged": {"token_expiry", "retry_after"},
    "dropped": {"token_expiry", "retry_after", "reconciles", "deletes", "backfill"},
}


@pytest.mark.parametrize("kind", EXEMPT)
def test_a_good_one_is_gold(connectors: dict[str, type[Connector]], kind: str) -> None:
    found = grade(connectors[kind])
    assert {one.name: one.said for one in found.results if one.verdict is Verdict.FAILED} == {}
    assert {one.name for one in found.results if one.verdict is Verdict.EXEMPT} == EXEMPT[kind]
    assert all(one.said for one in found.results if one.verdict is Verdict.EXEMPT)
    assert found.tier is Tier.GOLD


@pytest.mark.parametrize(("kind", "check", "twin"), CASES, ids=[f"{kind}-{check}" for kind, check, _ in CASES])
def test_the_twin_is_caught(
    connectors: dict[str, type[Connector]], kind: str, check: str, twin: Callable[..., Twin]
) -> None:
    found = run_check(broken(connectors[kind], twin), check)
    assert found.verdict is Verdict.FAILED
    # Caught for what it does, not because it could not be tried.
    assert "cannot simulate" not in found.said


def test_every_check_that_applies_to_a_table_has_a_twin() -> None:
    on_paper = {"documentation", "both_languages"}
    assert set(TWINS["plain"]) == set(NAMES) - EXEMPT["plain"] - on_paper
