"""What both floors share: fetching a page and mapping a record, as written by hand for this one source.

It promises nothing: no validation, no state, no feed, no encryption, no retries, no accounting.
"""

import argparse
import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import msgspec
import orjson

__all__ = ["COLUMNS", "INDICES", "Page", "compressed", "incident", "pages", "run"]

COLUMNS = (
    "status", "source_status", "source_status_text", "flags", "title", "description",
    "category", "source_category", "source_category_text", "channel",
    "occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at",
    "region", "town", "grid", "address", "longitude", "latitude", "source_x", "source_y", "coordinate_system",
    "unit", "unit_code", "subject_kind", "subject_name", "subject_code", "fine", "result", "answer", "steps",
    "reporter_name", "reporter_phone",
)  # fmt: skip
INDICES = (
    "CREATE INDEX incident_by_time ON incident (occurred_at DESC, id DESC)",
    "CREATE INDEX incident_by_status ON incident (status, town, occurred_at DESC, id DESC)",
)
STATUS = {
    "10": ("pending", "待受理"),
    "20": ("accepted", "已受理"),
    "30": ("in_progress", "处置中"),
    "40": ("awaiting_review", "待核查"),
    "50": ("closed", "已办结"),
}
CATEGORIES = {"0101", "0102", "0203", "0304", "0501"}
SHANGHAI = timezone(timedelta(hours=8))


class Rows(msgspec.Struct):
    total: int
    rows: list[msgspec.Raw]


class Answer(msgspec.Struct):
    code: int
    data: Rows


class Id(msgspec.Struct):
    orderNo: str


class Page:
    """One page: raw slices with the id and hash of each."""

    def __init__(self, body: bytes, decode: Any, decode_id: Any) -> None:
        self.raws = [bytes(raw) for raw in decode(body).data.rows]
        self.ids = [decode_id(raw).orderNo for raw in self.raws]
        self.hashes = [hashlib.sha256(raw).digest() for raw in self.raws]

    def changed(self, known: dict[str, bytes]) -> list[int]:
        """Places of the records that are not stored with exactly these bytes."""
        return [place for place, key in enumerate(self.ids) if known.get(key) != self.hashes[place]]


def pages(base_url: str, since: str = "", size: int = 1000) -> Iterator[Page]:
    """Every page of the system, or of what changed since."""
    decode, decode_id = msgspec.json.Decoder(Answer).decode, msgspec.json.Decoder(Id).decode
    number, extra = 1, {"since": since} if since else {}
    with httpx.Client(timeout=60) as client:
        while True:
            answer = client.get(f"{base_url}/orders", params={"page": number, "size": size, **extra})
            answer.raise_for_status()
            page = Page(answer.content, decode, decode_id)
            if page.raws:
                yield page
            if len(page.raws) < size:
                return
            number += 1


def compressed(raws: list[bytes]) -> bytes:
    """The raw records of a page."""
    return zlib.compress(b"\n".join(raws), 1)


def milliseconds(text: str) -> int | None:
    if not text:
        return None
    return int(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def utc(text: str) -> str:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def incident(raw: bytes) -> tuple[Any, ...]:
    """One record as a row in the order of COLUMNS."""
    record = orjson.loads(raw)
    state, company, area = record["state"], record["subjectName"], record["areaCode"]
    status, title = STATUS.get(state, ("unmapped", None))
    code = record["classCode"]
    steps = [{"at": utc(step["time"]), "name": step["node"], "unit": step["dept"]} for step in record["steps"]]
    return (
        status,
        state,
        title,
        '["urgent"]' if record["urgent"] else None,
        record["title"],
        record["content"] or None,
        code if code in CATEGORIES else "unmapped",
        code,
        record["className"],
        record["source"],
        milliseconds(record["happenTime"]),
        milliseconds(record["receiveTime"]),
        milliseconds(record["updateTime"]),
        milliseconds(record["finishTime"]),
        milliseconds(record["limitTime"]),
        area,
        area[:9],
        record["gridCode"],
        record["address"],
        record["lng"],
        record["lat"],
        record["lng"],
        record["lat"],
        "CGCS2000",
        record["dept"],
        record["deptCode"],
        "organization" if company else None,
        company or None,
        record["subjectCode"] or None,
        round(record["amount"] * 100),
        record["result"],
        record["answer"],
        orjson.dumps(steps).decode(),
        record["reporterName"],
        record["reporterPhone"],
    )


def run(load: Callable[[str, str, str], None]) -> None:
    """The command line of both floors: `load(base_url, database, since)`, so many times, and what each took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("base_url")
    parser.add_argument("database")
    parser.add_argument("--since", default="")
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    runs = []
    for _ in range(given.times):
        wall, cpu = time.perf_counter(), time.process_time()
        load(given.base_url, given.database, given.since)
        runs.append({"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu})
    print(json.dumps({"runs": runs}))
