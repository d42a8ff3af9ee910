"""The bench a catalogue of bad input is tried on: a connector, its mapping, and a healthy source that a case spoils.

Every record carries a citizen, and the connector has a key: neither may turn up in anything the hub says.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from scripted import Reply, Seen

from hub.errors import EXIT_CODES, Outcome
from hub.hookspecs import hookimpl
from hub.source import (
    ApiKey,
    Check,
    Connector,
    ConnectorConfig,
    Cursor,
    Endpoint,
    Envelope,
    NextLink,
    PageNumber,
    RestTransport,
    SourceContext,
    Stream,
)

__all__ = [
    "CITIZEN",
    "KEY",
    "PHONE",
    "PLANTED",
    "SECRET",
    "Case",
    "FaultyConnector",
    "Source",
    "good",
    "hub_connectors",
    "hub_mappings",
]

KEY = bytes(range(32))
SECRET = "k3y-that-nobody-may-read-9x"
CITIZEN = "欧阳不该见"
PHONE = "13912340000"
ID_NUMBER = "330702199003077336"
PLANTED = (SECRET, CITIZEN, PHONE, ID_NUMBER, base64.b64encode(KEY).decode())


def good(number: int, **changes: Any) -> dict[str, Any]:
    """A healthy record r1, r2, …; a change to `...` (Ellipsis) leaves the key out."""
    record = {
        "id": f"r{number}", "title": f"占道经营 {number}", "updated": f"2026-11-20 08:0{number}:00", "status": "1",
        "who": CITIZEN, "phone": PHONE, "idNumber": ID_NUMBER,
    } | changes  # fmt: skip
    return {key: value for key, value in record.items() if value is not ...}


def text_of(record: Any) -> str:
    return record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of the catalogue. `bad` answers instead of the healthy source (None: the healthy answer after all);
    `rows` are sent beside the three healthy ones. `kept`: what of r1 to r3 the spoiled run already stores."""

    id: str
    sends: str
    outcome: Outcome = Outcome.OK
    says: str = ""
    bad: Callable[["Source", Seen], Reply | None] | None = None
    rows: tuple[Any, ...] = ()
    form: str = "paged"
    settings: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ("r1", "r2", "r3")
    set_aside: int = 0
    stored: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    heals: bool = True

    @property
    def code(self) -> int:
        return EXIT_CODES[self.outcome]

    @property
    def line(self) -> str:
        """Its line in docs/faults.md."""
        parts = [] if self.kept == ("r1", "r2", "r3") else [f"{len(self.kept)} of 3 neighbours at once, all after it"]
        if self.set_aside:
            parts.append(f"{self.set_aside} to quarantine")
        if self.says:
            parts += [] if parts or self.code else ["everything stored"]
            parts.append(f"“{self.says}”")
        for values in self.stored.values():
            parts += [f"`{name}` = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
        return "; ".join(parts) or "everything stored"


class Source:
    """The healthy source: two records a page, in the form the case asks for."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rows = [text_of(row) for row in (good(1), *case.rows, good(2), good(3))]
        self.healed = False
        self.asked = 0
        self.url = ""

    def answer(self, seen: Seen) -> Reply:
        self.asked += 1
        spoiled = None if self.healed or self.case.bad is None else self.case.bad(self, seen)
        return self.healthy(seen) if spoiled is None else spoiled

    def page_of(self, seen: Seen) -> int:
        return int(seen.params.get("page", 1))

    def healthy(self, seen: Seen) -> Reply:
        return self.of_rows(self.page(self.page_of(seen)), self.page_of(seen))

    def page(self, number: int) -> list[str]:
        return self.rows[2 * (number - 1) : 2 * number]

    def of_rows(self, rows: list[str], page: int = 1, total: Any = ...) -> Reply:
        joined = ", ".join(rows)
        total = len(self.rows) if total is ... else total
        if self.case.form == "nested":
            inner = f'{{"success": true, "total": {total}, "rows": [{joined}]}}'
            return Reply(f'{{"code": 0, "datas": {json.dumps(inner, ensure_ascii=False)}}}')
        if self.case.form == "linked":
            following = f"/records?page={page + 1}" if 2 * page < len(self.rows) else None
            return Reply(f'{{"rows": [{joined}], "next": {json.dumps(following)}}}')
        return Reply(f'{{"code": 0, "message": "ok", "data": {{"total": {json.dumps(total)}, "rows": [{joined}]}}}}')


_CHECK = Check(
    "code", ok=(0,),
    errors={"11": "expired", "13": "refused", "15": "misconfigured", "18": "quota", "19": "rate_limited",
            "20": "unavailable"},
)  # fmt: skip
_PAGED = PageNumber(per_page=2)
_ENDPOINTS = {
    "paged": Endpoint(
        path="/records", paging=_PAGED, envelope=Envelope(rows="data.rows", total="data.total", checks=(_CHECK,))
    ),
    "nested": Endpoint(
        path="/records", paging=_PAGED,
        envelope=Envelope(rows="datas.rows", total="datas.total", checks=(_CHECK, Check("datas.success", ok=(True,)))),
    ),
    "linked": Endpoint(path="/records", paging=NextLink(path="next"), envelope=Envelope(rows="rows")),
}  # fmt: skip


class FaultyConnector(Connector):
    """Reads the source above, in one of its forms."""

    name = "faulty"
    title = "故障台"
    title_en = "fault bench"

    class Config(ConnectorConfig):
        base_url: str
        secret: SecretStr
        form: str = "paged"

    def streams(self, config: Any) -> tuple[Stream, ...]:
        return (
            Stream(
                name="records", title="记录", mapping="faulty/records", native_id="id", cursor=Cursor(path="updated"),
                endpoint=_ENDPOINTS[config.form],
            ),
        )  # fmt: skip

    def transport(self, config: Any, context: SourceContext) -> RestTransport:
        return RestTransport(config.base_url, context, ApiKey("X-Key", config.secret))


@hookimpl
def hub_connectors() -> list[type[Connector]]:
    return [FaultyConnector]


@hookimpl
def hub_mappings() -> list[Path]:
    return [Path(__file__).parent / "mappings"]


def escapes(text: str) -> bool:
    """Whether a terminal would take part of it for a command, or show it in another order."""
    return bool(re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text))
