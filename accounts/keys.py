"""API keys: issued once, shown once, checked on each request, revoked at once.

A secret is ``ts_``, 32 letters of base32 (20 random bytes) and 6 letters of checksum. The checksum lets us turn away
typing errors and noise without a query, and lets scanners of leaked secrets recognise ours. Only the SHA-256 of a
secret is stored: 160 random bits need no slow hash. No function here logs a secret or puts it into an error.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts import statements
from accounts.models import ApiKey, Organisation, User, Worker
from accounts.queries import moment
from accounts.refusals import Refusal

PREFIX = "ts_"
RANDOM_BYTES = 20
CHECKSUM_LETTERS = 6
WORKER_SCOPES = ("work",)
ORGANISATION_SCOPES = (
    "jobs:read",
    "jobs:write",
    "answers:read",
    "gold:read",
    "gold:write",
    "releases",
    "money:read",
    "money:write",
    "members",
)
"""What a key may be allowed to do, for each kind of party. Scopes are API: they are never renamed."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_SECRET = re.compile(r"ts_[a-z2-7]{38}")


class KeyScopeUnknown(Refusal):
    """A key of this kind cannot have such a scope."""


class KeyScopeMissing(Refusal):
    """A key needs at least one scope."""


class KeyExpiryPassed(Refusal):
    """The key would have expired before it was issued."""


@transaction.atomic
def issue_key(
    *,
    organisation: Organisation | None = None,
    worker: Worker | None = None,
    name: str,
    scopes: Sequence[str],
    created_by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key that acts for one organisation or one worker; return it with its secret, which is not kept.

    Raises KeyScopeUnknown, KeyScopeMissing, KeyExpiryPassed; ValueError unless exactly one party is named.
    """
    if (organisation is None) == (worker is None):
        raise ValueError("a key acts for one organisation or for one worker")
    _check_scopes(scopes, ORGANISATION_SCOPES if worker is None else WORKER_SCOPES)
    secret = _new_secret()
    key = ApiKey.objects.create(
        organisation=organisation,
        worker=worker,
        created_by=created_by,
        name=name,
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        created_at=moment(None),
        expires_at=expires_at,
    )
    if expires_at is not None and expires_at <= key.created_at:
        raise KeyExpiryPassed
    return key, secret


@transaction.atomic
def revoke_key(key: ApiKey, *, at: datetime | None = None) -> ApiKey:
    """End a key; the next check of its secret fails. Revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=moment(at))
    key.refresh_from_db(fields=["revoked_at"])
    return key


def check_secret(text: str) -> ApiKey | None:
    """The key that this secret opens, or None: never issued, mistyped, revoked, expired, or its user was deactivated.

    The user is the worker's own, and for an organisation's key whoever made it. Anything that is not the form of a
    secret is turned away without a query, whatever characters it has.
    """
    if not _well_formed(text):
        return None
    digest = _digest(text)
    standing = ApiKey.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=moment(None)),
        Q(worker__isnull=True) | Q(worker__user__isnull=True) | Q(worker__user__is_active=True),
        Q(created_by__isnull=True) | Q(organisation__isnull=True) | Q(created_by__is_active=True),
        digest=digest,
        revoked_at__isnull=True,
    )
    key = standing.select_related("organisation", "worker__user", "created_by").first()
    # The index has compared digests, whose timing tells nothing of a secret; the last word is constant-time all the same.
    return key if key is not None and hmac.compare_digest(bytes(key.digest), digest) else None


WORKING = """
WITH found AS (
  SELECT k.id, k.worker_id FROM accounts_apikey k
  JOIN accounts_worker w ON w.id = k.worker_id LEFT JOIN accounts_user u ON u.id = w.user_id
  WHERE k.digest = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
    AND coalesce(u.is_active, true) AND 'work' = ANY (k.scopes)),
used AS (
  UPDATE accounts_apikey k SET last_used_at = clock_timestamp() FROM found f
  WHERE k.id = f.id AND (k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute'))
SELECT id, worker_id FROM found"""


def working_key(text: str) -> tuple[int, int] | None:
    """The ids of the key that this secret opens and of the worker it works for, in one statement; else None.

    The quick way for claims and answers, which check the key's id again themselves; notes the use as `mark_used` does.
    """
    if not _well_formed(text):
        return None
    found = statements.rows(WORKING, [_digest(text)])
    return (found[0][0], found[0][1]) if found else None


def mark_used(key_id: int) -> None:
    """Note that a key was used, at most once a minute, so that a busy key costs no write a request."""
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment(None) - timedelta(minutes=1))
    ApiKey.objects.filter(due, pk=key_id).update(last_used_at=moment(None))


def _new_secret() -> str:
    body = base64.b32encode(secrets.token_bytes(RANDOM_BYTES)).decode().lower()
    return PREFIX + body + _checksum(body)


def _checksum(body: str) -> str:
    """The upper 30 bits of the CRC-32 of ``body``, five a letter."""
    bits = zlib.crc32(body.encode()) >> 2
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(25, -1, -5))


def _well_formed(text: str) -> bool:
    if _SECRET.fullmatch(text) is None:
        return False
    body, checksum = text[len(PREFIX) : -CHECKSUM_LETTERS], text[-CHECKSUM_LETTERS:]
    return hmac.compare_digest(_checksum(body), checksum)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _check_scopes(scopes: Sequence[str], known: Sequence[str]) -> None:
    if not scopes:
        raise KeyScopeMissing(f"A key needs at least one scope; choose from: {', '.join(known)}.")
    unknown = sorted(set(scopes) - set(known))
    if unknown:
        raise KeyScopeUnknown(f"A key of this kind can have only these scopes: {', '.join(known)}.")
