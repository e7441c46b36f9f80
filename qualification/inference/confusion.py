"""Which classes a worker takes for which, drawn towards what everybody confuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray
from qualification.inference.beta_arrays import log_gamma
from qualification.inference.fit import diagonal_confusion, shares_or_prior
from qualification.inference.skill import evenly_drawn

STRENGTH_MAX = 200.0

_DIAGONAL = 0.7
_DIAGONAL_WEIGHT = 10.0
_MIDDLE = float(np.log(STRENGTH_MAX)) / 2
"""Strengths from 1 to `STRENGTH_MAX` are tried, evenly by their logarithm."""

_DOUBT = 0.02
_SAMPLE = 4_000


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
    probable one between 1 and `STRENGTH_MAX` on a sample of rows.  Counts may be soft or faded.

    Source: the Polya (Dirichlet-multinomial) likelihood, Minka 2000, Estimating a Dirichlet distribution, section 3.
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
    drawn = evenly_drawn(len(rows), _SAMPLE)
    counts, priors = rows[drawn], means[drawn]
    totals = counts.sum(axis=1)
    centre, reach = _MIDDLE, _MIDDLE
    for _ in range(6):
        tried = np.clip(centre + reach * np.linspace(-1, 1, 9), 0.0, 2 * _MIDDLE)
        fits = [_likelihood(float(strength), counts, totals, priors) for strength in np.exp(tried)]
        centre, reach = float(tried[int(np.argmax(fits))]), reach * 0.35
    return float(np.exp(centre))


def _likelihood(strength: float, counts: FloatArray, totals: FloatArray, priors: FloatArray) -> float:
    """The log-likelihood of a strength, but for what does not depend on it; a weak prior prefers small ones."""
    alpha = strength * priors
    gained = np.sum(log_gamma(alpha + counts) - log_gamma(alpha))
    return float(gained - np.sum(log_gamma(strength + totals) - log_gamma(np.array(strength)))) - _DOUBT * strength
