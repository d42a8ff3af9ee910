"""What must not be readable in the database, and what happens with another key or an altered blob (promise 11)."""

from pathlib import Path

import msgspec
import psycopg
import pytest
from rig import KEY, START, Rig, open_store

from hub.errors import ConfigError, HubError, MisconfiguredError, StoreError, StoreVersionError
from hub.source.connector import Token
from hub.store.crypto import Keyring, keyed_marks
from hub.store.migrate import check_schema
from hub.store.quarantine import list_quarantine, quarantined_raw
from hub.store.raw import people_of, raw_of
from hub.store.store import Store
from hub.store.tokens import StoredTokens

OTHER = bytes(reversed(KEY))
NAME, PHONE, NUMBER = "欧阳震华", "13857901234", "330702197001011231"
SECRET, PASSWORD = "token-value-0815", "password-of-the-source"


def plant(rig: Rig) -> str:
    """A record with a person, a bad record that names one, and a token; the incident's id."""
    good = {"id": "a", "at": START, "title": f"投诉人{NAME}来电{PHONE}", "who": NAME, "phone": PHONE, "no": NUMBER}
    bad = {"id": "b", "at": "never", "who": NAME, "phone": PHONE, "no": NUMBER}
    rig.transport.rows = [msgspec.json.encode(good), msgspec.json.encode(bad)]  # type: ignore[attr-defined]
    rig.run()
    tokens = StoredTokens(rig.store, "me")
    tokens.put(f"host/app/{tokens.mark(PASSWORD)}", Token({"secret": SECRET}))
    identity: str = rig.all("SELECT id FROM incident")[0][0]
    return identity


def everything(store: Store) -> bytes:
    """Each byte the database holds: the files of SQLite, or every row of every table as text and its blobs."""
    if store.dialect == "sqlite":
        base = Path(store.url.removeprefix("sqlite:///"))
        return b"".join(path.read_bytes() for path in base.parent.glob(f"{base.name}*"))
    found = []
    with psycopg.connect(store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)) as driver:
        tables = driver.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            for row in driver.execute(f'SELECT * FROM "{table}"'):  # type: ignore[arg-type]
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(found)


def test_planted_citizens_and_secrets_are_not_in_the_database(rig: Rig) -> None:
    plant(rig)
    held = everything(rig.store)
    assert b'"a"' in held, "the search works"
    for text in (NAME, PHONE, NUMBER, SECRET, PASSWORD):
        for form in (text, text[1:], text.encode("unicode_escape").decode()):
            assert form.encode() not in held, form
        assert text.encode("utf-16-le") not in held


def test_with_the_key_all_of_it_is_there(rig: Rig) -> None:
    identity = plant(rig)
    assert people_of(rig.store, identity) == [{"role": "reporter", "name": NAME, "phone": PHONE}]
    record = raw_of(rig.store, identity)
    assert record is not None
    assert msgspec.json.decode(record.raw)["no"] == NUMBER
    [entry] = list_quarantine(rig.store)
    assert PHONE.encode() in quarantined_raw(rig.store, entry.id).raw
    tokens = StoredTokens(rig.store, "me")
    token = tokens.get(f"host/app/{tokens.mark(PASSWORD)}")
    assert token is not None
    assert token.values == {"secret": SECRET}


def test_another_key_is_refused_before_anything_is_done(rig: Rig, store_url: str) -> None:
    plant(rig)
    other = Store(store_url, Keyring(OTHER))
    with pytest.raises(StoreVersionError):
        check_schema(other)
    other.close()


def test_another_key_opens_nothing(rig: Rig, store_url: str) -> None:
    identity = plant(rig)
    other = Store(store_url, Keyring(OTHER))
    for look in (lambda: raw_of(other, identity), lambda: people_of(other, identity)):
        with pytest.raises(StoreError):
            look()
    mine = StoredTokens(rig.store, "me").mark(PASSWORD)
    with pytest.raises(StoreError):
        StoredTokens(other, "me").get(f"host/app/{mine}")
    assert StoredTokens(other, "me").mark(PASSWORD) != mine, "passwords cannot be tried against it without the key"
    other.close()


def test_without_a_key_nothing_sealed_is_touched(store_url: str) -> None:
    open_store(store_url).close()
    keyless = Store(store_url)
    with pytest.raises(MisconfiguredError):
        _ = keyless.keyring
    keyless.close()


def flipped(blob: bytes, place: int) -> bytes:
    return blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]


TAMPERED = {
    "first byte": lambda blob: flipped(blob, 0),
    "in the middle": lambda blob: flipped(blob, len(blob) // 2),
    "last byte": lambda blob: flipped(blob, -1) if False else blob[:-1] + bytes([blob[-1] ^ 128]),
    "cut": lambda blob: blob[:-1],
    "cut to the nonce": lambda blob: blob[:12],
    "cut to less": lambda blob: blob[:3],
    "empty": lambda blob: b"",
    "longer": lambda blob: blob + b"\0",
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_tampered_blob_is_an_error_of_the_store(rig: Rig, tamper: object) -> None:
    identity = plant(rig)
    [(number, body)] = rig.all("SELECT id, body FROM raw_page")
    with rig.store.write() as transaction:
        transaction.run("UPDATE raw_page SET body = ? WHERE id = ?", (tamper(bytes(body)), number))  # type: ignore[operator]
    with pytest.raises(StoreError):
        raw_of(rig.store, identity)


def test_blob_does_not_open_in_another_ones_place(rig: Rig) -> None:
    identity = plant(rig)
    with rig.store.write() as transaction:
        transaction.run("UPDATE raw_page SET people = body")
    with pytest.raises(StoreError):
        people_of(rig.store, identity)


def test_equal_contents_are_sealed_differently() -> None:
    keyring = Keyring(KEY)
    assert keyring.seal([b"x"], "raw page") != keyring.seal([b"x"], "raw page")


def test_marks_need_the_key_and_forgive_case_and_blanks() -> None:
    one, other = keyed_marks(KEY), keyed_marks(OTHER)
    assert one(" 33070219700101123x ") == one("33070219700101123X")
    assert one(PHONE) != other(PHONE)


def test_errors_never_carry_what_was_sealed(rig: Rig, store_url: str) -> None:
    identity = plant(rig)
    other = Store(store_url, Keyring(OTHER))
    with pytest.raises(HubError) as caught:
        raw_of(other, identity)
    other.close()
    assert not any(text in str(caught.value) for text in (NAME, PHONE, NUMBER, SECRET))
    assert not isinstance(caught.value, ConfigError)
