"""What keeps a store from being used, found without changing anything: no file is made, no key is bound, nothing waits."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import make_url

from hub.config import Settings
from hub.config.keyfile import pending_key
from hub.errors import HubError, StoreError, StoreVersionError
from hub.store.crypto import Keyring
from hub.store.migrate import check_schema
from hub.store.store import Store

__all__ = ["look"]


def look(settings: Settings) -> Iterator[HubError]:
    """The key first; then whether the database is there, can be written to, and has this hub's schema and that key."""
    keyring = None
    try:
        keyring = Keyring(settings.store.secret_key(), pending_key(settings))
    except HubError as error:
        yield error
    try:
        with closing(Store(settings.store.url, keyring, read_only=True)) as store:
            _check_file(store)
            check_schema(store)
    except HubError as error:
        yield error


def _check_file(store: Store) -> None:
    """SQLite's file, those it keeps beside it, and the folder it makes them in."""
    if store.dialect != "sqlite":
        return
    file = Path(str(make_url(store.url).database))
    for folder in reversed(file.parents):
        # Whether anything is in it nobody can say.
        if os.path.exists(folder) and not os.access(folder, os.X_OK):
            raise StoreError(
                "the store is in {folder}, which the user {user} cannot enter", folder=folder, user=os.geteuid(),
                remedy="give it to the user the hub runs as, or run this command as that user",
            )  # fmt: skip
    if not file.exists():
        raise StoreVersionError("the store {file} does not exist", remedy="run hub upgrade", file=file)
    beside = [path for path in (file.with_name(file.name + end) for end in ("-wal", "-shm")) if path.exists()]
    for path in (file, *beside, file.parent):
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(
                "{path} of the store cannot be written to by the user {user}", path=path, user=os.geteuid(),
                remedy="give it to the user the hub runs as, or run this command as that user",
            )  # fmt: skip
