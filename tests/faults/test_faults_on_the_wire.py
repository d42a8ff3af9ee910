"""Each case of bad answers, records and pages on the real path: server → kit → mapping → store → command line."""

from collections.abc import Callable
from typing import Any

import pytest
from fault_bench import Case, Source, escapes
from faults_answers import ENCODING, ENVELOPE, JSON
from faults_http import CASES as HTTP
from faults_records import PAGING, RECORDS
from scripted import CLOCK, Upstream

CASES = (*HTTP, *ENVELOPE, *ENCODING, *JSON, *RECORDS, *PAGING)
GOOD = {"r1", "r2", "r3"}


def section(case: Case, upstream: Upstream, tls: Upstream, **changes: str) -> str:
    values = {"connector": '"faulty"', "base_url": '"http://127.0.0.1:{port}"', "secret": '"${env:FAULTY_KEY}"'}
    values |= {"form": f'"{case.form}"', **case.settings, **changes}
    ports = {"{port}": upstream.server.server_address[1], "{tls}": tls.server.server_address[1]}
    text = "\n".join(f"{name} = {value}" for name, value in values.items())
    for place, port in ports.items():
        text = text.replace(place, str(port))
    return f"[sources.faulty]\n{text}\n"


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_case(case: Case, trial: Callable[[str], Any], upstream: Upstream, tls_upstream: Upstream) -> None:
    source = Source(case)
    upstream.answer = source.answer
    bench = trial(section(case, upstream, tls_upstream))
    answer = bench.data("sync")
    run = answer.line
    assert (run["outcome"], answer.code) == (case.outcome, case.code), run["error"]
    assert (run["source"], run["stream"]) == ("faulty", "records")
    waiting = bench.data("quarantine", "list").lines if run["quarantined"] else []
    assert len(waiting) == run["quarantined"] == case.set_aside
    assert {(entry["source"], entry["stream"]) for entry in waiting} <= {("faulty", "records")}
    spoken = f"{run['error']} {[entry['reason'] for entry in waiting]}"
    assert case.says in spoken
    if run["error"]:
        assert "faulty/records" in run["error"]
    stored = bench.incidents()
    assert stored.keys() & GOOD == set(case.kept)
    for native, values in case.stored.items():
        assert {name: stored[native][name] for name in values} == values
    if case.stored:
        assert not escapes(bench.hub("incidents", "list", level="warning").out.replace("\n", ""))
    if case.heals:
        heal(case, source, bench, section(case, upstream, tls_upstream, base_url='"http://127.0.0.1:{port}"'))
    bench.check()
    cursors = [row["cursor"] for row in bench.rows("SELECT cursor FROM state") if row["cursor"] is not None]
    assert all(cursor <= CLOCK.timestamp() * 1000 for cursor in cursors)


def heal(case: Case, source: Source, bench: Any, toml: str) -> None:
    """The fault is over: the next run goes on by itself and nothing is missing."""
    source.healed = True
    text = bench.file.read_text("utf-8")
    repaired = "\n".join(line for line in toml.splitlines() if not line.startswith(("max_bytes", "request_deadline")))
    bench.file.write_text(text[: text.index("[sources.faulty]")] + repaired, "utf-8")
    answer = bench.data("sync")
    assert answer.code == 0, answer.line["error"]
    assert answer.line["new"] + answer.line["changed"] + answer.line["unchanged"] > 0 or not source.rows
    assert bench.incidents().keys() >= {name for name in GOOD if any(f'"{name}"' in row for row in source.rows)}
