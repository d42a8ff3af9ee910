"""What each stream is made of: its share of the city, how it numbers records, and what of a record it carries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from hub.testing.sandbox.clock import compact
from hub.testing.sandbox.lives import LIVES, Life

#: A native id as the wire shows it: text, a JSON number, or a list of the columns of a composite key.
NativeId = str | int | list[str]
#: Makes the id of record `number` (from 1) of a stream, reported at an instant, in a city of `seed`.
Numbering = Callable[[int, int, int], NativeId]


@dataclass(frozen=True, slots=True)
class StreamSpec:
    system: str
    name: str
    weight: float  #: share of the records of the whole city, in percent
    numbering: Numbering
    region: int = 9  #: digits of the region code on the wire, 0 for none
    position: bool = False
    money: bool = False
    log: bool = False  #: every version is served as a row of its own
    withdraw: str = "vanishes"  #: "vanishes", "flag", "row" (a d row) or "never"
    day_only: bool = False  #: occurred is a date without a time
    at_receipt: bool = False  #: all it knows of the time is when it heard
    gaps: bool = False  #: some records lack their position or village
    settles_s: int | None = None  #: after this age a record no longer changes
    pace: int = 1  #: how much faster than usual its steps follow each other
    refers_to: str | None = None  #: the stream whose number for the same event this one names (it is founded earlier)

    @property
    def key(self) -> str:
        return f"{self.system}.{self.name}"

    @property
    def life(self) -> Life:
        return LIVES[self.key]


def _digest(*parts: object) -> str:
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


def hex_id(salt: str) -> Numbering:
    return lambda number, at, seed: _digest(salt, seed, number)


def _uuid(number: int, at: int, seed: int) -> NativeId:
    text = _digest("uuid", seed, number)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _case(number: int, at: int, seed: int) -> NativeId:
    return f"2330702{compact(at, '%y')}{number:05d}"


def _roll_number(number: int, at: int, seed: int) -> NativeId:
    return f"{compact(at, '%y%m%d%H%M%S')}{(number * 7919 + seed) % 1_000_000:06d}"


def _spread(number: int, at: int, seed: int) -> NativeId:
    """A snowflake number: 19 digits, above 2^53, so a reader that takes it for a float loses its end."""
    return 1_859_000_000_000_000_000 + number * 4_194_305


#: A stream that others refer to stands before them.
STREAMS = (
    StreamSpec("hotline_8890", "work_orders", 16, _roll_number, settles_s=25 * 86400, at_receipt=True),
    StreamSpec(
        "grassroots_governance",
        "events",
        9,
        lambda number, at, seed: f"SJ{compact(at)}{number:06d}",
        region=12,
        position=True,
        withdraw="flag",
        refers_to="hotline_8890.work_orders",
    ),
    StreamSpec(
        "grassroots_enforcement",
        "events",
        8,
        _uuid,
        region=12,
        position=True,
        withdraw="flag",
        refers_to="grassroots_governance.events",
    ),
    StreamSpec("internet_supervision", "inspections", 8, hex_id("jc"), region=6, log=True, withdraw="row"),
    StreamSpec(
        "internet_supervision",
        "penalties",
        4,
        hex_id("cf"),
        region=6,
        log=True,
        withdraw="row",
        money=True,
        day_only=True,
    ),
    StreamSpec("internet_supervision", "coercions", 2, hex_id("qz"), region=6, log=True, withdraw="row"),
    StreamSpec("internet_supervision", "other_acts", 2, hex_id("qt"), region=6, log=True, withdraw="row"),
    StreamSpec("internet_supervision", "check_tasks", 4, hex_id("rw"), region=9, log=True, withdraw="row"),
    StreamSpec("enforcement_supervision", "cases", 3, _case, region=6, money=True),
    StreamSpec("enforcement_supervision", "supervision_leads", 2, lambda number, at, seed: 40000 + number),
    StreamSpec("enforcement_supervision", "referrals", 2, hex_id("cg"), region=6),
    StreamSpec(
        "grassroots_market",
        "events",
        8,
        lambda number, at, seed: str(_spread(number, at, seed)),
        position=True,
        refers_to="hotline_8890.work_orders",
    ),
    StreamSpec(
        "grassroots_services",
        "events",
        8,
        lambda number, at, seed: f"BM330702{number:08d}",
        region=12,
        position=True,
        gaps=True,
        refers_to="hotline_8890.work_orders",
    ),
    StreamSpec("snapshot", "reports", 6, _spread, position=True),
    StreamSpec(
        "case_handling",
        "cases",
        3,
        lambda number, at, seed: f"AJ{compact(at, '%Y')}{number:06d}",
        log=True,
        withdraw="row",
        money=True,
        refers_to="grassroots_enforcement.events",
    ),
    StreamSpec(
        "road_patrol",
        "findings",
        4,
        lambda number, at, seed: f"E0501{compact(at)}{number:04d}",
        region=12,
        position=True,
        log=True,
        withdraw="row",
    ),
    StreamSpec("integrated_management", "checks", 3, hex_id("rc"), log=True, withdraw="row"),
    StreamSpec(
        "integrated_management",
        "rectifications",
        2,
        lambda number, at, seed: [f"ZG{compact(at, '%Y')}{number // 2:05d}", str(number % 2 + 1)],
        log=True,
        withdraw="row",
    ),
    StreamSpec(
        "dispatch_desk",
        "alarms",
        4,
        lambda number, at, seed: f"{compact(at)}{number:06d}",
        position=True,
        log=True,
        withdraw="row",
        pace=60,
    ),
    StreamSpec(
        "open311",
        "requests",
        3,
        lambda number, at, seed: f"WC-{compact(at, '%Y')}-{number:06d}",
        region=0,
        position=True,
    ),
    StreamSpec(
        "csv_drop",
        "street_events",
        3,
        lambda number, at, seed: f"JD-{number:06d}",
        position=True,
        withdraw="never",
        gaps=True,
    ),
)

SYSTEMS = tuple(dict.fromkeys(stream.system for stream in STREAMS))
