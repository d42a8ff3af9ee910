"""Instants on the wire: how a window's ends are written and a record's cursor is read."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

__all__ = ["LOCAL", "http_date", "read_instant", "resolution", "write_instant"]

LOCAL = "%Y-%m-%d %H:%M:%S"
"""`yyyy-MM-dd HH:mm:ss` without a zone mark, which format "local" stands for."""

#: The finest directive of a pattern decides how coarse the wire is.
_STEPS = (
    ("%f", timedelta(microseconds=1)),
    ("%S", timedelta(seconds=1)),
    ("%M", timedelta(minutes=1)),
    ("%H", timedelta(hours=1)),
)


def resolution(form: str) -> timedelta:
    """The smallest step a format can tell: "epoch_ms", "epoch_s", "iso", "local" or a strftime pattern."""
    if form == "epoch_ms":
        return timedelta(milliseconds=1)
    if form in ("epoch_s", "iso", "local"):
        return timedelta(seconds=1)
    return next((step for directive, step in _STEPS if directive in form), timedelta(days=1))


def write_instant(moment: datetime, form: str, zone: str, *, up: bool = False) -> str | int:
    """An aware instant in a wire format, rounded down to what the format can tell, or `up`: then it is never earlier than
    meant, also where clocks are put back.

    Epoch formats give a number, "iso" has the zone's offset, "local" and patterns are text in `zone`.
    """
    step = resolution(form)
    local = moment.astimezone(ZoneInfo(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    floor = local - (local.replace(tzinfo=None) - midnight.replace(tzinfo=None)) % step
    if up and floor < local:
        floor += step
    # Sums forget which of a repeated hour they are in.
    floor = floor.replace(fold=local.fold)
    if form in ("epoch_ms", "epoch_s"):
        elapsed = floor.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return elapsed // timedelta(milliseconds=1 if form == "epoch_ms" else 1000)
    if form == "iso":
        return floor.isoformat(timespec="seconds")
    if up and floor.fold and "%z" not in form:
        # Without a zone mark it would be taken for the first of the two.
        floor += (floor.replace(fold=0).utcoffset() or timedelta()) - (floor.utcoffset() or timedelta())
    return floor.strftime(LOCAL if form == "local" else form)


def read_instant(value: object, form: str, zone: str) -> datetime | None:
    """A record's cursor as an aware UTC instant; None if it cannot be read, because paging must then do without it."""
    try:
        if form in ("epoch_ms", "epoch_s"):
            if isinstance(value, bool) or not isinstance(value, int | str):
                return None
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                milliseconds=int(value) * (1 if form == "epoch_ms" else 1000)
            )
        if not isinstance(value, str):
            return None
        iso = form in ("iso", "local")
        moment = datetime.fromisoformat(value) if iso else datetime.strptime(value, form)  # noqa: DTZ007 - see below
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def http_date(text: str | None) -> datetime | None:
    """An HTTP date header as an aware UTC instant; None if it is absent or malformed."""
    try:
        moment = parsedate_to_datetime(text) if text else None
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment and moment.astimezone(UTC)
