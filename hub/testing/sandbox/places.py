"""Towns of the district (domain.md §12) and the GCJ-02 shift. Centres are approximate; villages, grids invented."""

from __future__ import annotations

import math
from typing import NamedTuple

DISTRICT = "330702"


class Town(NamedTuple):
    code: str  #: 9 digits
    name: str
    lon: float  #: WGS-84 degrees, roughly the town's middle
    lat: float


TOWNS = (
    Town("330702001", "城东街道", 119.672, 29.091),
    Town("330702002", "城中街道", 119.653, 29.104),
    Town("330702003", "城西街道", 119.637, 29.107),
    Town("330702004", "城北街道", 119.655, 29.118),
    Town("330702005", "江南街道", 119.648, 29.083),
    Town("330702006", "三江街道", 119.632, 29.072),
    Town("330702007", "西关街道", 119.628, 29.096),
    Town("330702008", "秋滨街道", 119.612, 29.060),
    Town("330702009", "新狮街道", 119.628, 29.122),
    Town("330702100", "罗店镇", 119.640, 29.160),
    Town("330702101", "雅畈镇", 119.655, 29.005),
    Town("330702102", "安地镇", 119.640, 28.960),
    Town("330702103", "白龙桥镇", 119.580, 29.070),
    Town("330702104", "琅琊镇", 119.500, 28.990),
    Town("330702105", "蒋堂镇", 119.500, 29.070),
    Town("330702106", "汤溪镇", 119.410, 29.060),
    Town("330702107", "罗埠镇", 119.430, 29.100),
    Town("330702108", "洋埠镇", 119.400, 29.120),
    Town("330702201", "乾西乡", 119.600, 29.105),
    Town("330702202", "竹马乡", 119.590, 29.150),
    Town("330702203", "长山乡", 119.560, 29.020),
    Town("330702204", "箬阳乡", 119.560, 28.880),
    Town("330702205", "沙畈乡", 119.480, 28.860),
    Town("330702206", "塔石乡", 119.400, 28.930),
    Town("330702208", "莘畈乡", 119.400, 28.980),
    Town("330702209", "苏孟乡", 119.680, 29.040),
)

_SEMI_MAJOR = 6378245.0  # Krasovsky ellipsoid, as the shift uses it
_ECCENTRICITY2 = 0.00669342162296594323


def gcj02(lon: float, lat: float) -> tuple[float, float]:
    """WGS-84 → GCJ-02, both in degrees; the shift is some 500 m here."""
    x, y = lon - 105.0, lat - 35.0
    waves = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + waves
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + waves
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = lat / 180.0 * math.pi
    magic = 1.0 - _ECCENTRICITY2 * math.sin(radians) ** 2
    root = math.sqrt(magic)
    north = north * 180.0 / (_SEMI_MAJOR * (1.0 - _ECCENTRICITY2) / (magic * root) * math.pi)
    east = east * 180.0 / (_SEMI_MAJOR / root * math.cos(radians) * math.pi)
    return lon + east, lat + north
