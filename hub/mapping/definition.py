"""A mapping file as data: which path of the source's record fills which field of the incident.

The grammar is documented in `docs/mapping.md`; every key here has a description that page is made from.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import MappingError
from hub.incident import ATTACHMENT_KINDS, Attachment, Kind, Party, Reference, Status, Step
from hub.mapping.position import SYSTEMS

__all__ = [
    "EachSpec",
    "FieldSpec",
    "FlagSpec",
    "MappingFile",
    "PeopleSpec",
    "PositionSpec",
    "SubjectSpec",
    "load_mapping",
    "mistakes",
]

FIELDS = (
    "status", "source_status", "source_status_text", "title", "description",
    "category", "source_category", "source_category_text", "channel",
    "occurred_at", "reported_at", "source_updated_at", "closed_at", "due_at",
    "region", "grid", "address", "unit", "unit_code", "officers", "document_number", "measures", "basis",
    "fine", "confiscated", "result", "answer",
)  # fmt: skip


_PARTS: dict[str, type[BaseModel]] = {
    "steps": Step, "attachments": Attachment, "references": Reference, "parties": Party,
}  # fmt: skip
_ALWAYS = {"references": ("system",), "parties": ("role",)}
_CODED = {"status": tuple(Status), "kind": ATTACHMENT_KINDS}


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Spec):
    """Where one value comes from. A bare string in the TOML is the same as `{ path = "…" }`."""

    path: tuple[str, ...] = Field((), description="Dotted path, or several: the first that is not empty counts.")
    join: tuple[str, ...] = Field((), description="Paths whose values are put one behind the other.")
    pad: tuple[int, ...] = Field((), description="With join: zero-pad each part to this many characters.")
    const: str | None = Field(None, description="A fixed value; with path it stands in when the path is empty.")
    codes: str | None = Field(None, description="Code table that translates the value.")
    text: str | None = Field(None, description="Path of the source's own text for the code.")
    split: str | None = Field(None, description="Separator of several values in one text.")
    cut: int | None = Field(None, description="Keep this many characters from the left.")
    format: str | None = Field(None, description='Of a time: "iso", "epoch_ms", "epoch_s" or a strptime pattern.')
    zone: str | None = Field(None, description="Zone of a time without offset.")
    unit: Literal["元", "万元"] = Field("元", description="Unit of an amount of money.")
    optional: bool = Field(
        False, description="The key may be absent. Otherwise its absence is an error: a renamed field must not pass."
    )
    transform: str | None = Field(
        None, description="A transform of a plugin (hook hub_transforms), applied to the value first."
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"path": (value,)}
        if isinstance(value, dict) and isinstance(value.get("path"), str):
            return {**value, "path": (value["path"],)}
        return value

    @model_validator(mode="after")
    def _pads_fit(self) -> "FieldSpec":
        if self.pad and len(self.pad) != len(self.join):
            raise ValueError("pad needs one number for each path of join")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        return self.path + self.join + ((self.text,) if self.text else ())


class FlagSpec(FieldSpec):
    true: tuple[str, ...] = Field(
        ("true", "1", "是", "Y"),
        description="Values that set the flag; numbers and booleans as JSON text, outer blanks and capitals left aside.",
    )


class PositionSpec(_Spec):
    x: FieldSpec = Field(description="East.")
    y: FieldSpec = Field(description="North.")
    system: str = Field(description="WGS-84, CGCS2000, GCJ-02 or BD-09.")
    bounds: tuple[float, float, float, float] = Field(
        (72, 15, 138, 56), description="West, south, east, north of all records."
    )

    @model_validator(mode="after")
    def _known_system(self) -> "PositionSpec":
        if self.system not in SYSTEMS:
            raise ValueError(f"unknown coordinate system; one of {', '.join(SYSTEMS)}")
        return self


class SubjectSpec(_Spec):
    """行政相对人: an organisation is named in the incident, a natural person only in the person table."""

    name: FieldSpec
    code: FieldSpec | None = None
    kind: FieldSpec | None = Field(
        None,
        description="Path that tells persons from organisations; without it a code that is an ID number tells. Where it "
        "says nothing, only who has a right credit code is an organisation, unless `person` is `*`.",
    )
    person: tuple[str, ...] = Field((), description="Values of `kind` that mean a natural person; `*`: any value does.")
    address: FieldSpec | None = Field(None, description="Address of the subject, kept only for a natural person.")


class PeopleSpec(_Spec):
    """A reporter or party. All of it goes to the person table, encrypted."""

    role: str = "reporter"
    each: str | None = Field(
        None, description="Path of a list of people; the other paths are then relative to an element."
    )
    nature: FieldSpec | None = Field(None, description="Path that tells organisations from people.")
    organization: tuple[str, ...] = Field(
        (), description="Values of `nature` that mean an organisation: no person, see [[parties]]."
    )
    name: FieldSpec | None = None
    phone: FieldSpec | None = None
    id_number: FieldSpec | None = None
    address: FieldSpec | None = None
    account: FieldSpec | None = Field(None, description="Account or device id of the reporter.")


class EachSpec(_Spec):
    """Steps, attachments, references or parties: one for each element of a list (`each`), or exactly one without it."""

    each: str | None = Field(
        None, description="Path of a list; an object in its place is its only element, as XML writes a list of one."
    )
    split: str | None = Field(None, description="Each part of a text instead of each element of a list.")
    nature: FieldSpec | None = Field(None, description="Of parties: path that tells organisations from people.")
    organization: tuple[str, ...] = Field(
        (), description="Values of `nature` that mean an organisation: the others are left to [[people]]."
    )
    values: dict[str, FieldSpec] = Field(default_factory=dict)
    optional: bool = False

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if isinstance(value, dict) and "values" not in value:
            own = {key: value[key] for key in ("each", "split", "nature", "organization", "optional") if key in value}
            return own | {"values": {key: item for key, item in value.items() if key not in own}}
        return value


def _field_name(name: str) -> str:
    if name not in FIELDS:
        raise ValueError(f"no field of the incident; {_instead(name, FIELDS)}")
    return name


def _instead(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or all of them."""
    names = tuple(known)
    guess = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {guess[0]}?" if guess else f"one of {', '.join(names)}"


def _wrong(key: str, reason: str) -> PydanticCustomError:
    """A mistake at a key below the model that notices it."""
    return PydanticCustomError("mapping", "{reason}", {"key": key, "reason": reason})


class MappingFile(_Spec):
    """One stream's meaning."""

    version: int = Field(ge=1, description="Counts up with every change of meaning; stored with each incident it made.")
    kind: Kind
    zone: str = Field("Asia/Shanghai", description="Zone of times without offset.")
    time_format: str = Field("iso", description="Format of every time that names none.")
    native_id: tuple[str, ...] = Field(
        (), description="Path(s) of the native id, where the stream does not say (files)."
    )
    fields: dict[Annotated[str, AfterValidator(_field_name)], FieldSpec] = Field(default_factory=dict)
    position: PositionSpec | None = None
    subject: SubjectSpec | None = None
    people: tuple[PeopleSpec, ...] = ()
    flags: dict[Literal["extended", "supervised", "urgent"], FlagSpec] = Field(default_factory=dict)
    steps: tuple[EachSpec, ...] = ()
    attachments: tuple[EachSpec, ...] = ()
    references: tuple[EachSpec, ...] = ()
    parties: tuple[EachSpec, ...] = ()

    @model_validator(mode="after")
    def _whole_parts(self) -> "MappingFile":
        """Each part has only keys it knows, and always those that the incident cannot do without."""
        for name, model in _PARTS.items():
            for number, spec in enumerate(getattr(self, name)):
                at = f"{name}.{number}"
                for key in sorted(set(spec.values) - set(model.model_fields)):
                    raise _wrong(f"{at}.{key}", f"unknown key; {_instead(key, model.model_fields)}")
                for key, item in spec.values.items():
                    if key in _CODED and not item.codes and (item.path or item.const not in _CODED[key]):
                        raise _wrong(f"{at}.{key}", f"needs `codes`, or one of {', '.join(_CODED[key])} as `const`")
                for key in _ALWAYS.get(name, ()):
                    if key not in spec.values or spec.values[key].const is None:
                        raise _wrong(at, f"{key} needs a `const`, at least beside its path")
        return self


def load_mapping(path: Path) -> MappingFile:
    """Read and check a mapping file. MappingError names the file and the first wrong key."""
    try:
        return MappingFile.model_validate(tomllib.loads(path.read_text("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise MappingError("mapping {path} is not UTF-8", path=path.name) from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError("mapping {path} is not TOML: {reason}", path=path.name, reason=error) from error
    except ValidationError as error:
        raise _explained(path, error.errors(include_input=False)[0]) from error


def mistakes(path: Path) -> list[MappingError]:
    """Every wrong key of a mapping file that can be read, as far as they can be told apart; none if it is right."""
    try:
        load_mapping(path)
    except MappingError as error:
        if not isinstance(error.__cause__, ValidationError):
            return [error]
        return [_explained(path, one) for one in error.__cause__.errors(include_input=False)]
    return []


_KEYS = sorted(
    {
        key
        for spec in (FieldSpec, PositionSpec, SubjectSpec, PeopleSpec, EachSpec, MappingFile)
        for key in spec.model_fields
    }
)


def _explained(path: Path, error: Mapping[str, Any]) -> MappingError:
    # Parts keep their own keys in `values`, and pydantic marks wrong names of keys: neither stands in the file.
    place = [str(part) for part in error["loc"] if part not in ("values", "[key]")]
    key = error.get("ctx", {}).get("key") or ".".join(place)
    match error["type"]:
        case "extra_forbidden":
            guess = difflib.get_close_matches(place[-1], _KEYS, n=1)
            reason = f"not a key here; {f'did you mean {guess[0]}?' if guess else 'docs/mapping.md lists them'}"
        case "enum" | "literal_error":
            reason = f"must be one of {error['ctx']['expected']}"
        case _:
            reason = error["msg"].removeprefix("Value error, ")
    return MappingError("mapping {path}: {key}: {reason}", path=path.name, key=key, reason=reason)
