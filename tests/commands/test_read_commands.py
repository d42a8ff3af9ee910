"""status, runs, incidents, changes, deletions, codes, state: what operators read and decide."""

import json
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from answers import Run
from click.testing import CliRunner

import cli
from hub.config import load
from hub.incident import Status
from hub.store import open_store
from hub.store.raw import people_of
from hub.testing.sandbox import Sandbox


@pytest.fixture
def synced(data: Run, city: Sandbox) -> Run:
    """`data` after a first sync."""
    assert data("sync").code == 0
    return data


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_knows_streams_that_never_ran(data: Run) -> None:
    lines = data("status").lines
    assert {(line["source"], line["stream"], line["outcome"]) for line in lines} == {
        ("grassroots_governance", "events", None), ("snapshot", "reports", None), ("road_patrol", "findings", None)
    }  # fmt: skip


def test_status_after_a_sync(synced: Run, hub: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = synced("status")
    assert answer.code == 0
    for line in answer.lines:
        assert line["outcome"] == "ok"
        assert line["age_s"] < line["freshness_s"]
        assert line["living"] >= line["open"] > 0
        assert line["good_at"].endswith("+08:00")
    monkeypatch.setenv("HUB_LANG", "zh")
    assert "随手拍" in hub("status").out


def test_a_stream_behind_its_objective_is_exit_6(synced: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SOURCES__SNAPSHOT__FRESHNESS", "PT0.001S")
    answer = synced("status")
    assert answer.code == 6
    assert [line["source"] for line in answer.lines if line["breached"]] == ["snapshot"]


def test_a_misconfigured_source_shows_its_problem(synced: Run, project: Path) -> None:
    project.write_text(project.read_text("utf-8") + '\n[sources.odd]\nconnector = "nonsense"\n', "utf-8")
    odd = next(line for line in synced("status").lines if line["source"] == "odd")
    assert (odd["outcome"], "there is no connector nonsense" in odd["error"]) == ("misconfigured", True)


# --- runs, incidents, changes ----------------------------------------------------------------------------------------


def test_runs_list_and_show(synced: Run) -> None:
    listed = synced("runs", "list", "--source", "snapshot").lines
    assert [line["source"] for line in listed] == ["snapshot"]
    shown = synced("runs", "show", listed[0]["run_id"][:14]).line
    assert shown == listed[0]
    assert synced("runs", "show", "nonsense").code == 2


def test_incidents_are_filtered(synced: Run) -> None:
    everything = synced("incidents", "list", "--limit", "1000").lines
    assert {line["source"] for line in everything} == {"grassroots_governance", "snapshot", "road_patrol"}
    some = everything[0]
    for words, fits in {
        ("--source", "snapshot"): lambda line: line["source"] == "snapshot",
        ("--kind", "grid_event"): lambda line: line["kind"] == "grid_event",
        ("--status", "closed"): lambda line: line["status"] == Status.CLOSED,
        ("--region", some["region"]): lambda line: line["region"].startswith(some["region"]),
        ("--text", some["title"][:3]): lambda line: True,
        ("--since", "P3D"): lambda line: True,
    }.items():
        found = synced("incidents", "list", "--limit", "1000", *words).lines
        assert 0 < len(found) <= len(everything), words
        assert all(fits(line) for line in found), words


def test_incidents_come_page_by_page(synced: Run, hub: Run) -> None:
    whole = [line["id"] for line in synced("incidents", "list", "--limit", "7").lines]
    first = [line["id"] for line in synced("incidents", "list", "--limit", "4").lines]
    assert first == whole[:4]
    assert [line["id"] for line in synced("incidents", "list", "--limit", "3", "--after", first[-1]).lines] == whole[4:]
    assert f"--after {first[-1]}" in hub("incidents", "list", "--limit", "4").out


def test_incidents_come_latest_first_in_the_zone_of_the_settings(synced: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [line["occurred_at"] for line in synced("incidents", "list").lines]
    assert times == sorted(times, reverse=True)
    assert times[0].endswith("+08:00")
    monkeypatch.setenv("HUB_DEFAULTS__ZONE", "America/Los_Angeles")
    assert synced("incidents", "list").lines[0]["occurred_at"][-6:] in ("-07:00", "-08:00")


def test_an_incident_shows_provenance_steps_and_revisions(synced: Run, hub: Run, city: Sandbox) -> None:
    city.tick(24)
    synced("sync")
    changed = next(change["id"] for change in synced("changes", "--limit", "1000").lines if change["op"] == "update")
    shown = synced("incidents", "show", changed[:20]).line
    assert shown["id"] == changed
    assert shown["revision"] == len(shown["revisions"]) + 1
    assert shown["revisions"][0]["changed_after"]
    assert set(shown["provenance"]) >= {"run", "mapping", "mapping_version", "raw_sha256", "fetched_at"}
    text = hub("incidents", "show", changed).out
    assert "Provenance" in text
    assert "Revisions" in text


def test_who_is_meant_may_be_piped_in(project: Path) -> None:
    """Unseen, and without what Python says of a password it cannot hide."""
    words = ["--config", str(project), "person", "find", "--reason", "a request"]
    found = CliRunner().invoke(cli.hub, words, input="nobody of this name\n")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "nobody of that name or number is in the store\n", "")
    nobody = CliRunner().invoke(cli.hub, words, input="")
    assert (nobody.exit_code, nobody.stderr[:24]) == (2, "hub: '--text' is missing")


def test_of_a_name_that_many_have_some_are_shown_and_the_others_counted(synced: Run, hub: Run, project: Path) -> None:
    with closing(open_store(load(project))) as store:
        ids = [line["id"] for line in synced("incidents", "list", "--limit", "1000").lines]
        names = [person.get("name") for one in ids for person in people_of(store, one)]
    [(name, _)] = Counter(filter(None, names)).most_common(1)
    words = ("person", "find", "--text", str(name), "--reason", "a request")
    whole = synced(*words).lines
    assert len(whole) > 1
    assert synced(*words, "--limit", "1").lines == whole[:1]
    assert f"{len(whole) - 1} more are not shown: give a higher --limit" in hub(*words, "--limit", "1").out
    assert "not shown" not in hub(*words, "--limit", str(len(whole))).out


def test_a_source_that_never_ran_is_not_a_store_that_never_ran(hub: Run) -> None:
    assert hub("runs", "list", "--source", "snapshot").out == "no run fits\n"


@pytest.mark.parametrize(
    "words",
    [
        ("incidents", "list", "--source"), ("runs", "list", "--source"), ("quarantine", "list", "--source"),
        ("quarantine", "replay", "--source"), ("codes", "unmapped", "--source"), ("state", "clear"), ("sync",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_unknown_source_is_not_one_with_nothing_to_show(data: Run, words: tuple[str, ...]) -> None:
    answer = data(*words, "snapshoot")
    said = answer.line["error"]["message"]
    assert (answer.code, said) == (2, "there is no source snapshoot; did you mean snapshot?")
    assert "hub.toml has grassroots_governance, " in data(*words, "nope").err


def test_an_unknown_stream_is_told_and_a_source_of_the_store_alone_is_known(synced: Run, project: Path) -> None:
    assert "did you mean reports?" in synced("runs", "list", "--source", "snapshot", "--stream", "report").err
    assert "no source has a stream nope; there are events, " in synced("incidents", "list", "--stream", "nope").err
    assert synced("state", "set", "snapshot", "nope", "2026-01-01").code == 2
    project.write_text(project.read_text("utf-8").replace("[sources.snapshot]", "[sources.photos]"), "utf-8")
    gone = ("--source", "snapshot")
    assert len(synced("runs", "list", *gone).lines) == 1
    assert synced("incidents", "list", *gone, "--stream", "reports", "--region", "9").code == 0
    assert synced("incidents", "list", "--source", "snapshots").code == 2


def test_an_unknown_or_ambiguous_incident_says_so(synced: Run) -> None:
    assert "incidents begin with" in synced("incidents", "show", "inc_").line["error"]["message"]
    unknown = synced("incidents", "show", "nonsense")
    assert (unknown.code, unknown.line["error"]["message"][:34]) == (2, "no incident begins with nonsense; ")


def test_statuses_speak_both_languages(synced: Run, hub: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "pending" in hub("incidents", "list", "--status", "pending").out
    monkeypatch.setenv("HUB_LANG", "zh")
    assert "待受理" in hub("incidents", "list", "--status", "pending").out


def test_changes_are_read_on_from_a_number(synced: Run) -> None:
    first = synced("changes", "--limit", "5").lines
    assert [change["seq"] for change in first] == [1, 2, 3, 4, 5]
    assert set(first[0]) == {"seq", "op", "id", "revision", "fields", "at"}
    assert synced("changes", "--after", "5", "--limit", "1").line["seq"] == 6


# --- deletions, codes, state -----------------------------------------------------------------------------------------


def test_deletions_wait_and_are_decided_once(synced: Run) -> None:
    assert synced("deletions", "list").out == ""
    assert synced("deletions", "approve", "1").code == 2
    assert synced("deletions", "reject", "1").code == 2


def test_unmapped_codes_have_a_count_and_an_incident(synced: Run) -> None:
    for gap in synced("codes", "unmapped").lines:
        assert gap["count"] > 0
        assert gap["sample"].startswith("inc_")
    assert json.dumps(synced("codes", "unmapped", "--source", "snapshot").lines).count("road_patrol") == 0


def test_a_broken_code_table_hides_no_other_from_coverage(data: Run, project: Path) -> None:
    whole = data("codes", "coverage").lines
    assert not any(line["problem"] for line in whole)
    codes = project.parent / "mappings" / "codes"
    codes.mkdir(parents=True)
    (codes / "snapshot_status.csv").write_text("1,pending,a\n", "utf-8")
    (codes / "road_patrol_status.csv").write_text("source_code,hub_code,title\n1,nonsense,a\n", "utf-8")
    project.write_text(project.read_text("utf-8") + '\n[sources.odd]\nconnector = "nonsense"\n', "utf-8")
    answer = data("codes", "coverage")
    told = {(line["source"], line["code_table"]): line["problem"] for line in answer.lines if line["problem"]}
    assert answer.code == 2
    assert told.keys() == {("snapshot", "snapshot_status"), ("road_patrol", "road_patrol_status"), ("odd", "")}
    assert "snapshot_status.csv has no column source_code" in told["snapshot", "snapshot_status"]
    assert "road_patrol_status.csv, line 2: nonsense is none" in told["road_patrol", "road_patrol_status"]
    fine = [line for line in answer.lines if not line["problem"]]
    assert fine == [line for line in whole if (line["source"], line["code_table"]) not in told]
    assert len(fine) > 2


def test_state_list_get_set_clear(synced: Run) -> None:
    listed = synced("state", "list").lines
    assert {line["source"] for line in listed} == {"grassroots_governance", "snapshot", "road_patrol"}
    assert synced("state", "get", "snapshot", "reports").line["cursor"]
    moved = synced("state", "set", "snapshot", "reports", "2026-01-02").line
    assert moved["cursor"] == "2026-01-02T00:00:00+08:00"
    assert synced("state", "clear", "snapshot").line == {"cleared": 1}
    assert synced("state", "get", "snapshot", "reports").code == 1
    again = synced("sync", "snapshot").line
    assert again["new"] == 0


def test_a_finished_backfill_leaves_no_position(synced: Run) -> None:
    before = synced("state", "list").lines
    assert synced("backfill", "snapshot", "--from", "2026-01-01", "--to", "2026-01-03").line["outcome"] == "ok"
    assert synced("state", "list", "--all").lines == before


def test_a_finished_backfill_of_before_is_left_out_and_named_in_local_time(synced: Run, hub: Run) -> None:
    """Hubs of before left its position behind."""
    before = synced("state", "list").lines
    label = "backfill 2025-12-31T16:00:00Z..2026-01-03T04:00:00Z"
    synced("state", "set", "snapshot", "reports", "2026-01-03T12:00:00+08:00", "--partition", label)
    assert synced("state", "list").lines == before
    [added] = [line for line in synced("state", "list", "--all").lines if line not in before]
    assert added["partition"] == label
    assert "1 finished backfills are left out: --all shows them" in hub("state", "list").out
    shown = "backfill 2026-01-01..2026-01-03 12:00:00"
    assert shown in hub("state", "list", "--all").out
    assert hub("state", "get", "snapshot", "reports", "--partition", shown).code == 0
