"""Envelopes: every dialect of domain.md §1.3, what codes mean, and what is never taken for no rows."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import (
    EnvelopeError,
    HubError,
    LoginPageError,
    MisconfiguredError,
    QuotaSpentError,
    RateLimitedError,
    RefusedError,
    TokenExpiredError,
    UnavailableError,
    UnreadablePageError,
)
from hub.source import GATEWAY_CHECK, Check, Envelope
from hub.source.document import Document

ROWS = [{"id": 1, "t": "占道"}, {"id": 2, "t": "噪音"}]
TEXT = json.dumps(ROWS, ensure_ascii=False)


def gateway(datas: Any, code: str = "00", **more: Any) -> bytes:
    answer = {"code": code, "msg": "成功", "data": "", "datas": datas, "dataCount": 2, "totalDataCount": 0, **more}
    return json.dumps(answer, ensure_ascii=False).encode()


DIALECTS = {
    "text, success and data": (
        gateway(f'{{"success":true,"data":{TEXT},"errorMsg":""}}'),
        Envelope(rows="datas.data", checks=(GATEWAY_CHECK, Check("datas.success", (True,))), empty=("",)),
    ),
    "object, code and result": (
        gateway({"code": 200, "data": {"status": "1", "result": ROWS}, "message": "success"}),
        Envelope(rows="datas.data.result", checks=(GATEWAY_CHECK, Check("datas.code", (200,)))),
    ),
    "bare array": (gateway(ROWS), Envelope(rows="datas", checks=(GATEWAY_CHECK,))),
    "bare array as text": (gateway(TEXT), Envelope(rows="datas", checks=(GATEWAY_CHECK,), empty=("[]",))),
    "text, flag and body": (
        gateway(f'{{"flag":"1","msg":"ok","body":{TEXT}}}'),
        Envelope(rows="datas.body", checks=(GATEWAY_CHECK, Check("datas.flag", ("1",)))),
    ),
    "nothing around it": (TEXT.encode(), Envelope()),
    "a BOM before it": (b"\xef\xbb\xbf" + TEXT.encode(), Envelope()),
    "text inside text": (json.dumps({"a": json.dumps({"b": TEXT})}).encode(), Envelope(rows="a.b")),
}


@pytest.mark.parametrize(("body", "envelope"), DIALECTS.values(), ids=DIALECTS)
def test_every_dialect_gives_the_rows(body: bytes, envelope: Envelope) -> None:
    assert [json.loads(row) for row in envelope.split(body).rows] == ROWS


@pytest.mark.parametrize(("body", "envelope"), DIALECTS.values(), ids=DIALECTS)
def test_the_scanner_finds_the_same_rows(body: bytes, envelope: Envelope) -> None:
    scanned = envelope.scan(body)
    assert (scanned.rows, scanned.bad) == (envelope.split(body).rows, ())


def test_rows_are_the_exact_bytes() -> None:
    first, second = b'{ "id" : 1.10, "t":"\\u5360" }', b'{"id":1,"id":2}'
    assert Envelope(rows="r").split(b'{"r": [ ' + first + b" ,\n" + second + b" ] }").rows == [first, second]


def test_rows_in_a_text_are_the_bytes_of_the_inner_document() -> None:
    inner = '[{"t":"a\\"b"},{"t":"中"}]'
    assert Envelope(rows="r").split(json.dumps({"r": inner}).encode()).rows == [b'{"t":"a\\"b"}', '{"t":"中"}'.encode()]


@pytest.mark.parametrize("datas", ["", None, "[]", []], ids=repr)
def test_declared_emptiness_is_no_rows(datas: Any) -> None:
    envelope = Envelope(
        rows="datas.data", checks=(GATEWAY_CHECK, Check("datas.success", (True,))), empty=("", None, "[]")
    )
    assert envelope.split(gateway(datas)).rows == []
    assert envelope.scan(gateway(datas)).rows == []


@pytest.mark.parametrize(
    "body",
    [
        gateway(""),
        gateway(None),
        gateway("[]"),
        gateway({}),
        gateway({"data": None}),
        gateway({"data": {}}),
        b"{}",
        b"[]",
        b"null",
        b"1",
    ],
    ids=repr,
)
def test_a_missing_row_list_is_never_no_rows(body: bytes) -> None:
    with pytest.raises(EnvelopeError) as caught:
        Envelope(rows="datas.data").split(body)
    assert not isinstance(caught.value, UnreadablePageError)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("11", TokenExpiredError),
        ("14", TokenExpiredError),
        ("18", QuotaSpentError),
        ("96", EnvelopeError),
        ("97", MisconfiguredError),
        ("98", MisconfiguredError),
        ("99", UnavailableError),
        ("77", EnvelopeError),
    ],
)
def test_gateway_codes(code: str, error: type[HubError]) -> None:
    with pytest.raises(error) as caught:
        Envelope(rows="datas", checks=(GATEWAY_CHECK,)).split(gateway("", code, msg="签名错误"))
    assert type(caught.value) is error
    assert {code, "签名错误", "code"} <= set(caught.value.values.values())


@pytest.mark.parametrize(
    ("kind", "error"), [("refused", RefusedError), ("rate_limited", RateLimitedError), ("failed", EnvelopeError)]
)
def test_declared_meanings(kind: Any, error: type[HubError]) -> None:
    with pytest.raises(error):
        Envelope(checks=(Check("code", (0,), {"5": kind}),)).split(b'{"code":5}')


def test_an_inner_failure_inside_an_outer_success() -> None:
    envelope = Envelope(
        rows="datas.data", checks=(GATEWAY_CHECK, Check("datas.success", (True,))), message=("datas.errorMsg", "msg")
    )
    with pytest.raises(EnvelopeError, match=r"datas\.success is False: 库不可用"):
        envelope.split(gateway('{"success":false,"data":[],"errorMsg":"库不可用"}'))


def test_a_check_is_strict_about_types() -> None:
    assert Check("a", (1,)).passes(1)
    assert not Check("a", (1,)).passes(True)
    assert not Check("a", ("1",)).passes(1)
    assert Check("a", (None,)).passes(None)


def test_a_check_without_its_value_fails() -> None:
    with pytest.raises(EnvelopeError, match="has no code"):
        Envelope(checks=(GATEWAY_CHECK,)).split(b'{"rows":[]}')


def test_a_null_that_is_declared_good_passes() -> None:
    envelope = Envelope(rows="data", checks=(Check("errorCode", (None,)),))
    assert envelope.split(b'{"errorCode":null,"data":[1]}').rows == [b"1"]
    assert envelope.split(b'{"data":[1]}').rows == [b"1"]


@pytest.mark.parametrize(("told", "total"), [("7", 7), ('"7"', 7), ("null", None), ('""', None), ("0", 0)])
def test_totals(told: str, total: int | None) -> None:
    assert Envelope(rows="r", total="n").split(f'{{"n":{told},"r":[]}}'.encode()).total == total


def test_a_total_that_is_no_number() -> None:
    with pytest.raises(EnvelopeError, match="total at n"):
        Envelope(rows="r", total="n").split(b'{"n":"many","r":[]}')


def test_messages_hide_what_may_be_private() -> None:
    body = gateway("", "77", msg="用户 13800001234 的密钥 BCDSGS_0123456789abcdef0123456789abcdef 无效")
    with pytest.raises(EnvelopeError) as caught:
        Envelope(rows="datas", checks=(GATEWAY_CHECK,)).split(body)
    assert "1380" not in str(caught.value)
    assert "BCDSGS" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>", b"\r\n <script>location='/login'</script>", b"\xef\xbb\xbf<html>"], ids=repr
)
def test_html_is_a_login_page(body: bytes) -> None:
    with pytest.raises(LoginPageError):
        Envelope().split(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"service busy",
        b'{"rows":[{"a":NaN}]}',
        b'{"rows":[{"a":"\x01"}]}',
        b'{"rows":[{"a":"\\ud800"}]}',
        b'{"rows":[1,2',
    ],
    ids=repr,
)
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadablePageError):
        Envelope(rows="rows").split(body)


def test_absurd_depth_is_unreadable() -> None:
    with pytest.raises(UnreadablePageError):
        Envelope(rows="rows").split(b'{"rows":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}")


def test_gbk_is_read_where_it_is_declared_and_else_unreadable() -> None:
    body = '{"rows":[{"t":"占道经营"}]}'.encode("gbk")
    with pytest.raises(UnreadablePageError, match="not UTF-8") as caught:
        Envelope(rows="rows").split(body)
    assert "gb18030" in caught.value.remedy
    with pytest.raises(UnreadablePageError):
        Envelope(rows="rows").scan(body)
    assert Envelope(rows="rows", encoding="gb18030").split(body).rows == ['{"t":"占道经营"}'.encode()]
    with pytest.raises(UnreadablePageError, match="is UTF-8, not gb18030"):
        Envelope(rows="rows", encoding="gb18030").split('{"rows":[{"t":"占道经营"}]}'.encode())
    with pytest.raises(UnreadablePageError, match="not ascii"):
        Envelope(rows="rows", encoding="ascii").split(body)


def test_an_error_row_is_no_row() -> None:
    envelope = Envelope(error_row=("code", "description"), error_codes={"403": "refused"})
    with pytest.raises(RefusedError, match="code is 403: wrong key"):
        envelope.split(b'[{"code":403,"description":"wrong key"}]')
    with pytest.raises(EnvelopeError):
        envelope.split(b'[{"code":404,"description":"none"}]')
    assert envelope.split(b'[{"code":"0102","description":"x","id":1}]').rows != []
    assert envelope.split(b"[]").rows == []


def test_the_record_of_a_detail_answer() -> None:
    whole = b'{"status":"success","res":[{"fd_name":"a"}],"steps":[]}'
    assert Envelope(checks=(Check("status", ("success",)),)).record(whole) == whole
    assert Envelope(rows="data").record(b'{"data": {"a": 1} }') == b'{"a": 1}'
    assert Envelope().record(b'[{"a":1}]') == b'{"a":1}'


@pytest.mark.parametrize("body", [b'{"data":null}', b'{"data":""}', b'{"data":[]}', b'{"data":[1,2]}', b"{}"], ids=repr)
def test_a_detail_answer_without_one_record(body: bytes) -> None:
    with pytest.raises(EnvelopeError):
        Envelope(rows="data").record(body)


leaves = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"]))
records = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
)


@given(st.lists(st.dictionaries(st.text("abc", max_size=3), records, max_size=4), max_size=6), st.booleans())
def test_split_gives_back_any_rows(rows: list[dict[str, Any]], doubled: bool) -> None:
    encoded = [msgspec.json.encode(row) for row in rows]
    array = b"[" + b",".join(encoded) + b"]"
    body = msgspec.json.encode({"d": {"r": array.decode()}}) if doubled else b'{"d":{"r":' + array + b"}}"
    assert Envelope(rows="d.r").split(body).rows == encoded
    assert Envelope(rows="d.r").scan(body).rows == encoded


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "[]", '{"rows":[1]}', "00"]),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "data", "rows", "total"]), inner)
        ),
    )
)
def test_an_answer_of_the_usual_shape_means_what_walking_finds(answer: Any) -> None:
    """The one-pass reading of an answer and the walk, level by level, agree about rows, total and what is wrong."""
    body = json.dumps(answer).encode()
    envelope = Envelope(rows="data.rows", total="data.total", checks=(Check("code", ("00", 0)),), empty=("", None))
    shaped, walked = Document(body, envelope._shape()), Document(body)
    for path in ("code", "data.total"):
        assert shaped.find(path) == walked.find(path)
    if shaped.rows is not None:
        assert list(map(bytes, shaped.rows)) == list(map(bytes, envelope._rows_of(walked)))
