"""What a few sample records say about a stream: rows, key, cursor, zone, fields. Each is a guess and says why."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.errors import ConfigError
from hub.incident import Status
from hub.testing.world import at_path

__all__ = ["Guess", "Sampled", "guess"]

#: Words of the field for a state, the state, in the order they are looked for (DESIGN §6).
_STATES = (
    ("不予|审核不通过|reject", "rejected"), ("退回|return", "returned"), ("挂账|挂起|suspend", "suspended"),
    ("作废|撤单|取消|cancel", "cancelled"), ("待核查|待回访|待结案|已处置|review", "awaiting_review"),
    ("办结|结案|回访|销号|完成|closed|done|finish", "closed"), ("已派|待处置|dispatch", "dispatched"),
    ("处置中|整改中|处理中|办理中|progress|handling", "in_progress"), ("已受理|已立案|待派|accept", "accepted"),
    ("待受理|待补充|待处理|pending|open|new", "pending"),
)  # fmt: skip
_UPDATED = r"upd|modif|chang|gxsj|更新|修改"
#: Incident field ← what its key is usually called.
_FIELDS = (
    ("title", r"title|subject|标题|bt$"),
    ("description", r"desc|content|detail|描述|内容"),
    ("occurred_at", r"occur|happen|found|event.?time|发生|发现"),
    ("reported_at", r"report.?time|creat|上报|登记|受理时间"),
    ("closed_at", r"clos|finish|end.?time|办结|结案"), ("due_at", r"due|deadline|limit|期限"),
    ("address", r"addr|location|place|地址|地点"), ("region", r"region|town|area.?code|镇街|区划"),
    ("unit", r"unit|dept|org|单位|部门"),
)  # fmt: skip
_PEOPLE = {
    "phone": r"phone|mobile|tel|电话|手机",
    "name": r"(reporter|contact|person|people|caller|lxr).*(name)?$|姓名|联系人",
}
#: What a step of a list is called ← its key; the time is told by its value.
_STEP = (("name", r"name|node|step|title|caption|环节|节点"), ("unit", r"unit|dept|org|crew|team|部门|单位"),
         ("actor", r"oper|actor|user|person|人"), ("note", r"note|remark|opinion|desc|content|done|memo|意见|备注"))  # fmt: skip
_GONE = r"(^|_|\.|is)del(eted|ete|flag|_flag)?(flag)?$|delflag|withdrawn|作废|删除"
#: Times that are not ISO 8601, in the order they are tried.
_PATTERNS = ("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y%m%d%H%M%S", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日")
#: What a code of success is called, and the values that mean it.
_CODE, _WELL = (
    r"(err|error|ret|result|status|resp)?_?(code|no)|ret|success|state|status",
    (0, 200, "0", "00", "0000", "200", True),
)
_TIMES = frozenset({"occurred_at", "reported_at", "closed_at", "due_at"})
_ID = r"(^|_|[a-z])(id|no|uuid|number)$|^id|编号|code$"


@dataclass(frozen=True, slots=True)
class Sampled:
    """One guess: the value, and why."""

    value: str
    why: str


@dataclass(slots=True)
class Guess:
    """All guesses about one stream. `format` and `zone` are the cursor's; `codes` are rows of the table of states; `code` is
    where the envelope says that all went well, and its value is TOML; `gone` marks withdrawn records; `steps`, if there are
    any, say under `each` which list they are."""

    records: list[dict[str, Any]]
    rows: Sampled
    native_id: Sampled
    total: Sampled | None = None
    cursor: Sampled | None = None
    format: Sampled | None = None
    zone: Sampled | None = None
    status: Sampled | None = None
    fields: dict[str, Sampled] = field(default_factory=dict)
    people: dict[str, Sampled] = field(default_factory=dict)
    position: tuple[Sampled, Sampled] | None = None
    code: Sampled | None = None
    gone: Sampled | None = None
    steps: dict[str, Sampled] = field(default_factory=dict)
    codes: list[tuple[str, str, str]] = field(default_factory=list)
    unknown_codes: list[str] = field(default_factory=list)


def guess(document: Any) -> Guess:
    """From one answer of the source, or a bare list of records. ConfigError if there are no records in it."""
    path, records = _rows(document)
    if not records:
        raise ConfigError("there are no records in the sample", remedy="give a JSON list of objects, or a whole answer")
    texts = {path: [at_path(record, path) for record in records] for path in _leaves(records[0])}
    found = Guess(records, Sampled(path, f"{len(records)} objects stand there"), _native(texts, len(records)))
    if isinstance(document, dict):
        found.total = _total(document, path, len(records))
        found.code = _code(document)
        found.rows = Sampled(path, "; ".join(one.why for one in (found.rows, found.code) if one))
    _cursor(found, texts)
    _fill(found, texts)
    _states(found, texts)
    _withdrawn(found, texts)
    _steps(found)
    return found


def _leaves(record: dict[str, Any], above: str = "") -> Iterator[str]:
    """Dotted paths of all values that are no objects, those inside objects included."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield above + key


def _rows(value: Any, path: str = "") -> tuple[str, list[dict[str, Any]]]:
    """The longest list of objects, and where it stands."""
    if isinstance(value, list):
        return path, [item for item in value if isinstance(item, dict)]
    if not isinstance(value, dict):
        return path, []
    inside = [_rows(item, f"{path}.{key}" if path else key) for key, item in value.items()]
    return max(inside, key=lambda one: len(one[1]), default=(path, []))


def _total(document: dict[str, Any], rows: str, count: int) -> Sampled | None:
    parent = rows.rpartition(".")[0]
    place: Any = document
    for key in parent.split(".") if parent else []:
        place = place[key]
    for key, value in place.items():
        counted = isinstance(value, int) and not isinstance(value, bool) and value >= count
        if counted and re.search("total|count", key, re.I):
            return Sampled(f"{parent}.{key}" if parent else key, f"it is {value}, no less than the rows")
    return None


def _code(document: dict[str, Any]) -> Sampled | None:
    for key, value in document.items():
        if re.fullmatch(_CODE, key, re.I) and any(type(value) is type(well) and value == well for well in _WELL):
            return Sampled(
                f"path = {json.dumps(key)}, ok = [{json.dumps(value)}]", f"{key} is {value} in an answer with rows"
            )
    return None


def _withdrawn(found: Guess, texts: dict[str, list[Any]]) -> None:
    for key, values in texts.items():
        if re.search(_GONE, key, re.I):
            deleted = {bool: "true", int: "1"}.get(type(values[0]), "1")
            found.gone = Sampled(
                f'operation = "{key}"\ndeletes = ["{deleted}"]', f"{key} is called like a mark of withdrawn records"
            )
            return


def _steps(found: Guess) -> None:
    """The first list of objects with a time in them is how the record went on."""
    for key in found.records[0]:
        lists = [record[key] for record in found.records if isinstance(record.get(key), list)]
        parts = [part for one in lists for part in one if isinstance(part, dict)]
        texts = {name: [part.get(name) for part in parts] for name in (parts[0] if parts else ())}
        at = next((name for name, values in texts.items() if _is_time(values)), None)
        if at is None:
            continue
        why = f"a list of objects, and {at} is a time"
        found.steps = {"each": Sampled(key, why), "at": Sampled(at, why)}
        for name, pattern in _STEP:
            taken = {one.value for one in found.steps.values()}
            match = next((one for one in texts if one not in taken and re.search(pattern, one, re.I)), None)
            if match:
                found.steps[name] = Sampled(match, "by its name")
        return


def _native(texts: dict[str, list[Any]], count: int) -> Sampled:
    unique = [
        key
        for key, values in texts.items()
        if all(isinstance(value, str | int) and not isinstance(value, bool) for value in values)
        and len(set(values)) == count
    ]
    # What stands in an object of its own is rather the id of something else.
    unique.sort(key=lambda key: key.count("."))
    for key in unique:
        if re.search(_ID, key, re.I) and not _is_time(texts[key]):
            return Sampled(key, f"called like an id, and different in all {count} samples")
    key = unique[0] if unique else next(iter(texts))
    return Sampled(key, f"different in all {count} samples" if unique else "nothing is different in all samples")


def _cursor(found: Guess, texts: dict[str, list[Any]]) -> None:
    times = [key for key, values in texts.items() if _is_time(values)]
    named = sorted((key for key in times if re.search(_UPDATED, key, re.I)), key=lambda key: key.count("."))
    if not named:
        return
    key = named[0]
    found.cursor = Sampled(key, "a time, called like a time of change")
    example = next(value for value in texts[key] if value not in (None, ""))
    found.format, found.zone = _format(example)


def _is_time(values: Iterable[Any]) -> bool:
    known = [value for value in values if value not in (None, "")]
    return bool(known) and all(_format(value)[0].value for value in known)


def _format(value: Any) -> tuple[Sampled, Sampled]:
    digits = str(value)
    local = Sampled("Asia/Shanghai", "the text has no offset; the district's own zone")
    if digits.isdigit() and len(digits) in (10, 13) and digits[0] in "12":
        form = "epoch_s" if len(digits) == 10 else "epoch_ms"
        return Sampled(form, f"a number of {len(digits)} digits"), Sampled("UTC", "epoch time has no zone")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) >= 10 else None
    except ValueError:
        moment = None
    if moment is None:
        pattern = next((one for one in _PATTERNS if isinstance(value, str) and _reads(value, one)), "")
        return Sampled(pattern, "reads as that" if pattern else "not a time"), local
    if moment.tzinfo is not None:
        return Sampled("iso", "reads as ISO 8601"), Sampled("UTC", "the text carries its offset")
    return Sampled("iso", "reads as ISO 8601"), local


def _reads(text: str, pattern: str) -> bool:
    try:
        return datetime.strptime(text, pattern).strftime(pattern) == text  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False


def _fill(found: Guess, texts: dict[str, list[Any]]) -> None:
    taken = {found.native_id.value, found.cursor.value if found.cursor else ""}
    for role, pattern in _PEOPLE.items():
        for key in texts:
            if key not in taken and re.search(pattern, key, re.I) and role not in found.people:
                found.people[role] = Sampled(key, "called like a person's; kept encrypted, apart from the incident")
                taken.add(key)
    for name, pattern in _FIELDS:
        for key, values in texts.items():
            fits = _is_time(values) if name in _TIMES else all(isinstance(value, str | None) for value in values)
            if key not in taken and fits and re.search(pattern, key, re.I) and name not in found.fields:
                found.fields[name] = Sampled(key, "by its name")
                taken.add(key)
    patterns = ("lng|lon|longitude|x", "lat|latitude|y")
    x, y = (next((key for key in texts if re.fullmatch(rf"(.*\.)?({one})", key, re.I)), None) for one in patterns)
    if x and y:
        found.position = (Sampled(x, "by its name"), Sampled(y, "by its name"))


def _states(found: Guess, texts: dict[str, list[Any]]) -> None:
    key = next((key for key in texts if re.search(r"status|state|状态|zt$", key, re.I)), None)
    if key is None:
        return
    found.status = Sampled(key, "by its name")
    for value in dict.fromkeys(str(value) for value in texts[key] if value not in (None, "")):
        state = next((state for words, state in _STATES if re.search(words, value, re.I)), "")
        state = state or (value if value in set(Status) else "")
        if state:
            found.codes.append((value, state, value))
        else:
            found.unknown_codes.append(value)
