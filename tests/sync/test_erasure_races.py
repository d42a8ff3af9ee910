"""A sync, a remap, an erasure or a change of the key, while another of them is at the same raw pages."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from rig import KEY, MAPPING, START, Mortal, Rig, write_mapping
from upstream import Upstream

from hub.errors import Outcome, StoreVersionError
from hub.store import erasure, write
from hub.store.crypto import Keyring
from hub.store.erasure import erase_person, find_person
from hub.store.raw import open_page, people_of, raw_of
from hub.store.rotation import rotate
from hub.store.store import Store
from hub.sync import remap as remapping
from hub.sync.remap import remap

HOUR = 3_600_000
PHONE, NAME, OTHER = "13900007788", "测试寅", "测试卯"
OTHER_KEY = bytes(range(1, 33))
#: Another mapping: what was the reporter's phone is their account.
ACCOUNTS = MAPPING.replace("phone = {", "account = {")


def once_before(patch: pytest.MonkeyPatch, module: Any, name: str, action: Callable[[], object]) -> None:
    """Let something happen before the next call of this function of a module, and only then."""
    called = getattr(module, name)

    def racing(*arguments: Any) -> Any:
        patch.setattr(module, name, called)
        action()
        return called(*arguments)

    patch.setattr(module, name, racing)


@contextmanager
def in_the_middle_of_a_page(patch: pytest.MonkeyPatch, action: Callable[[], object]) -> Iterator[None]:
    """Let somebody else begin something while the next page is being stored, shortly before its commit; waits for its end."""
    with ThreadPoolExecutor(1) as pool:
        begun: list[Future[object]] = []

        def begin() -> None:
            begun.append(pool.submit(action))
            # Time enough to go wrong, were it not made to wait.
            wait(begun, timeout=0.5)

        once_before(patch, write, "append_changes", begin)
        yield
        assert begun
        begun[0].result()


def opened_by(key: bytes, rig: Rig, store_url: str) -> int:
    """How many raw pages there are; all of them open with this key alone."""
    with closing(Store(store_url, Keyring(key))) as store:
        pages = [open_page(store, number) for (number,) in rig.all("SELECT id FROM raw_page")]
    return len(pages)


@pytest.mark.parametrize("finished", [False, True], ids=["under way", "finished"])
def test_a_remap_beside_a_rotation_leaves_nothing_under_the_former_key(
    rig: Rig, upstream: Upstream, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: bool
) -> None:
    upstream.put("x", START - HOUR, who=NAME, phone=PHONE)
    rig.run()
    both = Keyring(OTHER_KEY, KEY)

    def stop(count: int) -> None:
        if not finished:
            raise InterruptedError

    def turn() -> None:
        with closing(Store(store_url, both)) as other:
            try:
                rotate(other, both, stop)
            except InterruptedError:
                assert not finished

    rig.mappings = write_mapping(tmp_path / "newer", ACCOUNTS)
    once_before(monkeypatch, remapping, "write_page", turn)
    refused = Outcome.MISCONFIGURED if finished else Outcome.FAILED
    assert remap(rig.store, rig.job, "me").run.outcome is refused
    with closing(Store(store_url, both)) as other:
        rotate(other, both, lambda count: None)
    assert opened_by(OTHER_KEY, rig, store_url) == 1
    with closing(Store(store_url, Keyring(OTHER_KEY))) as new:
        assert len(find_person(new, NAME)) == 1


def test_a_remap_that_knows_both_keys_goes_on_beside_a_rotation(
    rig: Rig, upstream: Upstream, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started after the rotation had begun. What it puts back under the former key, the rotation finds again."""
    upstream.put("x", START - HOUR, who=NAME, phone=PHONE)
    rig.run()
    both = Keyring(OTHER_KEY, KEY)

    def stop(count: int) -> None:
        raise InterruptedError

    rig.mappings = write_mapping(tmp_path / "newer", ACCOUNTS)
    with closing(Store(store_url, both)) as other, closing(Store(store_url, Keyring(KEY, OTHER_KEY))) as started:
        with pytest.raises(InterruptedError):
            rotate(other, both, stop)
        assert remap(started, rig.job, "me").run.outcome is Outcome.OK
        rotate(other, both, lambda count: None)
    assert opened_by(OTHER_KEY, rig, store_url) == 1


def test_a_process_that_knows_both_keys_seals_nothing_with_the_former_one(
    rig: Rig, upstream: Upstream, store_url: str
) -> None:
    """It was started while the rotation was under way, and goes on after its end."""
    upstream.put("x", START - HOUR)
    rig.run()
    both = Keyring(OTHER_KEY, KEY)
    with closing(Store(store_url, both)) as other:
        rotate(other, both, lambda count: None)
    with closing(Store(store_url, Keyring(KEY, OTHER_KEY))) as late:
        rig.store = late
        upstream.put("y", START - HOUR)
        assert rig.run().outcome is Outcome.MISCONFIGURED
        with pytest.raises(StoreVersionError):
            erase_person(late, NAME, START)
        assert opened_by(OTHER_KEY, rig, store_url) == 1


def test_a_rotation_does_not_end_before_a_page_that_is_being_stored(
    rig: Rig, upstream: Upstream, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Keyring(OTHER_KEY, KEY)

    def turn() -> None:
        with closing(Store(store_url, both)) as other:
            rotate(other, both, lambda count: None)

    upstream.put("x", START - HOUR)
    with in_the_middle_of_a_page(monkeypatch, turn):
        rig.run()
    assert opened_by(OTHER_KEY, rig, store_url) == 1


def test_an_erasure_at_the_end_of_a_rotation_leaves_nothing_under_the_former_key(
    rig: Rig, upstream: Upstream, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.put("x", START - HOUR, who=NAME, phone=PHONE)
    rig.run()
    both = Keyring(OTHER_KEY, KEY)

    def turn() -> None:
        with closing(Store(store_url, both)) as other:
            rotate(other, both, lambda count: None)

    once_before(monkeypatch, erasure, "_store_page", turn)
    with pytest.raises(StoreVersionError):
        erase_person(rig.store, NAME, START)
    assert opened_by(OTHER_KEY, rig, store_url) == 1


def test_two_erasures_on_the_same_page_undo_nothing_of_each_other(
    rig: Rig, upstream: Upstream, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.put("x", START - HOUR, who=NAME)
    upstream.put("y", START - HOUR, who=OTHER)
    rig.run()
    with closing(Store(store_url, Keyring(KEY))) as beside:
        once_before(monkeypatch, erasure, "_store_page", lambda: erase_person(beside, OTHER, START))
        assert erase_person(rig.store, NAME, START).records == 1
    assert find_person(rig.store, NAME) == find_person(rig.store, OTHER) == []
    [(number,)] = rig.all("SELECT id FROM raw_page")
    assert OTHER.encode() not in b"".join(open_page(rig.store, number).slices)


def test_an_erasure_while_a_remap_is_under_way_stands(
    rig: Rig, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.put("x", START - HOUR, who=NAME, phone=PHONE)
    upstream.put("y", START - HOUR, who=OTHER, phone="13900001122")
    rig.run()
    rig.mappings = write_mapping(tmp_path / "newer", ACCOUNTS.replace('name = { path = "who", optional = true }\n', ""))
    once_before(monkeypatch, remapping, "write_page", lambda: erase_person(rig.store, NAME, START))
    result = remap(rig.store, rig.job, "me")
    assert (result.run.outcome, result.run.counts.fetched, result.run.pages) == (Outcome.OK, 2, 1)
    assert find_person(rig.store, PHONE) == []
    [(identity,)] = rig.all("SELECT id FROM incident WHERE native_id = '\"y\"'")
    assert people_of(rig.store, identity) == [{"role": "reporter", "account": "13900001122"}]


def test_a_remap_gives_all_records_of_a_page_their_people(
    rig: Rig, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is closed in the middle of a batch, for others to be opened, and opened again keeps what it got before."""
    monkeypatch.setattr(remapping, "_PAGES_OPEN", 1)
    for name in ("a", "b", "c"):
        upstream.put(name, START - HOUR, phone=f"139000000{ord(name)}")
    rig.run()
    upstream.put("b", START - HOUR + 1, phone="13900000099")
    rig.run()
    rig.mappings = write_mapping(tmp_path / "newer", ACCOUNTS)
    assert remap(rig.store, rig.job, "me").run.outcome is Outcome.OK
    identities = [row[0] for row in rig.all("SELECT id FROM incident ORDER BY native_id")]
    accounts = [people_of(rig.store, identity)[0].get("account") for identity in identities]
    assert accounts == ["13900000097", "13900000099", "13900000099"]


def test_batches_of_a_remap_share_a_page(
    rig: Rig, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remapping, "_BATCH", 1)
    for name in ("a", "b"):
        upstream.put(name, START - HOUR, phone=PHONE)
    rig.run()
    rig.mappings = write_mapping(tmp_path / "newer", ACCOUNTS)
    result = remap(rig.store, rig.job, "me")
    assert (result.run.outcome, result.run.pages) == (Outcome.OK, 2)
    for (identity,) in rig.all("SELECT id FROM incident"):
        assert people_of(rig.store, identity) == [{"role": "reporter", "account": PHONE}]


def test_a_remap_does_not_bring_erased_people_back(rig: Rig, upstream: Upstream, tmp_path: Path) -> None:
    """The former mapping did not look where the newer one finds them; their words go from the raw record too."""
    erase_person(rig.store, NAME, START)
    upstream.put("x", START - HOUR, who=OTHER, helper=NAME)
    rig.run()
    rig.mappings = write_mapping(
        tmp_path / "newer", MAPPING + '[[people]]\nname = { path = "helper", optional = true }\n'
    )
    assert remap(rig.store, rig.job, "me").run.outcome is Outcome.OK
    assert find_person(rig.store, NAME) == []
    [(identity,)] = rig.all("SELECT id FROM incident")
    assert people_of(rig.store, identity) == [{"role": "reporter", "name": OTHER}, {"role": "erased"}]
    record = raw_of(rig.store, identity)
    assert record is not None
    assert NAME.encode() not in record.raw


@pytest.mark.parametrize("place", range(1, 7))
def test_whoever_is_erased_while_a_page_is_made_is_not_stored(
    rig: Rig, upstream: Upstream, store_url: str, place: int
) -> None:
    """The erasure comes before each write transaction of a run in turn, so also after the page was rid of the erased."""
    upstream.put("x", START - HOUR, who=NAME, phone=PHONE)
    assert isinstance(rig.store, Mortal)
    rig.store.live()
    with closing(Store(store_url, Keyring(KEY))) as other:
        rig.store.before_write = lambda number: number == place and erase_person(other, NAME, START)
        assert rig.run().outcome is Outcome.OK
        rig.store.before_write = lambda number: None
        if rig.store.writes < place:
            erase_person(other, NAME, START)
    assert rig.all("SELECT count(*) FROM erased") == [(1,)]
    assert find_person(rig.store, NAME) == []
    rig.check()


def test_an_erasure_finds_a_page_that_is_being_stored(
    rig: Rig, upstream: Upstream, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def erase() -> int:
        with closing(Store(store_url, Keyring(KEY))) as other:
            return erase_person(other, NAME, START).records

    upstream.put("x", START - HOUR, who=NAME)
    with in_the_middle_of_a_page(monkeypatch, erase):
        assert rig.run().outcome is Outcome.OK
    assert find_person(rig.store, NAME) == []
