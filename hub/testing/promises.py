"""The checks of the conformance kit, a function a promise of the hub; each gets a fresh bench and returns problems."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from hub import clock
from hub.config import SourceSettings
from hub.errors import Outcome
from hub.incident import Status
from hub.mapping.columns import MAPPED_COLUMNS
from hub.source.connector import Connector
from hub.source.stream import Page
from hub.store.overview import list_gaps
from hub.store.state import list_states
from hub.sync.reconcile import reconcile
from hub.sync.result import RunResult
from hub.sync.run import Backfill, RunOptions
from hub.sync.sample import take_sample
from hub.testing.bench import Bench, secrets_of
from hub.testing.quality import Quality, Tier, quality_file
from hub.testing.upstream import Refusal

__all__ = ["CHECKS", "Check", "NotApplicableError"]

_FEW = 3


class NotApplicableError(Exception):
    """This check says nothing about this connector; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `run` returns problems, none if the promise is kept."""

    name: str
    tier: Tier
    promise: str
    run: Callable[[Bench], list[str]]


def _good(results: list[RunResult]) -> list[str]:
    bad = [one for one in results if one.outcome is not Outcome.OK and not _aside(one)]
    return [f"{one.stream}: {one.outcome} ({one.error})" for one in bad]


def _aside(result: RunResult) -> bool:
    """Whether a run is partial only because a file was set aside whole: that is kept elsewhere and hurts no record."""
    return result.outcome is Outcome.PARTIAL and result.error is None and not result.counts.new_quarantined


def _true(bench: Bench) -> list[str]:
    found = bench.differences()
    return found[:_FEW] + ([f"… and {len(found) - _FEW} more"] if len(found) > _FEW else [])


def checks(bench: Bench) -> list[str]:
    """Every stream can be reached and its first page is understood."""
    with bench.hub.open(bench.source) as source:
        samples = [take_sample(bench.hub.job(source, stream)) for stream in source.streams]
    problems = [f"{one.stream}: {one.error or 'bad records'}" for one in samples if one.error or one.bad]
    return problems + ([] if any(one.rows for one in samples) else ["no stream showed a record"])


def maps(bench: Bench) -> list[str]:
    """A sync makes an incident of every record; a second one finds nothing new; changes arrive."""
    problems = _good(bench.sync()) or _true(bench)
    again = bench.sync()
    moved = sum(one.counts.new + one.counts.changed for one in again)
    problems += _good(again) + ([f"{moved} records seem new or changed in a second sync"] if moved else [])
    bench.move()
    return problems or _good(bench.sync()) or _true(bench)


def resumes(bench: Bench) -> list[str]:
    """Runs cut short after a few records go on where they stopped, until all is read."""
    idle = 0
    for _ in range(200):
        results = bench.sync(limit=bench.few)
        if problems := _good(results):
            return problems
        idle = 0 if any(one.counts.new + one.counts.changed for one in results) else idle + 1
        if idle == 2:
            break
    return _true(bench)


def ties(bench: Bench) -> list[str]:
    """Records that share one time are all read, at page boundaries and at the cursor itself."""
    bench.sync()
    bench.tie()
    return _good(bench.sync()) or _true(bench)


def late_rows(bench: Bench) -> list[str]:
    """A record that turns up behind the cursor, but within the lookback, is found."""
    bench.sync()
    bench.late()
    return _good(bench.sync()) or _true(bench)


def page_shift(bench: Bench) -> list[str]:
    """Records that move between pages while they are read are not lost."""
    bench.shift()
    problems = _good(bench.sync())
    bench.watch(None)
    bench.clear()
    bench.move()
    return problems or _good(bench.sync()) or _true(bench)


def token_expiry(bench: Bench) -> list[str]:
    """A token or session that ends is renewed, and the run goes on."""
    if not bench.renews:
        raise NotApplicableError("the sign-in has nothing that expires")
    bench.sync()
    bench.fault("expired_token")
    bench.move()
    return _good(bench.sync()) or _true(bench)


def retry_after(bench: Bench) -> list[str]:
    """A source that says "later" is asked again no sooner."""
    if not bench.throttles:
        raise NotApplicableError("no answer over HTTP that could say Retry-After")
    bench.fault("rate_limited", retry_after=1)
    began = time.monotonic()
    problems = _good(bench.sync()) or _true(bench)
    waited = time.monotonic() - began
    return problems or ([] if waited >= 0.95 else [f"asked again after {waited:.1f} s instead of 1 s"])


def empty_or_refused(bench: Bench) -> list[str]:
    """No error of the source is taken for "no records": the run says what it was, and nothing stored is lost."""
    bench.sync()
    cursors = [(state.stream, state.cursor) for state in list_states(bench.hub.store)]
    problems = []
    for refusal in bench.refusals:
        results = _refused(bench, refusal)
        problems += [f"{refusal.said}: {one.stream} ended ok" for one in results if one.outcome is Outcome.OK]
        problems += [f"{refusal.said}: {one.stream} buried records" for one in results if one.counts.tombstoned]
    if cursors != [(state.stream, state.cursor) for state in list_states(bench.hub.store)]:
        problems.append("a cursor moved although nothing could be read")
    return problems or _true(bench)


def _refused(bench: Bench, refusal: Refusal) -> list[RunResult]:
    """What syncs say while the source refuses."""
    options = {"times": None, **refusal.options} if refusal.lasting else dict(refusal.options)
    bench.fault(refusal.fault, **options)
    # One attempt: whether an error is temporary is the engine's matter, and waiting for it proves nothing here.
    settings = bench.hub.settings.sources[bench.source]
    bench.hub.settings.sources[bench.source] = _impatient(settings)
    results = bench.sync() + (bench.sync(full=True) if refusal.lasting else [])
    bench.hub.settings.sources[bench.source] = settings
    bench.clear()
    return results


def _impatient(settings: SourceSettings) -> SourceSettings:
    copied = settings.model_copy(update={"retries": 0})
    for name in ("_name", "_places", "_options"):
        setattr(copied, name, getattr(settings, name))
    return copied


class _KilledError(BaseException):
    """Stands for a process that is gone: nothing below the store may catch it."""


def kill_and_resume(bench: Bench) -> list[str]:
    """Killed in the middle of a reading, the next run makes the store equal to the source."""
    for after in (1, 2, 3):
        _killed(bench, after)
    return _good(bench.sync()) or _true(bench)


def _killed(bench: Bench, after: int) -> None:
    """A sync that dies at its page number `after`."""
    pages = iter(range(1, 1_000_000))

    def after_page(page: Page) -> None:
        if next(pages) > after:
            # The page came, and is lost with the process.
            raise _KilledError

    bench.watch(after_page)
    try:
        bench.sync()
    except _KilledError:
        pass
    finally:
        bench.watch(None)


def redaction(bench: Bench) -> list[str]:
    """Neither a secret nor a person's data stands in a log line, an error or the store's readable columns."""
    results = bench.sync()
    for refusal in bench.refusals:
        results += _refused(bench, refusal)
    told = "\n".join([*bench.heard, *(str(one.error) for one in results)])
    problems = [f"a secret setting stands in {where}" for where in _leaks(told, secrets_of(bench.hub, bench.source))]
    with bench.hub.store.read() as transaction:
        rows = transaction.all(f"SELECT id, {', '.join(MAPPED_COLUMNS)} FROM incident")
    shown = "\n".join(str(row) for row in rows)
    people = {
        person[key]
        for row in rows[:200]
        for person in _people(bench, row[0])
        for key in ("phone", "id_number")
        if len(person.get(key, "")) > 6
    }
    problems += [f"a person's data stands in {where}" for where in _leaks(told, people, shown)]
    return problems


def _people(bench: Bench, incident: str) -> list[dict[str, str]]:
    from hub.store.raw import people_of

    return list(people_of(bench.hub.store, incident))


def _leaks(told: str, values: "set[str] | list[str]", shown: str = "") -> list[str]:
    found = ["a log line or an error"] if any(len(value) > 3 and value in told for value in values) else []
    return found + (["an incident"] if any(value in shown for value in values) else [])


def reconciles(bench: Bench) -> list[str]:
    """Asked again, the source shows what the store holds; what the store lacks is named."""
    bench.sync()
    problems, missing = [], 0
    with bench.hub.open(bench.source) as source:
        # A log shows every version again from its beginning; files are shown once.
        jobs = [bench.hub.job(source, stream) for stream in source.streams if stream.complete or stream.cursor]
        if not jobs:
            raise NotApplicableError("the records are shown once only")
        for job in jobs:
            found = reconcile(bench.hub.store, job, since=job.start, until=None)
            problems += [f"{job.stream.name}: {found.error}"] if found.error else []
        bench.move()
        missing = sum(reconcile(bench.hub.store, job, since=job.start, until=None).missing_count for job in jobs)
    return problems + ([] if missing else ["new records upstream were not found missing"])


def deletes(bench: Bench) -> list[str]:
    """What the source withdraws is buried after a full reading, or at once where it says so."""
    bench.sync()
    if not bench.withdraw():
        raise NotApplicableError("nothing is ever withdrawn here")
    results = bench.sync(full=True)
    buried = sum(one.counts.tombstoned for one in results)
    return _good(results) or _true(bench) or ([] if buried else ["no record was buried"])


def backfill(bench: Bench) -> list[str]:
    """A past window can be read again, and the daily position does not move."""
    bench.sync()
    with bench.hub.open(bench.source) as source:
        streams = [stream.name for stream in source.streams if stream.cursor is not None]
    if not streams:
        raise NotApplicableError("no stream has a cursor")
    before = {state.stream: state.cursor for state in list_states(bench.hub.store) if not state.partition}
    now = clock.now()
    options = RunOptions(backfill=Backfill(now - timedelta(days=4), now, timedelta(days=2)))
    problems = [line for name in streams for line in _good(bench.hub.sync([bench.source], options, stream=name))]
    after = {state.stream: state.cursor for state in list_states(bench.hub.store) if not state.partition}
    return problems + ([] if before == after else ["the daily position moved"]) + _true(bench)


def codes_governed(bench: Bench) -> list[str]:
    """Every code met has a row in a code table, and states come through one."""
    if problems := _good(bench.sync()):
        return problems
    found = [gap for gap in list_gaps(bench.hub.store, None) if gap.code not in bench.planted]
    gaps = [f"{gap.code_table}: {gap.code}" for gap in found]
    with bench.hub.store.read() as transaction:
        states = {row[0] for row in transaction.all("SELECT DISTINCT status FROM incident WHERE status IS NOT NULL")}
    odd = states - {status.value for status in Status}
    return [f"no row for {gap}" for gap in gaps[:_FEW]] + [f"{state} is no state of the hub" for state in odd]


def documentation(connector: type[Connector], quality: Quality, streams: list[str]) -> list[str]:
    """The connector's page is finished and names every setting and stream, and every setting has a description."""
    page = quality_file(connector).parent.parent / quality.documentation
    try:
        text = page.read_text("utf-8")
    except OSError:
        return [f"there is no page {quality.documentation}"]
    fields = connector.Config.model_fields
    problems = [f"setting {name} has no description" for name, field in fields.items() if not field.description]
    words = set(re.findall(r"[\w.-]+", text))
    problems += ["TODO still stands on the page"] if "TODO" in words else []
    return problems + [f"{name} does not stand on the page" for name in (*fields, *streams) if name not in words]


def both_languages(connector: type[Connector]) -> list[str]:
    """Titles are in Chinese and in English."""
    problems = [] if not connector.title.isascii() else ["title has no Chinese"]
    return problems + ([] if connector.title_en.isascii() else ["title_en is not English"])


CHECKS = (
    Check("checks", Tier.BRONZE, "every stream is reached and understood", checks),
    Check("maps", Tier.BRONZE, "the store equals the source; a second sync changes nothing", maps),
    Check("resumes", Tier.BRONZE, "a run cut short goes on where it stopped", resumes),
    Check("ties", Tier.SILVER, "records of one and the same time are all read", ties),
    Check("late_rows", Tier.SILVER, "late records within the lookback are found", late_rows),
    Check("page_shift", Tier.SILVER, "records that move between pages are not lost", page_shift),
    Check("token_expiry", Tier.SILVER, "an expired token is renewed", token_expiry),
    Check("retry_after", Tier.SILVER, "Retry-After is obeyed", retry_after),
    Check("empty_or_refused", Tier.SILVER, "an error is never taken for no records", empty_or_refused),
    Check("kill_and_resume", Tier.SILVER, "killed and run again, nothing is lost or twice", kill_and_resume),
    Check("redaction", Tier.SILVER, "no secret and no person in logs, errors and incidents", redaction),
    Check("reconciles", Tier.GOLD, "source and store can be compared id by id", reconciles),
    Check("deletes", Tier.GOLD, "what is withdrawn is buried", deletes),
    Check("backfill", Tier.GOLD, "a past window can be read again", backfill),
    Check("codes_governed", Tier.GOLD, "every code has a row in a code table", codes_governed),
)
"""In the order of the tiers. `documentation` and `both_languages` (gold) need no bench; conformance.py adds them."""
