"""THE schema: one incident is one upstream record in the words every consumer shares.

`docs/schema.md` is made from this file: each field's description says meaning, unit and zone.
"""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, get_args

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = [
    "ATTACHMENT_KINDS",
    "Attachment",
    "Flag",
    "Incident",
    "IncidentIds",
    "Kind",
    "Party",
    "Reference",
    "Status",
    "Step",
    "incident_id",
]


class Kind(StrEnum):
    """What sort of record a stream carries; one per stream, a closed list."""

    WORK_ORDER = "work_order"
    REPORT = "report"
    GRID_EVENT = "grid_event"
    INSPECTION = "inspection"
    CHECK_TASK = "check_task"
    PENALTY = "penalty"
    COERCION = "coercion"
    OTHER_ACT = "other_act"
    CASE = "case"
    SUPERVISION_LEAD = "supervision_lead"
    REFERRAL = "referral"
    PATROL_FINDING = "patrol_finding"
    RECTIFICATION = "rectification"
    ALARM = "alarm"
    SERVICE_REQUEST = "service_request"


class Status(StrEnum):
    """Where a record stands in its life. `unmapped` is never a guess: the source's own word stands beside it."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    IN_PROGRESS = "in_progress"
    AWAITING_REVIEW = "awaiting_review"
    CLOSED = "closed"
    SUSPENDED = "suspended"
    RETURNED = "returned"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNMAPPED = "unmapped"


class Flag(StrEnum):
    """Marks beside the status: what the source says (the first three) and what the hub noticed."""

    EXTENDED = "extended"
    SUPERVISED = "supervised"
    URGENT = "urgent"
    BAD_CREDIT_CODE = "bad_credit_code"
    BAD_ID_NUMBER = "bad_id_number"
    POSITION_OUTSIDE = "position_outside"
    POSITION_SWAPPED = "position_swapped"
    POSITION_ZERO = "position_zero"
    AMOUNT_ROUNDED = "amount_rounded"
    NUL_REPLACED = "nul_replaced"
    TEXT_CUT = "text_cut"
    TIME_AMBIGUOUS = "time_ambiguous"
    TIME_IMPLAUSIBLE = "time_implausible"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """One step of the timeline: who did what, when."""

    at: AwareDatetime | None = Field(None, description="When the step happened (UTC).")
    name: str | None = Field(None, description="The step in the source's words, for instance 受理.")
    status: Status | None = Field(None, description="The hub status the step led to, if the source's step has one.")
    unit: str | None = Field(None, description="The unit that acted.")
    actor: str | None = Field(None, description="The officer who acted, as the source names them.")
    note: str | None = Field(None, description="Remark of the step.")
    due_at: AwareDatetime | None = Field(None, description="Deadline of the step (UTC).")


AttachmentKind = Literal["image", "video", "audio", "document", "other"]
ATTACHMENT_KINDS: tuple[str, ...] = get_args(AttachmentKind)


class Attachment(_Part):
    """A file the source names; the hub keeps the address, not the content."""

    kind: AttachmentKind = "other"
    title: str | None = None
    url: str
    step: str | None = Field(None, description="Name of the step it belongs to.")


class Party(_Part):
    """An organisation that takes part: an authority, a department, a company. Natural persons are never here."""

    role: str
    name: str | None = None
    code: str | None = Field(None, description="Unified social credit code, 18 characters, as the source wrote it.")


class Reference(_Part):
    """The number another system knows this matter by."""

    system: str
    number: str


Text = Annotated[str, Field(max_length=100_000)]


class Incident(BaseModel):
    """One upstream record. All instants are UTC; text is as the source wrote it unless a field says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(
        pattern=r"^inc_[a-z2-7]{26}$",
        description="Stable id made from source key, stream and native id.",
        examples=["inc_ntthui75ec6pvkpnvoe3kwtpzk"],
    )
    source: str = Field(description="Key of the source, fixed at its first sync.", examples=["hotline_8890"])
    stream: str = Field(description="Stream within the source.", examples=["work_orders"])
    native_id: str = Field(
        description='The record\'s id upstream, as JSON text (`5` and `"5"` differ).', examples=['"250910171327424509"']
    )
    kind: Kind = Field(description="What sort of record it is.")
    status: Status | None = Field(None, description="Where it stands; null if the source's records have no status.")
    source_status: Text | None = Field(None, description="The source's own status code or word.")
    source_status_text: Text | None = Field(None, description="The source's own text for that code.")
    flags: list[Flag] = Field(default_factory=list, description="Marks beside the status, in alphabetical order.")
    title: Text | None = Field(None, description="Short text naming the matter.")
    description: Text | None = Field(None, description="What is the matter, in the reporter's or officer's words.")
    category: Text | None = Field(
        None,
        description="Hub category (GB/T 30428 classes as base), `unmapped` if the code is unknown.",
        examples=["0102"],
    )
    source_category: Text | None = Field(None, description="The source's own category code or word.")
    source_category_text: Text | None = Field(None, description="The source's own text for that code.")
    channel: Text | None = Field(None, description="How it reached the source (电话, 网站, …), in the source's words.")
    occurred_at: AwareDatetime | None = Field(
        None, description="When it happened; if the source does not say, when it was reported (UTC)."
    )
    reported_at: AwareDatetime | None = Field(None, description="When the source received it (UTC).")
    source_updated_at: AwareDatetime | None = Field(None, description="When the source last changed it (UTC).")
    closed_at: AwareDatetime | None = Field(None, description="When the source closed it (UTC).")
    due_at: AwareDatetime | None = Field(
        None, description="Deadline of the whole matter as the source states it (UTC)."
    )
    region: Text | None = Field(
        None,
        description="Most precise region code known: 6 digits GB/T 2260, 9 with township, 12 with village.",
        examples=["330702001"],
    )
    town: Text | None = Field(None, description="The first 9 digits of `region`, null if it is shorter.")
    grid: Text | None = Field(None, description="Grid number in the source's words.")
    address: Text | None = Field(None, description="Where it happened. A reporter's home address is never here.")
    longitude: float | None = Field(None, ge=-180, le=180, description="Degrees east, CGCS2000/WGS-84.")
    latitude: float | None = Field(None, ge=-90, le=90, description="Degrees north, CGCS2000/WGS-84.")
    source_x: float | None = Field(None, description="First coordinate (east) as the source sent it.")
    source_y: float | None = Field(None, description="Second coordinate (north) as the source sent it.")
    coordinate_system: Text | None = Field(
        None, description="System of `source_x`, `source_y`, declared in the mapping.", examples=["GCJ-02"]
    )
    unit: Text | None = Field(None, description="Name of the unit responsible now.")
    unit_code: Text | None = Field(None, description="Code of that unit in the source.")
    officers: list[str] = Field(default_factory=list, description="Officers on the matter, in the source's order.")
    subject_kind: Literal["organization", "person"] | None = Field(
        None,
        description="What the subject (行政相对人) is. A natural person's name and number sit in the person table.",
    )
    subject_name: Text | None = Field(None, description="Name of the subject if it is an organisation.")
    subject_code: Text | None = Field(None, description="Credit code of the subject if it is an organisation.")
    parties: list[Party] = Field(default_factory=list, description="Other organisations that take part.")
    document_number: Text | None = Field(None, description="Number of the deciding document (决定书文号).")
    measures: list[str] = Field(default_factory=list, description="Measures taken (处罚种类, 强制种类), titles.")
    basis: Text | None = Field(None, description="Legal basis in the source's words.")
    fine: Decimal | None = Field(None, description="Fine in yuan, two decimals.", examples=["2000.00"])
    confiscated: Decimal | None = Field(None, description="Confiscated value in yuan, two decimals.")
    result: Text | None = Field(None, description="Internal result of handling.")
    answer: Text | None = Field(None, description="Public answer given to the reporter.")
    reference_numbers: list[Reference] = Field(default_factory=list, description="Numbers other systems know it by.")
    steps: list[Step] = Field(default_factory=list, description="Timeline, oldest first.")
    attachments: list[Attachment] = Field(default_factory=list, description="Files the source names.")


_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567".ljust(256, b"?")
#: Base32 writes five octets as eight digits (RFC 4648, section 6): the octets of which each digit has its bits, and how far to
#: the left these are moved.
_DIGITS = (
    ((0, -3),), ((0, 2), (1, -6)), ((1, -1),), ((1, 4), (2, -4)), ((2, 1), (3, -7)), ((3, -2),), ((3, 3), (4, -5)), ((4, 0),),
)  # fmt: skip
_HASHED = 20
_WRITTEN = _HASHED * 8 // 5


def _moved(left: int) -> bytes:
    """A table for `translate`: the five bits of a digit that stand in each octet."""
    return bytes(((octet << (8 + left)) >> 8) & 31 for octet in range(256))


_MOVED = {left: _moved(left) for digit in _DIGITS for _, left in digit}


def _base32(octets: bytes) -> str:
    """In lower case. Octet by octet of many hashes at once: a fifth of what it takes hash by hash."""
    columns = [octets[place::5] for place in range(5)]
    digits = bytearray(len(octets) // 5 * 8)
    for place, parts in enumerate(_DIGITS):
        found = [columns[octet].translate(_MOVED[left]) for octet, left in parts]
        digits[place::8] = sum(int.from_bytes(part, "big") for part in found).to_bytes(len(found[0]), "big")
    return digits.translate(_ALPHABET).decode()


class IncidentIds:
    """Makes the ids of one stream's records.

    "inc_" + the first 26 characters of base32(SHA-256(canonical JSON of [source key, stream, native id])), lower case.
    """

    def __init__(self, source_key: str, stream: str) -> None:
        self._begun = hashlib.sha256(msgspec.json.encode([source_key, stream])[:-1] + b",")

    def of(self, native_ids: Iterable[str]) -> list[str]:
        """The stable ids of records. A native id is JSON text: a string with its quotes, a number, or an array."""
        hashes = []
        for native_id in native_ids:
            digest = self._begun.copy()
            digest.update(f"{native_id}]".encode())
            hashes.append(digest.digest()[:_HASHED])
        text = _base32(b"".join(hashes))
        return [f"inc_{text[begin : begin + 26]}" for begin in range(0, len(text), _WRITTEN)]


def incident_id(source_key: str, stream: str, native_id: str) -> str:
    """The stable id of one record; see `IncidentIds`."""
    return IncidentIds(source_key, stream).of([native_id])[0]
