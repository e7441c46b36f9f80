"""What others may ask about what workers have shown, and what the engine last estimated of them."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.db.models import BooleanField, Count, ExpressionWrapper, Max, Q, Sum
from numpy.typing import NDArray

from accounts.queries import moment
from qualification.inference.beta import accuracy_after
from qualification.models import Attempt, CredentialRule, GoldItem, Observation, Qualification, ScopeFit, SkillFit


@dataclass(frozen=True, slots=True)
class MeasuredAccuracy:
    """How often a worker was right on gold of one domain and difficulty: credits, and what they say of the accuracy.

    ``low`` to ``high`` holds the accuracy with 90 % probability.
    """

    domain_id: int
    domain: str
    difficulty: int
    right: float
    total: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Question:
    """One item of an attempt as its worker sees it: no answer, no explanation."""

    item_id: int
    payload: Any


@dataclass(frozen=True, slots=True)
class Opened:
    """A qualification that rests on a credential; ``stands`` until it is revoked or expires."""

    qualification_id: int
    domain_id: int
    domain: str
    level: int
    granted_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    stands: bool


def standings(worker_id: int, *, organisation_id: int | None = None, at: datetime | None = None) -> dict[int, int]:
    """The worker's level in each domain where they hold one now.

    Counts what the platform granted, and what ``organisation_id`` granted for its own jobs.
    """
    rows = (
        Qualification.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=moment(at)),
            Q(organisation__isnull=True) | Q(organisation_id=organisation_id),
            worker_id=worker_id,
            granted_at__lte=moment(at),
            revoked_at__isnull=True,
        )
        .values_list("domain_id")
        .annotate(level=Max("level"))
        .order_by("domain_id")
    )
    return dict(rows)


def rules_for(type_id: int, jurisdiction: str) -> list[CredentialRule]:
    """The rules that a credential of this type and jurisdiction falls under, with their domains, by path.

    A rule for a country takes in its parts: one for ``US`` counts for ``US-CA`` too.
    """
    return rules_for_all([(type_id, jurisdiction)])[type_id, jurisdiction]


def rules_for_all(held: Iterable[tuple[int, str]]) -> dict[tuple[int, str], list[CredentialRule]]:
    """The same for many types with their jurisdictions, in one query."""
    asked = set(held)
    rules = CredentialRule.objects.filter(type_id__in={type_id for type_id, _ in asked})
    found: dict[tuple[int, str], list[CredentialRule]] = {one: [] for one in asked}
    for rule in rules.select_related("domain").order_by("domain__path", "pk"):
        for type_id, jurisdiction in asked:
            named = {jurisdiction, jurisdiction.partition("-")[0]}
            if rule.type_id == type_id and (not rule.jurisdictions or named & set(rule.jurisdictions)):
                found[type_id, jurisdiction].append(rule)
    return found


def opened_by(type_id: int, jurisdiction: str) -> list[tuple[str, int]]:
    """What a verified credential of this type and jurisdiction opens: path of the domain and level, by path."""
    return [(rule.domain.path, rule.level) for rule in rules_for(type_id, jurisdiction)]


def rests_on(credential_id: int, *, at: datetime | None = None) -> list[Opened]:
    """Every qualification that was ever granted on this credential, by path and time."""
    stands = Q(revoked_at__isnull=True) & (Q(expires_at__isnull=True) | Q(expires_at__gt=moment(at)))
    rows = Qualification.objects.filter(credential_id=credential_id).order_by("domain__path", "pk")
    names = ("pk", "domain_id", "domain__path", "level", "granted_at", "expires_at", "revoked_at", "stands")
    return [Opened(*row) for row in rows.annotate(stands=ExpressionWrapper(stands, BooleanField())).values_list(*names)]


def accuracy(worker_id: int) -> list[MeasuredAccuracy]:
    """What the worker's answers to gold say, for each domain and difficulty that they have met, by path."""
    rows = (
        Observation.objects.filter(worker_id=worker_id)
        .values_list("domain_id", "domain__path", "difficulty")
        .annotate(right=Sum("credit"), total=Count("id"))
        .order_by("domain__path", "domain_id", "difficulty")
    )
    found = []
    for domain_id, path, difficulty, right, total in rows:
        known = accuracy_after(right, max(0.0, total - right))
        found.append(MeasuredAccuracy(domain_id, path, difficulty, right, total, known.mean, known.low, known.high))
    return found


def prior_of(scope: str) -> NDArray[np.float64] | None:
    """The share of each class (K,) at the last refit of ``scope``; None before the first."""
    prior = ScopeFit.objects.filter(scope=scope).values_list("prior", flat=True).first()
    return None if prior is None else np.asarray(prior, dtype=np.float64)


def confusions_of(scope: str, worker_ids: Collection[int]) -> dict[int, NDArray[np.float64]]:
    """The confusion matrix (K, K), rows = truth, of each of these workers that the last refit of ``scope`` knew."""
    rows = SkillFit.objects.filter(scope=scope, worker_id__in=worker_ids).values_list("worker_id", "confusion")
    return {worker_id: _square(confusion) for worker_id, confusion in rows}


def questions_of(attempt: Attempt) -> list[Question]:
    """What an attempt asks, in its order."""
    payloads = dict(GoldItem.objects.filter(pk__in=attempt.item_ids).values_list("pk", "payload"))
    return [Question(item_id, payloads[item_id]) for item_id in attempt.item_ids]


def canonical(value: Any) -> str:
    """The one way to write a JSON value: sorted keys, no spaces; the same bytes as an import hashes a payload by."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def credit(label: Any, accepted: Sequence[dict[str, Any]]) -> float:
    """What ``label`` earns on a gold item: the weight of the accepted label that it equals, else 0."""
    said = canonical(label)
    return max((float(one.get("weight", 1.0)) for one in accepted if canonical(one["label"]) == said), default=0.0)


def _square(flat: Sequence[float]) -> NDArray[np.float64]:
    size = math.isqrt(len(flat))
    return np.asarray(flat, dtype=np.float64).reshape(size, size)
