"""Names that tell nothing: public ids in place of row numbers, and pseudonyms in place of workers.

Pure: keys come in as arguments.  A public id is a kind and the AES-128 encryption of one block, so ids of one kind
cannot be counted, guessed or turned into ids of another kind, and a mistyped id is not an id (64 bits must fit).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "ans": "answer",
        "asg": "assignment",
        "ast": "assessment",
        "att": "exam attempt",
        "aud": "audit row",
        "bat": "batch",
        "blk": "block",
        "cli": "OAuth client",
        "crd": "credential",
        "cty": "credential type",
        "cur": "place in a list",
        "dom": "domain",
        "evd": "document",
        "exm": "exam",
        "gdl": "version of a job's guidelines",
        "gld": "gold item",
        "gst": "gold set",
        "inv": "invitation",
        "job": "job",
        "key": "API key",
        "lnk": "case of linked accounts",
        "mem": "member of an organisation",
        "org": "organisation",
        "qlf": "qualification",
        "rel": "release",
        "sch": "label schema",
        "trf": "transfer",
        "trm": "terms",
        "tsk": "task",
        "usr": "user",
        "wrk": "worker",
    }
)
"""Every kind of id and what it names.  Ids are API: a kind is never renamed."""

NUMBER_MAX = 2**63 - 1
KEY_BYTES_MIN = 16
TEXT_LENGTH = 3 + 1 + 26

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)


class NotAnId(ValueError):
    """This is not an id of that kind."""


def encode(kind: str, number: int, key: bytes) -> str:
    """The public id of row ``number``, such as ``job_`` and 26 letters.

    Raises ValueError on a kind not in `KINDS`, a number outside 0 to 2**63 - 1, or a key under 16 bytes.
    """
    return encode_many(kind, (number,), key)[0]


def encode_many(kind: str, numbers: Iterable[int], key: bytes) -> list[str]:
    """The public ids of many rows of one kind, in their order."""
    tag = _tag(kind)
    plain = bytearray()
    for number in numbers:
        if not 0 <= number <= NUMBER_MAX:
            raise ValueError(f"{number} is not a row number")
        plain += tag
        plain += number.to_bytes(8, "big")
    secret = _cipher(key).encryptor().update(plain)
    prefix = kind + "_"
    return [prefix + _letters(secret[start : start + 16]) for start in range(0, len(secret), 16)]


def decode(kind: str, text: str, key: bytes) -> int:
    """The row number behind a public id; raises NotAnId on anything that `encode` did not make for this kind."""
    tag = _tag(kind)
    if type(text) is not str or len(text) != TEXT_LENGTH or not text.startswith(kind + "_"):
        raise NotAnId(f"this is not the id of {_article(kind)}")
    try:
        block = base64.b32decode(text[4:].upper().encode("ascii") + b"======")
    except ValueError:
        raise NotAnId(f"this is not the id of {_article(kind)}") from None
    plain = _cipher(key).decryptor().update(block)
    number = int.from_bytes(plain[8:], "big")
    # Encoded again, upper case and spare bits in the last letter do not make a second name for the same row.
    if plain[:8] != tag or number > NUMBER_MAX or _letters(block) != text[4:]:
        raise NotAnId(f"this is not the id of {_article(kind)}")
    return number


def pseudonym(key: bytes, organisation_key: bytes, worker_id: int) -> str:
    """What an organisation calls a worker: the same worker has unlinkable names in two organisations.

    HMAC-SHA256 of the organisation's key and the worker under the platform's ``key``, cut to 80 bits.
    Raises ValueError on a key under 16 bytes.
    """
    if len(key) < KEY_BYTES_MIN or len(organisation_key) < KEY_BYTES_MIN:
        raise ValueError(f"a key has at least {KEY_BYTES_MIN} bytes")
    message = b"worker" + len(organisation_key).to_bytes(4, "big") + organisation_key + worker_id.to_bytes(8, "big")
    digest = hmac.digest(key, message, "sha256")
    return "w_" + base64.b32encode(digest[:10]).decode().lower()


def _tag(kind: str) -> bytes:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of id")
    return kind.encode().ljust(8, b"\0")


def _article(kind: str) -> str:
    return ("an " if KINDS[kind][0] in "aeioAEIO" else "a ") + KINDS[kind]


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> Cipher[modes.ECB]:
    """AES-128 under a key derived from ``key``, which may be of any length.

    ECB hides nothing across blocks, and need not: each id is one block, and no two rows of a kind are equal.
    """
    if len(key) < KEY_BYTES_MIN:
        raise ValueError(f"a key has at least {KEY_BYTES_MIN} bytes")
    return Cipher(algorithms.AES(hashlib.sha256(b"public id" + key).digest()[:16]), modes.ECB())  # noqa: S305  see above


def _letters(block: bytes) -> str:
    """16 bytes in lower-case base32 without padding, two letters at a time (the last letter holds 3 bits)."""
    bits = int.from_bytes(block, "big") << 2
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])
