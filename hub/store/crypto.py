"""Sealing what must not be readable in the database file: raw pages, people, tokens.

One secret of 32 bytes (`secrets/store.key`); the key for sealing is derived from it (HKDF-SHA256).
Every sealed raw page stands beside the id of the key that sealed it.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import msgspec

from hub.errors import StoreError

if TYPE_CHECKING:
    from hub.store.cipher import Cipher

__all__ = ["Keyring", "keyed_marks"]

Type = TypeVar("Type")


class Keyring:
    """Seals and opens blobs. `secret`: the store's 32 bytes. `other`: a second secret whose blobs can be opened as well, while a
    rotation from one to the other is under way."""

    def __init__(self, secret: bytes, other: bytes | None = None) -> None:
        self._secrets = (secret,) if other is None else (secret, other)
        self.key_ids = tuple(map(_key_id, self._secrets))
        self.key_id = self.key_ids[0]

    @cached_property
    def _ciphers(self) -> "list[Cipher]":
        from hub.store.cipher import Cipher

        return [Cipher(secret) for secret in self._secrets]

    def seal(self, value: object, purpose: str) -> bytes:
        """MessagePack, compressed and encrypted; `purpose` is bound to the blob, so that none can be put in another's place."""
        return self._ciphers[0].seal(msgspec.msgpack.encode(value), purpose)

    def mark(self, text: str, purpose: str) -> str:
        """By what a secret is known again without being stored: BLAKE2b under the store's secret and a `purpose` (16 bytes)."""
        person, key = purpose.encode(), self._secrets[0]
        return hashlib.blake2b(text.encode(), digest_size=16, key=key, person=person).hexdigest()

    def open(self, blob: bytes, purpose: str, type_: type[Type]) -> Type:
        """What `seal` sealed. StoreError if the key is another one or the blob was altered."""
        for cipher in self._ciphers:
            if (data := cipher.open(blob, purpose)) is not None:
                return msgspec.msgpack.decode(data, type=type_)
        raise StoreError("a sealed {purpose} cannot be opened with this key", purpose=purpose)


def keyed_marks(key: bytes) -> Callable[[str], bytes]:
    """Makes eight bytes by which a name, phone or ID number is known again without being stored: BLAKE2b of the text, blanks at
    its ends and case left aside, under a key of 32 bytes."""
    begun = hashlib.blake2b(digest_size=8, key=key)

    def mark(text: str) -> bytes:
        marking = begun.copy()
        marking.update(text.strip().upper().encode())
        return marking.digest()

    return mark


def _key_id(secret: bytes) -> str:
    return hashlib.sha256(b"key id" + secret).hexdigest()[:16]
