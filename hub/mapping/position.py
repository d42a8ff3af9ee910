"""Coordinates: from the system a source declares to CGCS2000/WGS-84, which differ by centimetres (domain.md §12).

GCJ-02 is the published offset of Chinese consumer maps, up to some 500 m; it has no closed inverse, so the forward formula is
iterated until it meets the given point. BD-09 is GCJ-02 with one more twist.
"""

from collections.abc import Callable
from math import atan2, cos, fabs, pi, sin, sqrt

from hub.incident import Flag
from hub.mapping.values import BadValueError, Leaf, Notes

__all__ = ["SYSTEMS", "Placed", "from_bd09", "from_gcj02", "position_reader", "to_gcj02"]

Placed = tuple[float | None, float | None, float | None, float | None, str | None]
"""longitude, latitude, source_x, source_y, coordinate_system."""

_AXIS = 6378245.0
_ECCENTRICITY = 0.00669342162296594323
_CHINA = (72.004, 0.8293, 137.8347, 55.8271)


def position_reader(
    system: str, bounds: tuple[float, float, float, float], notes: Notes
) -> Callable[[Leaf, Leaf], Placed]:
    """A function from the source's two numbers to the five columns of a place.

    `bounds` (west, south, east, north) is where this source's records can be. A pair that only fits when exchanged is exchanged
    and flagged; (0, 0) is no position; a pair elsewhere is kept and flagged. The original pair always stays beside it.
    """
    convert = SYSTEMS[system]
    west, south, east, north = bounds

    exact = convert is _same

    def position(x: Leaf, y: Leaf) -> Placed:
        if exact and x.__class__ is float and y.__class__ is float and west <= x <= east and south <= y <= north and x:
            return (x, y, x, y, system)
        east_value, north_value = _number(x), _number(y)
        if east_value is None or north_value is None:
            return (None, None, east_value, north_value, system if east_value or north_value else None)
        if east_value == 0 and north_value == 0:
            notes.flags.append(Flag.POSITION_ZERO)
            return (None, None, 0.0, 0.0, system)
        lon, lat = east_value, north_value
        if not (west <= lon <= east and south <= lat <= north):
            if west <= lat <= east and south <= lon <= north:
                lon, lat = lat, lon
                notes.flags.append(Flag.POSITION_SWAPPED)
            else:
                notes.flags.append(Flag.POSITION_OUTSIDE)
                if not (-180 <= lon <= 180 and -90 <= lat <= 90):
                    return (None, None, east_value, north_value, system)
        lon, lat = convert(lon, lat)
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            return (None, None, east_value, north_value, system)
        return (lon if exact else round(lon, 7), lat if exact else round(lat, 7), east_value, north_value, system)

    return position


def _number(value: Leaf) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        raise BadValueError("not a coordinate")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise BadValueError("not a coordinate") from None
    if number != number or fabs(number) == float("inf"):
        raise BadValueError("not a coordinate")
    return number


def to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """WGS-84 → GCJ-02, degrees; outside China nothing is shifted."""
    west, south, east, north = _CHINA
    if not (west <= lon <= east and south <= lat <= north):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    wave = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    shift_y = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(fabs(x)) + wave
    shift_y += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    shift_y += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    shift_x = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(fabs(x)) + wave
    shift_x += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    shift_x += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0
    radians = lat / 180.0 * pi
    magic = 1.0 - _ECCENTRICITY * sin(radians) ** 2
    shift_y = shift_y * 180.0 / ((_AXIS * (1.0 - _ECCENTRICITY)) / (magic * sqrt(magic)) * pi)
    shift_x = shift_x * 180.0 / (_AXIS / sqrt(magic) * cos(radians) * pi)
    return lon + shift_x, lat + shift_y


def from_gcj02(lon: float, lat: float) -> tuple[float, float]:
    """GCJ-02 → WGS-84, degrees, within a centimetre."""
    guess_lon, guess_lat = lon, lat
    for _ in range(8):
        forward_lon, forward_lat = to_gcj02(guess_lon, guess_lat)
        off_lon, off_lat = forward_lon - lon, forward_lat - lat
        guess_lon, guess_lat = guess_lon - off_lon, guess_lat - off_lat
        if fabs(off_lon) < 1e-9 and fabs(off_lat) < 1e-9:
            break
    return guess_lon, guess_lat


def from_bd09(lon: float, lat: float) -> tuple[float, float]:
    """BD-09 → WGS-84, degrees."""
    x, y = lon - 0.0065, lat - 0.006
    twist = pi * 3000.0 / 180.0
    radius = sqrt(x * x + y * y) - 0.00002 * sin(y * twist)
    angle = atan2(y, x) - 0.000003 * cos(x * twist)
    return from_gcj02(radius * cos(angle), radius * sin(angle))


def _same(lon: float, lat: float) -> tuple[float, float]:
    return lon, lat


SYSTEMS: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "WGS-84": _same,
    "CGCS2000": _same,
    "GCJ-02": from_gcj02,
    "BD-09": from_bd09,
}
