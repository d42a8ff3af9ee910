"""A Singer SDK tap into meltanolabs-target-postgres, in their own environment: python singer_pipe.py BASE_URL DATABASE

This process starts tap and target with a pipe between them, as `tap | target` does. Tuned: msgspec at both ends, COPY,
upsert, no validation, no metadata columns. The mapping is the floor's.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

WHOLE = {"occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at", "fine"}
PARTS = {"longitude", "latitude", "source_x", "source_y"}


def run_tap(base_url: str) -> None:
    import floor
    from singer_sdk import Stream, Tap
    from singer_sdk import typing as th
    from singer_sdk.contrib.msgspec import MsgSpecWriter

    names = ("id", *floor.COLUMNS)
    kinds = {
        name: th.IntegerType if name in WHOLE else th.NumberType if name in PARTS else th.StringType for name in names
    }

    class Incidents(Stream):
        name = "incident"
        primary_keys = ("id",)
        schema = th.PropertiesList(*(th.Property(name, kind) for name, kind in kinds.items())).to_dict()

        def get_records(self, context: Any) -> Iterable[dict[str, Any]]:
            for page in floor.pages(base_url):
                for key, raw in zip(page.ids, page.raws, strict=True):
                    yield dict(zip(names, (key, *floor.incident(raw)), strict=True))

    class BenchTap(Tap):
        name = "tap-bench"
        config_jsonschema = th.PropertiesList().to_dict()
        message_writer_class = MsgSpecWriter

        def discover_streams(self) -> list[Stream]:
            return [Incidents(self)]

    BenchTap(config={}).sync_all()


def run_target(url: str) -> None:
    from singer_sdk.contrib.msgspec import MsgSpecReader
    from target_postgres.target import TargetPostgres

    class BenchTarget(TargetPostgres):
        message_reader_class = MsgSpecReader

    settings = {
        "sqlalchemy_url": url, "use_copy": True, "load_method": "upsert", "validate_records": False,
        "batch_size_rows": 10_000, "add_record_metadata": False, "activate_version": False,
    }  # fmt: skip
    BenchTarget(config=settings).listen()


def main(role: str, address: str, database: str = "") -> None:
    if role == "tap":
        run_tap(address)
    elif role == "target":
        run_target(address)
    else:
        me = [sys.executable, __file__]
        quiet: dict[str, Any] = {"stderr": subprocess.PIPE}
        with subprocess.Popen([*me, "tap", address], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap:
            target = subprocess.run([*me, "target", database], stdin=tap.stdout, stdout=subprocess.DEVNULL, **quiet)
        if tap.returncode or target.returncode:
            sys.exit(target.stderr.decode()[-2000:])
        print(json.dumps({"done": True}))


if __name__ == "__main__":
    main(*(sys.argv[1:] if sys.argv[1] in ("tap", "target") else ("both", *sys.argv[1:])))
