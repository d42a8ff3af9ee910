"""The drop folder: each move of the city leaves new files, none is ever altered (docs/wire.md, section 6)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hub.testing.sandbox.absurd import bend_values
from hub.testing.sandbox.city import City
from hub.testing.sandbox.clock import compact, local, utc_text
from hub.testing.sandbox.records import Record, Row
from hub.testing.sandbox.server import Answer, Request, json_answer
from hub.testing.sandbox.systems.system import System
from hub.testing.sandbox.systems.telling import category_name, describe
from hub.testing.sandbox.systems.xlsx import workbook

Lines = Sequence[Sequence[str]]
COLUMNS = (
    "事件编号",
    "街道",
    "类别",
    "类别名称",
    "描述",
    "状态",
    "发生时间",
    "更新时间",
    "经度",
    "纬度",
    "上报人",
    "联系电话",
    "处置单位",
)


class FileKind(NamedTuple):
    """One family of files: how it is named, written and declared in hub.toml."""

    name: str
    suffix: str
    zone: str
    encoding: str | None
    encode: Callable[[Lines], bytes]
    clock: Callable[[int], str]  #: how it writes instants
    done: bool = False  #: a `.done` companion says that the file is whole

    @property
    def pattern(self) -> str:
        return f"street_events_{self.name}_*{self.suffix}"

    @property
    def settings(self) -> dict[str, str]:
        named = {"pattern": self.pattern, "stream": "street_events", "mapping": "street_events", "zone": self.zone}
        return named if self.encoding is None else {**named, "encoding": self.encoding}


def _csv(lines: Lines) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(lines)
    return buffer.getvalue()


def _utf8_bom(lines: Lines) -> bytes:
    return _csv(lines).encode("utf-8-sig")


def _gbk(lines: Lines) -> bytes:
    return _csv(lines).encode("gbk")


KINDS = (
    FileKind("east", ".csv", "Asia/Shanghai", "utf-8", _utf8_bom, local, done=True),
    FileKind("west", ".csv", "Asia/Shanghai", "gbk", _gbk, local),
    FileKind("zone", ".xlsx", "UTC", None, workbook, utc_text),
)


class Drop(System):
    speaks_json = False

    def __init__(self, name: str, city: City, directory: Path) -> None:
        super().__init__(name, city, directory)
        self.folder = directory / "drop"
        self.folder.mkdir(exist_ok=True)
        self._known: set[tuple[int, int]] = set()
        self._drops = 0

    def settings(self, base_url: str) -> dict[str, Any]:
        return {"folder": str(self.folder), "files": [kind.settings for kind in KINDS]}

    def handle(self, request: Request) -> Answer:
        return json_answer({"error": "this system is a folder; only the control plane answers here"}, 404)

    def moved(self) -> None:
        """One file a kind with what is new or changed since the last drop."""
        new = [row for row in self.shelves["street_events"].rows if (row.record.number, row.index) not in self._known]
        self._known.update((row.record.number, row.index) for row in new)
        self._drops += 1
        for position, kind in enumerate(KINDS):
            rows = [row for row in new if row.record.number % len(KINDS) == position]
            if rows:
                self._write(kind, kind.encode([COLUMNS, *(_line(row, kind) for row in rows)]))
        if self._drops == 1:
            self._save("weekly_summary_1.csv", "周,件数\r\n47,12\r\n".encode())

    def sabotage(self, name: str, options: dict[str, Any]) -> bool:
        """Drop a file of a known pattern whose bytes are broken: GBK under the UTF-8 pattern, or a torn workbook."""
        if name != "broken_file":
            return False
        self._drops += 1
        row = self.shelves["street_events"].rows[0]
        if options.get("kind") == "xlsx":
            self._write(KINDS[2], workbook([COLUMNS, _line(row, KINDS[2])])[:200])
        else:
            self._write(KINDS[0], _gbk([COLUMNS, _line(row, KINDS[0])]))
        return True

    def _write(self, kind: FileKind, content: bytes) -> None:
        moment = compact(self.city.clock.now, "%Y%m%d%H%M%S")
        name = f"street_events_{kind.name}_{moment}_{self._drops:03d}{kind.suffix}"
        self._save(name, content)
        if kind.done:
            self._save(f"{name}.done", b"")

    def _save(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)


def street_event(record: Record, index: int) -> dict[str, Any]:
    """The columns with instants as epoch seconds: each kind of file writes them in its own zone."""
    event, version = record.event, record.versions[index]
    return {
        "事件编号": record.native_id,
        "街道": event.town.name,
        "类别": version.category,
        "类别名称": category_name(record, index),
        "描述": describe(record, index),
        "状态": record.stage(index).code,
        "发生时间": record.occurred,
        "更新时间": version.at,
        "经度": "" if record.lon is None else f"{record.lon:.6f}",
        "纬度": "" if record.lat is None else f"{record.lat:.6f}",
        "上报人": event.reporter.name,
        "联系电话": event.reporter.phone,
        "处置单位": event.authority.name,
    }


def _line(row: Row, kind: FileKind) -> list[str]:
    record = row.record
    values = street_event(record, row.index)
    if record.absurd:
        values = bend_values(record.spec.key, record.absurd, values)
    return [kind.clock(value) if isinstance(value, int) else str(value) for value in map(values.get, COLUMNS)]
