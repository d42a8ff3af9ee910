"""Tokens of sources, shared by every process on this store, sealed; and the ledger of dropped files."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from hub.clock import now_ms
from hub.errors import BusyError
from hub.source.connector import Token
from hub.store.leases import acquire, release
from hub.store.store import Store

__all__ = ["StoredFiles", "StoredTokens"]

_REFRESH_LEASE_MS = 30_000
_WAIT_S = 0.1
#: A token read so lately is not looked up again: details are asked for hundreds of times a second, and of a token that another
#: process exchanged meanwhile the source itself says that it is no good any more.
_KEPT_S = 1.0


class StoredTokens:
    """`hub.source.TokenStore` on the store; under (host, appKey), which two clients would fight over, and the mark
    of the credentials."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store, self._owner = store, owner
        self._kept: dict[str, tuple[float, Token]] = {}
        self._dropped, self._keeping = 0, threading.Lock()

    def mark(self, credentials: str) -> str:
        return self._store.keyring.mark(credentials, "credentials")

    def get(self, key: str) -> Token | None:
        at, token = self._kept.get(key, (0.0, None))
        if token is not None and time.monotonic() - at < _KEPT_S:
            return token
        dropped, token = self._dropped, self._read(key)
        with self._keeping:
            # What was read before another thread dropped it is of no use to the next.
            if token is not None and dropped == self._dropped:
                self._kept[key] = (time.monotonic(), token)
        return token

    def _drop(self) -> None:
        with self._keeping:
            self._dropped += 1
            self._kept.clear()

    def _read(self, key: str) -> Token | None:
        with self._store.read() as transaction:
            row = transaction.one("SELECT body, expires_at FROM token WHERE name = ?", (key,))
        if row is None:
            return None
        values = self._store.keyring.open(row[0], "token", dict[str, str])
        return Token(values, datetime.fromtimestamp(row[1] / 1000, UTC) if row[1] is not None else None)

    def put(self, key: str, token: Token) -> None:
        sealed = self._store.keyring.seal(token.values, "token")
        expires = int(token.expires_at.timestamp() * 1000) if token.expires_at else None
        with self._store.write() as transaction:
            transaction.run(
                "INSERT INTO token (name, body, expires_at) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET body = excluded.body, expires_at = excluded.expires_at",
                (key, sealed, expires),
            )
        self._drop()

    def forget(self, key: str, token: Token) -> None:
        with self._store.write() as transaction:
            row = transaction.one("SELECT body FROM token WHERE name = ?", (key,))
            if row is not None and self._store.keyring.open(row[0], "token", dict[str, str]) == token.values:
                transaction.run("DELETE FROM token WHERE name = ?", (key,))
        self._drop()

    @contextmanager
    def refreshing(self, account: str) -> Iterator[None]:
        """Hold the refresh lease of an account, waiting for whoever has it. Never called inside a page's transaction."""
        while True:
            try:
                lease = acquire(self._store, f"token:{account}", self._owner, _REFRESH_LEASE_MS, now_ms())
                self._drop()
                break
            except BusyError:
                time.sleep(_WAIT_S)
        try:
            yield
        finally:
            release(self._store, lease)


class StoredFiles:
    """`hub.source.FileLedger` on the store: which dropped files of a source are done with, by content. `key` tells what the
    store calls the source."""

    def __init__(self, store: Store, key: Callable[[], str]) -> None:
        self._store, self._key = store, key

    def seen(self, sha256: str) -> bool:
        source = self._key()
        with self._store.read() as transaction:
            row = transaction.one("SELECT 1 FROM dropped_file WHERE source = ? AND sha256 = ?", (source, sha256))
        return row is not None
