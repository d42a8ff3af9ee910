"""When an entry of the quarantine is settled, when it is open again, and what a replay must not take for a record."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rig import MAPPING, START, Clock, Rig, write_mapping
from upstream import Upstream

from hub.config import RetentionSettings
from hub.errors import EnvelopeError, Outcome
from hub.source.stream import Stream
from hub.store import deletions
from hub.store.page import Lease, PageWrite
from hub.store.quarantine import list_quarantine, quarantined_raw
from hub.store.retention import prune
from hub.store.store import Store
from hub.sync import run

HOUR = 3_600_000


@pytest.fixture
def rig(rig: Rig, tmp_path: Path) -> Rig:
    """A mapping that wants a number of yuan."""
    strict = MAPPING.replace("[[people]]", 'fine = { path = "fine", optional = true }\n[[people]]', 1)
    rig.mappings = write_mapping(tmp_path / "strict", strict)
    return rig


def relaxed(rig: Rig, tmp_path: Path) -> Rig:
    """The next version of the mapping, which does not read it: what waits in quarantine is tried again."""
    rig.mappings = write_mapping(tmp_path / "relaxed", MAPPING.replace("version = 1", "version = 2"))
    return rig


def test_a_record_that_was_withdrawn_does_not_come_back_from_quarantine(
    rig: Rig, upstream: Upstream, tmp_path: Path
) -> None:
    """A log: neither the row that brings the record nor the one that ends it can be mapped."""
    rig.shape(log=True, complete=False, operation="op", deletes=("d",))
    upstream.records.append({"id": "x", "at": START - HOUR, "op": "i", "fine": "much", "order": "1"})
    rig.run()
    upstream.records.append({"id": "x", "at": START - HOUR + 5, "op": "d", "fine": "much", "order": "2"})
    rig.run()
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert rig.living() == {}


@pytest.mark.parametrize("more", [0, 3])
def test_a_good_version_that_is_shown_again_unchanged_settles_a_bad_one(
    rig: Rig, upstream: Upstream, tmp_path: Path, more: int
) -> None:
    """Even on a page that was read before."""
    good = upstream.put("x", START - HOUR, "good")
    others = [upstream.put(f"y{number}", START - HOUR + 1) for number in range(more)]
    rig.run()
    upstream.put("x", START - HOUR, "bad", fine="much")
    rig.run(full=True)
    assert len(list_quarantine(rig.store)) == 1
    upstream.records[:] = [good, *others]
    rig.run(full=True)
    assert list_quarantine(rig.store) == []
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert rig.living()['"x"'] == ("good", START - HOUR)


def test_the_same_bad_bytes_are_open_again_when_they_come_again(rig: Rig, upstream: Upstream) -> None:
    upstream.put("x", START - HOUR, "one")
    rig.run()
    bad = upstream.put("x", START - HOUR, "two", fine="much")
    rig.run()
    upstream.put("x", START - HOUR, "three")
    rig.run(full=True)
    assert list_quarantine(rig.store) == []
    upstream.records[:] = [bad]
    result = rig.run(full=True)
    assert (result.outcome, result.counts.new_quarantined) == (Outcome.PARTIAL, 1)
    assert [row.times for row in list_quarantine(rig.store)] == [2]


def test_an_entry_that_is_pruned_between_look_and_write_has_its_own_raw_record(
    rig: Rig, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = upstream.put("x", START - HOUR, "bad", fine="much")
    rig.run()
    with rig.store.write() as transaction:
        transaction.run("UPDATE quarantine SET status = 'dropped'")
    upstream.records[:] = [bad]
    upstream.put("z", START - HOUR, "another record")
    write = run.write_page

    def racing(store: Store, lease: Lease, page: PageWrite) -> int:
        later = datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=3)
        prune(store, RetentionSettings(quarantine=timedelta(days=1)), later)
        return write(store, lease, page)

    monkeypatch.setattr(run, "write_page", racing)
    assert rig.run(full=True).outcome is Outcome.PARTIAL
    [row] = list_quarantine(rig.store)
    assert b'"x"' in quarantined_raw(rig.store, row.id).raw


def test_an_entry_whose_raw_record_is_gone_stops_no_other(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    upstream.size = 1
    upstream.put("x", START - HOUR, fine="much")
    upstream.put("y", START - HOUR, fine="many")
    rig.run()
    with rig.store.write() as transaction:
        transaction.run("DELETE FROM raw_page WHERE id = (SELECT min(raw_page) FROM quarantine)")
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert list(rig.living()) == ['"y"']


def states(rig: Rig) -> dict[str | None, str]:
    return {row.native_id: row.status for row in list_quarantine(rig.store, status=None)}


def test_a_bad_record_that_a_complete_reading_does_not_show_is_gone(
    rig: Rig, upstream: Upstream, clock: Clock, tmp_path: Path
) -> None:
    upstream.put("x", START - HOUR, "never good", fine="much")
    upstream.put("y", START - HOUR, "still there", fine="many")
    upstream.put("z", START - HOUR, "good")
    rig.run()
    upstream.drop("x")
    clock.now += 1000
    rig.run()
    assert set(states(rig).values()) == {"open"}, "not shown by a reading that proves nothing"
    rig.run(full=True)
    assert states(rig) == {'"x"': "gone", '"y"': "open"}
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert sorted(rig.living()) == ['"y"', '"z"']


def test_one_that_comes_back_waits_again(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.put("z", START - HOUR, "good")
    bad = upstream.put("x", START - HOUR, "bad", fine="much")
    rig.run()
    upstream.drop("x")
    clock.now += 1000
    rig.run(full=True)
    assert states(rig) == {'"x"': "gone"}
    upstream.records.append(bad)
    clock.now += 1000
    assert rig.run(full=True).counts.new_quarantined == 1
    assert states(rig) == {'"x"': "open"}


def test_a_record_that_is_there_in_another_version_is_not_gone(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.put("x", START - HOUR, "bad", fine="much")
    upstream.put("y", START - HOUR, "good")
    old = upstream.put("y", START - HOUR + 1, "newer")
    rig.run()
    upstream.put("y", START - HOUR + 2, "newest", fine="many")
    rig.run()
    other = upstream.put("x", START - HOUR, "bad in other words", fine="much")
    upstream.records[:] = [other, {**old, "at": START - HOUR - 1, "title": "of a replica that lags"}]
    clock.now += 1000
    rig.run(full=True)
    assert set(states(rig).values()) == {"open"}


NOBODY = {"at": START - HOUR, "id": None, "raw": b'{"at": 1, "title": "nobody"}'}
SOMEBODY = {"at": START - HOUR, "id": None, "raw": b'{"at": 1, "title": "somebody else"}'}


def test_bytes_without_an_id_that_a_complete_reading_does_not_show_are_gone(
    rig: Rig, upstream: Upstream, clock: Clock
) -> None:
    upstream.put("z", START - HOUR, "good")
    upstream.records += [NOBODY, SOMEBODY]
    rig.run(full=True)
    assert [row.status for row in list_quarantine(rig.store)] == ["open", "open"]
    upstream.records.remove(NOBODY)
    clock.now += 1000
    rig.run(full=True)
    assert states(rig) == {None: "open"}, "a reading that shows a record without an id proves nothing, of none of them"
    upstream.records.remove(SOMEBODY)
    clock.now += 1000
    rig.run()
    assert states(rig) == {None: "open"}
    rig.run(full=True)
    assert states(rig) == {None: "gone"}
    upstream.records.append(NOBODY)
    clock.now += 1000
    assert rig.run(full=True).counts.new_quarantined == 1
    [row] = list_quarantine(rig.store)
    assert row.times == 2


def test_bytes_without_an_id_that_came_behind_a_complete_reading_stay(
    rig: Rig, upstream: Upstream, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.put("z", START - HOUR, "good")
    upstream.records.append(NOBODY)
    rig.run()
    upstream.records.remove(NOBODY)
    clock.now += 1000
    settle = deletions.settle_gone

    def beside(store: Store, *args: Any, **more: Any) -> int:
        """A sync of its own showed one of them again, and another one, while the whole was read."""
        with store.write() as transaction:
            transaction.run("UPDATE quarantine SET last_seen_at = ?", (clock.now,))
            transaction.run(
                "INSERT INTO quarantine (source, stream, raw_hash, reason, raw_page, raw_index, mapping, mapping_version, status,"
                " times, run, first_seen_at, last_seen_at) SELECT source, stream, ?, reason, raw_page + 1000, 0, mapping,"
                " mapping_version, status, 1, run, 0, 0 FROM quarantine",
                (b"another",),
            )
        return settle(store, *args, **more)

    monkeypatch.setattr(deletions, "settle_gone", beside)
    rig.run(full=True)
    assert [row.status for row in list_quarantine(rig.store, status=None)] == ["open", "open"]


@pytest.mark.parametrize("trouble", ["unreadable id", "nothing at all", "held"])
def test_what_is_not_proven_stays(rig: Rig, upstream: Upstream, clock: Clock, trouble: str) -> None:
    for number in range(4 if trouble == "held" else 0):
        upstream.put(f"y{number}", START - HOUR, "good")
    upstream.put("x", START - HOUR, "bad", fine="much")
    rig.set(deletion_rows=2, deletion_share=0.05).run()
    upstream.records.clear()
    if trouble != "nothing at all":
        upstream.put("z", START - HOUR, "good")
    if trouble == "unreadable id":
        upstream.records.append(NOBODY)
    clock.now += 1000
    rig.run(full=True)
    assert states(rig)['"x"'] == "open"


def test_a_deletion_that_a_person_approves_settles_the_bad_versions_too(
    rig: Rig, upstream: Upstream, clock: Clock, tmp_path: Path
) -> None:
    for number in range(4):
        upstream.put(f"y{number}", START - HOUR, "good")
    rig.set(deletion_rows=2, deletion_share=0.05).run()
    for number in range(4):
        upstream.put(f"y{number}", START - HOUR + 1, "bad", fine="much")
    rig.run()
    upstream.records.clear()
    upstream.put("z", START - HOUR, "good")
    clock.now += 1000
    rig.run(full=True)
    [held] = deletions.list_held(rig.store)
    assert set(states(rig).values()) == {"open"}
    clock.now += 1000
    assert deletions.decide(rig.store, held.id, approve=True, actor="wang", now=clock.now) == 4
    assert set(states(rig).values()) == {"gone"}
    relaxed(rig, tmp_path).run()
    assert list(rig.living()) == ['"z"']


def test_a_window_proves_only_what_once_lay_in_it(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    upstream.filtered = "made"
    rig.shape(window_field="reported_at")
    for name in ("good", "never"):
        upstream.put(name, START - 1000_000, made=START - 1000_000, **({"fine": "much"} if name == "never" else {}))
    upstream.put("stays", START - 1000_000, made=START - 1000_000)
    rig.run()
    upstream.put("good", START - 1000_000, made=START - 1000_000, fine="much")
    rig.run()
    upstream.drop("good")
    upstream.drop("never")
    clock.now += 1000
    assert rig.run().counts.tombstoned == 1
    assert states(rig) == {'"good"': "gone", '"never"': "open"}
    upstream.records.append({**NOBODY, "made": START - 1000_000})
    rig.run()
    upstream.records.pop()
    clock.now += 1000
    rig.run()
    assert states(rig)[None] == "open"


def test_who_came_back_bad_is_not_gone_because_it_once_went(rig: Rig, upstream: Upstream, clock: Clock) -> None:
    """It went by a window, under a clock that was ahead; what later windows do not show lies outside them."""
    upstream.filtered = "made"
    rig.shape(window_field="reported_at")
    for name in ("x", "stays"):
        upstream.put(name, START - 1000_000, made=START - 1000_000)
    rig.run()
    upstream.drop("x")
    clock.now += HOUR
    assert rig.run().counts.tombstoned == 1
    clock.now -= HOUR - 1000
    upstream.put("x", START - 1000_000, made=START - 1000_000, fine="much")
    rig.run()
    upstream.put("x", START - 1000_000, made=START - 900 * HOUR, fine="much")
    clock.now += 1000
    rig.run()
    assert states(rig) == {'"x"': "open"}


class Detailed(Upstream):
    """Two steps; `answer` is what it says when it is asked for the detail of x."""

    answer: bytes | Exception | None = None

    def detail(self, stream: Stream, row: bytes) -> bytes:
        if self.answer is None or b'"x"' not in row:
            return super().detail(stream, row)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("trouble", ["refused", "of another record"])
def test_a_list_row_in_quarantine_is_not_taken_for_its_record(rig: Rig, tmp_path: Path, trouble: str) -> None:
    rig.shape(two_step=True)
    rig.transport = upstream = Detailed(details=True)
    upstream.put("x", START - HOUR, "title of x")
    other = upstream.put("y", START - HOUR, "title of y")
    assert rig.run().counts.new == 2
    upstream.put("x", START - HOUR + 1, "newer title of x")
    upstream.answer = EnvelopeError("not now") if trouble == "refused" else upstream.bytes_of(other)
    rig.run()
    assert [row.native_id for row in list_quarantine(rig.store)] == ['"x"']
    upstream.records.clear()
    relaxed(rig, tmp_path).run()
    assert {key: title for key, (title, _) in rig.living().items()} == {'"x"': "title of x", '"y"': "title of y"}
    assert len(list_quarantine(rig.store)) == 1


def test_a_detail_from_before_its_list_row_is_asked_for_once_more(rig: Rig) -> None:
    """A cache gives it as it was; the list row, known from then on, would vouch for it for good."""
    rig.shape(two_step=True)
    rig.transport = upstream = Detailed(details=True)
    upstream.answer = upstream.bytes_of(upstream.put("x", START - HOUR, "as it was"))
    rig.run()
    upstream.put("x", START - HOUR + 1, "as it is")
    rig.run()
    assert rig.living() == {'"x"': ("as it was", START - HOUR)}
    upstream.answer = None
    rig.run()
    assert rig.living() == {'"x"': ("as it is", START - HOUR + 1)}


def test_a_replay_that_stumbles_is_no_success_in_the_run_book(
    rig: Rig, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.put("x", START - HOUR, fine="much")
    rig.run()

    def stumbles(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hub.sync.replay.quarantined_raw", stumbles)
    assert relaxed(rig, tmp_path).run().outcome is Outcome.FAILED
    assert rig.all("SELECT outcome FROM run WHERE mode = 'replay'") == [("failed",)]
