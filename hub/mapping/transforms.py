"""From a leaf of the source's record to a storage-ready value: small functions, bound once when a mapping is compiled."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache

from stdnum.cn import ric, uscc

from hub.incident import Flag
from hub.mapping.codes import CodeTable
from hub.mapping.values import BadValueError, CodeGap, Leaf, Notes

__all__ = [
    "amount_reader",
    "bad_credit_code",
    "bad_id_number",
    "code_reader",
    "is_id_number",
    "ready_codes",
    "region_reader",
    "subject_reader",
    "text_of",
    "titles_reader",
    "word_of",
]

Coded = tuple[str | None, str | None, str | None]
"""hub code, the source's code, the source's text."""

_FEN = {"元": Decimal(100), "万元": Decimal(1_000_000)}
_MAX_FEN = 2**62
_EXACT = 10**15
#: Elsewhere a comma stands before the decimals.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_ID_NUMBER = re.compile(rf"[1-9]\d{{5}}(?:18|19|20)\d\d{_DAY}\d{{3}}[\dXx]")
#: As given out until 1999; it has no check digit.
_OLD_ID_NUMBER = re.compile(rf"[1-9]\d{{7}}{_DAY}\d{{3}}")
_BETWEEN = re.compile(r"[\s-]+")


def text_of(value: Leaf) -> str | None:
    """Text as the source wrote it; "" is null, numbers and booleans as JSON writes them."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def word_of(value: Leaf) -> str:
    """A word as it is compared: one system writes `D`, a column of fixed width pads it, and both mean `d`."""
    return (text_of(value) or "").strip().casefold()


def amount_reader(unit: str, notes: Notes) -> Callable[[Leaf], int | None]:
    """A function to whole fen (1/100 yuan). What is finer than a fen is rounded half even and flagged."""
    scale = _FEN[unit]
    per_unit = int(scale)

    def amount(value: Leaf) -> int | None:
        if value.__class__ is float and -_EXACT < value < _EXACT:
            # A JSON number of at most 15 digits is the double nearest to it: if whole fen give that double, it is them.
            whole_fen = round(value * per_unit)
            if whole_fen / per_unit == value and -_EXACT < whole_fen < _EXACT:
                return whole_fen
        text = text_of(value)
        if text is None:
            return None
        if "," in text and not _THOUSANDS.fullmatch(text.strip()):
            raise BadValueError("not an amount")
        try:
            exact = Decimal(text.replace(",", "").strip()) * scale
        except ArithmeticError:
            raise BadValueError("not an amount") from None
        if not exact.is_finite() or abs(exact) > _MAX_FEN:
            raise BadValueError("not an amount")
        whole = exact.to_integral_value()
        if whole != exact:
            notes.flags.append(Flag.AMOUNT_ROUNDED)
        return int(whole)

    return amount


def code_reader(table: CodeTable, unmapped: str | None, notes: Notes, zone: tzinfo = UTC) -> Callable[..., Coded]:
    """A function (code, source text, epoch ms or None) → hub code, source code, source text. Where rows are dated, the
    day is that of the instant in `zone`.

    A code that no row knows gives `unmapped` and a note in `gaps`; it never becomes some other code.
    """
    plain = None if table.dated else {code: rows[0] for code, rows in table.entries.items()}

    def coded(value: Leaf, text: Leaf = None, at: int | None = None) -> Coded:
        code = text_of(value)
        if code is None:
            return (None, None, text_of(text))
        if plain is not None:
            entry = plain.get(code)
        else:
            day = datetime.fromtimestamp(at / 1000, zone).date() if at is not None else None
            entry = table.find(code, day)
        said = text_of(text)
        if entry is None or not entry.hub_code:
            notes.gaps.append(CodeGap(table.name, code, said or ""))
            return (unmapped, code, said)
        return (entry.hub_code, code, said or entry.title or None)

    return coded


def ready_codes(table: CodeTable) -> dict[str, Coded]:
    """What `code_reader` gives for each code that a table without dates knows, when the source sends no text of its own."""
    known = {code: rows[0] for code, rows in table.entries.items()}
    return {code: (entry.hub_code, code, entry.title or None) for code, entry in known.items() if entry.hub_code}


def region_reader(coded: Callable[..., Coded] | None) -> Callable[[Leaf], tuple[str | None, str | None]]:
    """A function to the region (12 digits at most) and its town, the first 9 of them."""

    def region(value: Leaf) -> tuple[str | None, str | None]:
        text = text_of(value)
        if coded is not None:
            text = coded(text)[0]
        if text is None:
            return (None, None)
        text = text.strip()[:12]
        if not (text.isascii() and text.isdigit()):
            raise BadValueError("not a region code")
        return (text, text[:9] if len(text) >= 9 else None)

    return region


def subject_reader(
    person: frozenset[str], notes: Notes
) -> Callable[[Leaf, Leaf, Leaf, Leaf], tuple[str | None, str | None, str | None]]:
    """A function (name, code, kind, address) → kind, name and code of the subject. A natural person goes to `notes.people`, and
    so does whoever may be one: where kinds tell and none is said, only a right credit code shows an organisation."""
    anything = "*" in person
    told = bool(person) and not anything

    def subject(
        name: Leaf, code: Leaf, kind: Leaf = None, address: Leaf = None
    ) -> tuple[str | None, str | None, str | None]:
        name, code, kind = text_of(name), text_of(code), text_of(kind)
        if name is None and code is None:
            return (None, None, None)
        unsaid = told and (kind is None or not kind.strip()) and (code is None or bad_credit_code(code))
        if unsaid or (kind and (anything or kind.strip() in person)) or (code and is_id_number(code)):
            found = {"role": "subject", "name": name, "id_number": code, "address": text_of(address)}
            notes.people.append({key: item for key, item in found.items() if item})
            if code and bad_id_number(code):
                notes.flags.append(Flag.BAD_ID_NUMBER)
            return ("person", None, None)
        if code and bad_credit_code(code):
            notes.flags.append(Flag.BAD_CREDIT_CODE)
        return ("organization", name, code)

    return subject


def titles_reader(table: CodeTable | None, separator: str | None, notes: Notes) -> Callable[[Leaf], list[str]]:
    """A function from a (joined) code text to titles; without a table the parts themselves. Unknown codes stay codes, noted."""

    def titles(value: Leaf) -> list[str]:
        text = text_of(value)
        if text is None:
            return []
        parts = [part.strip() for part in text.split(separator)] if separator else [text]
        return [title(part) for part in parts if part]

    def title(code: str) -> str:
        if table is None:
            return code
        entry = table.find(code)
        if entry is None:
            notes.gaps.append(CodeGap(table.name, code))
            return code
        return entry.title or entry.hub_code

    return titles


@lru_cache(maxsize=16384)
def bad_credit_code(code: str) -> bool:
    """True if an 18-character unified social credit code (GB 32100) fails its check; companies repeat, so it is remembered."""
    return not uscc.is_valid(code)


@lru_cache(maxsize=16384)
def is_id_number(code: str) -> bool:
    """True if a code is a citizen's ID number by its shape, right or not; a credit code of that shape is none.

    Whatever a source says of a subject, an ID number never gets into an incident, however it is padded or spaced. A register
    number of a company that reads like an old ID number is kept from it too: that is the lesser harm.
    """
    number = _plain_number(code)
    if _OLD_ID_NUMBER.fullmatch(number):
        return True
    return bool(_ID_NUMBER.fullmatch(number)) and (not bad_id_number(number) or bad_credit_code(number))


def bad_id_number(number: str) -> bool:
    """True if a citizen ID number (GB 11643) has another shape, no such day of birth or a wrong check digit, which an old one
    lacks.

    Its region is not looked at. A number has the code of where its owner lived when it was given out: 330702 is younger than many
    of those who have it, and a foreigner's begins with 9, of which no region does.
    """
    plain = _plain_number(number).upper()
    if _OLD_ID_NUMBER.fullmatch(plain):
        return False
    if not _ID_NUMBER.fullmatch(plain):
        return True
    try:
        date(int(plain[6:10]), int(plain[10:12]), int(plain[12:14]))
    except ValueError:
        return True
    return ric.calc_check_digit(plain) != plain[17]


def _plain_number(number: str) -> str:
    return _BETWEEN.sub("", number if number.isascii() else unicodedata.normalize("NFKC", number))
