"""Front-end exchange databases (前置库): the partner writes log rows, the hub reads (domain.md §3, §4.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, create_engine, insert, text

from hub.testing.sandbox.absurd import bend_values
from hub.testing.sandbox.city import City
from hub.testing.sandbox.records import Row, Shelf
from hub.testing.sandbox.server import Answer, Request, json_answer
from hub.testing.sandbox.systems.exchange_rows import RENDERERS
from hub.testing.sandbox.systems.system import Secret, System
from hub.testing.sandbox.systems.telling import exchange_columns

TABLES = {
    "case_handling.cases": "aj_case_exchange",
    "road_patrol.findings": "lm_event_exchange",
    "integrated_management.checks": "zg_check_exchange",
    "integrated_management.rectifications": "zg_rectification_exchange",
    "dispatch_desk.alarms": "jc_alarm_exchange",
}
DATABASES = tuple(dict.fromkeys(key.partition(".")[0] for key in TABLES))
#: A d row carries its key and no other column of its own.
_KEYS = {
    "case_handling.cases": ("case_id",),
    "road_patrol.findings": ("event_code",),
    "integrated_management.checks": ("check_uid",),
    "integrated_management.rectifications": ("order_no", "item_no"),
    "dispatch_desk.alarms": ("alarm_no",),
}
_ROWS_AT_ONCE = 1000


class _Written(NamedTuple):
    shelf: Shelf
    table: Table
    known: set[tuple[int, int]]  #: (record number, version) of the rows that stand in the table


class Exchange(System):
    """One platform's exchange database; `url` is any SQLAlchemy URL, an SQLite file of its own by default."""

    speaks_json = False

    def __init__(self, name: str, city: City, directory: Path, url: str | None = None) -> None:
        super().__init__(name, city, directory)
        if url is None:
            folder = directory / "exchange"
            folder.mkdir(exist_ok=True)
            url = f"sqlite:///{folder / name}.db"
        self.url = url
        self._engine = create_engine(url)
        self._hidden = False
        metadata = MetaData()
        self._written = [
            _Written(shelf, _table(metadata, shelf), set()) for shelf in self.shelves.values() if shelf.records
        ]
        with self._engine.begin() as connection:
            for written in self._written:
                connection.execute(text(f"DROP TABLE IF EXISTS {written.table.name}"))
                connection.execute(text(f"DROP TABLE IF EXISTS {written.table.name}_away"))
        metadata.create_all(self._engine)

    def settings(self, base_url: str) -> dict[str, Any]:
        return {
            "url": Secret(self.url),
            "tables": {shelf.spec.name: TABLES[shelf.spec.key] for shelf in self.shelves.values()},
        }

    def handle(self, request: Request) -> Answer:
        return json_answer({"error": "this system is a database; only the control plane answers here"}, 404)

    def moved(self) -> None:
        """Write every version that does not stand in its table yet, in the order of its time."""
        if self._hidden:
            return
        with self._engine.begin() as connection:
            for shelf, table, known in self._written:
                new = [row for row in shelf.rows if (row.record.number, row.index) not in known]
                known.update((row.record.number, row.index) for row in new)
                for start in range(0, len(new), _ROWS_AT_ONCE):
                    connection.execute(
                        insert(table), [_values(row, table) for row in new[start : start + _ROWS_AT_ONCE]]
                    )

    def sabotage(self, name: str, options: dict[str, Any]) -> bool:
        if name != "table_missing":
            return False
        self._rename("", "_away")
        self._hidden = True
        return True

    def repair(self) -> None:
        if self._hidden:
            self._rename("_away", "")
            self._hidden = False
            self.moved()

    def _rename(self, before: str, after: str) -> None:
        with self._engine.begin() as connection:
            for written in self._written:
                name = written.table.name
                connection.execute(text(f"ALTER TABLE {name}{before} RENAME TO {name}{after}"))

    def close(self) -> None:
        self._engine.dispose()


def _table(metadata: MetaData, shelf: Shelf) -> Table:
    """cd_seq and the exchange columns, then the record's own, named as the first record shows them."""
    first = shelf.records[0]
    names = [*exchange_columns(first, 0), *RENDERERS[shelf.spec.key](first, 0)]
    # SQLite counts up by itself only in a plain INTEGER key.
    sequence = Column("cd_seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    return Table(TABLES[shelf.spec.key], metadata, sequence, *(Column(name, Text) for name in names))


def _values(row: Row, table: Table) -> dict[str, Any]:
    record, key = row.record, row.record.spec.key
    own = RENDERERS[key](record, row.index)
    if record.absurd:
        own = bend_values(key, record.absurd, own)
    if record.versions[row.index].op == "d":
        own = {name: own.get(name) for name in _KEYS[key]}
    values = {**exchange_columns(record, row.index), **own}
    return {column.name: values.get(column.name) for column in table.columns if column.name != "cd_seq"}
