"""Which classes a worker takes for which, drawn towards what everybody confuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray
from qualification.inference.beta_arrays import digamma
from qualification.inference.fit import diagonal_confusion, shares_or_prior

STRENGTH_MIN, STRENGTH_MAX = 1.0, 200.0

_DIAGONAL = 0.7
_DIAGONAL_WEIGHT = 10.0
_START = 8.0
_DAMPING = 0.7
_ROUNDS = 200


@dataclass(frozen=True, eq=False, slots=True)
class Confusions:
    """What is believed of W workers' confusions; rows are true classes, and each row sums to 1.

    ``workers`` (W, K, K) are posterior means, ``population`` (K, K) is where they come from, ``strength`` how many answers
    of a class that is worth, ``seen`` (W, K) the answers of each class that a row rests on.
    """

    workers: FloatArray
    population: FloatArray
    strength: float
    seen: FloatArray


def shrunk_confusions(counts: npt.ArrayLike) -> Confusions:
    """Fit confusions to ``counts`` (W, K, K): how often each worker said a class (last axis) of a true class.

    Model: a worker's row for a true class is Dirichlet(strength * population row), its answers multinomial.  Population
    rows are everybody's shares with ten answers a class at 0.7 on the diagonal; the strength, one for all, is the most
    likely one, by a damped fixed point, within `STRENGTH_MIN` and `STRENGTH_MAX`.  Counts may be soft or faded.

    Source: Minka 2000, Estimating a Dirichlet distribution, section 4 (the precision of a Polya distribution).
    Raises ValueError unless counts are W tables of K >= 2 by K without negative entries.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 3 or table.shape[1] != table.shape[2] or table.shape[1] < 2 or not np.all(table >= 0):
        raise ValueError("counts are one square table a worker, of at least two classes, without negative entries")
    start = diagonal_confusion(table.shape[1], _DIAGONAL)
    population = shares_or_prior(table.sum(axis=0) + _DIAGONAL_WEIGHT * start, start[0])
    seen = table.sum(axis=2)
    strength = _strength(table[seen > 1], np.broadcast_to(population, table.shape)[seen > 1])
    workers = (table + strength * population) / (seen + strength)[:, :, None]
    return Confusions(workers, population, strength, seen)


def _strength(rows: FloatArray, means: FloatArray) -> float:
    """The most likely strength for rows (n, K) of counts with prior means (n, K); rows of one answer say nothing."""
    strength, totals = _START, rows.sum(axis=1)
    if not len(rows):
        return strength
    for _ in range(_ROUNDS):
        gained = float(np.sum(means * (digamma(rows + strength * means) - digamma(strength * means))))
        spent = float(np.sum(digamma(totals + strength) - digamma(np.array(strength))))
        before = strength
        strength = float(np.clip(strength * (gained / spent) ** _DAMPING, STRENGTH_MIN, STRENGTH_MAX))
        if abs(strength - before) < 1e-6 * before:
            break
    return strength
