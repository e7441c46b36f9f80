"""Writing down what was seen of workers: single answers known right or wrong, and what the engine makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from accounts.queries import instant
from qualification.models import ScopeFit, SkillFit


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer to a gold item.

    ``source`` and ``reference`` say where: "exam" and the attempt, or "gold" and the assignment. Classes are indexes,
    None where the kind has none or the answer is no class. ``credit`` is 1 for right, 0 for wrong.
    """

    worker_id: int
    domain_id: int
    difficulty: int
    source: str
    gold_item_id: int
    reference: int
    true_class: int | None
    said_class: int | None
    credit: float


def observe(rows: Sequence[Seen], *, at: datetime | None = None) -> int:
    """Write ``rows`` down in one statement and return how many were new; what was observed before stays as it was."""
    if not rows:
        return 0
    # One order for all, so that two sweeps over the same answers wait for each other and do not deadlock.
    ordered = sorted(rows, key=lambda row: (row.source, row.reference, row.gold_item_id))
    columns = [[getattr(row, name) for row in ordered] for name in Seen.__slots__]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OBSERVE, [at, *columns])
        return int(cursor.rowcount)


_OBSERVE = """
INSERT INTO qualification_observation (worker_id, domain_id, difficulty, source, gold_item_id, reference,
                                       true_class, said_class, credit, observed_at)
SELECT seen.*, coalesce(told.at, clock_timestamp())
FROM (SELECT %s::timestamptz AS at) told, unnest(
    %s::bigint[], %s::bigint[], %s::smallint[], %s::text[], %s::bigint[], %s::bigint[],
    %s::smallint[], %s::smallint[], %s::float8[]) seen
ON CONFLICT (source, reference, gold_item_id) DO NOTHING
"""


@transaction.atomic
def save_fit(
    scope: str,
    engine: str,
    prior: NDArray[np.float64],
    confusions: Mapping[int, NDArray[np.float64]],
    *,
    answers: int,
    gold: int,
    rounds: int,
    converged: bool,
    answers_of: Mapping[int, int] | None = None,
    at: datetime | None = None,
) -> None:
    """Replace the last fit of ``scope`` (``job:7``) by this one, as a whole.

    ``prior`` (K,): the share of each class. ``confusions``: worker id -> (K, K), rows = truth. ``answers`` and ``gold``:
    how many answers and gold items the fit saw, ``answers_of`` the answers worker by worker (0 where it is silent).
    Two fits of one scope at once wait for each other; the later one stands.
    """
    now = instant(at)
    fit = ScopeFit(scope, engine, prior.tolist(), answers, gold, rounds, converged, now)
    replaced = ["engine", "prior", "answers", "gold", "rounds", "converged", "fitted_at"]
    ScopeFit.objects.bulk_create([fit], update_conflicts=True, unique_fields=["scope"], update_fields=replaced)
    skills = [
        SkillFit(
            scope=scope,
            worker_id=worker_id,
            engine=engine,
            confusion=confusion.ravel().tolist(),
            answers=(answers_of or {}).get(worker_id, 0),
            fitted_at=now,
        )
        for worker_id, confusion in sorted(confusions.items())
    ]
    SkillFit.objects.bulk_create(
        skills,
        batch_size=2000,
        update_conflicts=True,
        unique_fields=["scope", "worker"],
        update_fields=["engine", "confusion", "answers", "fitted_at"],
    )
    SkillFit.objects.filter(scope=scope).exclude(worker_id__in=list(confusions)).delete()
