"""Each person's private data under a key of their own: without the key, nothing of it opens any more.

The key is made at the first use and kept wrapped under ``PII_KEY``. Erasure removes the row (``tasks/erasing.py``), and
with it every box ever sealed for that person, in backups and in the store of files too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from accounts import sealing
from accounts.models import PersonKey
from accounts.refusals import Refusal


class PersonErased(Refusal):
    """This person's private data was erased."""


def seal(user_id: int, content: bytes, *, about: str) -> bytes:
    """A box that only this person's key opens. ``about`` names the row and column: ``credential:3``."""
    return sealing.seal(_key(user_id, make=True), content, about=about)


def unseal(user_id: int, box: bytes, *, about: str) -> bytes:
    """What was sealed for this person. Raises PersonErased; sealing.BoxRefused on a box of another row."""
    return sealing.unseal(_key(user_id, make=False), bytes(box), about=about)


def seal_json(user_id: int, facts: Mapping[str, Any], *, about: str) -> bytes:
    """The same for facts that are JSON."""
    return seal(user_id, json.dumps(facts, ensure_ascii=False).encode(), about=about)


def unseal_json(user_id: int, box: bytes, *, about: str) -> dict[str, Any]:
    """The same for facts that are JSON."""
    return dict(json.loads(unseal(user_id, box, about=about)))


def digest(kind: str, value: str | bytes) -> bytes:
    """A keyed hash by which equal values are found: ``kind`` is ``number``, ``document``, ``device``, ``address``…"""
    raw = value.encode() if isinstance(value, str) else value
    return sealing.keyed_hash(sealing.derived(settings.PII_KEY, "hash"), kind, raw)


def _key(user_id: int, *, make: bool) -> bytes:
    found = PersonKey.objects.filter(user_id=user_id).values_list("wrapped", flat=True).first()
    if found is None:
        if not make:
            raise PersonErased
        wrapped = sealing.seal(_master(), sealing.new_key(), about=f"person:{user_id}")
        PersonKey.objects.bulk_create([PersonKey(user_id=user_id, wrapped=wrapped)], ignore_conflicts=True)
        # Of two at once, both go on with the one that was kept.
        found = PersonKey.objects.values_list("wrapped", flat=True).get(user_id=user_id)
    return sealing.unseal(_master(), bytes(found), about=f"person:{user_id}")


def _master() -> bytes:
    return sealing.derived(settings.PII_KEY, "person key")
