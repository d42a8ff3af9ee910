"""Sealing what must not be readable in the database file: raw pages, people, tokens.

One secret of 32 bytes (`secrets/store.key`); the key for sealing is derived from it (HKDF-SHA256).
Every sealed raw page stands beside the id of the key that sealed it.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.errors import StoreError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Keyring", "keyed_marks"]

Type = TypeVar("Type")
_NONCE = 12


class Keyring:
    """Seals and opens blobs. `secret`: the store's 32 bytes. `other`: a second secret whose blobs can be
    opened as well, while a rotation from one to the other is under way."""

    def __init__(self, secret: bytes, other: bytes | None = None) -> None:
        self.key_id = _key_id(secret)
        self._seal = AESGCM(_derive(secret, b"seal"))
        self._opens = [self._seal] + ([AESGCM(_derive(other, b"seal"))] if other is not None else [])
        self.key_ids = (self.key_id, *([_key_id(other)] if other is not None else []))

    def seal(self, value: object, purpose: str) -> bytes:
        """MessagePack, zstd level 1, AES-GCM; `purpose` is bound to the blob, so that none can be put in another's place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, zstd.compress(msgspec.msgpack.encode(value), 1), purpose.encode())

    def open(self, blob: bytes, purpose: str, type_: type[Type]) -> Type:
        """What `seal` sealed. StoreError if the key is another one or the blob was altered."""
        for cipher in self._opens:
            try:
                packed = cipher.decrypt(blob[:_NONCE], blob[_NONCE:], purpose.encode())
            except (InvalidTag, ValueError):  # ValueError: cut to less than a nonce
                continue
            return msgspec.msgpack.decode(zstd.decompress(packed), type=type_)
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


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"supervision-hub", info=purpose).derive(master)
