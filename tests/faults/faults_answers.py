"""F101 …: answers with a wrong envelope, a wrong encoding, or no JSON."""

from fault_bench import CITIZEN, ID_NUMBER, PHONE, Case, Source, good, text_of
from faults_http import FIRST, Answer, on_page_2
from scripted import Reply, Seen

from hub.errors import Outcome

__all__ = ["ENCODING", "ENVELOPE", "JSON"]

UNAVAILABLE, REFUSED, FAILED, PARTIAL = Outcome.UNAVAILABLE, Outcome.REFUSED, Outcome.FAILED, Outcome.PARTIAL


def says(body: str) -> Answer:
    return on_page_2(Reply(body))


def code(value: object, message: str = "nothing") -> Answer:
    return says(text_of({"code": value, "message": message, "data": None}))


def with_total(page_2: object, page_1: object = ...) -> Answer:
    """Honest rows under another total."""

    def answer(source: Source, seen: Seen) -> Reply:
        page = source.page_of(seen)
        return source.of_rows(source.page(page), page, page_1 if page == 1 and page_1 is not ... else page_2)

    return answer


def body_as(encoding: str, prefix: bytes = b"") -> Answer:
    return lambda source, seen: Reply(prefix + source.healthy(seen).payload.decode().encode(encoding))


def on_page_2_bytes(change: tuple[bytes, bytes]) -> Answer:
    return lambda source, seen: (
        Reply(source.healthy(seen).payload.replace(*change)) if source.page_of(seen) == 2 else None
    )


BROKEN_INSIDE = text_of({"code": 0, "datas": '{"success": true, "total": 3, "rows": [{"id": "r3", "ti'})

ENVELOPE = (
    Case(id="F101", sends="an error code in a 200", outcome=FAILED, says="code is 99", bad=code(99), kept=FIRST),
    Case(
        id="F102",
        sends="the code of an expired token, again and again",
        outcome=REFUSED,
        says="fresh token",
        bad=code(11),
        kept=FIRST,
    ),
    Case(id="F103", sends="the code of a refusal", outcome=REFUSED, says="refuses", bad=code(13), kept=FIRST),
    Case(
        id="F104",
        sends="the code of a wrong request",
        outcome=Outcome.MISCONFIGURED,
        says="does not accept",
        bad=code(15),
        kept=FIRST,
    ),
    Case(
        id="F105",
        sends="the code of a spent quota: not asked again",
        outcome=UNAVAILABLE,
        says="quota",
        bad=code(18),
        kept=FIRST,
        settings={"retries": "5"},
    ),
    Case(
        id="F106",
        sends="the code of too many requests",
        outcome=UNAVAILABLE,
        says="too often",
        bad=code(19),
        kept=FIRST,
    ),
    Case(id="F107", sends="the code of trouble", outcome=UNAVAILABLE, says="trouble", bad=code(20), kept=FIRST),
    Case(id="F108", sends='the good code as text ("0")', outcome=FAILED, says="code is 0", bad=code("0"), kept=FIRST),
    Case(
        id="F109",
        sends="no code at all",
        outcome=FAILED,
        says="has no code",
        bad=says('{"data": {"rows": []}}'),
        kept=FIRST,
    ),
    Case(
        id="F110",
        sends="an error text with a name, a phone and an ID number in it",
        outcome=FAILED,
        says="code is 98",
        bad=code(98, f"查询 {CITIZEN} {PHONE} {ID_NUMBER} 失败"),
        kept=FIRST,
    ),
    Case(
        id="F111",
        sends="rows: null",
        outcome=FAILED,
        says="no rows at data.rows",
        kept=FIRST,
        bad=says('{"code": 0, "data": {"total": 3, "rows": null}}'),
    ),
    Case(id="F112", sends="data: null", outcome=FAILED, says="no rows at data.rows", bad=code(0), kept=FIRST),
    Case(
        id="F113",
        sends="no rows",
        outcome=FAILED,
        says="no rows at data.rows",
        kept=FIRST,
        bad=says('{"code": 0, "data": {"total": 3}}'),
    ),
    Case(
        id="F114",
        sends="an object where the rows should be",
        outcome=FAILED,
        says="no rows at data.rows",
        kept=FIRST,
        bad=says('{"code": 0, "data": {"rows": {"0": 1}}}'),
    ),
    Case(
        id="F115",
        sends="a bare list where the envelope should be",
        outcome=FAILED,
        says="has no code",
        kept=FIRST,
        bad=says("[]"),
    ),
    Case(id="F116", sends="a total as text", bad=with_total("3")),
    Case(id="F117", sends="a total that is no number", outcome=FAILED, says="total", kept=(), bad=with_total("many")),
    Case(id="F118", sends="a total of null", bad=with_total(None)),
    Case(id="F119", sends="a total too low for the rows shown", bad=with_total(1)),
    Case(id="F120", sends="a total of 0 over rows", bad=with_total(0)),
    Case(id="F121", sends="a total too high", says="counts more than it gave", bad=with_total(9)),
    Case(
        id="F122",
        sends="no rows, although the total counts some",
        outcome=FAILED,
        says="the page is empty",
        kept=(),
        bad=lambda source, seen: source.of_rows([], 1, 3),
    ),
    Case(
        id="F123",
        sends="JSON in a string, broken inside",
        outcome=FAILED,
        says="told apart",
        kept=FIRST,
        form="nested",
        bad=says(BROKEN_INSIDE),
    ),
    Case(
        id="F124",
        sends="JSON in a string that says success: false",
        outcome=FAILED,
        says="datas.success",
        kept=FIRST,
        form="nested",
        bad=says(text_of({"code": 0, "datas": '{"success": false, "rows": []}'})),
    ),
    Case(
        id="F125",
        sends="plain text where JSON in a string is due",
        outcome=FAILED,
        says="datas",
        kept=FIRST,
        form="nested",
        bad=says('{"code": 0, "datas": "系统繁忙"}'),
    ),
    Case(
        id="F126",
        sends="a total that counts the page, not what there is, over a full first page",
        says="rows moved",
        bad=with_total(1, 2),
    ),
)

NUL, ESCAPE, RTL = "\\u0000", "\\u001b[2J\\u001b]0;owned\\u0007", "\\u202egnp.exe"

ENCODING = (
    Case(id="F201", sends="GBK under a UTF-8 header", outcome=FAILED, says="UTF-8", bad=body_as("gb18030"), kept=()),
    Case(id="F202", sends="UTF-16", outcome=FAILED, says="UTF-8", bad=body_as("utf-16"), kept=()),
    Case(id="F203", sends="a UTF-8 BOM", bad=body_as("utf-8", b"\xef\xbb\xbf")),
    Case(
        id="F204",
        sends="one byte in one record that is no UTF-8",
        outcome=PARTIAL,
        set_aside=1,
        kept=FIRST,
        says="not UTF-8",
        bad=on_page_2_bytes((b'"status": "1"', b'"status": "\xff"')),
    ),
    Case(
        id="F205",
        sends="U+0000, escaped, in a text",
        rows=(text_of(good(9, title="A@B")).replace("@", NUL),),
        stored={"r9": {"title": "A\ufffdB", "flags": '["nul_replaced"]'}},
    ),
    Case(
        id="F206",
        sends="a raw control character in a text",
        outcome=PARTIAL,
        set_aside=1,
        says="not JSON",
        rows=(text_of(good(9, title="A@B")).replace("@", "\x01"),),
    ),
    Case(
        id="F207",
        sends="a lone surrogate in a text",
        outcome=PARTIAL,
        set_aside=1,
        says="not JSON",
        rows=(text_of(good(9, title="A@B")).replace("@", "\\ud800"),),
    ),
    Case(
        id="F208",
        sends="terminal commands in a text",
        rows=(text_of(good(9, title="A@B")).replace("@", ESCAPE),),
        stored={"r9": {"title": "A\x1b[2J\x1b]0;owned\x07B"}},
    ),
    Case(
        id="F209",
        sends="right-to-left override in a text",
        rows=(text_of(good(9, title="A@")).replace("@", RTL),),
        stored={"r9": {"title": "A\u202egnp.exe"}},
    ),
    Case(
        id="F210",
        sends="JSON that says it is HTML",
        bad=lambda source, seen: Reply(source.healthy(seen).body, headers={"Content-Type": "text/html"}),
    ),
    Case(
        id="F211",
        sends="JSON that says it is GBK but is UTF-8",
        bad=lambda source, seen: Reply(
            source.healthy(seen).body, headers={"Content-Type": "application/json;charset=GBK"}
        ),
    ),
    Case(
        id="F212",
        sends="a raw NUL byte between two members",
        outcome=FAILED,
        says="told apart",
        kept=FIRST,
        bad=on_page_2_bytes((b'"data":', b'\x00"data":')),
    ),
)

DEEP = "[" * 100_000 + "]" * 100_000

JSON = (
    Case(
        id="F301",
        sends="NaN in a record",
        outcome=PARTIAL,
        set_aside=1,
        says="not JSON",
        rows=(text_of(good(9)).replace('"1"', "NaN"),),
    ),
    Case(
        id="F302",
        sends="Infinity in a record",
        outcome=PARTIAL,
        set_aside=1,
        says="not JSON",
        rows=(text_of(good(9)).replace('"1"', "-Infinity"),),
    ),
    Case(
        id="F303",
        sends="1e400 as an amount",
        outcome=PARTIAL,
        set_aside=1,
        says="yuan: wrong type",
        rows=(text_of(good(9, yuan=1)).replace('"yuan": 1', '"yuan": 1e400'),),
    ),
    Case(
        id="F304",
        sends="an integer of 200 digits as an amount",
        outcome=PARTIAL,
        set_aside=1,
        says="yuan",
        rows=(text_of(good(9, yuan=1)).replace('"yuan": 1', '"yuan": 1' + "0" * 200),),
    ),
    Case(
        id="F305",
        sends="a depth bomb in a record",
        outcome=PARTIAL,
        set_aside=1,
        says="nested too deeply",
        rows=(text_of(good(9, text="@")).replace('"@"', DEEP),),
    ),
    Case(
        id="F306",
        sends="a depth bomb as the whole answer",
        outcome=FAILED,
        says="has no code",
        kept=FIRST,
        bad=says("[" * 200_000),
    ),
    Case(
        id="F307",
        sends="a key twice in a record: the last one counts",
        rows=(text_of(good(9)).replace('"status": "1"', '"status": "1", "status": "2"'),),
        stored={"r9": {"status": "closed"}},
    ),
    Case(
        id="F308",
        sends="an id twice in a record: the last one counts",
        rows=(text_of(good(8)).replace('"who"', '"id": "r9", "who"'),),
        stored={"r9": {"title": "占道经营 8"}},
    ),
    Case(
        id="F309",
        sends="a record of 5 MB",
        rows=(good(9, text="长" * 1_700_000),),
        stored={"r9": {"title": "占道经营 9"}},
    ),
    Case(
        id="F310",
        sends="a record of 50 MB where 10 MB are the limit",
        outcome=FAILED,
        says="larger than",
        kept=FIRST,
        settings={"max_bytes": "10000000"},
        bad=lambda source, seen: (
            source.of_rows([text_of(good(9, text="x" * 50_000_000))]) if source.page_of(seen) == 2 else None
        ),
    ),
    Case(
        id="F311",
        sends="JSON that stops in a record",
        outcome=FAILED,
        says="told apart",
        kept=FIRST,
        bad=lambda source, seen: Reply(source.healthy(seen).payload[:-60]) if source.page_of(seen) == 2 else None,
    ),
    Case(
        id="F312",
        sends="a comment behind the JSON",
        bad=lambda source, seen: (
            Reply(source.healthy(seen).payload + b"<!-- -->") if source.page_of(seen) == 2 else None
        ),
    ),
    Case(
        id="F313",
        sends="JavaScript instead of JSON",
        outcome=FAILED,
        says="has no code",
        kept=FIRST,
        bad=says("{code: 0, data: {rows: []}}"),
    ),
    Case(
        id="F314",
        sends="a number, null, a text and a list among the records",
        outcome=PARTIAL,
        set_aside=4,
        rows=("5", "null", '"r7"', "[1, 2]"),
        says="no native id",
    ),
    Case(id="F315", sends="an empty record", outcome=PARTIAL, set_aside=1, rows=("{}",), says="no native id"),
    Case(
        id="F316",
        sends="a second JSON document behind the first, saying that it failed",
        outcome=FAILED,
        says="a second document follows",
        kept=FIRST,
        bad=lambda source, seen: (
            Reply(source.healthy(seen).payload + b'{"code": 99}') if source.page_of(seen) == 2 else None
        ),
    ),
)
