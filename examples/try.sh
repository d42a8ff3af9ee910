#!/usr/bin/env bash
# Builds the example connector and the hub as wheels, installs both in a clean environment, and takes the connector through its life:
# discovered, tested, synced, removed. Needs a package index for the hub's dependencies. Run by `make example`.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
bin="$work/venv/bin"
# From a copy, because building leaves folders behind.
mkdir "$work/hub"
cp -r "$root"/{pyproject.toml,README.md,cli.py,hub,connectors,mappings} "$work/hub"
cp -r "$root/examples/river_watch" "$work/river_watch"
"$bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work/wheels" "$work/hub" "$work/river_watch"
"$bin/pip" install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" "$work"/wheels/*.whl
cd "$work"
"$bin/hub" init project
cd project
"$bin/hub" plugins --output json | grep '"river_watch"' > discovered
"$bin/hub" conformance river_watch
cat > upstream.py <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

row = {"id": "A1", "title": "水面漂浮物", "state": "1", "foundAt": "2026-11-01 08:00:00", "updatedAt": "2026-11-01 08:00:00",
       "reporter": "甲", "phone": "13800000001"}

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"code": 0, "data": {"total": 1, "rows": [row]}}).encode())

    def log_message(self, *arguments):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
Path("port").write_text(str(server.server_address[1]))
server.serve_forever()
PYTHON
"$bin/python" upstream.py & server=$!
trap 'kill $server; rm -rf "$work"' EXIT
until [ -s port ]; do sleep 0.1; done
printf '\n[sources.river]\nconnector = "river_watch"\nbase_url = "http://127.0.0.1:%s"\nschedule = "5m"\nstart = "2026-01-01"\n' \
  "$(cat port)" >> hub.toml
"$bin/hub" validate
"$bin/hub" sync river
"$bin/hub" incidents list | grep 水面漂浮物
"$bin/pip" uninstall --quiet --yes hub-connector-river-watch
if "$bin/hub" sync river; then echo "a removed connector still syncs" >&2; exit 1; fi
"$bin/hub" incidents list | grep 水面漂浮物
echo "discovered, conforming, synced, removed; its incidents stay"
