"""Rows known by the digest of their text: whatever stands around them, an answer says what it says when it is split afresh."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.errors import HubError
from hub.source import Check, Envelope
from hub.source.paging import Turned
from hub.source.rows import KnownText, RowsText, TextRows

ENVELOPE = Envelope(rows="data.rows", total="data.total", checks=(Check("code", (0,)),))
ROWS = '{"id":1,"tags":["a","b"]},{"id":2,"title":"井盖 [坏]"}'
PLAIN = '{"code":0,"data":{"total":2,"rows":[' + ROWS + "]}}"

#: Answers that hold one text of rows, or seem to.
AROUND = [
    PLAIN,
    PLAIN.replace('"total":2', '"total":7'),
    PLAIN.replace("]}}", '],"total":9},"next":"b"}'),
    PLAIN.replace('"code":0', '"code":500'),
    PLAIN.replace('"code":0', '"note":1'),
    PLAIN.replace('"rows":[', '"rows": [ '),
    PLAIN.replace('"rows":[', '"other":['),
    PLAIN.replace("]}}", "]}"),
    PLAIN.replace("]}}", ",]}}"),
    PLAIN.replace("]}}", "]]}}"),
    PLAIN.replace('"rows":[', '"rows":[['),
    PLAIN.replace("]}}", ',{"id":3}]}}'),
    PLAIN.replace("]}}", '],"errors":[]}}'),
    PLAIN.replace('"rows":[', '"warnings":[1],"rows":['),
    PLAIN.replace("]}}", '],"rows":[{"id":9}]}}'),
    '{"code":0,"data":{"note":"[","rows":[' + ROWS + "]}}",
    '{"code":0,"data":{"rows":[' + ROWS + ']},"note":"]"}',
    '{"code":0,"data":{"rows":"[' + ROWS + ']"}}',
    '{"code":0,"data":{"rows":' + json.dumps(f"[{ROWS}]") + "}}",
    '{"code":0,"data":"' + ROWS + '"}',
    f"[{ROWS}]",
    f"<html>[{ROWS}]</html>",
    ROWS,
    "",
    "][",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text('a[]{}",:\\ 中', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "rows", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": ")])


@st.composite
def answers(draw: st.DrawFn) -> str:
    """An answer with some of few lists of rows, so that many come again, and anything beside them."""
    rows = draw(
        st.sampled_from([[], [{"id": 1}], [{"id": 1}, {"id": 2, "x": ["["]}], [0], [[0]], ["]"]]) | st.lists(JSON)
    )
    data = {
        "total": draw(st.integers(0, 3)),
        "rows": rows,
        **draw(st.dictionaries(st.sampled_from("abz"), JSON, max_size=2)),
    }
    names = draw(st.permutations(sorted(data)))
    answer = {"code": draw(st.sampled_from([0, 0, 0, 1])), "data": {name: data[name] for name in names}}
    if draw(st.booleans()):
        answer["after"] = draw(JSON)
    return json.dumps(answer, separators=draw(SEPARATORS), ensure_ascii=draw(st.booleans()))


def said(envelope: Envelope, body: bytes, memory: dict[bytes, KnownText] | None) -> Any:
    """What an answer says, read with a memory of texts or afresh: its rows, total and next token, or the error."""
    try:
        split = envelope.split(body) if memory is None else envelope.split_known(body, memory.get)
        found = list(split.rows), Turned(split).digest, split.total, split.value("next")
    except HubError as error:
        return type(error), error.render()
    if memory is not None and isinstance(split.rows, TextRows):
        memory[split.rows.digest] = KnownText(len(split.rows), split.rows.ends)
    return found


@given(st.lists(answers() | st.sampled_from(AROUND), max_size=8))
@example(AROUND * 2)
@example([PLAIN, *(text for text in AROUND for _ in "ab")])
def test_an_answer_says_the_same_with_a_memory_and_without(texts: list[str]) -> None:
    memory: dict[bytes, KnownText] = {}
    for text in texts:
        assert said(ENVELOPE, text.encode(), memory) == said(ENVELOPE, text.encode(), None), text


@pytest.mark.parametrize("rows", ["", "data"])
def test_the_rows_may_be_the_whole_answer_or_anywhere_in_it(rows: str) -> None:
    body = f"[{ROWS}]".encode() if not rows else f'{{"data":[{ROWS}]}}'.encode()
    envelope, memory = Envelope(rows=rows), dict[bytes, KnownText]()
    afresh = said(envelope, body, memory)
    assert len(memory) == 1
    assert said(envelope, body, memory) == afresh


def test_known_rows_are_not_split_until_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: dict[bytes, KnownText] = {}
    first = ENVELOPE.split_known(PLAIN.encode(), memory.get)
    assert isinstance(first.rows, TextRows)
    memory[first.rows.digest] = KnownText(len(first.rows), first.rows.ends)
    splits: list[RowsText] = []
    split = RowsText.split
    monkeypatch.setattr(RowsText, "split", lambda text: splits.append(text) or split(text))
    again = ENVELOPE.split_known(PLAIN.replace('"total":2', '"total":3').encode(), memory.get)
    assert isinstance(again.rows, TextRows)
    assert (len(again.rows), again.total, again.rows.digest) == (2, 3, first.rows.digest)
    assert splits == []
    assert (again.rows[0], again.rows[-1], again.rows[:1]) == (first.rows[0], first.rows[1], first.rows[:1])
    assert list(again.rows) == list(first.rows)
    assert len(splits) == 1


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.replace('"rows":[', '"rows":[ '),
        PLAIN.replace("},{", "}, {"),
        PLAIN.replace("]}}", '],"next":["b"]}}'),
        PLAIN.replace('"rows":[', '"tags":[],"rows":['),
        PLAIN.replace(ROWS, ""),
        '{"code":0,"data":{"total":1,"rows":"[0]"}}',
    ],
)
def test_a_text_that_is_more_than_rows_has_no_digest(body: str) -> None:
    """What stands between brackets may be the token of the next page: it must be read each time."""
    assert isinstance(ENVELOPE.split_known(body.encode(), lambda digest: None).rows, list)


def test_another_encoding_than_utf8_is_read_afresh() -> None:
    """In GBK half a character may look like a bracket."""
    envelope = Envelope(rows="data.rows", encoding="gb18030")
    asked: list[bytes] = []
    assert isinstance(envelope.split_known(PLAIN.encode("gb18030"), asked.append).rows, list)
    assert asked == []
