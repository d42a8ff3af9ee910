"""People: sealed in the database, found and erased for good, and the key that seals them changed under way."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from rig import KEY, START, Mortal, Rig, Sudden
from upstream import Upstream

from hub.errors import MisconfiguredError, Outcome, StoreError, StoreVersionError
from hub.store.backup import backup
from hub.store.crypto import Keyring
from hub.store.erasure import erase_person, find_person
from hub.store.migrate import check_schema
from hub.store.quarantine import list_quarantine, quarantined_raw
from hub.store.raw import people_of, raw_of
from hub.store.rotation import key_of, rotate
from hub.store.store import Store
from hub.store.tables import metadata
from hub.sync.remap import remap

HOUR = 3_600_000
PHONE, NAME = "13900007788", "测试寅"
OTHER_KEY = bytes(range(1, 33))


def fill(upstream: Upstream) -> None:
    upstream.put("kept", START - HOUR, who="测试卯", phone="13900001122")
    upstream.put("gone", START - HOUR + 1000, who=NAME, phone=PHONE, title=f"call {PHONE}")


def identity(rig: Rig, native_id: str) -> str:
    [(found,)] = rig.all("SELECT id FROM incident WHERE native_id = ?", f'"{native_id}"')
    return str(found)


def test_found_by_whole_name_or_number_only(rig: Rig, upstream: Upstream) -> None:
    fill(upstream)
    rig.run()
    assert [place.incident for place in find_person(rig.store, f" {PHONE} ")] == [identity(rig, "gone")]
    assert [place.roles for place in find_person(rig.store, NAME)] == [("reporter",)]
    assert find_person(rig.store, PHONE[:-1]) == []


def test_erased_from_people_and_raw_of_every_version(rig: Rig, upstream: Upstream) -> None:
    fill(upstream)
    rig.run()
    upstream.put("gone", START - HOUR + 2000, who=NAME, phone=PHONE, title="again")
    rig.run()
    erased = erase_person(rig.store, PHONE, START)
    assert (erased.records, erased.quarantined) == (2, 0)
    assert find_person(rig.store, NAME) == []
    assert people_of(rig.store, identity(rig, "kept"))[0]["name"] == "测试卯"
    for revision in (1, 2):
        record = raw_of(rig.store, identity(rig, "gone"), revision)
        assert record is not None
        assert PHONE.encode() not in record.raw
        assert NAME.encode() not in record.raw
    assert erase_person(rig.store, PHONE, START).records == 0


def test_later_syncs_do_not_bring_them_back(rig: Rig, upstream: Upstream) -> None:
    fill(upstream)
    rig.run()
    erase_person(rig.store, PHONE, START)
    upstream.put("gone", START - HOUR + 2000, who=NAME, phone=PHONE, title="changed")
    upstream.put("new", START - HOUR + 2000, who=NAME, phone=PHONE)
    assert rig.run().outcome is Outcome.OK
    assert find_person(rig.store, PHONE) == []
    assert find_person(rig.store, NAME) == []
    assert people_of(rig.store, identity(rig, "new")) == [{"role": "erased"}]
    assert rig.living()['"gone"'][0] == "changed"


@pytest.mark.parametrize("escaped", [False, True], ids=["as UTF-8", "as escapes"])
def test_erased_from_quarantine(rig: Rig, upstream: Upstream, escaped: bool) -> None:
    name = NAME.encode("unicode_escape") if escaped else NAME.encode()
    upstream.records.append(
        {"id": "bad", "at": START - HOUR, "raw": b'{"id": "bad", "at": "x", "who": "' + name + b'"}'}
    )
    rig.run()
    assert erase_person(rig.store, NAME, START).quarantined == 1


def withdraw(rig: Rig, upstream: Upstream) -> None:
    """A record of a log, and its end with all its words; of ends only the key is read."""
    rig.shape(log=True, complete=False, operation="op", deletes=("d",))
    upstream.put("gone", START - HOUR, op="i")
    rig.run()
    upstream.put("gone", START - HOUR + 1, op="d", who=NAME, title=f"{NAME}'s call", more={"phone": PHONE})
    rig.run()


def test_erased_from_withdrawals(rig: Rig, upstream: Upstream) -> None:
    withdraw(rig, upstream)
    erased = erase_person(rig.store, f" {NAME}", START)
    assert (erased.records, erased.pages, erased.quarantined) == (1, 1, 0)
    assert erase_person(rig.store, NAME, START).records == 0
    record = raw_of(rig.store, identity(rig, "gone"))
    assert record is not None
    assert json.loads(record.raw)["title"] == "***'s call"
    assert PHONE.encode() in record.raw, "nothing says whose it is"


def test_later_withdrawals_do_not_bring_them_back(rig: Rig, upstream: Upstream) -> None:
    erase_person(rig.store, NAME, START)
    erase_person(rig.store, PHONE, START)
    withdraw(rig, upstream)
    record = raw_of(rig.store, identity(rig, "gone"))
    assert record is not None
    assert json.loads(record.raw)["who"] == "***"
    assert json.loads(record.raw)["more"] == {"phone": "***"}


@pytest.mark.parametrize(
    "who",
    [
        f'"who": "{NAME}"',
        f'"who": "{NAME.encode("unicode_escape").decode()}"',
        f'"who": "{{\\"name\\": \\"{NAME}\\"}}"',
        f'"half": "\\ud83d", "who": ["{NAME}"]',
        f'"who": "{NAME}", broken',
        f'"who": {NAME}',
    ],
    ids=["UTF-8", "escapes", "JSON in JSON", "beside half a character", "not JSON", "not quoted"],
)
def test_what_comes_to_quarantine_later_is_without_them(rig: Rig, upstream: Upstream, who: str) -> None:
    erase_person(rig.store, NAME, START)
    bad = f'{{"id": "bad", "at": "x", "subject": "{NAME}的店", {who}}}'.encode()
    upstream.records.append({"id": "bad", "at": START - HOUR, "raw": bad})
    rig.run()
    [row] = list_quarantine(rig.store)
    kept = quarantined_raw(rig.store, row.id).raw
    assert b"***" in kept
    assert NAME.encode() not in kept
    assert NAME.encode("unicode_escape") not in kept


def test_records_without_people_keep_what_only_contains_an_erased_name(rig: Rig, upstream: Upstream) -> None:
    erase_person(rig.store, NAME, START)
    upstream.put("x", START - HOUR, subject=f"{NAME}的店")
    rig.run()
    rig.check_raw()
    erase_person(rig.store, NAME, START)
    rig.check_raw()


@pytest.mark.parametrize("name", [NAME, "寅A", "𠮷野", 'A"\\寅'])
@pytest.mark.parametrize("inner", [False, True], ids=["UTF-8", "escapes"])
@pytest.mark.parametrize("outer", [False, True], ids=["in UTF-8", "in escapes"])
def test_erased_from_json_that_is_a_text_in_json(
    rig: Rig, upstream: Upstream, name: str, inner: bool, outer: bool
) -> None:
    within = json.dumps({"said": f"call {name}"}, ensure_ascii=inner)
    raw = json.dumps({"id": "x", "at": START - HOUR, "who": name, "more": within}, ensure_ascii=outer).encode()
    upstream.records.append({"id": "x", "at": START - HOUR, "raw": raw})
    rig.run()
    assert erase_person(rig.store, name, START).records == 1
    record = raw_of(rig.store, identity(rig, "x"))
    assert record is not None
    assert json.loads(json.loads(record.raw)["more"]) == {"said": "call ***"}


SPELT = {
    "PHP": rb'"O\u0027Neil\/\u5bc5"',
    "Java": b'"O\\u0027Neil/%s"' % "\u5bc5".encode(),
    "capital escapes": rb'"O\u0027Neil\u002F\u5BC5"',
    "XML in it": b'"<who>O&apos;Neil/&#23493;</who>"',
    "XML in it, hexadecimal": b'"<who>O&#x27;Neil&#x2f;&#x5BC5;</who>"',
}


@pytest.mark.parametrize("spelt", SPELT.values(), ids=SPELT)
def test_erased_however_a_source_writes_its_signs(rig: Rig, upstream: Upstream, spelt: bytes) -> None:
    """Everything that needs no escape may have one all the same; what the mapping read is the name itself."""
    raw = b'{"id":"x","at":%d,"who":"O\'Neil/%s","more":[%s]}' % (START - HOUR, "\u5bc5".encode(), spelt)
    upstream.records.append({"id": "x", "at": START - HOUR, "raw": raw})
    rig.run()
    assert erase_person(rig.store, "O'Neil/\u5bc5", START).records == 1
    record = raw_of(rig.store, identity(rig, "x"))
    assert record is not None
    assert b"Neil" not in record.raw
    assert json.loads(record.raw)["more"][0].replace("<who>", "").replace("</who>", "") == "***"


def test_a_number_without_quotes_is_erased_and_the_rest_can_be_read(rig: Rig, upstream: Upstream) -> None:
    raw = b'{"id":"x","at":%d,"phone":%s,"title":"%s, again"}' % (START - HOUR, PHONE.encode(), PHONE.encode())
    upstream.records.append({"id": "x", "at": START - HOUR, "raw": raw})
    rig.run()
    erase_person(rig.store, PHONE, START)
    record = raw_of(rig.store, identity(rig, "x"))
    assert record is not None
    assert json.loads(record.raw) == {"id": "x", "at": START - HOUR, "phone": "***", "title": "***, again"}
    assert remap(rig.store, rig.job, "one").unmappable == 0


def test_a_text_too_short_is_refused(rig: Rig) -> None:
    with pytest.raises(MisconfiguredError):
        erase_person(rig.store, " 王 ", START)


def test_nothing_of_people_lies_in_the_database(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    fill(upstream)
    bad = f'{{"id": "bad", "at": "x", "who": "{NAME}"}}'.encode()
    upstream.records.append({"id": "bad", "at": START - HOUR, "raw": bad})
    rig.run()
    written = repr([rig.all(f"SELECT * FROM {table}") for table in metadata.tables]).encode()
    rig.store.close()
    written += b"".join(path.read_bytes() for path in tmp_path.glob("hub.db*"))
    for planted in (PHONE.encode(), NAME.encode(), NAME.encode("unicode_escape"), repr(NAME.encode())[2:-1].encode()):
        assert planted not in written


@pytest.mark.parametrize("number", range(1, 5))
@pytest.mark.parametrize("committed", [False, True], ids=["before commit", "after commit"])
def test_rotation_killed_anywhere_is_gone_on_with(
    rig: Rig, upstream: Upstream, store_url: str, monkeypatch: pytest.MonkeyPatch, number: int, committed: bool
) -> None:
    monkeypatch.setattr("hub.store.rotation._BATCH", 1)
    upstream.size = 1
    fill(upstream)
    rig.run()
    erase_person(rig.store, "13900009999", START)
    both = Keyring(OTHER_KEY, KEY)
    store = Mortal(store_url, both)
    store.live(number, committed=committed)
    try:
        rotate(store, both, lambda count: None)
    except Sudden:
        with closing(Store(store_url, both)) as half_way:
            assert people_of(half_way, identity(rig, "gone"))[0]["phone"] == PHONE
    store.live()
    rotate(store, both, lambda count: None)
    assert key_of(store) == both.key_id
    with_new_only = Store(store_url, Keyring(OTHER_KEY))
    check_schema(with_new_only)
    assert people_of(with_new_only, identity(rig, "gone"))[0]["phone"] == PHONE
    assert find_person(with_new_only, PHONE) != []
    with pytest.raises(StoreVersionError):
        check_schema(rig.store)
    upstream.put("late", START - HOUR + 5000)
    assert rig.run().outcome is Outcome.MISCONFIGURED
    rig.store = with_new_only
    upstream.put("gone2", START - HOUR + 6000, phone="13900009999")
    assert rig.run().outcome is Outcome.OK
    assert find_person(with_new_only, "13900009999") == []
    for opened in (with_new_only, store):
        opened.close()


def test_another_key_opens_nothing(rig: Rig, upstream: Upstream, store_url: str) -> None:
    fill(upstream)
    rig.run()
    stranger = Store(store_url, Keyring(OTHER_KEY))
    with pytest.raises(StoreError):
        raw_of(stranger, identity(rig, "kept"))
    with pytest.raises(StoreVersionError):
        check_schema(stranger)
    with pytest.raises(MisconfiguredError):
        rotate(stranger, stranger.keyring, lambda count: None)
    stranger.close()


def test_an_altered_blob_is_refused(rig: Rig, upstream: Upstream) -> None:
    fill(upstream)
    rig.run()
    with rig.store.write() as transaction:
        [(number, body)] = transaction.all("SELECT id, body FROM raw_page")
        altered = bytes(body)[:-1] + bytes([bytes(body)[-1] ^ 1])
        transaction.run("UPDATE raw_page SET body = ? WHERE id = ?", (altered, number))
    with pytest.raises(StoreError):
        raw_of(rig.store, identity(rig, "kept"))


def test_no_backup_is_made_of_a_store_that_has_two_keys(
    rig: Rig, upstream: Upstream, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever key was kept beside it, a half of its raw records could never be opened."""
    monkeypatch.setattr("hub.store.rotation._BATCH", 1)
    upstream.size = 1
    fill(upstream)
    rig.run()
    both = Keyring(OTHER_KEY, KEY)
    store = Mortal(store_url, both)
    store.live(1, committed=True)
    with pytest.raises(Sudden):
        rotate(store, both, lambda count: None)
    store.live()
    with pytest.raises(MisconfiguredError, match="neither key"):
        backup(store, tmp_path / "backup.db")
    assert not list(tmp_path.glob("backup.db*"))
    rotate(store, both, lambda count: None)
    assert backup(store, tmp_path / "backup.db") == 2
    store.close()
