"""Sealing: AES-256-GCM over bytes, and keyed hashes. Pure: keys come in as arguments.

A box is a version byte, 12 random bytes of nonce, and the ciphertext with its tag. What the box is about is authenticated
with it, so that a box cut from one row opens in no other.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class BoxRefused(ValueError):
    """The box does not open with this key and name: it was changed, or it is another's."""


def new_key() -> bytes:
    """32 random bytes."""
    return os.urandom(KEY_BYTES)


def derived(secret: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose from a platform secret of any length (SHA-256, the purpose first)."""
    return hashlib.sha256(purpose.encode() + b"\0" + secret).digest()


def seal(key: bytes, content: bytes, *, about: str) -> bytes:
    """A box with ``content`` in it; ``about`` must be said again to open it. ValueError on a key not of 32 bytes."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + _cipher(key).encrypt(nonce, content, about.encode())


def unseal(key: bytes, box: bytes, *, about: str) -> bytes:
    """What was sealed. Raises BoxRefused."""
    start = len(_VERSION)
    nonce, rest = box[start : start + _NONCE_BYTES], box[start + _NONCE_BYTES :]
    if box[:start] != _VERSION or len(nonce) != _NONCE_BYTES:
        raise BoxRefused("not a box")
    try:
        return _cipher(key).decrypt(nonce, rest, about.encode())
    except InvalidTag:
        raise BoxRefused("the box does not open with this key and name") from None


def keyed_hash(key: bytes, kind: str, value: bytes) -> bytes:
    """32 bytes that are equal for equal values and tell nothing of them without the key (HMAC-SHA256)."""
    return hmac.digest(key, kind.encode() + b"\0" + value, "sha256")


def _cipher(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes")
    return AESGCM(key)
