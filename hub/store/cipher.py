"""zstd and AES-GCM under one secret. Apart from the keyring, because most commands need only the key's id, and these libraries
take a while to load."""

import os
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Cipher"]

_NONCE = 12


class Cipher:
    """Seals and opens bytes. The key is derived from the secret (HKDF-SHA256)."""

    def __init__(self, secret: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=b"supervision-hub", info=b"seal").derive(secret)
        self._aes = AESGCM(derived)

    def seal(self, data: bytes, purpose: str) -> bytes:
        """zstd level 1, AES-GCM; `purpose` is bound to the blob, so that none can be put in another's place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._aes.encrypt(nonce, zstd.compress(data, 1), purpose.encode())

    def open(self, blob: bytes, purpose: str) -> bytes | None:
        """What `seal` sealed; None if the key is another one or the blob was altered."""
        try:
            packed = self._aes.decrypt(blob[:_NONCE], blob[_NONCE:], purpose.encode())
        except (InvalidTag, ValueError):  # ValueError: cut to less than a nonce
            return None
        return zstd.decompress(packed)
