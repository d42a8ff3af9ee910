#!/usr/bin/env bash
# Builds the example connector and the hub as wheels, installs both in a clean environment, and takes the connector through its life:
# discovered, tested, synced, scheduled, removed. Needs a package index for the hub's dependencies. Run by `make example`.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="$(mktemp -d)"
running=()
trap 'kill "${running[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "wheels in a clean environment"
"${PYTHON:-python3}" -m venv "$work/venv"
bin="$work/venv/bin"
# From a copy, because building leaves folders behind.
mkdir "$work/hub"
cp -r "$root"/{pyproject.toml,README.md,cli.py,hub,connectors,mappings} "$work/hub"
cp -r "$root/examples/river_watch" "$work/river_watch"
"$bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work/wheels" "$work/hub" "$work/river_watch"
"$bin/pip" install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" "$work"/wheels/*.whl pytest
cd "$work"
"$bin/hub" init project
cd project

step "discovered, with the tiers that ship with both packages"
"$bin/hub" plugins --output json > plugins.json
"$bin/python" - <<'PYTHON'
import json

tiers = [tier for line in open("plugins.json") for tier in json.loads(line)["tiers"]]
assert "river_watch: gold" in tiers and "snapshot: gold" in tiers, tiers
print(len(tiers), "connectors, all gold:", all(tier.endswith(": gold") for tier in tiers))
PYTHON

step "conforming: by command, and as tests through the hub's pytest plugin"
"$bin/hub" conformance river_watch
"$bin/pytest" --quiet --hub-conformance -k "checks or maps" "$work/river_watch"

step "synced"
cat > upstream.py <<'PYTHON'
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        rows = json.loads(Path("rows.json").read_text("utf-8"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"code": 0, "data": {"total": len(rows), "rows": rows}}).encode())

    def log_message(self, *arguments):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
Path("port").write_text(str(server.server_address[1]))
server.serve_forever()
PYTHON
row() {
  printf '{"id": "%s", "title": "%s", "state": "1", "foundAt": "2026-11-01 08:00:00", "updatedAt": "2026-11-01 08:0%s:00", "reporter": "甲", "phone": "13800000001"}' \
    "A$1" "$2" "$1"
}
echo "[$(row 1 水面漂浮物)]" > rows.json
"$bin/python" upstream.py & running+=($!)
until [ -s port ]; do sleep 0.1; done
printf '\n[sources.river]\nconnector = "river_watch"\nbase_url = "http://127.0.0.1:%s"\nschedule = "2s"\nstart = "2026-01-01"\n' \
  "$(cat port)" >> hub.toml
"$bin/hub" validate
"$bin/hub" sync river
"$bin/hub" incidents list | grep 水面漂浮物

step "scheduled: a new record comes in by itself"
echo "[$(row 1 水面漂浮物), $(row 2 违规排污口)]" > rows.json
"$bin/hub" serve & serving=$!
running+=("$serving")
for _ in $(seq 120); do
  if "$bin/hub" incidents list | grep 违规排污口; then break; fi
  sleep 0.25
done
kill -TERM "$serving"
wait "$serving"
"$bin/hub" incidents list | grep -q 违规排污口

step "removed: its source says so, its incidents stay"
"$bin/pip" uninstall --quiet --yes hub-connector-river-watch
if "$bin/hub" sync river; then echo "a removed connector still syncs" >&2; exit 1; fi
"$bin/hub" incidents list | grep 水面漂浮物

step "discovered, conforming, synced, scheduled, removed"
