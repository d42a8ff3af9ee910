"""dlt on the same work, in its own environment: python dlt_pipeline.py BASE_URL DESTINATION rows|arrow

DESTINATION is an SQLAlchemy address of SQLite or a PostgreSQL address. Tuned as dlt's performance page advises: whole
pages are yielded, columns are declared, nothing is nested; buffers and files are set by the environment that starts it.
The mapping is the floor's.
"""

import sys
from collections.abc import Iterator
from typing import Any

import dlt
import floor
import pyarrow

base_url, destination, form = sys.argv[1:]
WHOLE = {"occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at", "fine"}
PARTS = {"longitude", "latitude", "source_x", "source_y"}
NAMES = ("id", *floor.COLUMNS)
KINDS = {name: "bigint" if name in WHOLE else "double" if name in PARTS else "text" for name in NAMES}
ARROW = {"bigint": pyarrow.int64(), "double": pyarrow.float64(), "text": pyarrow.string()}
postgres = destination.startswith("postgresql")


@dlt.resource(
    name="incident",
    primary_key="id",
    write_disposition={"disposition": "merge", "strategy": "upsert" if postgres else "delete-insert"},
    columns={name: {"data_type": kind, "nullable": name != "id"} for name, kind in KINDS.items()},
    file_format="parquet" if postgres else None,
    max_table_nesting=0,
)
def incidents() -> Iterator[Any]:
    schema = pyarrow.schema([pyarrow.field(name, ARROW[kind], nullable=name != "id") for name, kind in KINDS.items()])
    for page in floor.pages(base_url):
        rows = [(key, *floor.incident(raw)) for key, raw in zip(page.ids, page.raws, strict=True)]
        if form == "arrow":
            yield pyarrow.Table.from_arrays(
                [
                    pyarrow.array(column, field.type)
                    for column, field in zip(zip(*rows, strict=True), schema, strict=True)
                ],
                schema=schema,
            )
        else:
            yield [dict(zip(NAMES, row, strict=True)) for row in rows]


if __name__ == "__main__":
    target = (
        dlt.destinations.postgres(destination)
        if postgres
        else dlt.destinations.sqlalchemy(destination, create_primary_keys=True)
    )
    pipeline = dlt.pipeline("bench", destination=target, dataset_name="bench" if postgres else "main")
    pipeline.run(incidents())
