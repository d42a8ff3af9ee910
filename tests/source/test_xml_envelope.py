"""XML envelopes: exact bytes of each element, refusals, and what is refused unread."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import EnvelopeError, LoginPageError, RefusedError, UnreadablePageError
from hub.source import XmlEnvelope, xml_to_flat

ENVELOPE = XmlEnvelope(row="request", root="service_requests", errors={"403": "refused"})


def page(*rows: str, declaration: str = '<?xml version="1.0" encoding="utf-8"?>\n') -> bytes:
    return f"{declaration}<service_requests>{' '.join(rows)}</service_requests>".encode()


ROWS = [
    "<request><a>占道</a><request>inner</request></request>",
    '<request x=">"/>',
    "<request></request>",
    "<request\n ><a><![CDATA[</request>]]></a></request >",
]


def test_rows_are_the_exact_bytes() -> None:
    assert ENVELOPE.split(page(*ROWS)).rows == [row.encode() for row in ROWS]
    assert ENVELOPE.split(b"\xef\xbb\xbf" + page(ROWS[0])).rows == [ROWS[0].encode()]
    assert ENVELOPE.split(page()).rows == []


def test_another_encoding() -> None:
    body = page(ROWS[0], declaration='<?xml version="1.0" encoding="GBK"?>').decode().encode("gbk")
    assert XmlEnvelope(row="request", root="service_requests", encoding="gbk").split(body).rows == [ROWS[0].encode()]
    with pytest.raises(UnreadablePageError):
        ENVELOPE.split(body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<errors><error><code>403</code><description>key 13800001234</description></error></errors>", RefusedError),
        (b"<errors><error><code>400</code></error></errors>", EnvelopeError),
        (b"<other/>", EnvelopeError),
        (b"<!DOCTYPE html><html>", LoginPageError),
        (b"<HTML><body>", LoginPageError),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><service_requests/>', UnreadablePageError),
        (page(ROWS[0])[:-5], UnreadablePageError),
        (b"", UnreadablePageError),
        (b"{}", UnreadablePageError),
    ],
    ids=repr,
)
def test_what_is_no_page(body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        ENVELOPE.split(body)
    assert type(caught.value) is error
    assert "1380" not in str(caught.value)


def test_a_bad_element_is_set_aside_alone() -> None:
    split = ENVELOPE.scan(
        page(
            ROWS[0].replace("<request>inner</request>", ""), "<request><a>\x01</a></request>", "<request><b></request>"
        )
    )
    assert len(split.rows) == 1
    assert len(split.bad) == 2
    assert all(bad.reason.startswith("not XML") for bad in split.bad)


@pytest.mark.parametrize("body", [page(ROWS[0])[:-5], b"", b"{}"], ids=repr)
def test_without_the_end_of_the_root_the_page_stays_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadablePageError):
        ENVELOPE.scan(body)


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ("<error><code>500</code></error>", "<error>"),
        ("<Request><id>1</id></Request>", "<Request>"),
        ("<request_list><request><id>1</id></request></request_list>", "<request_list>"),
        ("系统繁忙", "系统繁忙"),
    ],
)
def test_something_else_in_place_of_rows_is_not_no_data(inside: str, found: str) -> None:
    with pytest.raises(EnvelopeError, match=f"no <request>, but {found}"):
        ENVELOPE.split(page(inside))


def test_nothing_below_the_root_is_no_data() -> None:
    for inside in ("", " \n ", "<!-- none -->"):
        assert ENVELOPE.split(page(inside)).rows == []


def test_something_else_in_place_of_rows_is_not_no_data_for_the_tolerant_reader_either() -> None:
    with pytest.raises(UnreadablePageError, match="something else"):
        ENVELOPE.scan(page("<error><a></error>"))


def test_one_record() -> None:
    assert ENVELOPE.record(page(ROWS[0])) == ROWS[0].encode()
    with pytest.raises(EnvelopeError):
        ENVELOPE.record(page())


def test_flat_records() -> None:
    row = b"<r><a>1</a><b/><c>x</c><c>y</c><c/><d><e>z</e></d></r>"
    assert json.loads(xml_to_flat(row)) == {"a": "1", "b": None, "c": ["x", "y", None], "d": {"e": "z"}}


@pytest.mark.parametrize("row", [b"", b"{}", b"<a>", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'], ids=repr)
def test_what_cannot_be_flattened(row: bytes) -> None:
    with pytest.raises(ValueError, match="not an XML element"):
        xml_to_flat(row)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text("中<&>\"' x"), max_size=3), max_size=5))
def test_any_texts_come_back(records: list[dict[str, str]]) -> None:
    from xml.sax.saxutils import escape

    rows = [
        "<request>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in record.items()) + "</request>"
        for record in records
    ]
    split = ENVELOPE.split(page(*rows))
    assert split.rows == [row.encode() for row in rows]
    assert [json.loads(xml_to_flat(row)) for row in split.rows] == [
        {tag: text or None for tag, text in record.items()} for record in records
    ]
