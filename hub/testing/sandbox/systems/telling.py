"""Words the rows of several systems share: descriptions, parties, officers, batches. Only what stands in domain.md."""

from __future__ import annotations

from typing import TypeVar

from hub.testing.sandbox.clock import local, local_date
from hub.testing.sandbox.events import CATEGORIES
from hub.testing.sandbox.records import Record

T = TypeVar("T")

#: 检查结果, the Zhejiang list of domain.md §4.5; several at once are joined by a comma.
CHECK_RESULTS = ("1", "1", "1", "A", "2,B", "5", "E", "F", "6", "8")
SOURCES = ("检查发现", "群众举报", "上级交办")


def describe(record: Record, index: int) -> str:
    version = record.versions[index]
    event = record.event
    text = f"{event.address}附近发现{CATEGORIES[version.category]}，影响市容和通行，请处理。"
    return text + "".join(f"（补充说明{n}）" for n in range(1, version.amended + 1))


def category_name(record: Record, index: int) -> str:
    return CATEGORIES[record.versions[index].category]


def party(record: Record) -> tuple[str, str, str, str]:
    """行政相对人: name, kind (1 公民, 2 法人, 3 其他组织), certificate type, certificate number."""
    event = record.event
    if record.natural:
        return event.offender.name, "1", "111", event.offender.id_number
    return event.company.name, "3" if event.company.sole else "2", "001", event.company.code


def officers(record: Record) -> tuple[str, str]:
    """Two names and their certificates, each joined by `;` in the same order."""
    first, second = record.event.officers
    return f"{first[0]};{second[0]}", f"{first[1]};{second[1]}"


def exchange_columns(record: Record, index: int) -> dict[str, str]:
    """The exchange columns of domain.md §4.1; a batch is a quarter of an hour."""
    version = record.versions[index]
    key = "-".join(record.native_id) if isinstance(record.native_id, list) else str(record.native_id)
    department = record.event.authority.code
    return {
        "cd_id": f"{department}{key}",
        "cd_time": local(version.at),
        "cd_source": f"33{department}",
        "cd_batch": batch(version.at),
        "cd_operation": version.op,
    }


def batch(at: int) -> str:
    """cd_batch: yyyymmdd and the 5-digit run of the day, four runs an hour."""
    run = (at + 8 * 3600) % 86400 // 900 + 1
    return f"{local_date(at).replace('-', '')}{run:05d}"


def pick(record: Record, choices: tuple[T, ...]) -> T:
    """A choice that stays the same through all versions of a record."""
    return choices[record.salt % len(choices)]
