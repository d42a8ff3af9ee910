"""Backups: what a restored store tells those who remember numbers of the one that was lost."""

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rig import KEY, START, Clock, open_store

from hub.config import RetentionSettings
from hub.errors import BreachedError, MisconfiguredError, StoreError
from hub.store.backup import backup, restore
from hub.store.crypto import Keyring
from hub.store.feed import changes_after, feed_head
from hub.store.migrate import upgrade
from hub.store.page import Change
from hub.store.retention import prune
from hub.store.store import Store, Transaction
from hub.store.write import append_changes


def tell(store: Store, *names: str) -> None:
    with store.write() as transaction:
        append_changes(transaction, [Change("insert", name, 1) for name in names], START)


def first_number(store: Store) -> int:
    with store.read() as transaction:
        return int(transaction.one("SELECT min(seq) FROM change_v1")[0])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A backup with three changes."""
    with closing(open_store(f"sqlite:///{tmp_path / 'lost.db'}")) as lost:
        tell(lost, "a", "b", "c")
        backup(lost, tmp_path / "backup.db")
    return tmp_path / "backup.db"


def test_a_backup_that_fails_leaves_nothing_behind(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise StoreError("the store has no room left")

    monkeypatch.setattr("hub.store.backup._go_on_counting", full)
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(StoreError):
        backup(store, folder / "backup.db")
    assert list(folder.iterdir()) == []


def test_a_backup_has_its_name_only_once_it_is_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kill at that instant leaves cannot be taken for a backup."""
    file, meanwhile = tmp_path / "backup.db", []

    def look(transaction: Transaction) -> None:
        meanwhile.append(file.exists())

    monkeypatch.setattr("hub.store.backup._go_on_counting", look)
    assert backup(store, file) == 0
    assert meanwhile == [False]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kept", [0, 300, 20_000], ids=["nothing", "half a head", "some pages"])
def test_a_backup_cut_short_is_told_as_the_backup(store: Store, file: Path, kept: int) -> None:
    """Not as the store, which is whole and may be filled from another one."""
    whole = file.read_bytes()
    file.write_bytes(whole[:kept])
    with pytest.raises((StoreError, MisconfiguredError), match=re.escape(str(file))):
        restore(store, file)
    file.write_bytes(whole)
    assert restore(store, file) == 0
    assert len(changes_after(store, first_number(store) - 1)) == 3


def test_a_restore_makes_nothing_beside_the_backup(store: Store, file: Path, tmp_path: Path) -> None:
    """It may lie on a medium, or in another user's folder, where nothing can be made."""
    folder = tmp_path / "kept"
    folder.mkdir()
    kept = file.rename(folder / file.name)
    made = folder.stat().st_mtime_ns
    assert restore(store, kept) == 0
    assert folder.stat().st_mtime_ns == made


def test_a_log_that_was_copied_with_a_store_is_restored_too(store: Store, tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'live.db'}")) as live:
        tell(live, "a", "b")
        copy = tmp_path / "copy.db"
        for end in ("", "-wal"):
            copy.with_name(f"copy.db{end}").write_bytes((tmp_path / f"live.db{end}").read_bytes())
    restore(store, copy)
    assert len(changes_after(store, first_number(store) - 1)) == 2


@pytest.fixture
def restored(file: Path, store_url: str, clock: Clock) -> Iterator[Store]:
    with closing(Store(store_url, Keyring(KEY))) as store:
        restore(store, file)
        yield store


def test_every_number_of_the_lost_store_is_told_to_begin_anew(restored: Store) -> None:
    """Three changes were saved, others were read and lost: the restored store makes other changes in their place."""
    for position in range(9):
        with pytest.raises(BreachedError):
            changes_after(restored, position)
    tell(restored, "d", "e")
    for position in range(9):
        with pytest.raises(BreachedError):
            changes_after(restored, position)


def test_the_restored_feed_is_whole_and_goes_on_without_a_gap(restored: Store) -> None:
    with restored.read() as transaction:
        (noted,) = transaction.one("SELECT max(seq) FROM change_v1")
    assert noted == feed_head(restored) < 2**53
    assert changes_after(restored, noted) == []
    tell(restored, "d")
    found = changes_after(restored, first_number(restored) - 1)
    assert [change.id for change in found] == ["a", "b", "c", "d"]
    assert [change.seq for change in found] == list(range(noted - 2, noted + 2))


def test_the_floor_stays_above_the_old_numbers_when_the_feed_is_pruned(restored: Store) -> None:
    tell(restored, "d")
    later = datetime.fromtimestamp(START / 1000, UTC) + timedelta(days=9)
    prune(restored, RetentionSettings(feed=timedelta(days=1)), later)
    with pytest.raises(BreachedError):
        changes_after(restored, 10**9)
    assert [change.id for change in changes_after(restored, feed_head(restored) - 1)] == ["d"]


def test_two_restores_of_one_backup_share_no_number(restored: Store, file: Path, tmp_path: Path, clock: Clock) -> None:
    tell(restored, "d", "e")
    clock.pass_(timedelta(seconds=1))
    with closing(Store(f"sqlite:///{tmp_path / 'again.db'}", Keyring(KEY))) as again:
        restore(again, file)
        assert first_number(again) > feed_head(restored)


def test_a_clock_far_behind_gives_no_old_number(file: Path, tmp_path: Path, clock: Clock) -> None:
    clock.now = 0
    with closing(Store(f"sqlite:///{tmp_path / 'behind.db'}", Keyring(KEY))) as store:
        upgrade(store)
        restore(store, file)
        with pytest.raises(BreachedError):
            changes_after(store, 1000)
