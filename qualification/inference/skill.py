"""How well workers answer, cell by cell: population, then worker, then cell (a domain at a difficulty).

The state of a cell is two numbers, right and wrong, from which older answers fade (`remembered`).  A `Population` says
what the cells of a job or domain are like before a worker has answered there, and is fitted from everybody's state
(`fitted_population`).  `skills` puts the two together: each worker's cell is a Beta distribution whose prior is what the
worker did in the *other* cells, which in turn leans on the population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray, IntArray
from qualification.inference.beta_arrays import cumulative, log_gamma, quantile

MEMORY = 0.99
"""What an answer keeps of the weight of those before it in the same cell: no more than 100 answers ever count."""

LEVEL = 0.9

RATE_MIN, RATE_MAX, RATE_NEW, RATE_ALARM = 0.03, 0.30, 0.20, 0.15
NEW_ANSWERS = 20

_MEAN_PRIOR, _MEAN_SPREAD = 0.8, 1.5
_STRENGTH_PRIOR, _STRENGTH_SPREAD = 8.0, 1.0
"""Hyperprior: the log-odds of the mean accuracy and the log of the strength are normal around these."""

_COMMON_PRIOR, _COMMON_PAIRS, _COMMON_MAX = 0.6, 20.0, 0.95
"""Cells are never taken for quite the same: the most that other cells can say is worth about 200 answers."""

_CELL_WORKERS = 4.0
"""A cell's mean starts at the overall mean, as if four workers had shown it."""

_SAMPLE = 4_000
_BLOCK = 4_096
_EDGE = 0.005


@dataclass(frozen=True, slots=True)
class Population:
    """What workers are like: the mean accuracy of each cell (C,), how far workers differ, how much of that is common.

    The variance of accuracies in a cell is ``spread`` times mean times (1 - mean), so that the prior of somebody unknown
    is worth 1 / spread - 1 answers; ``common`` in [0, 1] is the share of it that a worker carries from cell to cell.
    Raises ValueError on means or a spread outside (0, 1).
    """

    means: tuple[float, ...]
    spread: float
    common: float

    def __post_init__(self) -> None:
        if not (self.means and all(0 < mean < 1 for mean in self.means) and 0 < self.spread < 1):
            raise ValueError("there is at least one cell, and means and spread lie in (0, 1)")
        if not 0 <= self.common <= 1:
            raise ValueError(f"common is {self.common}; it is a share")


@dataclass(frozen=True, slots=True)
class Skills:
    """The accuracy of W workers in C cells: Beta(a, b), and the equal-tailed interval that holds ``level`` of it.

    All arrays are (W, C).
    """

    a: FloatArray
    b: FloatArray
    level: float
    low: FloatArray
    high: FloatArray

    @property
    def mean(self) -> FloatArray:
        """The expected accuracy."""
        return self.a / (self.a + self.b)

    @property
    def deviation(self) -> FloatArray:
        """The standard deviation of what is believed of the accuracy; `gold_rates` goes by it."""
        total = self.a + self.b
        root: FloatArray = np.sqrt(self.a * self.b / (total + 1)) / total
        return root

    def above(self, threshold: float) -> FloatArray:
        """P(accuracy >= threshold)."""
        return 1.0 - cumulative(self.a, self.b, threshold)


def remembered(right: float, wrong: float, hit: float, *, memory: float = MEMORY) -> tuple[float, float]:
    """The state of a cell after one more answer; ``hit`` in [0, 1] is how right it was.

    Raises ValueError on a hit or a memory outside [0, 1].
    """
    if not (0 <= hit <= 1 and 0 <= memory <= 1):
        raise ValueError("hit and memory lie in [0, 1]")
    return memory * right + hit, memory * wrong + (1 - hit)


def remembered_all(
    workers: IntArray, cells: IntArray, hits: npt.ArrayLike, *, shape: tuple[int, int], memory: float = MEMORY
) -> tuple[FloatArray, FloatArray]:
    """The states (W, C) and (W, C), right and wrong, after all answers (n,), which are in the order they were given.

    The same as `remembered` answer by answer.  ``shape`` is (W, C).  Raises ValueError on a hit outside [0, 1].
    """
    score = np.asarray(hits, dtype=np.float64)
    if not np.all((score >= 0) & (score <= 1)):
        raise ValueError("hits lie in [0, 1]")
    place = np.ravel_multi_index((workers, cells), shape)
    counts = np.bincount(place, minlength=shape[0] * shape[1])
    order = np.argsort(place, kind="stable")
    later = np.empty(len(place), dtype=np.int64)
    later[order] = np.cumsum(counts)[place[order]] - 1 - np.arange(len(place))
    weight = np.power(memory, later)
    size = len(counts)
    right = np.bincount(place, weights=weight * score, minlength=size).reshape(shape)
    wrong = np.bincount(place, weights=weight * (1 - score), minlength=size).reshape(shape)
    return right, wrong


def fitted_population(right: npt.ArrayLike, wrong: npt.ArrayLike) -> Population:
    """Fit the population to everybody's states, right and wrong (W, C).

    Overall mean and spread: the most probable ones under the beta-binomial likelihood of the cells and a weak
    hyperprior, which alone speaks where there are no answers; a sample of cells is enough for them.  Means of cells:
    averages with each worker weighted by what his answers tell, drawn to the overall mean.  ``common``: the covariance
    of a worker's deviations in different cells, by moments, drawn to its usual value where there are few pairs.

    Source: empirical Bayes as in Casella 1985, The American Statistician 39(2); Buehlmann & Straub's credibility
    weights for the means.
    """
    good, bad = _tables(right, wrong)
    answers = good + bad
    seen = answers > 0
    worker, cell = np.nonzero(seen)
    drawn = evenly_drawn(len(worker), _SAMPLE)
    worker, cell = worker[drawn], cell[drawn]
    sample = good[worker, cell], bad[worker, cell]
    mean, spread = _beta_binomial(*sample)
    for _ in range(2 if good.shape[1] > 1 else 0):
        means = _cell_means(good, answers, mean, spread)
        # Cells differ in their means; that is not how workers differ.
        spread, _ = _most_probable(*sample, means[cell])
    means = _cell_means(good, answers, mean, spread)
    deviations = _deviations(good, bad, means, seen)
    credit = spread * answers / (1 + np.maximum(answers - 1, 0) * spread)
    summed, total = np.sum(credit * deviations, axis=1), credit.sum(axis=1)
    products = np.sum(summed**2 - np.sum((credit * deviations) ** 2, axis=1))
    pairs = np.sum(total**2 - np.sum(credit**2, axis=1))
    common = (products / spread + _COMMON_PRIOR * _COMMON_PAIRS) / (pairs + _COMMON_PAIRS)
    return Population(tuple(float(one) for one in means), float(spread), float(np.clip(common, 0.0, _COMMON_MAX)))


def skills(
    right: npt.ArrayLike,
    wrong: npt.ArrayLike,
    population: Population,
    *,
    level: float = LEVEL,
    memory: float = MEMORY,
) -> Skills:
    """The accuracies after the states right and wrong, (W, C) each.

    Model: accuracy = mean of the cell + sqrt(mean (1 - mean)) (z of the worker + e of worker and cell), with variances
    spread * common and spread * (1 - common).  The prior of a cell is the best linear prediction from the worker's other
    cells, as a Beta distribution of the same mean and variance; the cell's own answers are then counted exactly.  A worker
    with many answers elsewhere is thereby known in a new cell as well as cells resemble each other, never better.
    For an accuracy over all cells, sum the states and fit a population of one cell.

    Raises ValueError on unequal shapes, negative counts, cells that the population lacks, or a level outside (0, 1).
    """
    good, bad = _tables(right, wrong)
    if good.shape[1] != len(population.means) or not 0 < level < 1:
        raise ValueError("the population has one mean for each cell, and the level lies in (0, 1)")
    a, b = np.empty_like(good), np.empty_like(good)
    for start in range(0, len(good), _BLOCK):
        block = slice(start, start + _BLOCK)
        prior_a, prior_b = _priors(good[block], bad[block], population, memory)
        a[block], b[block] = prior_a + good[block], prior_b + bad[block]
    tail = (1 - level) / 2
    return Skills(a, b, level, low=quantile(a, b, tail), high=quantile(a, b, 1 - tail))


def gold_rates(deviation: npt.ArrayLike, answers: npt.ArrayLike, alarm: npt.ArrayLike) -> FloatArray:
    """The share of gold in the next tasks, (n,) or of any shape: the less is known, the more.

    ``deviation`` as in `Skills`, ``answers`` given so far in the cell, ``alarm`` whether one is open.  Between 3 % and
    30 %; at least 20 % for the first 20 answers; 15 % more during an alarm.
    """
    rate = np.clip(RATE_MIN + 0.5 * np.asarray(deviation, dtype=np.float64), RATE_MIN, RATE_MAX)
    rate = np.where(np.asarray(answers) < NEW_ANSWERS, np.maximum(rate, RATE_NEW), rate)
    return rate + np.where(np.asarray(alarm, dtype=bool), RATE_ALARM, 0.0)


def evenly_drawn(size: int, most: int) -> IntArray:
    """At most ``most`` places out of ``size``, evenly and in step with nothing, so that no cell is left out."""
    if size <= most:
        return np.arange(size)
    golden = (5**0.5 - 1) / 2
    return (np.arange(most) * golden % 1.0 * size).astype(np.intp)


def _priors(
    right: FloatArray, wrong: FloatArray, population: Population, memory: float
) -> tuple[FloatArray, FloatArray]:
    """The Beta priors of all cells of some workers, each from the worker's other cells."""
    means, spread = np.asarray(population.means), population.spread
    shared, own = spread * population.common, spread * (1 - population.common)
    answers = right + wrong
    seen = answers > 0
    noise = (1 - spread) / np.maximum(_independent(answers, memory), 1e-12)
    precision = np.where(seen, 1 / (own + noise), 0.0)
    told = precision * _deviations(right, wrong, means, seen)
    others = precision.sum(axis=1, keepdims=True) - precision
    heard = told.sum(axis=1, keepdims=True) - told
    shrink = shared / (1 + shared * others)
    mean = np.clip(means + np.sqrt(means * (1 - means)) * shrink * heard, _EDGE, 1 - _EDGE)
    strength = 1 / (shrink + own) - 1
    return mean * strength, (1 - mean) * strength


def _deviations(right: FloatArray, wrong: FloatArray, means: FloatArray, seen: npt.NDArray[np.bool_]) -> FloatArray:
    """How far above the cell's mean each rate lies, in units of sqrt(mean (1 - mean)); 0 where nothing was answered."""
    answers = right + wrong
    scaled = (right - answers * means) / np.sqrt(means * (1 - means))
    result: FloatArray = np.divide(scaled, answers, out=np.zeros_like(right), where=seen)
    return result


def _independent(answers: FloatArray, memory: float) -> FloatArray:
    """How many equal answers are as noisy as ``answers`` faded ones: (sum of weights)^2 / sum of squared weights."""
    left = np.clip(1 - (1 - memory) * answers, 0.0, 1.0)
    result: FloatArray = answers * (1 + memory) / (1 + left)
    return result


def _cell_means(right: FloatArray, answers: FloatArray, mean: float, spread: float) -> FloatArray:
    """The cells' means (C,): workers' rates, weighted by what their answers tell of the cell, drawn to ``mean``."""
    weights = answers / (1 + np.maximum(answers - 1, 0) * spread)
    rates = np.divide(right, answers, out=np.zeros_like(right), where=answers > 0)
    pull = _CELL_WORKERS / spread
    means: FloatArray = (np.sum(weights * rates, axis=0) + pull * mean) / (weights.sum(axis=0) + pull)
    return np.clip(means, _EDGE, 1 - _EDGE)


def _beta_binomial(right: FloatArray, wrong: FloatArray) -> tuple[float, float]:
    """The most probable mean and spread of the accuracies of all cells (n,), on a grid that is narrowed."""
    odds, reach, spread = float(np.log(_MEAN_PRIOR / (1 - _MEAN_PRIOR))), 4.5, 1 / (_STRENGTH_PRIOR + 1)
    centre = odds
    for _ in range(5):
        tried = odds + reach * np.linspace(-1, 1, 9)
        fits = []
        for one in tried:
            mean = np.broadcast_to(1 / (1 + np.exp(-one)), right.shape)
            at, fit = _most_probable(right, wrong, mean)
            fits.append((fit - 0.5 * ((one - centre) / _MEAN_SPREAD) ** 2, float(one), at))
        _, odds, spread = max(fits)
        reach *= 0.35
    return float(1 / (1 + np.exp(-odds))), spread


def _most_probable(right: FloatArray, wrong: FloatArray, means: FloatArray) -> tuple[float, float]:
    """The most probable spread given the means, and its log-posterior, by a grid over the log of the strength."""
    rows, times = np.unique(np.stack([right, wrong, means], axis=1).round(3), axis=0, return_counts=True)
    good, bad, mean = rows.T
    centre = float(np.log(_STRENGTH_PRIOR))
    best, reach = (0.0, centre), 3.0
    for _ in range(5):
        tried = best[1] + reach * np.linspace(-1, 1, 9)
        strength = np.exp(tried)[:, None]
        a, b = mean * strength, (1 - mean) * strength
        terms = log_gamma(a + good) + log_gamma(b + bad) - log_gamma(strength + good + bad)
        terms += log_gamma(strength) - log_gamma(a) - log_gamma(b)
        fits = terms @ times - 0.5 * ((tried - centre) / _STRENGTH_SPREAD) ** 2
        place = int(np.argmax(fits))
        best = float(fits[place]), float(tried[place])
        reach *= 0.35
    return 1 / (1 + float(np.exp(best[1]))), best[0]


def _tables(right: npt.ArrayLike, wrong: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    good, bad = np.asarray(right, dtype=np.float64), np.asarray(wrong, dtype=np.float64)
    if good.ndim != 2 or good.shape != bad.shape or not (np.all(good >= 0) and np.all(bad >= 0)):
        raise ValueError("right and wrong are tables of workers by cells, of one shape, without negative entries")
    return good, bad
