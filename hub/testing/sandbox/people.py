"""Invented people, companies and authorities. Their numbers pass the checks of the standards, yet nobody can bear them:
birth years 2091–2099, telephone numbers 1990000xxxx, names that count."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

_FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
_TENS = "甲乙丙丁戊己庚辛壬癸"
_TRADES = ("小吃店", "便利店", "餐饮有限公司", "建材有限公司", "洗车行", "水果店", "广告有限公司", "建筑有限公司")
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


class Person(NamedTuple):
    name: str
    phone: str
    id_number: str  #: 18 characters with a true check character (GB 11643)


class Company(NamedTuple):
    name: str
    code: str  #: 统一社会信用代码, 18 characters with a true check character (GB 32100)
    head: str  #: legal representative
    sole: bool  #: 个体工商户


class Authority(NamedTuple):
    name: str
    code: str


def id_number(region: str, birth: str, order: int) -> str:
    """An ID number of GB 11643: region 6, birth yyyymmdd, order 3, check character."""
    body = f"{region}{birth}{order:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def credit_code(kind: str, region: str, organisation: str) -> str:
    """A credit code of GB 32100: kind 2, region 6, organisation 8 and its own check (GB 11714), check character."""
    values = (int(character, 36) for character in organisation)
    rest = 11 - sum(value * weight for value, weight in zip(values, _ORGANISATION_WEIGHTS, strict=True)) % 11
    body = f"{kind}{region}{organisation}{'X' if rest == 10 else rest % 11}"
    total = sum(
        _CREDIT_ALPHABET.index(character) * weight for character, weight in zip(body, _CREDIT_WEIGHTS, strict=True)
    )
    return body + _CREDIT_ALPHABET[(31 - total % 31) % 31]


def authority(number: int, name: str) -> Authority:
    return Authority(name, credit_code("11", "330702", f"0026{number:04d}"))


AUTHORITIES = tuple(
    authority(number, name)
    for number, name in enumerate(
        (
            "婺城区综合行政执法局",
            "婺城区市场监督管理局",
            "婺城区应急管理局",
            "婺城区住房和城乡建设局",
            "婺城区卫生健康局",
        ),
        start=1,
    )
)


class Population:
    """The pools the city draws from; made once, from the seed alone."""

    def __init__(self, rng: Random, size: int = 600) -> None:
        self.people = [self._person(rng, number) for number in range(size)]
        self.companies = [self._company(rng, number) for number in range(size // 2)]
        self.officers = [(f"{_FAMILY[n % 16]}执{_TENS[n // 4 % 10]}{n}", f"ZF330702{n:04d}") for n in range(40)]

    @staticmethod
    def _person(rng: Random, number: int) -> Person:
        birth = f"209{rng.randint(1, 9)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
        name = f"{rng.choice(_FAMILY)}试{_TENS[number % 10]}{number}"
        return Person(name, f"1990000{number % 10000:04d}", id_number("330702", birth, rng.randint(1, 999)))

    @staticmethod
    def _company(rng: Random, number: int) -> Company:
        trade = rng.choice(_TRADES)
        sole = not trade.endswith("公司")
        code = credit_code("92" if sole else "91", "330702", f"MA{number:06d}")
        return Company(
            f"虚构{_TENS[number % 10]}{number}号{trade}", code, f"{rng.choice(_FAMILY)}试{_TENS[number % 7]}", sole
        )
