"""Random histories of a source through the whole engine, against a model of a few lines (promises 1, 2, 8, 12)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rig import START, Clock, Mortal, Rig, open_store, write_mapping
from upstream import Upstream

from hub.errors import Outcome
from hub.store.quarantine import list_quarantine

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
NAMES = st.sampled_from(["a", "b", "c"])
SECONDS = st.integers(0, 4)
PAGE = st.integers(1, 4)


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Makes a fresh rig for each example, on a clock that stands still."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        clock = Clock().patch(patch)
        mappings = write_mapping(Path(folder) / "mappings")
        stores: list[Mortal] = []

        def make(size: int, **shape: Any) -> tuple[Rig, Upstream]:
            store = open_store(f"sqlite:///{folder}/hub{len(stores)}.db", kind=Mortal)
            stores.append(store)
            clock.now = START
            upstream = Upstream(size=size)
            return Rig(store, mappings, upstream).shape(**shape), upstream

        yield make
        for store in stores:
            store.close()


States = st.lists(st.dictionaries(NAMES, st.tuples(SECONDS, st.integers(0, 2)), max_size=3), min_size=1, max_size=6)


@QUIET
@given(states=States, size=PAGE)
def test_state_source(bench: Any, states: list[dict[str, tuple[int, int]]], size: int) -> None:
    """Complete readings of a source that shows what it has now: a step is what it has, as (seconds, variant) by name.

    The model: a newer version wins; an older one wins the second time in a row it is shown; what is gone is gone; what
    is shown again is back.
    """
    rig, upstream = bench(size, may_be_empty=True)
    model: dict[str, tuple[int, int]] = {}
    gone: dict[str, tuple[int, int]] = {}
    doubted: dict[str, set[tuple[int, int]]] = {}
    for state in states:
        upstream.records = [record(name, *version) for name, version in state.items()]
        changed = new = stale = 0
        for name, version in state.items():
            current = model.get(name, gone.get(name))
            if current is None:
                new += 1
                model[name] = version
            elif version[0] < current[0] and version not in doubted.get(name, set()):
                stale += 1
                doubted.setdefault(name, set()).add(version)
            elif version != current or name in gone:
                changed += 1
                model[name] = version
                gone.pop(name, None)
            if version == current:
                doubted.pop(name, None)
        buried = [name for name in model if name not in state]
        for name in buried:
            gone[name] = model.pop(name)
        result = rig.run(full=True)
        counts = result.counts
        assert result.outcome is Outcome.OK
        assert (counts.fetched, counts.new, counts.changed, counts.stale) == (len(state), new, changed, stale)
        assert counts.tombstoned == len(buried)
        assert rig.living() == {f'"{name}"': (title(*version), START + version[0]) for name, version in model.items()}
        rig.check()


def record(name: str, second: int, variant: int) -> dict[str, Any]:
    return {"id": name, "at": START + second, "title": title(second, variant)}


def title(second: int, variant: int) -> str:
    return f"{second}.{variant}"


Rows = st.lists(st.tuples(NAMES, st.sampled_from("iud"), SECONDS, st.integers(0, 1)), max_size=7)


@QUIET
@given(batches=st.lists(Rows, min_size=1, max_size=4), size=PAGE)
def test_log_source(bench: Any, batches: list[list[tuple[str, str, int, int]]], size: int) -> None:
    """An exchange table: rows are only added, some late. The model: of each record the last row by (time, number)."""
    rig, upstream = bench(size, log=True, complete=False, operation="op", deletes=("d",))
    number = 0
    for batch in batches:
        for name, operation, second, variant in batch:
            number += 1
            upstream.records.append(
                record(name, second, variant) | {"op": operation, "no": number, "order": f"{number:04}"}
            )
        for _ in range(2):  # what came late is settled by the next reading of the same lookback
            result = rig.run()
            assert result.outcome is Outcome.OK
            assert result.counts.fetched == len(upstream.records)
            rig.check()
        last: dict[str, dict[str, Any]] = {}
        for row in sorted(upstream.records, key=lambda row: (row["at"], row["no"])):
            last[row["id"]] = row
        assert rig.living() == {
            f'"{name}"': (row["title"], row["at"]) for name, row in last.items() if row["op"] != "d"
        }  # fmt: skip
        assert rig.run().counts.changed == 0, "nothing more to tell"


Lines = st.lists(
    st.one_of(
        st.tuples(NAMES, SECONDS, st.integers(0, 2)).map(lambda parts: ("good", parts)),
        st.tuples(NAMES, st.integers(0, 2)).map(lambda parts: ("bad", parts)),
        st.binary(max_size=12).map(lambda raw: ("noise", raw)),
    ),
    max_size=10,
)


@QUIET
@given(batches=st.lists(Lines, min_size=1, max_size=3), size=PAGE)
def test_good_bad_and_noise_are_all_accounted_for(bench: Any, batches: list[list[Any]], size: int) -> None:
    rig, upstream = bench(size)
    for batch in batches:
        upstream.records = []
        for place, (kind, parts) in enumerate(batch):
            row: dict[str, Any] = {"order": f"{place:03}", "page": START}
            if kind == "good":
                row |= record(*parts)
            elif kind == "bad":
                row["raw"] = b'{"id": "%s", "at": "no %d"}' % (parts[0].encode(), parts[1])
            else:
                row["raw"] = parts
            upstream.records.append(row)
        upstream.filtered = "page"
        result = rig.run()
        counts = result.counts
        assert result.outcome in (Outcome.OK, Outcome.PARTIAL)
        assert counts.fetched == len(batch) == counts.new + counts.changed + counts.unchanged + counts.quarantined
        assert counts.quarantined == sum(kind != "good" for kind, _ in batch)
        assert (result.outcome is Outcome.PARTIAL) == bool(counts.new_quarantined)
        rig.check()
        rig.check_raw()
    for entry in list_quarantine(rig.store, status=None):
        assert entry.reason
        assert "no 1" not in entry.reason, "a reason never quotes the record"
