"""Finding and erasing a person: in the person table, in raw records and in quarantine, now and in every later sync.

Incidents hold nothing of people: mapping masks what it knows of them in free text. The chain of the audit log stays whole,
because it never held the person either.
"""

import os
import re
from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import Any

from hub.errors import MisconfiguredError
from hub.mapping.values import PersonRecord
from hub.store.crypto import keyed_marks
from hub.store.page import RawPage, Rewrite
from hub.store.people import searchable
from hub.store.raw import OpenPage, open_page
from hub.store.refusals import ConflictError
from hub.store.rewrite import rewrite_page
from hub.store.rotation import await_writers, check_key, key_hold
from hub.store.store import Hold, Statement, Store, Transaction
from hub.store.texts import texts_of

__all__ = [
    "Erased",
    "PersonPlace",
    "erase_person",
    "erasure_hold",
    "find_person",
    "marks_of_erased",
    "obeying_erasure",
    "obeying_rewrites",
]

_SHORTEST = 2
#: A string whole, or a number outside of strings.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|\d+', re.DOTALL)
_JSON_SHORT = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_XML_NAMED = {"<": "lt", ">": "gt", "&": "amp", '"': "quot", "'": "apos"}
_GONE = b"***"
_ERASED: PersonRecord = {"role": "erased"}


@dataclass(frozen=True, slots=True)
class PersonPlace:
    """Where a person stands: an incident's id (None for an older version's raw record), and as what."""

    incident: str | None
    roles: tuple[str, ...]
    raw_page: int
    raw_index: int


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure rewrote."""

    records: int
    pages: int
    quarantined: int


def find_person(store: Store, text: str) -> list[PersonPlace]:
    """Every record in which a person has exactly this name, phone, ID number or account (case and outer blanks left aside)."""
    places = [
        (number, index, people)
        for number in _pages_with(store, _named(text))
        for index, people in _matches(open_page(store, number).people, _named(text))
    ]
    with store.read() as transaction:
        found = transaction.all(
            f"SELECT raw_page, raw_index, id FROM incident WHERE {transaction.any_of('raw_page')}",
            (transaction.list_value(sorted({number for number, _, _ in places})),),
        )
    ids = {(row[0], row[1]): row[2] for row in found}
    return [
        PersonPlace(ids.get((number, index)), tuple(person.get("role", "") for person in people), number, index)
        for number, index, people in places
    ]


def erase_person(store: Store, text: str, now: int) -> Erased:
    """Erase whoever has this name, phone, ID number or account. The mark comes first, so that a sync meanwhile obeys it already;
    interrupted, the same call goes on. MisconfiguredError for a text too short to mean a person."""
    if len(text.strip()) < _SHORTEST:
        raise MisconfiguredError("this text is too short to mean one person", remedy="give the whole name or number")
    mark = _erasure_marks(store)
    with store.write() as transaction:
        # Whoever is storing a page has looked at the marks already; what they store is found below.
        await_writers(transaction)
        transaction.run("INSERT INTO erased (mark, at) VALUES (?, ?) ON CONFLICT DO NOTHING", (mark(text), now))
    quarantined = _erase_quarantined(store, text)
    records = pages = 0
    for number in _pages_with(store, _named(text), or_unknown=True):
        struck = _strike_stored(store, number, partial(_strike_person, wanted=_named(text)))
        records, pages = records + struck, pages + (struck > 0)
    return Erased(records, pages, quarantined)


def marks_of_erased(store: Store) -> Set[bytes]:
    """The marks of everybody who was erased so far."""
    with store.glance() as transaction:
        return {row[0] for row in transaction.all("SELECT mark FROM erased")}


def erasure_hold(marks: Set[bytes]) -> Hold:
    """For a transaction that holds the key: ConflictError if somebody was erased since these marks were read. Until the
    transaction ends nobody will be."""

    def check(row: Any) -> None:
        if row[0] != len(marks):
            raise ConflictError("a person was erased while this page was made", remedy="run the command again")

    return Hold(Statement("SELECT count(*) FROM erased"), check)


def obeying_erasure(store: Store, raw: RawPage, marks: Set[bytes]) -> RawPage:
    """A page about to be stored, without the people who were erased before."""
    if not marks or not raw.slices:
        return raw
    obeying = replace(raw, slices=list(raw.slices), people=list(raw.people))
    _strike_person(obeying, _erased(store, marks))
    return obeying


def obeying_rewrites(store: Store, rewrites: dict[int, Rewrite], marks: Set[bytes]) -> dict[int, Rewrite]:
    """Raw pages about to be written anew, without the people who were erased before: a newer mapping may find them where the
    former one did not look."""
    if not marks:
        return rewrites
    obeying, erased = dict(rewrites), _erased(store, marks)
    for number, rewrite in rewrites.items():
        hits = list(_matches(rewrite.people, erased))
        if hits:
            page = open_page(store, number)
            page.people = list(rewrite.people)
            for index, people in hits:
                _strike(page, index, people)
            obeying[number] = Rewrite(rewrite.read, page.people, page.slices)
    return obeying


def _erased(store: Store, marks: Set[bytes]) -> Callable[[str], bool]:
    """Tells whether a text is the name, phone, ID number or account of somebody who was erased."""
    mark = _erasure_marks(store)
    # Records without people are asked word by word, and names of fields are in each of them.
    return cache(lambda text: mark(text) in marks)


def _named(wanted: str) -> Callable[[str], bool]:
    """Tells whether a text is this one, case and outer blanks left aside."""
    plain = wanted.strip().upper()
    return lambda text: text.strip().upper() == plain


def _pages_with(store: Store, wanted: Callable[[str], bool], *, or_unknown: bool = False) -> list[int]:
    """Raw pages that name who is wanted, or that have records whose people are not known. The people of every page are opened for
    it, two seconds for a million: nothing lies in the store by which somebody could be found without its key."""

    def searched(sealed: bytes | None) -> bool:
        if sealed is None:
            return or_unknown
        people = store.keyring.open(sealed, "people", list[list[PersonRecord]])
        return (or_unknown and not all(people)) or any(_matches(people, wanted))

    with store.read() as transaction:
        return [
            row[0]
            for batch in transaction.stream("SELECT id, people FROM raw_page", size=200)
            for row in batch
            if searched(row[1])
        ]


def _matches(
    people_of_page: list[list[PersonRecord]], wanted: Callable[[str], bool]
) -> Iterator[tuple[int, list[PersonRecord]]]:
    """Those whose name, phone, ID number or account is wanted, with their record's place in the page."""
    for index, people in enumerate(people_of_page):
        hit = [person for person in people if any(map(wanted, searchable(person)))]
        if hit:
            yield index, hit


def _strike_person(page: OpenPage | RawPage, wanted: Callable[[str], bool]) -> int:
    """Take who is wanted out of every record of a page; of how many. A record whose people are not known (a withdrawal, one in
    quarantine) loses every text that is wanted as a whole."""
    hits = list(_matches(page.people, wanted))
    for index, people in hits:
        _strike(page, index, people)
    struck = len(hits)
    for index, people in enumerate(page.people):
        if not people:
            texts = set(filter(wanted, texts_of(page.slices[index])))
            for text in texts:
                page.slices[index] = _without(page.slices[index], text.strip())
            struck += bool(texts)
    return struck


def _strike(page: OpenPage | RawPage, index: int, people: list[PersonRecord]) -> None:
    """Take these people out of one record, and every word that says who they are out of its raw bytes."""
    kept = [person for person in page.people[index] if person not in people]
    page.people[index] = [*kept, *([_ERASED] * len(people))]
    for person in people:
        for name, text in person.items():
            if name != "role":
                page.slices[index] = _without(page.slices[index], text)


def _without(raw: bytes, text: str) -> bytes:
    """The bytes without the text, however they write it."""
    if len(text) < _SHORTEST:
        return raw
    if text.isascii() and text.isdecimal() and raw.lstrip()[:1] == b"{":
        number = text.encode()
        # Without quotes the mask is no JSON, and of the record nothing could be read any more.
        raw = _TOKEN.sub(lambda found: b'"%s"' % _GONE if found[0] == number else found[0], raw)
    return _written(text).sub(_GONE, raw)


@lru_cache(maxsize=256)
def _written(text: str) -> re.Pattern[bytes]:
    return re.compile(b"".join(map(_sign, text)), re.DOTALL)


def _sign(sign: str) -> bytes:
    """A pattern of one sign as it is or as JSON and XML may write it: PHP writes `\\/`, Java `\\u0026`, and in JSON that is
    itself a text in JSON each backslash stands twice, or four times."""
    units = sign.encode("utf-16-be").hex()
    ways = [b"".join(rb"\\+u(?i:%s)" % units[start : start + 4].encode() for start in range(0, len(units), 4))]
    if sign in _JSON_SHORT:
        ways.append(rb"\\+" + re.escape(_JSON_SHORT[sign].encode()))
    ways += [b"&#0*%d;" % ord(sign), b"&#[xX]0*(?i:%x);" % ord(sign)]
    if sign in _XML_NAMED:
        ways.append(b"&%s;" % _XML_NAMED[sign].encode())
    # Itself last: it may be the end of another way, and would leave the backslash before it behind.
    return b"(?:%s)" % b"|".join((*ways, re.escape(sign.encode())))


def _strike_stored(store: Store, number: int, strike: Callable[[OpenPage], int]) -> int:
    """Let `strike` take something out of a stored page; what it says it took. Another writer's work is never undone: whoever
    rewrites the page meanwhile lets this begin anew."""
    while True:
        page = open_page(store, number)
        struck = strike(page)
        if not struck:
            return 0
        with suppress(ConflictError):
            _store_page(store, number, page)
            return struck


def _store_page(store: Store, number: int, page: OpenPage) -> None:
    with store.write() as transaction:
        transaction.hold(key_hold(store))
        rewrite_page(store, transaction, number, Rewrite(page.seal, page.people, page.slices))


def _erase_quarantined(store: Store, text: str) -> int:
    """Records in quarantine have no known people: the text itself is looked for in them."""
    with store.read() as transaction:
        places = transaction.all("SELECT DISTINCT raw_page, raw_index FROM quarantine ORDER BY raw_page, raw_index")
    struck = 0
    for number, index in places:
        struck += _strike_stored(store, number, partial(_strike_text, index=index, text=text.strip()))
    return struck


def _strike_text(page: OpenPage, index: int, text: str) -> int:
    before, page.slices[index] = page.slices[index], _without(page.slices[index], text)
    return int(page.slices[index] != before)


def _erasure_marks(store: Store) -> Callable[[str], bytes]:
    """Makes erasure marks. Their key: made once, sealed in the store, the same after every rotation of the store's key."""
    with store.read() as transaction:
        check_key(store, transaction)
        sealed = _sealed_key(transaction)
    if sealed is None:
        made = store.keyring.seal(os.urandom(32), "erasure key").hex()
        with store.write() as transaction:
            transaction.hold(key_hold(store))
            transaction.run("INSERT INTO meta (name, value) VALUES ('erasure_key', ?) ON CONFLICT DO NOTHING", (made,))
            sealed = _sealed_key(transaction)
    assert sealed is not None
    return keyed_marks(store.keyring.open(bytes.fromhex(sealed), "erasure key", bytes))


def _sealed_key(transaction: Transaction) -> str | None:
    row = transaction.one("SELECT value FROM meta WHERE name = 'erasure_key'")
    return str(row[0]) if row is not None else None
