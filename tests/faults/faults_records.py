"""F401 …: records that parse and still make no sense, and pages that do not fit together."""

from typing import Any

from fault_bench import CITIZEN, ID_NUMBER, PHONE, Case, Source, good
from faults_http import FIRST
from scripted import Reply, Seen

from hub.errors import Outcome

__all__ = ["PAGING", "RECORDS"]

FAILED, PARTIAL, UNAVAILABLE = Outcome.FAILED, Outcome.PARTIAL, Outcome.UNAVAILABLE
SHANGHAI_8 = 1795132800000  #: 2026-11-20T00:00:00Z


def refused(number: str, sends: str, says: str, **changes: Any) -> Case:
    """One record the mapping cannot read: it alone waits in quarantine."""
    return Case(id=number, sends=sends, outcome=PARTIAL, set_aside=1, says=says, rows=(good(9, **changes),))


def taken(number: str, sends: str, changes: dict[str, Any], **values: Any) -> Case:
    """One odd record that is stored, so."""
    return Case(id=number, sends=sends, rows=(good(9, **changes),), stored={"r9": values})


RECORDS = (
    refused("F401", "a record without a mapped key", "title: missing", title=...),
    refused("F402", "a record without id", "no native id", id=...),
    refused("F403", "an id of null", "no native id", id=None),
    refused("F404", 'an id of ""', "no native id", id=""),
    refused("F405", "an id of true", "no native id", id=True),
    refused("F406", "an id that is an object", "no native id", id={"$oid": "5"}),
    Case(id="F407", sends="the ids 5 and \"5\": two records", rows=(good(8, id=5), good(9, id="5")),
         stored={"5": {"title": "占道经营 9"}}),
    Case(id="F408", sends="the same record twice on a page", rows=(good(9), good(9)), stored={"r9": {"revision": 1}}),
    Case(id="F409", sends="two versions of a record on a page: the newer one counts",
         rows=(good(9, updated="2026-11-20 09:00:00", status="2"), good(9)), stored={"r9": {"status": "closed"}}),
    refused("F410", "an object where a text is due", "title: wrong type", title={"zh": "占道"}),
    refused("F411", "a list where a time is due", "updated", updated=["2026-11-20"]),
    taken("F412", "a time with T", {"occurred": "2026-11-20T08:00:00"}, occurred_at=SHANGHAI_8),
    taken("F413", "a time with offset", {"occurred": "2026-11-20T01:00:00+01:00"}, occurred_at=SHANGHAI_8),
    taken("F414", "a time in UTC with fractions",
          {"occurred": "2026-11-20T00:00:00.000Z"}, occurred_at=SHANGHAI_8),
    taken("F415", "a date only: midnight in the zone",
          {"occurred": "2026-11-20"}, occurred_at=SHANGHAI_8 - 8 * 3_600_000),
    taken("F416", "a time to the minute", {"occurred": "2026-11-20 08:00"}, occurred_at=SHANGHAI_8),
    taken("F417", "epoch milliseconds as text", {"closed": str(SHANGHAI_8)}, closed_at=SHANGHAI_8),
    taken("F418", "a time of null and one of \"\"",
          {"occurred": None, "closed": ""}, occurred_at=None, closed_at=None),
    refused("F419", "epoch milliseconds where a text is due", "occurred: not a time text", occurred=SHANGHAI_8),
    refused("F420", "a time with slashes", "occurred: not a time", occurred="2026/11/20 08:00:00"),
    refused("F421", "a time in Chinese", "occurred: not a time", occurred="2026年11月20日"),
    refused("F422", "a time of 14 digits", "occurred: not a time", occurred="20261120080000"),
    refused("F423", "30 February", "occurred: not a time", occurred="2026-02-30 08:00:00"),
    refused("F424", "a quarter past 25", "occurred: not a time", occurred="2026-11-20 25:15:00"),
    refused("F425", "zeros for a time", "occurred: not a time", occurred="0000-00-00 00:00:00"),
    taken("F426", "the year 1900", {"occurred": "1900-01-01 00:00:00"}, flags='["time_implausible"]'),
    taken("F427", "a change in the year 2999: the cursor does not follow", {"updated": "2999-12-31 23:59:59"},
          flags='["time_implausible"]'),
    taken("F428", "a time in the gap of a clock change",
          {"due": "2026-03-08 02:30:00"}, flags='["time_ambiguous"]'),
    taken("F429", "a time that a clock change made twice",
          {"due": "2026-11-01 01:30:00"}, flags='["time_ambiguous"]'),
    taken("F430", "coordinates exchanged",
          {"lng": "29.1", "lat": "119.6"}, flags='["position_swapped"]', source_x=29.1),
    taken("F431", "coordinates of 0, 0", {"lng": 0, "lat": 0}, flags='["position_zero"]', longitude=None),
    taken("F432", "coordinates in the Atlantic", {"lng": -30.0, "lat": 40.0}, flags='["position_outside"]'),
    taken("F433", "coordinates outside the earth",
          {"lng": 2119.6, "lat": 29.1}, flags='["position_outside"]', longitude=None),
    refused("F434", "a coordinate that is no number", "lng", lng="东", lat="29.1"),
    refused("F435", "a coordinate of nan", "lng", lng="nan", lat="29.1"),
    taken("F436", "half a position", {"lng": "119.6"}, longitude=None, latitude=None, source_x=119.6),
    taken("F437", "万元", {"fine": "0.2"}, fine=200_000),
    taken("F438", "an amount with thousands", {"yuan": "1,234.50"}, confiscated=123_450),
    taken("F439", "an amount finer than a fen", {"yuan": "0.005"}, confiscated=0, flags='["amount_rounded"]'),
    refused("F440", "an amount with its unit", "fine: not an amount", fine="0.2万元"),
    refused("F441", "an amount of infinity", "fine: not an amount", fine="Infinity"),
    taken("F442", "a credit code with a wrong check digit", {"party": "某公司", "partyCode": "91330702MA28D3XXX1"},
          flags='["bad_credit_code"]', subject_code="91330702MA28D3XXX1"),
    taken("F443", "an ID number where a company's code is due", {"party": CITIZEN, "partyCode": ID_NUMBER},
          subject_name=None, subject_code=None, subject_kind="person"),
    taken("F444", "a wrong ID number of a reporter", {"idNumber": "330702199003077339"}, title="占道经营 9"),
    taken("F445", "a status nobody mapped", {"status": "9"}, status="unmapped", source_status="9"),
    taken("F446", "a status as a number", {"status": 2}, status="closed"),
    taken("F447", "a spreadsheet formula in a text",
          {"title": "=HYPERLINK(\"http://x\")"}, title='=HYPERLINK("http://x")'),
    taken("F448", "SQL in a text and in the id",
          {"title": "'; DROP TABLE incident; --"}, title="'; DROP TABLE incident; --"),
    taken("F449", "the reporter's name and phone in the title",
          {"title": f"{CITIZEN} {PHONE} 来电"}, title="*** *** 来电"),
    taken("F450", "keys nobody mapped", {"extra": {"deep": [1, 2]}}, title="占道经营 9"),
)  # fmt: skip


def at_page(source: Source, seen: Seen, shown: int) -> Reply:
    return source.of_rows(source.page(shown), shown)


def page_twice(source: Source, seen: Seen) -> Reply | None:
    """The second page is answered with the first one, once."""
    return at_page(source, seen, 1) if source.asked == 2 else None


def vanishing(source: Source, seen: Seen) -> Reply | None:
    """r1 is withdrawn after the first page, so that r3 moves up to it."""
    if source.page_of(seen) == 2 and source.asked == 2:
        source.rows = source.rows[1:]
    return None


def endless(source: Source, seen: Seen) -> Reply | None:
    page = source.page_of(seen)
    rows = [f'{{"id": "x{page}-{n}", "title": "t", "updated": "2026-11-20 08:00:00"}}' for n in (1, 2)]
    return (
        source.of_rows(rows, page, None)
        if page > 2
        else source.of_rows([*source.page(page), *rows[: 2 - len(source.page(page))]], page, None)
    )


def link(target: Any) -> Any:
    def answer(source: Source, seen: Seen) -> Reply | None:
        healthy = source.healthy(seen).body
        assert isinstance(healthy, str)
        return Reply(healthy.replace('"/records?page=2"', target))

    return answer


PAGING = (
    Case(id="F501", sends="page 1 again in place of page 2, once", bad=page_twice),
    Case(
        id="F502",
        sends="page 1 whatever is asked for",
        outcome=FAILED,
        says="same page",
        kept=FIRST,
        bad=lambda source, seen: at_page(source, seen, 1),
    ),
    Case(
        id="F503",
        sends="an empty page 2 once, short of the total",
        bad=lambda source, seen: source.of_rows([], 2) if source.asked == 2 else None,
    ),
    Case(
        id="F504",
        sends="new pages without end",
        outcome=UNAVAILABLE,
        says="deadline",
        bad=endless,
        heals=False,
        settings={"run_deadline": '"PT0.7S"'},
    ),
    Case(id="F505", sends="a record withdrawn between two pages, so that others move up", bad=vanishing),
    Case(
        id="F506",
        sends="a page larger than asked for",
        bad=lambda source, seen: source.of_rows(source.rows) if source.page_of(seen) == 1 else source.of_rows([], 2),
    ),
    Case(
        id="F507",
        sends="pages shorter than asked for",
        rows=(good(8), good(9)),
        stored={"r9": {"revision": 1}},
        bad=lambda source, seen: source.of_rows(source.rows[source.page_of(seen) - 1 : source.page_of(seen)]),
    ),
    Case(
        id="F508",
        sends="a next link to another host",
        outcome=FAILED,
        says="another host",
        kept=(),
        form="linked",
        bad=link('"https://elsewhere.invalid/records?page=2"'),
    ),
    Case(
        id="F509",
        sends="a next link to the same page",
        outcome=FAILED,
        says="in circles",
        form="linked",
        kept=FIRST,
        bad=lambda source, seen: Reply(str(source.of_rows(source.page(1)).body)),
    ),
    Case(
        id="F510",
        sends="a next link that is a number",
        outcome=FAILED,
        says="is no text",
        kept=(),
        form="linked",
        bad=link("2"),
    ),
    Case(
        id="F511",
        sends="a next link to file:///",
        outcome=FAILED,
        says="another host",
        kept=(),
        form="linked",
        bad=link('"file:///etc/passwd"'),
    ),
)
