"""Sealing what must not be readable in the database file: raw pages, people, tokens.

One secret of 32 bytes (`secrets/store.key`); the keys for sealing and for searching are derived from it (HKDF-SHA256).
Every sealed raw page stands beside the id of the key that sealed it.
"""

import hashlib
import os
import sys
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

__all__ = ["Keyring"]

Type = TypeVar("Type")
_NONCE = 12


class Keyring:
    """Seals and opens blobs, makes search marks. `secret`: the store's 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self.key_id = hashlib.sha256(b"key id" + secret).hexdigest()[:16]
        self._seal = AESGCM(_derive(secret, b"seal"))
        self._search = _derive(secret, b"search")

    def seal(self, value: object, purpose: str) -> bytes:
        """MessagePack, zstd level 1, AES-GCM; `purpose` is bound to the blob, so that none can be put in another's place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._seal.encrypt(nonce, zstd.compress(msgspec.msgpack.encode(value), 1), purpose.encode())

    def open(self, blob: bytes, purpose: str, type_: type[Type]) -> Type:
        """What `seal` sealed. StoreError if the key is another one or the blob was altered."""
        try:
            packed = self._seal.decrypt(blob[:_NONCE], blob[_NONCE:], purpose.encode())
        except InvalidTag as error:
            raise StoreError("a sealed {purpose} cannot be opened with this key", purpose=purpose) from error
        return msgspec.msgpack.decode(zstd.decompress(packed), type=type_)

    def mark(self, text: str) -> bytes:
        """Eight bytes by which a name, phone or ID number can be found again without storing it."""
        return hashlib.blake2b(text.strip().upper().encode(), digest_size=8, key=self._search).digest()


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=b"supervision-hub", info=purpose).derive(master)
