"""Rows put into a table and changed there stand in it as they were given, whatever some of them have in common."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hub.store.store import Store
from hub.store.tables import INCIDENT_COLUMNS

#: Few values of each type, so that rows share many of them: empty text is no null, and a zero is none either.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from([None, "", "井盖", "O'Neil \"\\", "{}", "null"]),
    "fine": st.sampled_from([None, 0, 1, -(2**62), 2**62]),
    "longitude": st.sampled_from([None, 0.0, 1.5, 119.65193500000001]),
    "raw_hash": st.sampled_from([b"", b"\x00\xff", b"\\x00", b"'"]),
    "list_hash": st.sampled_from([None, b"", b"\x00"]),
    "raw_index": st.integers(0, 2),
}
ROW = st.tuples(*VALUES.values())
NEEDED = {
    "source": "s", "stream": "t", "kind": "case", "raw_page": 1, "mapping": "m", "mapping_version": 1, "run": "r",
    "first_seen_at": 1, "changed_at": 1,
}  # fmt: skip


class _Undone(Exception):
    """Takes back what a try has written."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(ROW, ROW, st.integers(1, 2), st.booleans()), min_size=1, max_size=6))
@example([((None, None, None, b"", None, 0), ("", 0, 0.0, b"'", b"", 1), 1, True)])
def test_rows_are_as_they_were_given(
    store: Store, given_rows: list[tuple[tuple[Any, ...], tuple[Any, ...], int, bool]]
) -> None:
    """Each row: its first values, its second, its revision, and whether it is changed by who knows this revision."""
    names = tuple(VALUES)
    before = [
        {
            **dict.fromkeys(INCIDENT_COLUMNS),
            **NEEDED,
            "key": key,
            "id": f"i{key}",
            "native_id": f'"{key}"',
            "revision": revision,
        }
        | dict(zip(names, first, strict=True))
        for key, (first, _, revision, _) in enumerate(given_rows, 1)
    ]
    changes = [
        (*second, key, revision if knows else revision + 7)
        for key, (_, second, revision, knows) in enumerate(given_rows, 1)
    ]
    expected = [second if knows else first for first, second, _, knows in given_rows]
    with pytest.raises(_Undone), store.write() as transaction:
        transaction.insert("incident", INCIDENT_COLUMNS, [tuple(row.values()) for row in before])
        touched = transaction.update("incident", names, ("key", "revision"), changes)
        assert touched == sum(knows for *_, knows in given_rows)
        rows = transaction.all(f"SELECT {', '.join(names)} FROM incident ORDER BY key")
        assert [tuple(row) for row in rows] == expected
        raise _Undone


CHANGE = st.tuples(
    st.sampled_from(["insert", "update"]),
    st.sampled_from(["a", "O'Neil \"\\", "%s ? %", "null"]),
    st.sampled_from([1, 2**31 - 1]),
    st.sampled_from([None, "", "null", '["title"]']),
    st.sampled_from([0, -(2**62), 2**62]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(CHANGE, min_size=1, max_size=6))
@example([("insert", "a", 1, None, 7)] * 1001)
@example([("insert", "a", 1, None, 7), ("update", "b", 2, '["title"]', 8), ("insert", "a", 1, None, 7)])
def test_narrow_rows_are_as_they_were_given_however_many(store: Store, changes: list[tuple[Any, ...]]) -> None:
    rows = [(number, *change) for number, change in enumerate(changes, 1)]
    with pytest.raises(_Undone), store.write() as transaction:
        transaction.insert("change", ("seq", "op", "id", "revision", "fields", "at"), rows)
        assert transaction.all("SELECT seq, op, id, revision, fields, at FROM change ORDER BY seq") == rows
        raise _Undone
