"""Taking an operator's decisions about codes into force: the code tables first, then the incidents that waited."""

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from hub.errors import MappingError
from hub.mapping.decisions import Decision, write_table
from hub.mapping.mapping import Mappings
from hub.store.overview import CodeGapRow, list_gaps
from hub.sync.remap import RemapResult, remap
from hub.sync.sources import Hub

__all__ = ["Approval", "approve"]


@dataclass(slots=True)
class Approval:
    """Which files were written, and what became of the streams whose incidents carried the codes."""

    written: list[Path] = field(default_factory=list)
    remapped: list[RemapResult] = field(default_factory=list)


def approve(hub: Hub, decisions: list[Decision], stop: threading.Event | None = None) -> Approval:
    """Write the tables into `mappings/codes` beside hub.toml, try the mappings that use them, then remap what waited.

    MappingError, and everything as it was, if a decision is none of the hub's codes. Interrupted, it can simply be run again:
    a code waits until its stream was remapped whole.
    """
    waiting = [gap for gap in list_gaps(hub.store) if any(_decides(one, gap) for one in decisions)]
    found = Approval()
    before: dict[Path, bytes | None] = {}
    try:
        _write(hub, decisions, found, before)
        hub.mappings = Mappings(hub.mapping_folders(), hub.plugins.transforms)
        for name in hub.mappings.names:
            if any(one.table in hub.mappings.get(name).codes for one in decisions):
                hub.mappings.get(name).mapper()
    except MappingError:
        for path, content in before.items():
            path.unlink(missing_ok=True) if content is None else path.write_bytes(content)
        raise
    keys = {settings.key or name: name for name, settings in hub.settings.sources.items()}
    for source, stream in sorted({(gap.source, gap.stream) for gap in waiting}):
        if source in keys and not (stop and stop.is_set()):
            with hub.open(keys[source]) as opened:
                found.remapped.append(remap(hub.store, hub.job(opened, opened.stream(stream)), hub.owner, stop=stop))
    return found


def _decides(decision: Decision, gap: CodeGapRow) -> bool:
    return (decision.table, decision.code) == (gap.code_table, gap.code)


def _write(hub: Hub, decisions: list[Decision], found: Approval, before: dict[Path, bytes | None]) -> None:
    """Write the tables; `before` is told what each file held."""
    tables: dict[str, list[Decision]] = defaultdict(list)
    for one in decisions:
        tables[one.table].append(one)
    for table, rows in tables.items():
        target = hub.own_mappings / "codes" / f"{table}.csv"
        before[target] = target.read_bytes() if target.exists() else None
        found.written.append(write_table(hub.own_mappings, hub.mappings.table_file(table), table, rows))
