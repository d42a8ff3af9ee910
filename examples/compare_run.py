"""Runs the four files of examples/compare against one small server and prints what docs/compare.md says of them.

    python examples/compare_run.py DIR      DIR/dlt, DIR/singer and DIR/airbyte are environments; one that is missing is left out

Twice each: the second reading begins where the first ended. Run by `make compare`.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.source.declared import read_connector
from hub.testing.tested import TestedProject

FILES = Path(__file__).parent / "compare"
TOKEN = "a-token-for-the-comparison"
BEGIN = datetime(2026, 11, 1, 8, tzinfo=timezone(timedelta(hours=8)))
FINDINGS = [
    {
        "id": f"A{number:04}", "title": "t", "state": "1", "foundAt": BEGIN.isoformat(),
        "updatedAt": (BEGIN + timedelta(minutes=number)).isoformat(),
    }
    for number in range(450)
]  # fmt: skip
DLT = """
import sys
import dlt
from dlt_river import river
pipeline = dlt.pipeline("river", pipelines_dir=sys.argv[3], destination="filesystem")
pipeline.extract(river(sys.argv[1], sys.argv[2]))
"""
SINGER = "import sys; from singer_river import TapRiver; TapRiver.cli(sys.argv[1:])"
MAPPING = 'version = 1\nkind = "patrol_finding"\n[fields]\ntitle = "title"\nsource_updated_at = "updatedAt"\n'


class River(ThreadingHTTPServer):
    """The system: 450 findings, a bearer token, pages, `from`. `asked`: the `from` and the number of rows of each answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[tuple[str, int]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def told(self) -> list[tuple[str, int]]:
        asked, self.asked = self.asked, []
        return asked


class Answer(BaseHTTPRequestHandler):
    server: River

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
        since = datetime.fromisoformat(query["from"].replace(" ", "+")) if "from" in query else None
        rows = [row for row in FINDINGS if since is None or datetime.fromisoformat(row["updatedAt"]) >= since]
        size, page = int(query.get("size", 200)), int(query.get("page", 1))
        shown = rows[(page - 1) * size : page * size]
        self.server.asked.append((query.get("from", ""), len(shown)))
        body = json.dumps({"code": 0, "data": {"total": len(rows), "rows": shown}}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


def lines_of(file: Path) -> int:
    """Lines that are neither empty nor comments."""
    lines = [line.strip() for line in file.read_text("utf-8").splitlines()]
    return len([line for line in lines if line and not line.startswith("#")])


def run(*command: object) -> list[dict[str, Any]]:
    """The JSON messages a program wrote, one a line."""
    found = subprocess.run(
        list(map(str, command)), cwd=FILES, capture_output=True, text=True, check=True, timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "RUNTIME__DLTHUB_TELEMETRY": "false"},
    )  # fmt: skip
    return [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]


def hub(river: River, folder: Path, _environment: Path) -> None:
    (folder / "mappings" / "river").mkdir(parents=True, exist_ok=True)
    (folder / "mappings" / "river" / "findings.toml").write_text(MAPPING)
    settings = f'[sources.river]\nconnector = "river"\nbase_url = "{river.url}"\ntoken = "${{env:TOKEN}}"\n'
    (folder / "hub.toml").write_text(settings + 'start = "2026-01-01"\n')
    connector = read_connector(FILES / "connector.toml")
    with TestedProject(folder, folder / "hub.toml", connector, {"TOKEN": TOKEN}) as project:
        (result,) = project.sync("river")
        assert result.outcome == "ok", result
        assert len(project.incidents("river", "findings")) == len(FINDINGS)


def dlt(river: River, folder: Path, environment: Path) -> None:
    run(environment / "bin" / "python", "-c", DLT, river.url, TOKEN, folder)


def singer(river: River, folder: Path, environment: Path) -> None:
    config, state = folder / "config.json", folder / "state.json"
    config.write_text(json.dumps({"base_url": river.url, "token": TOKEN, "start_date": "2026-01-01T00:00:00+08:00"}))
    if not state.exists():
        state.write_text("{}")
    told = run(environment / "bin" / "python", "-c", SINGER, "--config", config, "--state", state)
    state.write_text(json.dumps([message["value"] for message in told if message["type"] == "STATE"][-1]))


def airbyte(river: River, folder: Path, environment: Path) -> None:
    read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
    (manifest,) = run(environment / "bin" / "python", "-c", read, FILES / "airbyte_river.yaml")
    config, state, catalog = (folder / f"{name}.json" for name in ("config", "state", "catalog"))
    config.write_text(json.dumps({"__injected_declarative_manifest": manifest, "base_url": river.url, "token": TOKEN}))
    stream = {"name": "findings", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    modes = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
    catalog.write_text(json.dumps({"streams": [{"stream": stream, **modes}]}))
    if not state.exists():
        state.write_text("[]")
    program = environment / "bin" / "source-declarative-manifest"
    told = run(program, "read", "--config", config, "--catalog", catalog, "--state", state)
    state.write_text(json.dumps([[message["state"] for message in told if message["type"] == "STATE"][-1]]))


TOOLS = {
    "this hub, declarative": (hub, "", "connector.toml"), "dlt": (dlt, "dlt", "dlt_river.py"),
    "Singer SDK": (singer, "singer", "singer_river.py"), "Airbyte low-code": (airbyte, "airbyte", "airbyte_river.yaml"),
}  # fmt: skip


def main(environments: Path) -> None:
    river = River()
    threading.Thread(target=river.serve_forever, args=(0.02,), daemon=True).start()
    print(
        "| | Lines | First reading: rows | in requests | Second reading: rows | asked from |\n|---|---:|---:|---:|---:|---|"
    )
    for name, (tool, folder_name, file) in TOOLS.items():
        environment, lines = environments / folder_name, lines_of(FILES / file)
        if not environment.is_dir():
            print(f"| {name} | {lines} | not here | | | |")
            continue
        with tempfile.TemporaryDirectory(prefix="compare-") as folder:
            tool(river, Path(folder), environment)
            first = river.told()
            tool(river, Path(folder), environment)
            second = river.told()
        rows, again = (sum(count for _, count in asked) for asked in (first, second))
        assert rows >= len(FINDINGS), f"{name} read {rows} of {len(FINDINGS)}"
        assert again < len(FINDINGS), f"{name} does not go on where it stopped"
        print(f"| {name} | {lines} | {rows} | {len(first)} | {again} | {second[0][0]} |", flush=True)
    river.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
