"""What accounts have in common, and how much that says about whether they are one person.

Only keyed hashes are kept. A thing that many accounts share (an office's address, a library's computer) says nothing of
any two of them and is left out. What is left is weighed by kind: one person of two accounts is believed with

    score = 1 - product of (1 - weight) over the kinds that the two share,

so that a document or a payout target links alone, a device and an address together, and an address alone never does.
A case is a question put to people: nobody is stopped or unpaid on its account (``tasks/linking.py``).
"""

from __future__ import annotations

import ipaddress
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from django.db import connection, transaction

from accounts import vault
from accounts.models import LinkCase, Signal
from accounts.queries import instant

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        Signal.Kind.PAYOUT.value: 0.95,
        Signal.Kind.DOCUMENT.value: 0.95,
        Signal.Kind.DEVICE.value: 0.65,
        Signal.Kind.ADDRESS.value: 0.25,
    }
)
ASK_AT = 0.6
"""From this score on people are asked; a device alone is enough for the question."""
LINK_AT = 0.7
"""From this score on two accounts count as one person until somebody says otherwise."""
SHARED_BY_MAX = 20
"""What more accounts than this share says nothing of any two of them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two workers (the lower id first), what they share by kind, and the score of it."""

    first_id: int
    second_id: int
    kinds: Mapping[str, int]
    score: float


def address_block(address: str) -> str:
    """The network that an address is taken for: /24 of IPv4, /48 of IPv6. Raises ValueError on what is no address."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    whole = mapped or found
    return str(ipaddress.ip_network((whole, 24 if whole.version == 4 else 48), strict=False))


@transaction.atomic
def note_signals(worker_id: int, seen: Iterable[tuple[str, str]], *, at: datetime | None = None) -> int:
    """Note what was seen of a worker, as (kind, value); each is noted once. Returns how many were new."""
    now = instant(at)
    rows = [
        Signal(worker_id=worker_id, kind=Signal.Kind(kind).value, digest=vault.digest(kind, value), seen_at=now)
        for kind, value in seen
    ]
    before = Signal.objects.filter(worker_id=worker_id).count()
    Signal.objects.bulk_create(rows, ignore_conflicts=True)
    return Signal.objects.filter(worker_id=worker_id).count() - before


TO_COMPARE = """
  SELECT s.id FROM accounts_signal s WHERE s.compared_at IS NULL ORDER BY s.id LIMIT %s FOR UPDATE SKIP LOCKED"""

PARTNERS = """
  SELECT DISTINCT least(a.worker_id, b.worker_id), greatest(a.worker_id, b.worker_id)
  FROM accounts_signal a
  JOIN accounts_signal b ON b.kind = a.kind AND b.digest = a.digest AND b.worker_id <> a.worker_id
  WHERE a.id = ANY (%s)
    AND (SELECT count(*) FROM (SELECT FROM accounts_signal c WHERE c.kind = a.kind AND c.digest = a.digest LIMIT %s) m) <= %s"""

SHARED = """
  SELECT p.first, p.second, a.kind, count(*)
  FROM unnest(%s::bigint[], %s::bigint[]) AS p (first, second)
  JOIN accounts_signal a ON a.worker_id = p.first
  JOIN accounts_signal b ON b.worker_id = p.second AND b.kind = a.kind AND b.digest = a.digest
  WHERE (SELECT count(*) FROM (SELECT FROM accounts_signal c WHERE c.kind = a.kind AND c.digest = a.digest LIMIT %s) m) <= %s
  GROUP BY p.first, p.second, a.kind"""


def score_of(kinds: Iterable[str]) -> float:
    """1 - product of (1 - weight) over the kinds shared."""
    return 1 - math.prod(1 - WEIGHTS[kind] for kind in set(kinds))


@transaction.atomic
def compare_signals(*, limit: int = 1_000, at: datetime | None = None) -> tuple[int, list[LinkCase]]:
    """Compare what was newly noted with everything else, and open or sharpen the cases that come of it.

    Returns how many signals were compared, and the open cases strong enough to be linked at once. A pair that somebody
    decided on stays as decided.
    """
    now = instant(at)
    with connection.cursor() as cursor:
        cursor.execute(TO_COMPARE, [limit])
        new = [row[0] for row in cursor.fetchall()]
        if not new:
            return 0, []
        cursor.execute(PARTNERS, [new, SHARED_BY_MAX + 1, SHARED_BY_MAX])
        pairs = cursor.fetchall()
        cursor.execute(SHARED, [[a for a, _ in pairs], [b for _, b in pairs], SHARED_BY_MAX + 1, SHARED_BY_MAX])
        shared: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
        for first, second, kind, count in cursor.fetchall():
            shared[first, second][kind] = count
    Signal.objects.filter(pk__in=new).update(compared_at=now)
    found = [Pair(first, second, kinds, score_of(kinds)) for (first, second), kinds in sorted(shared.items())]
    return len(new), [case for pair in found if (case := _case(pair, now)) is not None]


def _case(pair: Pair, now: datetime) -> LinkCase | None:
    """The pair's case where it is open and strong; a weak pair has none."""
    if pair.score < ASK_AT:
        return None
    facts = {"score": pair.score, "kinds": dict(pair.kinds)}
    case, new = LinkCase.objects.get_or_create(
        first_id=pair.first_id, second_id=pair.second_id, defaults={**facts, "opened_at": now}
    )
    if case.state != LinkCase.State.OPEN:
        return None
    if not new and pair.score > case.score:
        LinkCase.objects.filter(pk=case.pk).update(**facts)
        case.score = pair.score
    return case if case.score >= LINK_AT else None
