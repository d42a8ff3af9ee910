"""An exchange database in an SQLite file, written as the connector's streams declare: logs of versions, or plain tables."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from hub.source.stream import Stream
from hub.source.table import Table
from hub.testing.upstream import Refusal, Worlds
from hub.testing.world import Kept, World, at_path, encoded

__all__ = ["SimulatedTables"]

_MOST = 200


class SimulatedTables:
    """The tables of one source. In a log every version is a row and a withdrawn record's last one has its key only; a
    plain table holds each record once."""

    refusals: tuple[Refusal, ...] = (
        Refusal("table_missing"), Refusal("column_missing"), Refusal("database_gone"), Refusal("no_database"),
    )  # fmt: skip
    tells_time = False

    def __init__(self, worlds: Worlds, path: Path) -> None:
        self._worlds, self._path = worlds, path
        self._away = path.with_suffix(".away")
        self._numbers: dict[str, int] = dict.fromkeys(worlds, 0)
        self._told: dict[str, dict[tuple[Any, ...], bytes]] = {name: {} for name in worlds}
        self._fault = ""
        endpoints = [world.stream.endpoint for world in worlds.values()]
        self.page_rows = min(max(endpoint.page_size for endpoint in endpoints), _MOST)
        for world in worlds.values():
            columns = ", ".join(f"{_quoted(name)} {kind}" for name, kind in _columns(world).items())
            self._run(f"CREATE TABLE {_table(world)} ({columns})")

    def write(self) -> None:
        for name, world in self._worlds.items():
            told = self._told[name]
            # By time of change: whoever writes a log writes it as things happen.
            changed = [one for one in sorted(world.kept, key=lambda one: one.at) if told.get(one.native) != _seen(one)]
            for one in changed:
                told[one.native] = _seen(one)
                self._put(name, world, one)

    def late(self) -> None:
        """A late row is written after the others and carries an older time; nothing else marks it."""
        self.write()

    def shift(self) -> None:
        for world in self._worlds.values():
            world.touch(world.living[0], world.now)
            world.grow(1, since=world.now)
        self.write()

    def fault(self, name: str, **options: Any) -> None:
        self._fault = name
        if name in ("database_gone", "no_database"):
            self._path.rename(self._away)
        if name == "no_database":
            self._path.write_bytes(b"<html>the page of a proxy</html>" * 100)
        for world in self._worlds.values():
            if name == "table_missing":
                self._run(f"ALTER TABLE {_table(world)} RENAME TO {_table(world, '_away')}")
            if name == "column_missing":
                self._rename_column(world, "", "_away")

    def clear(self) -> None:
        name, self._fault = self._fault, ""
        if name in ("database_gone", "no_database"):
            self._away.replace(self._path)
        for world in self._worlds.values():
            if name == "table_missing":
                self._run(f"ALTER TABLE {_table(world, '_away')} RENAME TO {_table(world)}")
            if name == "column_missing":
                self._rename_column(world, "_away", "")

    def _rename_column(self, world: World, before: str, after: str) -> None:
        column = world.stream.endpoint.order[0]
        self._run(f"ALTER TABLE {_table(world)} RENAME COLUMN {_quoted(column + before)} TO {_quoted(column + after)}")

    def _put(self, name: str, world: World, one: Kept) -> None:
        stream = world.stream
        number = _running_number(stream)
        if not stream.log:
            where = " AND ".join(f"{_quoted(path)} = ?" for path in stream.id_paths)
            self._run(f"DELETE FROM {_table(world)} WHERE {where}", *one.native)
            if one.gone:
                return
        self._numbers[name] += 1
        record = {**one.record, **({number: self._numbers[name]} if number else {})}
        if stream.log and stream.operation and str(at_path(record, stream.operation)) in stream.deletes:
            record = {column: record[column] for column in _key_columns(stream) if column in record}
        columns = ", ".join(map(_quoted, record))
        self._run(
            f"INSERT INTO {_table(world)} ({columns}) VALUES ({', '.join('?' * len(record))})",
            *(_value(value) for value in record.values()),
        )

    def _run(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self._path)) as connection, connection:
            connection.execute(statement, values)


def _running_number(stream: Stream) -> str:
    """The order column that counts rows, if the table is not ordered by its records' own columns."""
    own = {*stream.id_paths, stream.endpoint.cursor, stream.cursor.path if stream.cursor else None}
    return next((column for column in stream.endpoint.order if column not in own), "")


def _key_columns(stream: Stream) -> list[str]:
    table: Table = stream.endpoint
    named = [
        *stream.id_paths,
        *table.order,
        table.cursor,
        stream.operation,
        stream.cursor.path if stream.cursor else None,
    ]
    return [name for name in dict.fromkeys(named) if name]


def _columns(world: World) -> dict[str, str]:
    """Name → type; whole numbers stay numbers, all else is text."""
    names = dict.fromkeys(name for sample in world.samples for name in sample)
    found = {
        name: "INTEGER" if all(isinstance(sample.get(name), int) for sample in world.samples) else "TEXT"
        for name in names
    }
    number = _running_number(world.stream)
    return {**found, **({number: "INTEGER"} if number else {}), **({} if world.stream.cursor else {"_changed": "TEXT"})}


def _seen(one: Kept) -> bytes:
    return b"" if one.gone else encoded(one)


def _table(world: World, suffix: str = "") -> str:
    return _quoted(world.stream.endpoint.name + suffix)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _value(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
