"""F001 …: what goes wrong below the answer's own words: connections, statuses, redirects, sizes, compression."""

import gzip
import time
from collections.abc import Callable
from typing import Any

from fault_bench import Case, Source, good, text_of
from scripted import Reply, Seen

from hub.errors import Outcome

__all__ = ["CASES", "on_page_2", "once"]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FIRST = ("r1", "r2")
QUICK = {"request_deadline": '"PT0.4S"'}
Answer = Callable[[Source, Seen], Reply | None]


def on_page_2(reply: Reply) -> Answer:
    """The first page is healthy; every asking for the second one is answered so."""
    return lambda source, seen: reply if source.page_of(seen) == 2 else None


def once(reply: Reply) -> Answer:
    """Only the first asking for the second page."""

    def answer(source: Source, seen: Seen) -> Reply | None:
        return reply if source.page_of(seen) == 2 and source.asked == 2 else None

    return answer


def status(number: int, **headers: str) -> Reply:
    return Reply("<h1>no</h1>", number, {name.replace("_", "-"): value for name, value in headers.items()})


def raw(write: Callable[[Any], None]) -> Answer:
    return on_page_2(Reply(raw=write))


def drip(head: bytes, piece: bytes) -> Callable[[Any], None]:
    def write(wire: Any) -> None:
        wire.write(head)
        for _ in range(20):
            wire.write(piece)
            wire.flush()
            time.sleep(0.1)

    return write


def whole_page(source: Source) -> bytes:
    return source.of_rows(source.page(2)).payload


def cut(announced: int, kept: int) -> Answer:
    """Page 2 with `announced` bytes more than it has in its Content-Length, and only `kept` bytes short of it sent."""

    def answer(source: Source, seen: Seen) -> Reply | None:
        body = whole_page(source)
        # Closed afterwards: what is left over must not be read as the next answer, or as none, by chance.
        head = HEAD + f"Connection: close\r\nContent-Length: {len(body) + announced}\r\n\r\n".encode()
        send = head + body[: len(body) - kept]
        return Reply(raw=lambda wire: wire.write(send)) if source.page_of(seen) == 2 else None

    return answer


def packed(change: Callable[[bytes], bytes], encoding: str = "gzip") -> Answer:
    return lambda source, seen: (
        Reply(change(gzip.compress(whole_page(source))), headers={"Content-Encoding": encoding})
        if source.page_of(seen) == 2
        else None
    )


def moved(target: Callable[[Source], str], number: int = 302) -> Answer:
    return lambda source, seen: (
        status(number, Location=target(source)) if source.page_of(seen) == 2 and "moved" not in seen.target else None
    )


BOMB = gzip.compress(b'{"code": 0, "data": {"rows": [' + b" " * 30_000_000 + b"]}}")
UNAVAILABLE, REFUSED, FAILED = Outcome.UNAVAILABLE, Outcome.REFUSED, Outcome.FAILED
AGAIN = {"retries": "1"}

CASES = (
    Case(
        id="F001",
        sends="500 with an HTML page",
        outcome=UNAVAILABLE,
        says="500",
        bad=on_page_2(status(500)),
        kept=FIRST,
    ),
    Case(id="F002", sends="502 of a proxy", outcome=UNAVAILABLE, says="502", bad=on_page_2(status(502)), kept=FIRST),
    Case(id="F003", sends="503 once, with Retry-After: 0", bad=once(status(503, Retry_After="0")), settings=AGAIN),
    Case(id="F004", sends="429 once, Retry-After in seconds", bad=once(status(429, Retry_After="0")), settings=AGAIN),
    Case(
        id="F005",
        sends="429 once, Retry-After as a date",
        settings=AGAIN,
        bad=once(status(429, Retry_After="Fri, 20 Nov 2026 08:00:00 GMT")),
    ),
    Case(
        id="F006",
        sends="429 that asks for an hour: not waited for, the next run comes anyway",
        outcome=UNAVAILABLE,
        says="asks for a pause of 3600 s",
        bad=on_page_2(status(429, Retry_After="3600")),
        kept=FIRST,
        settings=AGAIN,
    ),
    Case(id="F007", sends="401", outcome=REFUSED, says="refuses", bad=on_page_2(status(401)), kept=FIRST),
    Case(id="F008", sends="403", outcome=REFUSED, says="refuses", bad=on_page_2(status(403)), kept=FIRST),
    Case(id="F009", sends="404", outcome=FAILED, says="does not exist", bad=on_page_2(status(404)), kept=FIRST),
    Case(id="F010", sends="400", outcome=FAILED, says="400", bad=on_page_2(status(400)), kept=FIRST),
    Case(id="F011", sends="408", outcome=UNAVAILABLE, says="408", bad=on_page_2(status(408)), kept=FIRST),
    Case(
        id="F012",
        sends="204 where the stream declares none",
        outcome=FAILED,
        says="204",
        bad=on_page_2(Reply(b"", 204)),
        kept=FIRST,
    ),
    Case(
        id="F013", sends="304 nobody asked for", outcome=FAILED, says="304", bad=on_page_2(Reply(b"", 304)), kept=FIRST
    ),
    Case(
        id="F014",
        sends="206, a part of the answer",
        outcome=FAILED,
        says="206",
        bad=on_page_2(Reply(b'{"code": 0, "data": {"rows": []}}', 206)),
        kept=FIRST,
    ),
    Case(
        id="F015",
        sends="a body that drips",
        outcome=UNAVAILABLE,
        says="in time",
        kept=FIRST,
        settings=QUICK,
        bad=raw(drip(HEAD + b"Content-Length: 4000\r\n\r\n", b" ")),
    ),
    Case(
        id="F016",
        sends="a header that drips",
        outcome=UNAVAILABLE,
        says="in time",
        kept=FIRST,
        settings=QUICK,
        bad=raw(drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n")),
    ),
    Case(
        id="F017",
        sends="nothing at all",
        outcome=UNAVAILABLE,
        says="in time",
        kept=FIRST,
        settings=QUICK,
        bad=raw(lambda wire: time.sleep(0.8)),
    ),
    Case(
        id="F018",
        sends="a connection closed without an answer",
        outcome=UNAVAILABLE,
        says="broke off",
        kept=FIRST,
        bad=raw(lambda wire: None),
    ),
    Case(
        id="F019",
        sends="a body shorter than its Content-Length",
        outcome=UNAVAILABLE,
        says="broke off",
        kept=FIRST,
        bad=cut(announced=0, kept=40),
    ),
    Case(
        id="F020",
        sends="a Content-Length shorter than the body",
        outcome=FAILED,
        says="told apart",
        kept=FIRST,
        bad=cut(announced=-30, kept=0),
    ),
    Case(
        id="F021",
        sends="a broken chunk",
        outcome=UNAVAILABLE,
        says="broke off",
        kept=FIRST,
        bad=raw(lambda wire: wire.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")),
    ),
    Case(
        id="F022",
        sends="something that is not HTTP",
        outcome=UNAVAILABLE,
        says="broke off",
        kept=FIRST,
        bad=raw(lambda wire: wire.write(b"220 ftp.example ready\r\n")),
    ),
    Case(
        id="F023",
        sends="200 kB of headers",
        outcome=UNAVAILABLE,
        says="broke off",
        kept=FIRST,
        bad=raw(lambda wire: wire.write(HEAD + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\n")),
    ),
    Case(
        id="F024",
        sends="a gzip bomb",
        outcome=FAILED,
        says="larger than",
        kept=FIRST,
        settings={"max_bytes": "100000"},
        bad=on_page_2(Reply(BOMB, headers={"Content-Encoding": "gzip"})),
    ),
    Case(
        id="F025",
        sends="damaged gzip",
        outcome=FAILED,
        says="damaged",
        kept=FIRST,
        bad=packed(lambda body: body[:20] + b"\xff\xff\xff" + body[23:]),
    ),
    Case(
        id="F026",
        sends="gzip cut off",
        outcome=UNAVAILABLE,
        says="cut off",
        kept=FIRST,
        bad=packed(lambda body: body[:-20]),
    ),
    Case(
        id="F027",
        sends="brotli, which was not offered",
        outcome=FAILED,
        says="not offered",
        kept=FIRST,
        bad=packed(lambda body: body, "br"),
    ),
    Case(
        id="F028",
        sends="a body larger than max_bytes",
        outcome=FAILED,
        says="larger than",
        kept=FIRST,
        settings={"max_bytes": "100000"},
        bad=on_page_2(Reply(b'{"a": "' + b"x" * 200_000 + b'"}')),
    ),
    Case(
        id="F029",
        sends="a redirect to another host",
        outcome=REFUSED,
        says="another host",
        kept=FIRST,
        bad=moved(lambda source: "https://elsewhere.invalid/records"),
    ),
    Case(
        id="F030",
        sends="a redirect to another port of the host",
        outcome=REFUSED,
        says="another host",
        kept=FIRST,
        bad=moved(lambda source: "http://127.0.0.1:9/records"),
    ),
    Case(
        id="F031",
        sends="a redirect to itself, again and again",
        outcome=REFUSED,
        says="in circles",
        kept=FIRST,
        bad=moved(lambda source: "/records?page=2"),
    ),
    Case(id="F032", sends="a redirect on the same host", bad=moved(lambda source: "/records?page=2&moved=1", 307)),
    Case(
        id="F033",
        sends="an HTML login page with 200",
        outcome=REFUSED,
        says="HTML",
        kept=FIRST,
        bad=on_page_2(Reply("<!DOCTYPE html><form action=/login>", headers={"Content-Type": "text/html"})),
    ),
    Case(
        id="F034",
        sends="an empty body with 200",
        outcome=FAILED,
        says="told apart",
        kept=FIRST,
        bad=on_page_2(Reply(b"")),
    ),
    Case(
        id="F035",
        sends="a name that no DNS knows",
        outcome=UNAVAILABLE,
        says="cannot be resolved",
        kept=(),
        settings={"base_url": '"http://no-such-host.invalid"'},
    ),
    Case(
        id="F036",
        sends="a port where nobody listens",
        outcome=UNAVAILABLE,
        says="nothing listens",
        kept=(),
        settings={"base_url": '"http://127.0.0.1:9"'},
    ),
    Case(
        id="F037",
        sends="plain HTTP where TLS is expected",
        outcome=UNAVAILABLE,
        says="no TLS connection",
        kept=(),
        settings={"base_url": '"https://127.0.0.1:{port}"'},
    ),
    Case(
        id="F038",
        sends="a certificate nobody vouches for",
        outcome=Outcome.MISCONFIGURED,
        says="not trusted",
        kept=(),
        settings={"base_url": '"https://127.0.0.1:{tls}"'},
    ),
    Case(
        id="F039",
        sends="an error page that repeats the key and a phone number",
        outcome=FAILED,
        says="400",
        kept=FIRST,
        bad=lambda source, seen: (
            Reply(text_of({"message": f"bad key {seen.headers['x-key']} of {good(1)['phone']}"}), 400)
            if source.page_of(seen) == 2
            else None
        ),
    ),
)
