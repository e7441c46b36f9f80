"""API keys: issued once, shown once, checked on each request, revoked at once.

A secret is ``ts_``, 10 letters that name the key, ``_``, 32 letters of base32 (20 random bytes) and 6 of checksum. The
handle finds the key's row; the secret is then compared by its SHA-256, in constant time: 160 random bits need no slow
hash, and only the hash is stored. The checksum lets us turn away typing errors and noise without a query, and lets
scanners of leaked secrets recognise ours. No function here logs a secret or puts it into an error.

What a key may do is decided when it is issued and never changes: scopes, networks, expiry and cap. Another choice is
another key, or the same one rotated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from accounts import seats, statements
from accounts.ledger.money import Money
from accounts.models import ApiKey, Organisation, User, Worker
from accounts.queries import moment
from accounts.refusals import Fault, KeyRevoked, Refusal

PREFIX = "ts_"
HANDLE_LETTERS = 10
RANDOM_BYTES = 20
CHECKSUM_LETTERS = 6
ADDRESSES_MAX = 50
OVERLAP_MAX = timedelta(days=30)
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
_SECRET = re.compile(r"ts_[a-z2-7]{10}_[a-z2-7]{38}")

type Networks = tuple[IPv4Network | IPv6Network, ...]


class KeyScopeUnknown(Refusal):
    """A key of this kind cannot have such a scope."""


class KeyScopeMissing(Refusal):
    """A key needs at least one scope."""


class KeyExpiryPassed(Refusal):
    """The key would have expired before it was issued."""


class KeyRefused(Refusal):
    """A key cannot be issued or rotated like this."""


class KeyNotInUse(Refusal):
    """This key is over or was rotated before; only the newest of a row can be rotated."""


class KeyFromElsewhere(Refusal):
    """This key does not work from the address that you are asking from."""


class SpendCapReached(Refusal):
    """This key may not put so much more money behind jobs."""


@transaction.atomic
def issue_key(
    *,
    organisation: Organisation | None = None,
    worker: Worker | None = None,
    name: str,
    scopes: Sequence[str],
    created_by: User | None = None,
    expires_at: datetime | None = None,
    addresses: Sequence[str] = (),
    spend_cap: Money | None = None,
) -> tuple[ApiKey, str]:
    """Make a key that acts for one organisation or one worker; return it with its secret, which is not kept.

    Whoever makes an organisation's key, ``created_by``, is an owner when it is made, not only when they asked.
    ``addresses`` are IP addresses or networks such as ``192.0.2.0/24`` from which alone it works (none: from anywhere),
    ``spend_cap`` the most that it may ever put behind jobs.
    Raises KeyScopeUnknown, KeyScopeMissing, KeyExpiryPassed, KeyRefused, NotAnOwner; ValueError unless exactly one party
    is named.
    """
    if (organisation is None) == (worker is None):
        raise ValueError("a key acts for one organisation or for one worker")
    check_scopes(scopes, ORGANISATION_SCOPES if worker is None else WORKER_SCOPES)
    if spend_cap is not None and (worker is not None or spend_cap.micros <= 0):
        raise KeyRefused(faults=[Fault("/spend_cap", "is more than nothing, and for keys of organisations alone")])
    _need_owner(None if organisation is None else organisation.pk, created_by)
    handle, secret = _new_secret()
    key = ApiKey.objects.create(
        organisation=organisation,
        worker=worker,
        created_by=created_by,
        name=name,
        handle=handle,
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        created_at=moment(None),
        expires_at=expires_at,
        addresses=_networks_of(addresses),
        spend_cap_micros=None if spend_cap is None else spend_cap.micros,
        spend_currency="" if spend_cap is None else spend_cap.currency,
    )
    if expires_at is not None and expires_at <= key.created_at:
        raise KeyExpiryPassed
    return key, secret


@transaction.atomic
def rotate_key(
    key: ApiKey, *, overlap: timedelta, rotated_by: User | None = None, at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Put a new secret in the place of this key's, which goes on working for ``overlap``; return key and secret.

    The new key may do what the old one might, for as long as that was issued for, with what is left of its cap: what the
    old secret still spends counts against it. At most two secrets of a row work at once, so the key that this one had
    replaced ends now. ``rotated_by`` answers for the new key; without, whoever answered for the old.
    Raises KeyNotInUse, KeyRefused, NotAnOwner.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise KeyRefused(faults=[Fault("/overlap_seconds", f"is from 0 to {int(OVERLAP_MAX.total_seconds())}")])
    _need_owner(key.organisation_id, rotated_by)
    # In the order of their ids, as `spend` locks them.
    if key.replaces_id is not None:
        ApiKey.objects.filter(pk=key.replaces_id, revoked_at__isnull=True).update(revoked_at=moment(at))
    held = _in_use(at).select_for_update(no_key=True).filter(pk=key.pk).first()
    if held is None or ApiKey.objects.filter(replaces_id=key.pk).exists():
        raise KeyNotInUse
    handle, secret = _new_secret()
    lasting = None if held.expires_at is None else held.expires_at - held.created_at
    copied = ("organisation_id", "worker_id", "name", "scopes", "addresses")
    capped = ("spend_cap_micros", "spend_currency", "spent_micros")
    new = ApiKey.objects.create(
        handle=handle,
        digest=_digest(secret),
        replaces=held,
        created_by_id=held.created_by_id if rotated_by is None else rotated_by.pk,
        created_at=moment(at),
        expires_at=None if lasting is None else moment(at) + lasting,
        **{name: getattr(held, name) for name in (*copied, *capped)},
    )
    ends = new.created_at + overlap
    held.expires_at = ends if held.expires_at is None else min(held.expires_at, ends)
    held.save(update_fields=["expires_at"])
    key.refresh_from_db()
    return new, secret


@transaction.atomic
def revoke_key(key: ApiKey, *, at: datetime | None = None) -> ApiKey:
    """End a key; the next check of its secret fails. Revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=moment(at))
    key.refresh_from_db(fields=["revoked_at"])
    return key


@transaction.atomic
def spend(key_id: int, money: Money) -> None:
    """Count money that this key puts behind a job, in the transaction that moves it. A key without a cap counts nothing.

    A key that was rotated spends on its successor's account. Raises SpendCapReached; KeyRevoked if it ended meanwhile.
    """
    shown = _in_use(None).select_for_update(no_key=True).filter(pk=key_id).first()
    if shown is None:
        raise KeyRevoked
    if shown.spend_cap_micros is None or money.micros == 0:
        return
    if money.currency != shown.spend_currency:
        raise SpendCapReached(f"This key spends {shown.spend_currency} only; the job is paid in {money.currency}.")
    # Held till the transaction ends, `shown` cannot be rotated between these two statements.
    payer = ApiKey.objects.filter(replaces_id=key_id).values_list("pk", flat=True).first() or key_id
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, {"key": payer, "micros": money.micros})
        if cursor.rowcount == 0:
            raise SpendCapReached(
                f"This key may put {Money(shown.spend_cap_micros, shown.spend_currency)} behind jobs in all;"
                f" {money} more would be too much."
            )


_SPEND = """
UPDATE accounts_apikey SET spent_micros = spent_micros + %(micros)s
WHERE id = %(key)s AND spent_micros + %(micros)s <= spend_cap_micros"""


def check_secret(text: str, *, address: str = "") -> ApiKey | None:
    """The key that this secret opens, or None: never issued, mistyped, revoked, expired, or its user was deactivated.

    The user is the worker's own, and for an organisation's key whoever made it. Anything that is not the form of a
    secret is turned away without a query, whatever characters it has. Raises KeyFromElsewhere unless ``address`` is in
    one of its networks.
    """
    if not _well_formed(text):
        return None
    standing = _in_use(None).filter(
        Q(worker__isnull=True) | Q(worker__user__isnull=True) | Q(worker__user__is_active=True),
        Q(created_by__isnull=True) | Q(organisation__isnull=True) | Q(created_by__is_active=True),
        handle=_handle(text),
    )
    due = ExpressionWrapper(_UNNOTED, output_field=BooleanField())
    key = standing.select_related("organisation", "worker__user", "created_by").annotate(due=due).first()
    if key is None or not hmac.compare_digest(bytes(key.digest), _digest(text)):
        return None
    _need_place(networks(tuple(key.addresses)), address)
    return key


WORKING = """
WITH found AS (
  SELECT k.id, k.worker_id, k.digest, k.addresses FROM accounts_apikey k
  JOIN accounts_worker w ON w.id = k.worker_id LEFT JOIN accounts_user u ON u.id = w.user_id
  WHERE k.handle = %s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
    AND coalesce(u.is_active, true) AND 'work' = ANY (k.scopes)),
used AS (
  UPDATE accounts_apikey k SET last_used_at = clock_timestamp() FROM found f
  WHERE k.id = f.id AND f.digest = %s
    AND (k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute'))
SELECT id, worker_id, digest, addresses FROM found"""


class WorkingKey(NamedTuple):
    """What the hot addresses remember of a key: its id, the worker it works for, and the networks it works from."""

    key_id: int
    worker_id: int
    networks: Networks


def working_key(text: str) -> WorkingKey | None:
    """The key that this secret opens and the worker it works for, in one statement; else None.

    The quick way for claims and answers, which check the key's id again themselves; notes the use as `mark_used` does.
    The caller says with `works_from` whether it may be used from where it is.
    """
    if not _well_formed(text):
        return None
    digest = _digest(text)
    found = statements.rows(WORKING, [_handle(text), digest])
    # The index has compared digests too, whose timing tells nothing of a secret; the last word is constant-time.
    if not found or not hmac.compare_digest(bytes(found[0][2]), digest):
        return None
    key_id, worker_id, _, places = found[0]
    return WorkingKey(key_id, worker_id, networks(tuple(places)))


def works_from(places: Networks, address: str) -> bool:
    """Whether a key of these networks may be used from this address. No networks: from anywhere."""
    if not places:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in place for place in places)


@lru_cache(maxsize=4096)
def networks(places: tuple[str, ...]) -> Networks:
    """The networks that a key's row names."""
    return tuple(ip_network(place) for place in places)


def mark_used(key: ApiKey) -> None:
    """Note that a key was used, at most once a minute: a busy key that `check_secret` found costs no write a request."""
    if getattr(key, "due", True):
        ApiKey.objects.filter(_UNNOTED, pk=key.pk).update(last_used_at=moment(None))


_UNNOTED = Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment(None) - timedelta(minutes=1))


def _in_use(at: datetime | None) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=moment(at)), revoked_at__isnull=True)


def _need_owner(organisation_id: int | None, user: User | None) -> None:
    """Refuse who owns the organisation no more: losing that ends the keys one made, and none may slip in behind it."""
    if organisation_id is not None and user is not None:
        seats.hold_organisation(organisation_id)
        seats.need_owner(organisation_id, user)


def _need_place(places: Networks, address: str) -> None:
    if not works_from(places, address):
        raise KeyFromElsewhere


def _networks_of(addresses: Iterable[str]) -> list[str]:
    """The networks in their normal form, each once. Raises KeyRefused naming each that is none."""
    found, faults = [], []
    for place, text in enumerate(addresses):
        try:
            network = ip_network(text.strip())
        except ValueError:
            faults.append(Fault(f"/addresses/{place}", "is no IP address or network such as 192.0.2.0/24"))
            continue
        found.append(str(network))
    if len(found) > ADDRESSES_MAX:
        faults.append(Fault("/addresses", f"has more than {ADDRESSES_MAX} networks"))
    if faults:
        raise KeyRefused(faults=faults)
    return sorted(set(found))


def _new_secret() -> tuple[str, str]:
    """A new handle, and the secret that begins with it."""
    handle = "".join(secrets.choice(_ALPHABET) for _ in range(HANDLE_LETTERS))
    body = f"{handle}_{base64.b32encode(secrets.token_bytes(RANDOM_BYTES)).decode().lower()}"
    return handle, PREFIX + body + _checksum(body)


def _handle(secret: str) -> str:
    return secret[len(PREFIX) : len(PREFIX) + HANDLE_LETTERS]


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


def check_scopes(scopes: Sequence[str], known: Sequence[str]) -> None:
    """Refuse unless there are some, all of them known. Raises KeyScopeMissing, KeyScopeUnknown."""
    if not scopes:
        raise KeyScopeMissing(f"A key needs at least one scope; choose from: {', '.join(known)}.")
    unknown = sorted(set(scopes) - set(known))
    if unknown:
        raise KeyScopeUnknown(f"A key of this kind can have only these scopes: {', '.join(known)}.")
