"""Ids of incidents are what docs/schema.md says they are, one by one and many at once."""

import base64
import hashlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hub.incident import IncidentIds, incident_id

NATIVE_IDS = st.lists(st.text() | st.integers() | st.lists(st.text() | st.integers(), min_size=2), max_size=9)


def _as_published(source_key: str, stream: str, native_id: object) -> str:
    digest = hashlib.sha256(msgspec.json.encode([source_key, stream, native_id])).digest()
    return "inc_" + base64.b32encode(digest).decode().lower()[:26]


@given(st.text(), st.text(), NATIVE_IDS)
def test_ids_are_as_published(source_key: str, stream: str, native_ids: list[object]) -> None:
    written = [msgspec.json.encode(native_id).decode() for native_id in native_ids]
    expected = [_as_published(source_key, stream, native_id) for native_id in native_ids]
    assert IncidentIds(source_key, stream).of(written) == expected
    assert [incident_id(source_key, stream, text) for text in written] == expected
