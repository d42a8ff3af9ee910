"""A small Singer tap for tests: 2,500 rows, a STATE each thousand; `mode` in its configuration makes it misbehave."""

import json
import sys
import time
from pathlib import Path
from typing import Any

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))


def given(option: str) -> Any:
    return json.loads(Path(arguments[option]).read_text())


config = given("--config")
if "--discover" in sys.argv:
    streams = [{"tap_stream_id": name, "stream": name, "schema": {}} for name in ("orders", "other")]
    print(json.dumps({"streams": streams}))
    sys.exit(0)
chosen = [entry["stream"] for entry in given("--catalog")["streams"] if entry["selected"]]
assert chosen == ["orders"]
first = given("--state")["last"] + 1 if "--state" in arguments else 1
print(json.dumps({"type": "SCHEMA", "stream": "orders", "schema": {}, "key_properties": ["id"]}))
for number in range(first, 2501):
    if number == 1500:
        if config.get("mode") == "dies":
            sys.exit(3)
        if config.get("mode") == "babbles":
            print("hello")
        if config.get("mode") == "hangs":
            sys.stdout.flush()
            time.sleep(60)
    print(json.dumps({"type": "RECORD", "stream": "orders", "record": {"id": number, "since": config["start_date"]}}))
    if number % 100 == 0:
        print(json.dumps({"type": "STATE", "value": {"last": number}}))
