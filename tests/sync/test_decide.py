"""What becomes of the records of a page, seen through whole runs: counts, rows, history, feed (promises 2, 7, 8)."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rig import MAPPING, START, Clock, Rig, write_mapping
from upstream import Upstream

from hub.errors import Outcome
from hub.source.stream import Stream
from hub.store.quarantine import list_quarantine
from hub.store.raw import people_of, raw_of
from hub.sync.reconcile import reconcile
from hub.sync.result import RunResult

AT = START - 600_000
LOG = {"log": True, "complete": False, "operation": "op", "deletes": ("d",)}


def counts(result: RunResult) -> tuple[int, ...]:
    """fetched, new, changed, unchanged, quarantined, tombstoned, stale"""
    return astuple(result.counts)[:7]


def ops(rig: Rig) -> list[tuple[str, int]]:
    return [(change.op, change.revision) for change in rig.changes()]


def revisions(rig: Rig) -> list[tuple[int, str | None, bool]]:
    """(revision, title, deleted) of every version, oldest first, of the only incident."""
    from hub.mapping.columns import MAPPED_COLUMNS

    title = MAPPED_COLUMNS.index("title")
    old = [
        (number, msgspec.json.decode(body)[title], gone is not None)
        for number, body, gone in rig.all("SELECT revision, body, deleted_at FROM revision ORDER BY revision")
    ]
    now = [(r[0], r[1], r[2] is not None) for r in rig.all("SELECT revision, title, deleted_at FROM incident")]
    return old + now


def test_new_changed_unchanged(rig: Rig, upstream: Upstream) -> None:
    for name in "abcd":
        upstream.put(name, AT)
    assert counts(rig.run()) == (4, 4, 0, 0, 0, 0, 0)
    assert counts(rig.run()) == (4, 0, 0, 4, 0, 0, 0)
    upstream.put("b", AT + 1000, "other")
    upstream.put("e", AT + 1000)
    assert counts(rig.run()) == (5, 1, 1, 3, 0, 0, 0)
    assert rig.changes()[-1].fields == () or rig.changes()[-2].fields == ("title", "source_updated_at")
    rig.check()


def test_raw_only_change_is_unchanged_and_has_the_new_raw(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", AT, extra=1)
    rig.run()
    upstream.put("a", AT, extra=2, who="王芳")
    assert counts(rig.run()) == (1, 0, 0, 1, 0, 0, 0)
    assert ops(rig) == [("insert", 1)]
    [(identity,)] = rig.all("SELECT id FROM incident")
    record = raw_of(rig.store, identity)
    assert record is not None
    assert msgspec.json.decode(record.raw)["extra"] == 2
    assert people_of(rig.store, identity) == [{"role": "reporter", "name": "王芳"}]
    rig.check_raw()


def test_versions_of_one_page_that_change_different_fields_change_both(rig: Rig, upstream: Upstream) -> None:
    """An update names only what changed; what the first version changed and the second repeats is among it."""
    upstream.put("a", AT, "old", made=AT - 9000)
    rig.run()
    upstream.put("a", AT + 1000, "new", made=AT - 9000)
    upstream.records.append({"id": "a", "at": AT + 2000, "title": "new", "made": AT - 8000})
    assert rig.run().counts.changed == 2
    assert rig.all("SELECT title, reported_at FROM incident") == [("new", AT - 8000)]


def test_older_version_never_overwrites(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", AT + 5000, "new")
    rig.run()
    upstream.put("a", AT, "old")
    assert counts(rig.run()) == (1, 0, 0, 1, 0, 0, 1)
    assert rig.living() == {'"a"': ("new", AT + 5000)}
    assert ops(rig) == [("insert", 1)]


def test_older_version_twice_in_a_row_is_a_correction(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", AT + 5000, "wrong")
    rig.run()
    upstream.put("a", AT, "right")
    rig.run()
    assert counts(rig.run()) == (1, 0, 1, 0, 0, 0, 0)
    assert rig.living() == {'"a"': ("right", AT)}
    assert counts(rig.run()) == (1, 0, 0, 1, 0, 0, 0)
    rig.check()


def test_older_version_not_in_a_row_is_no_correction(rig: Rig, upstream: Upstream) -> None:
    """A replica that lags now and then shows the same old version again and again: it never wins."""
    for _ in range(3):
        upstream.put("a", AT + 5000, "new")
        rig.run()
        upstream.put("a", AT, "old")
        result = rig.run()
        assert (result.counts.changed, result.counts.stale) == (0, 1)
    assert rig.living() == {'"a"': ("new", AT + 5000)}
    assert rig.all("SELECT count(*) FROM stale_version")[0][0] == 1
    rig.check()


@pytest.mark.parametrize("size", [1, 2], ids=["each on its page", "two on one"])
def test_an_older_version_before_and_behind_the_newer_one_never_becomes_current(
    rig: Rig, upstream: Upstream, size: int
) -> None:
    upstream.size, upstream.filtered = size, "page"
    for order, (at, title) in enumerate([(AT, "old"), (AT + 1000, "new"), (AT, "old")]):
        upstream.records.append({"id": "a", "at": at, "title": title, "order": str(order), "page": AT})
    for _ in range(5):
        rig.run()
        assert rig.living() == {'"a"': ("new", AT + 1000)}
    assert len(rig.changes()) == 2
    rig.check()


@pytest.mark.parametrize("size", [3, 1], ids=["on one page", "on two"])
@pytest.mark.parametrize("order", ["new first", "old first"])
def test_source_that_shows_two_versions_side_by_side_keeps_the_newer(
    rig: Rig, upstream: Upstream, order: str, size: int
) -> None:
    upstream.size = size
    first, last = ("1", "2") if order == "new first" else ("2", "1")
    upstream.put("a", AT, "new", order=first, page=AT)
    upstream.records.append({"id": "a", "at": AT - 1000, "title": "old", "order": last, "page": AT})
    upstream.filtered = "page"
    for _ in range(4):
        rig.run()
        assert rig.living() == {'"a"': ("new", AT)}
    assert len(rig.changes()) <= 2
    for number in (1, 2):
        upstream.records[0].update(at=AT + number, title="newer")
        assert rig.run().counts.changed == 1
        assert rig.living() == {'"a"': ("newer", AT + number)}
    rig.check()


def test_repeats_inside_a_page(rig: Rig, upstream: Upstream) -> None:
    upstream.size = 10
    for number in range(3):
        upstream.records.append({"id": "a", "at": AT, "title": "same", "order": str(number)})
    assert counts(rig.run()) == (3, 1, 0, 2, 0, 0, 0)
    assert ops(rig) == [("insert", 1)]
    assert counts(rig.run()) == (3, 0, 0, 3, 0, 0, 0)
    rig.check()
    rig.check_raw()


def test_several_versions_of_one_record_in_one_page(rig: Rig, upstream: Upstream) -> None:
    upstream.size = 10
    for number in range(4):
        upstream.records.append({"id": "a", "at": AT + number * 1000, "title": f"v{number}"})
    assert counts(rig.run()) == (4, 1, 3, 0, 0, 0, 0)
    assert revisions(rig) == [(1, "v0", False), (2, "v1", False), (3, "v2", False), (4, "v3", False)]
    assert ops(rig) == [("insert", 1), ("update", 2), ("update", 3), ("update", 4)]
    rig.check()
    rig.check_raw()


def log_row(upstream: Upstream, number: int, identity: str, op: str, at: int, title: str = "t") -> None:
    upstream.records.append({"id": identity, "op": op, "at": at, "title": title, "no": number, "order": f"{number:04}"})


@pytest.fixture
def log(rig: Rig, upstream: Upstream, tmp_path: Path) -> Rig:
    upstream.size = 10
    return rig.shape(**LOG)


def test_log_in_one_page_is_applied_in_order(log: Rig, upstream: Upstream) -> None:
    log_row(upstream, 1, "a", "i", AT, "one")
    log_row(upstream, 2, "a", "u", AT + 1000, "two")
    log_row(upstream, 3, "a", "d", AT + 2000, "two")
    log_row(upstream, 4, "a", "i", AT + 3000, "three")
    assert counts(log.run()) == (4, 1, 3, 0, 0, 1, 0)
    assert ops(log) == [("insert", 1), ("update", 2), ("delete", 3), ("restore", 4)]
    assert revisions(log) == [(1, "one", False), (2, "two", False), (3, "two", True), (4, "three", False)]
    log.check()
    for _ in range(2):
        assert counts(log.run()) == (4, 0, 0, 4, 0, 0, 0), "read again in the lookback"
    assert len(log.all("SELECT id FROM raw_page")) == 1, "nothing is kept twice"


def test_log_withdraws_at_once(log: Rig, upstream: Upstream) -> None:
    log_row(upstream, 1, "a", "i", AT)
    log.run()
    log_row(upstream, 2, "a", "d", AT + 1000)
    result = log.run()
    assert counts(result) == (2, 0, 1, 1, 0, 1, 0)
    assert log.living() == {}
    [(deletion,)] = log.all("SELECT deletion FROM incident")
    assert deletion == "source"
    log.check()


def test_log_withdraws_what_was_never_seen(log: Rig, upstream: Upstream) -> None:
    log_row(upstream, 1, "a", "d", AT)
    assert counts(log.run()) == (1, 1, 0, 0, 0, 1, 0)
    assert ops(log) == [("delete", 1)]
    assert log.living() == {}
    log_row(upstream, 2, "a", "u", AT - 1000, "late")
    assert counts(log.run()) == (2, 0, 0, 2, 0, 0, 1)
    assert log.living() == {}
    log.check()


def test_log_names_the_end_of_an_unknown_record_by_its_key_alone(log: Rig, upstream: Upstream, tmp_path: Path) -> None:
    log.mappings = write_mapping(tmp_path / "strict", 'version = 1\nkind = "case"\n[fields]\ntitle = "title"\n')
    upstream.put("a", AT, raw=b'{"id": "a", "op": "d"}')
    result = log.run()
    assert (result.outcome, counts(result)) == (Outcome.OK, (1, 0, 0, 1, 0, 0, 0))


def test_late_end_does_not_bury_a_newer_version(log: Rig, upstream: Upstream) -> None:
    log_row(upstream, 1, "a", "u", AT + 5000, "newer")
    log.run()
    log_row(upstream, 2, "a", "d", AT)
    result = log.run()
    assert counts(result) == (2, 0, 0, 2, 0, 0, 1)
    assert log.living() == {'"a"': ("newer", AT + 5000)}
    assert counts(log.run()) == (2, 0, 0, 2, 0, 0, 0), "a repeat is no second late version"
    log.check()


def test_repeated_end_does_not_bury_what_came_back_with_its_timestamp(log: Rig, upstream: Upstream) -> None:
    log_row(upstream, 1, "a", "d", AT)
    log_row(upstream, 2, "a", "i", AT, "back")
    log.run()
    assert log.living() == {'"a"': ("back", AT)}
    for _ in range(2):
        assert log.run().counts.changed == 0
        assert log.living() == {'"a"': ("back", AT)}
    log.check()


def test_late_row_of_a_log_is_history_and_kept_once(log: Rig, upstream: Upstream) -> None:
    log_row(upstream, 1, "a", "u", AT + 5000, "newer")
    log.run()
    log_row(upstream, 2, "a", "u", AT, "late")
    for stale in (1, 0, 0):
        assert log.run().counts.stale == stale
    assert log.living() == {'"a"': ("newer", AT + 5000)}
    assert len(log.all("SELECT id FROM raw_page")) == 2
    log.check()


BAD = {
    "no id": b'{"at": 1, "title": "x"}',
    "null id": b'{"id": null, "at": 1}',
    "empty id": b'{"id": "", "at": 1}',
    "fraction as id": b'{"id": 1.5, "at": 1}',
    "boolean as id": b'{"id": true, "at": 1}',
    "object as id": b'{"id": {}, "at": 1}',
    "not JSON": b"{oops",
    "empty": b"",
    "not an object": b"[1, 2]",
    "lone surrogate in the id": b'{"id": "\\ud800", "at": 1}',
    "bytes that are no UTF-8": b'{"id": "\xff\xfe", "at": 1}',
    "depth bomb": b'{"id": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_record_without_identity_goes_to_quarantine(rig: Rig, upstream: Upstream, raw: bytes) -> None:
    upstream.put("a", AT)
    upstream.put("broken", AT, raw=raw)
    result = rig.run()
    assert (result.outcome, counts(result)) == (Outcome.PARTIAL, (2, 1, 0, 0, 1, 0, 0))
    [entry] = list_quarantine(rig.store)
    assert entry.native_id is None
    result = rig.run(full=True)
    assert (result.outcome, counts(result)) == (Outcome.OK, (2, 0, 0, 1, 1, 0, 0)), "known bad again is no news"
    [entry] = list_quarantine(rig.store)
    assert entry.times == 2
    rig.check()


def test_bad_record_with_identity_and_its_good_version(rig: Rig, upstream: Upstream) -> None:
    upstream.put("a", AT, raw=b'{"id": "a", "at": "yesterday"}')
    assert counts(rig.run()) == (1, 0, 0, 0, 1, 0, 0)
    [entry] = list_quarantine(rig.store)
    assert (entry.native_id, entry.reason) == ('"a"', "at: not an epoch number")
    upstream.put("a", AT, "good")
    assert counts(rig.run()) == (1, 1, 0, 0, 0, 0, 0)
    assert list_quarantine(rig.store) == []
    [entry] = list_quarantine(rig.store, status=None)
    assert entry.status == "superseded"


@pytest.mark.parametrize("size", [1, 10], ids=["on another page", "on the same page"])
def test_good_version_later_in_the_same_run_settles_the_bad_one(rig: Rig, upstream: Upstream, size: int) -> None:
    upstream.size = size
    upstream.records += [
        {"id": "a", "at": AT, "raw": b'{"id": "a", "at": "bad"}'},
        {"id": "a", "at": AT + 1, "title": "good"},
    ]
    assert counts(rig.run()) == (2, 1, 0, 0, 1, 0, 0)
    assert [entry.status for entry in list_quarantine(rig.store, status=None)] == ["superseded"]


def test_bad_version_after_the_good_one_stays_open(rig: Rig, upstream: Upstream) -> None:
    upstream.size = 10
    upstream.records += [
        {"id": "a", "at": AT, "title": "good"},
        {"id": "a", "at": AT + 1, "raw": b'{"id": "a", "at": "bad"}'},
    ]
    assert counts(rig.run()) == (2, 1, 0, 0, 1, 0, 0)
    assert [entry.status for entry in list_quarantine(rig.store, status=None)] == ["open"]


def test_one_bad_record_never_stops_a_page(rig: Rig, upstream: Upstream) -> None:
    upstream.size = 50
    for number in range(20):
        upstream.put(f"r{number:02}", AT + number)
    upstream.put("r07", AT + 7, raw=b'{"id": "r07", "at": []}')
    upstream.records.append({"id": "x", "at": AT, "bad": b"\x00\x01"})
    assert counts(rig.run()) == (21, 19, 0, 0, 2, 0, 0)
    assert len(rig.living()) == 19
    rig.check()


def test_same_bad_bytes_twice_in_a_page_count_twice_and_are_kept_once(rig: Rig, upstream: Upstream) -> None:
    upstream.size = 10
    upstream.records += [{"id": "x", "at": AT, "order": str(n), "raw": b'{"id": "x", "at": []}'} for n in range(2)]
    result = rig.run()
    assert (counts(result), result.counts.new_quarantined) == ((2, 0, 0, 0, 2, 0, 0), 1)


def test_duplicate_keys_in_a_record_take_the_last(rig: Rig, upstream: Upstream) -> None:
    """What identity reads and what is mapped agree."""
    upstream.put("a", AT, raw=b'{"id": "x", "at": 1, "id": "a", "at": %d, "title": "t"}' % AT)
    assert counts(rig.run()) == (1, 1, 0, 0, 0, 0, 0)
    assert rig.living() == {'"a"': ("t", AT)}


def test_number_and_text_are_different_ids(rig: Rig, upstream: Upstream) -> None:
    upstream.records += [{"id": 5, "at": AT}, {"id": "5", "at": AT}]
    assert rig.run().counts.new == 2
    assert set(rig.living()) == {"5", '"5"'}


def test_composite_id_is_an_array(rig: Rig, upstream: Upstream) -> None:
    rig.shape(native_id=("id", "part"))
    upstream.records += [{"id": "a", "part": 1, "at": AT}, {"id": "a", "part": 2, "at": AT}, {"id": "a", "at": AT}]
    assert counts(rig.run()) == (3, 2, 0, 0, 1, 0, 0)
    assert set(rig.living()) == {'["a",1]', '["a",2]'}


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError])
def test_reshaping_may_stumble_over_a_record(rig: Rig, upstream: Upstream, error: type[Exception]) -> None:
    def reshape(raw: bytes) -> bytes:
        if b"odd" in raw:
            raise error("odd")
        return raw

    rig.shape(reshape=reshape)
    upstream.put("a", AT)
    upstream.put("odd", AT)
    assert counts(rig.run()) == (2, 1, 0, 0, 1, 0, 0)


def test_mixed_page_is_accounted_for(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.size = 20
    rig.shape(**LOG)
    for number, name in enumerate("abcdef"):
        log_row(upstream, number, name, "i", AT)
    rig.run()
    upstream.records.clear()
    log_row(upstream, 10, "a", "u", AT + 1000, "changed")
    log_row(upstream, 1, "b", "i", AT)
    log_row(upstream, 12, "c", "d", AT + 1000)
    log_row(upstream, 13, "d", "u", AT - 1000, "late")
    log_row(upstream, 14, "g", "i", AT)
    log_row(upstream, 15, "h", "d", AT)
    upstream.records.append({"id": "z", "at": AT, "order": "99", "raw": b'{"id": "z"}'})
    result = rig.run()
    assert counts(result) == (7, 2, 2, 2, 1, 2, 1)
    rig.check()


def test_budget_stops_the_run_after_committing(rig: Rig, upstream: Upstream) -> None:
    for number in range(9):
        upstream.put(f"r{number}", AT + number, raw=b'{"id": "r%d"}' % number)
    result = rig.set(quarantine_budget=4).run()
    assert (result.outcome, result.counts.fetched) == (Outcome.PARTIAL, 6)
    assert len(list_quarantine(rig.store)) == 6
    rig.set(quarantine_budget=100)
    result = rig.run()
    assert result.counts.fetched == 3, "it goes on where it stopped"
    rig.check()


def test_unknown_codes_are_counted_with_a_sample(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    text = 'version = 1\nkind = "case"\n[fields]\nstatus = { path = "state", codes = "states" }\n'
    text += 'source_updated_at = { path = "at", format = "epoch_ms" }\n'
    rig.mappings = write_mapping(tmp_path / "coded", text, codes={"states": "1,closed,已办结,,\n"})
    for name, state in (("a", "1"), ("b", "7"), ("c", "7"), ("d", "nul\0code")):
        upstream.put(name, AT, state=state)
    result = rig.run()
    assert (result.outcome, result.counts.unmapped, result.counts.new) == (Outcome.OK, 3, 4)
    gaps = dict(rig.all("SELECT code, count FROM code_gap"))
    assert gaps == {"7": 2, "nul\ufffdcode": 1}
    assert [row[0] for row in rig.all("SELECT status FROM incident ORDER BY native_id")] == [
        "closed", "unmapped", "unmapped", "unmapped",
    ]  # fmt: skip


def test_renewed_mapping_tries_the_quarantine_again(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    upstream.put("a", AT, raw=b'{"id": "a", "at": "2027-01-15T07:50:00Z", "title": "t"}')
    rig.run()
    text = 'version = 2\nkind = "work_order"\n[fields]\ntitle = "title"\nsource_updated_at = "at"\n'
    rig.mappings = write_mapping(tmp_path / "newer", text)
    upstream.records.clear()
    rig.run()
    assert rig.living() == {'"a"': ("t", AT)}
    assert [entry.status for entry in list_quarantine(rig.store, status=None)] == ["replayed"]
    rig.check()


def test_two_step_source_is_asked_for_details_only_of_what_changed(rig: Rig, upstream: Upstream) -> None:
    rig.shape(two_step=True)
    upstream.details = True
    for name in "abc":
        upstream.put(name, AT)
    rig.run()
    assert upstream.detailed == 3
    rig.run()
    assert upstream.detailed == 3
    upstream.put("b", AT + 1000, "changed")
    assert counts(rig.run()) == (3, 0, 1, 2, 0, 0, 0)
    assert upstream.detailed == 4


def test_two_step_row_that_changes_without_its_detail_is_asked_for_twice(rig: Rig, upstream: Upstream) -> None:
    """Twice, because a cache may have answered the first time; no more, because the list may always be ahead."""
    rig.shape(two_step=True)
    upstream.details = True
    upstream.put("a", AT, raw=b'{"id": "a", "at": %d, "title": "t"}' % AT)
    rig.run()
    upstream.records[0]["at"] = AT + 1000
    for _ in range(4):
        assert counts(rig.run()) == (1, 0, 0, 1, 0, 0, 0)
    assert upstream.detailed == 3


@pytest.mark.parametrize("native_id", ["id", ("id", "title")])
def test_rows_whose_id_is_blank_are_not_one_record(
    rig: Rig, upstream: Upstream, native_id: str | tuple[str, ...]
) -> None:
    """A column of fixed width pads an empty id; each row took the place of the one before."""
    rig.shape(native_id=native_id)
    for title in ("one", "two"):
        upstream.records.append({"id": "    ", "at": AT, "title": title})
    upstream.put("a", AT)
    assert counts(rig.run())[:5] == (3, 1, 0, 0, 2)
    rig.check()


class Desks(Upstream):
    """A list that shows a record once for each desk that has it; `desk` is in no detail."""

    @staticmethod
    def _listed(row: dict[str, Any]) -> bytes:
        return msgspec.json.encode({"id": row["id"], "at": row["at"], "desk": row["desk"]})

    def detail(self, stream: Stream, row: bytes) -> bytes:
        return self.bytes_of({**msgspec.json.decode(super().detail(stream, row)), "desk": None})


def test_a_record_in_two_rows_of_a_list_is_asked_for_when_one_of_them_changes(rig: Rig) -> None:
    """The row that did not change was taken for the record, and half of it was lost."""
    rig.shape(two_step=True)
    rig.transport = upstream = Desks(details=True)
    for number in "12":
        upstream.records.append({"id": "a", "at": AT, "title": "whole", "desk": number, "order": number})
    assert counts(rig.run()) == (2, 1, 0, 1, 0, 0, 0)
    asked = upstream.detailed
    assert counts(rig.run()) == (2, 0, 0, 2, 0, 0, 0)
    assert upstream.detailed == asked
    for number in range(2):
        upstream.records[number]["desk"] = "3"
        assert counts(rig.run()) == (2, 0, 0, 2, 0, 0, 0)
        assert upstream.detailed > asked
        asked = upstream.detailed
    assert rig.living() == {'"a"': ("whole", AT)}
    assert reconcile(rig.store, rig.job, since=None, until=None).outcome is Outcome.OK
    rig.check()
    rig.check_raw()


@pytest.mark.parametrize("word", ["D", "d  ", " D"], ids=repr)
def test_an_end_is_one_however_its_word_is_written(rig: Rig, upstream: Upstream, word: str) -> None:
    """One system writes capitals, a column of fixed width pads: taken for a change, the record would stand for good."""
    rig.shape(**LOG)
    upstream.put("a", AT, op="I")
    rig.run()
    upstream.put("a", AT + 1000, op=word)
    assert counts(rig.run())[5] == 1
    assert rig.living() == {}
    rig.check()


@pytest.mark.parametrize("at", [AT, None], ids=["of the same time", "of no time"])
def test_two_states_of_a_record_on_one_page_are_one_and_no_history(
    rig: Rig, upstream: Upstream, tmp_path: Path, at: int | None
) -> None:
    """A source that joins tables shows a record twice: each reading would make two revisions of it, for ever."""
    if at is None:
        rig.mappings = write_mapping(tmp_path / "timeless", MAPPING.replace("source_updated_at", "due_at"))
    for title in ("one", "two"):
        upstream.records.append({"id": "x", "at": AT, "title": title})
    upstream.put("y", AT)
    assert counts(rig.run()) == (3, 2, 0, 1, 0, 0, 0)
    for _ in range(2):
        assert counts(rig.run()) == (3, 0, 0, 3, 0, 0, 0)
    assert rig.living()['"x"'][0] == "two"
    upstream.records[0]["at"] = upstream.records[1]["at"] = AT + 1000
    upstream.records[1]["title"] = "three"
    assert counts(rig.run())[:4] == (3, 0, 1, 2)
    assert rig.living()['"x"'][0] == "three"
    rig.check()
    rig.check_raw()


@pytest.mark.parametrize("at", [AT, None], ids=["of the same time", "of no time"])
def test_two_states_of_a_record_on_two_pages_settle(
    rig: Rig, upstream: Upstream, tmp_path: Path, at: int | None
) -> None:
    """The later page is right, until one of them is shown alone: then that one, which a reading has to say twice."""
    if at is None:
        rig.mappings = write_mapping(tmp_path / "timeless", MAPPING.replace("source_updated_at", "due_at"))
    upstream.size = 1
    for title in ("one", "two"):
        upstream.records.append({"id": "x", "at": AT, "title": title, "order": title})
    assert counts(rig.run())[:4] == (2, 1, 1, 0)
    for _ in range(3):
        assert counts(rig.run())[:4] == (2, 0, 0, 2)
        assert rig.living()['"x"'][0] == "two"
    upstream.records[1]["title"] = "three"
    for _ in range(2):
        rig.run()
        assert rig.living()['"x"'][0] == "three"
    told = len(rig.changes())
    rig.run()
    assert len(rig.changes()) == told
    del upstream.records[1]
    for _ in range(2):
        rig.run()
    assert rig.living()['"x"'][0] == "one"
    rig.check()
    rig.check_raw()
