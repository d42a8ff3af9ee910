"""Real-world events of the invented city; several systems tell of the same one, each in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hub.testing.sandbox.people import AUTHORITIES, Authority, Company, Person, Population
from hub.testing.sandbox.places import TOWNS, Town

#: GB/T 30428 event classes, class + sub-class (domain.md §9.1) → name.
CATEGORIES = {
    "0101": "私搭乱建",
    "0102": "暴露垃圾",
    "0103": "积存垃圾渣土",
    "0104": "道路不洁",
    "0110": "道路破损",
    "0115": "焚烧垃圾树叶",
    "0116": "油烟污染",
    "0199": "其他市容环境",
    "0201": "非法小广告",
    "0202": "违章张贴悬挂广告牌匾",
    "0203": "占道广告牌",
    "0301": "施工扰民",
    "0302": "工地扬尘",
    "0304": "施工占道",
    "0305": "无证掘路",
    "0401": "路面塌陷",
    "0404": "下水道堵塞或破损",
    "0406": "道路积水",
    "0501": "无照经营游商",
    "0504": "店外经营",
    "0505": "机动车乱停放",
    "0507": "乱堆物堆料",
    "0508": "商业噪音",
    "0510": "露天烧烤",
    "0599": "其他街面秩序",
}
CLASSES = {"01": "市容环境", "02": "宣传广告", "03": "施工管理", "04": "突发事件", "05": "街面秩序"}
_CODES = tuple(CATEGORIES)


@dataclass(frozen=True, slots=True)
class Event:
    """What truly happened; no system sees it exactly so."""

    id: str
    at: int  #: epoch seconds
    town: Town
    village: str  #: 12 digits
    grid: str  #: 15 digits
    lon: float  #: WGS-84
    lat: float
    category: str  #: key of CATEGORIES
    severity: int  #: 1 (slight) … 4 (grave)
    reporter: Person
    company: Company
    offender: Person
    officers: tuple[tuple[str, str], tuple[str, str]]  #: two of (name, certificate)
    authority: Authority
    address: str


def make_event(rng: Random, population: Population, number: int, at: int) -> Event:
    town = rng.choice(TOWNS)
    village = f"{town.code}{rng.randint(1, 9):03d}"
    first = rng.randrange(len(population.officers) - 1)
    return Event(
        id=f"EV{number:07d}",
        at=at,
        town=town,
        village=village,
        grid=f"{village}{rng.randint(1, 20):03d}",
        lon=town.lon + (rng.random() - 0.5) * 0.02,
        lat=town.lat + (rng.random() - 0.5) * 0.02,
        category=rng.choice(_CODES),
        severity=rng.choice((1, 1, 1, 2, 2, 3, 4)),
        reporter=rng.choice(population.people),
        company=rng.choice(population.companies),
        offender=rng.choice(population.people),
        officers=(population.officers[first], population.officers[first + 1]),
        authority=rng.choice(AUTHORITIES),
        address=f"婺城区{town.name}虚构路{rng.randint(1, 400)}号",
    )


def other_category(rng: Random, category: str) -> str:
    """A category that differs from the given one."""
    return rng.choice([code for code in _CODES if code != category])
