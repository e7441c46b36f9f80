"""A POST that moves money or creates something happens once, however often it is sent.

The client's Idempotency-Key, its principal and the endpoint name one request. The answer is kept in the transaction of
the effect, so that a crash keeps both or neither; a repeat with the same body gets the same bytes back.

missing: 400 · the first is still running: 409 · the same key with another body: 422 · a repeat: ``Idempotency-Replayed: true``

A refusal is not kept: nothing happened, so the same key may try again.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

from marketplace.api.policies import Principal
from marketplace.api.refusals import (
    IdempotencyKeyBusy,
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
)
from marketplace.models import IdempotencyKey

_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Named:
    """One request by its Idempotency-Key: who asks what under which key, and the hash of all that was sent."""

    principal: str
    endpoint: str
    key: str
    body_hash: bytes

    def number(self) -> int:
        """A 64-bit name for the advisory lock."""
        text = f"{self.principal}\0{self.endpoint}\0{self.key}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def named(request: HttpRequest, principal: Principal, endpoint: str, *sent: bytes) -> Named:
    """The name of this request. Raises IdempotencyKeyMissing or IdempotencyKeyInvalid."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise IdempotencyKeyMissing
    if _KEY.fullmatch(key) is None:
        raise IdempotencyKeyInvalid
    digest = hashlib.sha256()
    for part in (request.get_full_path().encode(), *sent):
        digest.update(len(part).to_bytes(8, "big") + part)
    return Named(principal.actor, endpoint, key, digest.digest())


def once(principal: Principal, name: Named, effect: Callable[[], tuple[int, bytes]]) -> HttpResponse:
    """Do ``effect`` (status and body of a yes) in one transaction with the memory of it, or answer as the first time.

    Raises IdempotencyKeyBusy, IdempotencyKeyReused, and whatever ``effect`` refuses.
    """
    with principal.acting():
        _alone("pg_try_advisory_xact_lock", name)
        before = remembered(name)
        if before is not None:
            return before
        status, body = effect()
        remember(name, status, body)
    return _answer(status, body)


@contextmanager
def alone(name: Named) -> Iterator[None]:
    """For effects of several transactions: refuse a second runner for as long as the block lasts.

    Raises IdempotencyKeyBusy. A session's lock: a crashed runner's is gone with its connection.
    """
    _alone("pg_try_advisory_lock", name)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [name.number()])


def remembered(name: Named) -> HttpResponse | None:
    """The first answer; None where there was none. Raises IdempotencyKeyReused."""
    row = IdempotencyKey.objects.filter(principal=name.principal, endpoint=name.endpoint, key=name.key).first()
    if row is None:
        return None
    if bytes(row.body_hash) != name.body_hash:
        raise IdempotencyKeyReused
    response = _answer(row.status, bytes(row.body))
    response["Idempotency-Replayed"] = "true"
    return response


def remember(name: Named, status: int, body: bytes) -> None:
    """Keep the answer; joins the transaction of the effect."""
    IdempotencyKey.objects.create(
        principal=name.principal,
        endpoint=name.endpoint,
        key=name.key,
        body_hash=name.body_hash,
        status=status,
        body=body,
    )


def _alone(function: str, name: Named) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [name.number()])
        taken: Any = cursor.fetchone()
    if not taken[0]:
        raise IdempotencyKeyBusy


def _answer(status: int, body: bytes) -> HttpResponse:
    return HttpResponse(body, status=status, content_type="application/json")
