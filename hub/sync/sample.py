"""Looking at a stream without storing anything: its first page, mapped, for `hub check` and `hub preview`."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec

from hub.errors import EnvelopeError, HubError, Outcome, TokenExpiredError
from hub.mapping.mapping import UnmappableError
from hub.mapping.values import CodeGap
from hub.source.document import Document
from hub.source.stream import Page
from hub.store.incidents import mapped_fields
from hub.sync.call import Call
from hub.sync.foreign_code import called
from hub.sync.job import StreamJob
from hub.sync.reading import begin, window_of

__all__ = ["Sample", "SampleRecord", "masked", "take_sample"]

MASK = "***"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One raw record and what became of it. `raw` is the (reshaped) record, personal paths masked unless asked for."""

    raw: Any
    incident: dict[str, Any] | None
    problem: str = ""


@dataclass(slots=True)
class Sample:
    """What a look at a stream found. `rows` counts the page, `total` is what the source says the window holds."""

    source: str
    stream: str
    outcome: Outcome = Outcome.OK
    rows: int = 0
    total: int | None = None
    mapped: int = 0
    bad: int = 0
    unmapped: Counter[CodeGap] = field(default_factory=Counter)
    records: list[SampleRecord] = field(default_factory=list)
    error: HubError | None = None


def take_sample(job: StreamJob, *, keep: int = 1, unmask: bool = False) -> Sample:
    """Fetch the first page a first sync would fetch and map all of it; `keep` records are kept for showing.

    Every HubError becomes the sample's outcome. An expired token is renewed once; nothing else is asked twice, so
    that a source that is down is said to be down at once.
    """
    sample = Sample(job.source, job.stream.name)
    try:
        page = _first_page(job)
        sample.rows, sample.total = len(page.rows) + len(page.bad), page.total
        _map(job, page, sample, keep, unmask)
    except HubError as error:
        sample.outcome = error.outcome
        sample.error = error.within(source=job.source, stream=job.stream.name)
    if sample.bad and sample.error is None:
        sample.outcome = Outcome.PARTIAL
    return sample


def _first_page(job: StreamJob) -> Page:
    start = int(job.start.timestamp() * 1000)
    window = window_of(begin(job.stream, "incremental", cursor=None, start=start, enumeration=""), job.partition)

    def ask() -> Page:
        try:
            return job.transport.fetch(job.stream, window, None)
        except TokenExpiredError:
            job.transport.renew()
            return job.transport.fetch(job.stream, window, None)

    return _called(job, ask)


def _called(job: StreamJob, work: Callable[[], T]) -> T:
    due = time.monotonic() + job.settings.page_deadline.total_seconds()
    grace_s = job.settings.request_deadline.total_seconds()
    return called(job.settings.connector, Call(work, source=job.source, due=due, grace_s=grace_s).result)


def _map(job: StreamJob, page: Page, sample: Sample, keep: int, unmask: bool) -> None:
    mapper = job.mapper(page.mapping, page.zone)
    personal = (*job.stream.personal, *job.mapping_of(page.mapping).personal_paths)
    sample.bad += len(page.bad)
    heads, cursor, timed = job.head_reader(page.mapping), job.stream.cursor, False
    for raw in page.rows:
        shown = len(sample.records) < keep
        if job.stream.two_step and not shown:
            continue
        full = _called(job, partial(job.transport.detail, job.stream, raw)) if job.stream.two_step else raw
        # Personal paths are those of the reshaped record: what cannot be reshaped cannot be masked either.
        flat, incident, problem = None, None, ""
        try:
            flat = job.stream.reshape(full) if job.stream.reshape else full
            heads.read(flat)
            incident = mapped_fields(mapper.map(flat).row)
            sample.mapped += 1
            timed = timed or cursor is None or Document(flat).find(cursor.path) is not None
        except (UnmappableError, ValueError) as error:
            problem = str(error)
            sample.bad += 1
        if shown and flat is None and personal and not unmask:
            sample.records.append(SampleRecord(f"{len(full)} bytes that cannot be masked", incident, problem))
        elif shown:
            raw = masked(full if flat is None else flat, () if unmask else personal)
            sample.records.append(SampleRecord(raw, incident, problem))
    sample.unmapped.update(mapper.gaps())
    if sample.mapped and not timed and cursor is not None:
        raise EnvelopeError(
            "no record of the page has {path}, which says when it was changed", path=cursor.path,
            remedy="compare the stream's cursor with a record: hub preview",
        )  # fmt: skip


def masked(flat: bytes, personal: tuple[str, ...]) -> Any:
    """A record as JSON values, with what stands at the personal paths replaced by `***`.

    Paths are dotted, lists are written `list[].key`. Of bytes that are no JSON, in which nothing can be masked, only
    the length is said.
    """
    try:
        record = msgspec.json.decode(flat)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"{len(flat)} bytes that are not JSON" if personal else flat.decode("utf-8", "replace")
    for path in personal:
        _mask(record, path.split("."))
    return record


def _mask(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _mask(item, path)
        return
    name = path[0].removesuffix("[]")
    if not isinstance(value, dict) or value.get(name) in (None, ""):
        return
    if len(path) == 1:
        value[name] = MASK
    else:
        _mask(value[name], path[1:])
