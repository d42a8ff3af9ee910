"""The tolerant scanner: one bad row costs one row, and without edges nothing is guessed."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import EnvelopeError, TokenExpiredError, UnreadablePageError
from hub.source import Check, Envelope
from hub.source.scanner import NoBoundariesError, elements

GOOD = b'{"id":1,"t":"a]b}c\\"[{"}'
NONSENSE = {
    "NaN": b'{"id":2,"t":NaN}',
    "raw control character": b'{"id":2,"t":"\x01\n"}',
    "lone surrogate": b'{"id":2,"t":"\\ud800"}',
    "absurd depth": b'{"id":2,"t":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "broken UTF-8": b'{"id":2,"t":"\xff\xfe"}',
    "no comma inside": b'{"id":2 "t":1}',
    "single quotes": b"{'id':2}",
    "nothing": b"",
}


@pytest.mark.parametrize("row", NONSENSE.values(), ids=NONSENSE)
def test_only_the_bad_row_is_set_aside(row: bytes) -> None:
    split = Envelope(rows="data.rows", total="data.total").scan(
        b'{"data":{"total":3,"rows":[%b, %b ,%b]}}' % (GOOD, row, GOOD)
    )
    assert split.rows == [GOOD, GOOD]
    assert [bad.raw for bad in split.bad] == [row]
    assert all(bad.reason for bad in split.bad)
    assert split.total == 3


@pytest.mark.parametrize("name", ["NaN", "raw control character", "lone surrogate", "absurd depth", "no comma inside"])
def test_also_in_a_document_inside_a_text(name: str) -> None:
    inner = f'{{"data":[{GOOD.decode()},{NONSENSE[name].decode()}]}}'
    split = Envelope(rows="datas.data").scan(json.dumps({"datas": inner}).encode())
    assert split.rows == [GOOD]
    assert [bad.raw for bad in split.bad] == [NONSENSE[name]]


def test_nonsense_right_in_the_outer_text() -> None:
    """A raw control character and a surrogate at the outer level spoil the string itself."""
    body = b'{"datas":"[{\\"a\\":\\"\x01\\"},{\\"a\\":\\"\\ud800\\"},{\\"a\\":1}]"}'
    split = Envelope(rows="datas").scan(body)
    assert split.rows == [b'{"a":1}']
    assert len(split.bad) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows":[{"a":1},{"a":2',
        b'{"rows":[{"a":1},{"a":"x]}',
        b'{"rows":[{"a":1]},{}]}',
        b'{"rows":{"a":1}}',
        b'{"other":[]}',
        b"",
        b"oops",
    ],
    ids=repr,
)
def test_without_edges_the_page_stays_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadablePageError):
        Envelope(rows="rows").scan(body)


def test_a_page_whole_in_another_encoding_is_not_picked_apart() -> None:
    with pytest.raises(UnreadablePageError):
        Envelope().scan('[{"t":"占道经营"}]'.encode("gbk"))


def test_of_a_key_that_stands_twice_the_last_one_counts() -> None:
    split = Envelope(rows="data.rows", total="total").scan(
        b'{"total":1,"data":{"rows":[1,NaN]},"data":{"rows":[2],"rows":[3,NaN]},"total":2}'
    )
    assert (split.rows, split.total) == ([b"3"], 2)


def test_checks_hold_here_too() -> None:
    envelope = Envelope(rows="rows", checks=(Check("code", (0,), {"3": "expired"}),))
    with pytest.raises(TokenExpiredError):
        envelope.scan(b'{"code":3,"rows":[NaN]}')
    with pytest.raises(EnvelopeError):
        envelope.scan(b'{"code":NaN,"rows":[NaN]}')


rows = st.lists(
    st.dictionaries(
        st.text(max_size=4), st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.integers())
    ).map(msgspec.json.encode)
)
spoilt = st.binary(max_size=20).map(lambda raw: b'{"x":NaN,"y":"' + raw.replace(b'"', b"").replace(b"\\", b"") + b'"}')


@given(rows)
def test_elements_of_joined_rows_are_the_rows(pieces: list[bytes]) -> None:
    assert list(elements(b"[" + b" , ".join(pieces) + b"]")) == pieces


@given(st.lists(rows.map(lambda some: some[0] if some else b"{}") | spoilt, max_size=8))
def test_nothing_is_lost_or_invented_among_nonsense(pieces: list[bytes]) -> None:
    body = b"[" + b",".join(pieces) + b"]"
    try:
        split = Envelope().scan(body)
    except UnreadablePageError:
        body.decode("gb18030")  # the one reason: it is a whole text in another encoding
        return
    assert sorted([*split.rows, *(bad.raw for bad in split.bad)]) == sorted(pieces)
    assert all(b"NaN" in bad.raw for bad in split.bad)


@given(st.binary(max_size=60))
def test_any_bytes_end_quickly(text: bytes) -> None:
    try:
        found = list(elements(text))
    except NoBoundariesError:
        return
    assert all(piece in text for piece in found)
