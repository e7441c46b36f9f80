"""Answers that do not depend on the task: random clicking, one answer for everything, no time spent.

Three scores of a worker, each with its reason, and none an action: they are for people to look at.  Somebody who answers fast
may know the work well, and somebody who always says "no" may have been given the tasks where that is right.

What is carried of a worker between answers is a table (K, K) of floats, class by answer, to which `added` adds one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray
from qualification.inference.beta_arrays import log_gamma
from qualification.inference.confusion import shrunk_confusions
from qualification.inference.likeness import Scene, reference

RATIO_MIN = 5.0
"""A log likelihood ratio above this is shown as random clicking."""

ANSWERS_MIN = 12.0
"""Nothing is said of a worker with fewer judged answers (in sum of certainty)."""

DEVIATIONS = 4.0
"""A share of one answer this many standard errors above the others' is shown."""

FAST = 0.05
"""Workers whose median time is among the fastest of this share are shown."""

_FLAT, _EVEN = 1.0, 100.0
"""Answering whatever the task is: with any favourites, or evenly; both as likely."""


class Habit(StrEnum):
    """What a flag is about."""

    RANDOM = "random"
    SINGLE = "single"
    FAST = "fast"


@dataclass(frozen=True, slots=True)
class Flag:
    """Something about worker number ``worker`` for a person to look at: a score, past ``limit``, and the reason in words."""

    worker: int
    habit: Habit
    score: float
    limit: float
    reason: str


def added(table: npt.ArrayLike, label_index: int, belief: npt.ArrayLike) -> FloatArray:
    """The worker's table (K, K) after one more answer; ``belief`` (K,) in the task's class is gold or *others'* answers."""
    after = np.array(table, dtype=np.float64)
    after[:, label_index] += np.asarray(belief, dtype=np.float64)
    return after


def tables(seen: Scene) -> FloatArray:
    """Everybody's tables (W, K, K) at once: each answer on the class that gold or the others' answers tell."""
    k = seen.likely.shape[1]
    without = seen.evidence[seen.task] - np.log(seen.likely)
    belief, _ = reference(seen, seen.task, without, seen.votes[seen.task])
    found = np.zeros((seen.n_workers, k, k))
    for true in range(k):
        cells = np.bincount(seen.worker * k + seen.label, weights=belief[:, true], minlength=seen.n_workers * k)
        found[:, true] = cells.reshape(seen.n_workers, k)
    return found


def random_ratios(counts: npt.ArrayLike) -> FloatArray:
    """Log likelihood ratio (W,), in nats, of answering whatever the task is, against answering as this crowd does.

    ``counts`` (W, K, K) are everybody's tables.  "Whatever the task is": one unknown distribution over the answers, the same
    for each class.  "As this crowd does": each row Dirichlet around the crowd's, as wide as the crowd is, fitted by
    `shrunk_confusions` on the workers who are more often right than chance would have it.  Both are marginal
    likelihoods, so neither gains by being flexible.

    Raises ValueError on another shape.
    """
    table = np.asarray(counts, dtype=np.float64)
    crowd = shrunk_confusions(table)
    decent = _random(table) - _as_crowd(table, crowd.population, crowd.strength) <= 0
    if np.any(decent):
        crowd = shrunk_confusions(table[decent])
    return _random(table) - _as_crowd(table, crowd.population, crowd.strength)


def single_scores(counts: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """How far each worker's commonest answer is above its share in the others' answers, in standard errors, and that share.

    ``counts`` (W, K, K) or (W, K).  The standard error has a part of chance and a part of how far workers differ anyway; the
    score is 0 of those with fewer than `ANSWERS_MIN` answers.
    """
    table = np.asarray(counts, dtype=np.float64)
    said = table.sum(axis=1) if table.ndim == 3 else table
    totals = said.sum(axis=1, keepdims=True)
    shares = said / np.maximum(totals, 1.0)
    rest = said.sum(axis=0) - said
    usual = (rest + 1.0) / (rest + 1.0).sum(axis=1, keepdims=True)
    chance = usual * (1 - usual) / np.maximum(totals, 1.0)
    enough = totals[:, 0] >= ANSWERS_MIN
    between = np.zeros(said.shape[1])
    if np.count_nonzero(enough) > 2:
        apart = np.median((shares[enough] - usual[enough]) ** 2, axis=0) / _MEDIAN_OF_SQUARE
        between = np.maximum(0.0, apart - np.median(chance[enough], axis=0))
    most = shares.argmax(axis=1)
    rows = np.arange(len(said))
    score = (shares - usual)[rows, most] / np.sqrt(chance + between)[rows, most]
    return np.where(enough, score, 0.0), shares[rows, most]


def speed_ranks(medians: npt.ArrayLike) -> FloatArray:
    """The share of workers who are as fast or faster, (W,), from each one's median seconds an answer; nan where unknown.

    Compare tasks of one job only: a share says nothing of two jobs of unlike length.
    """
    seconds = np.asarray(medians, dtype=np.float64)
    known = np.sort(seconds[np.isfinite(seconds)])
    ranks = np.searchsorted(known, seconds, side="right") / max(1, len(known))
    return np.where(np.isfinite(seconds), ranks, np.nan)


def flags(counts: npt.ArrayLike, medians: npt.ArrayLike | None = None) -> tuple[Flag, ...]:
    """All that is worth a look, by worker; ``counts`` (W, K, K) are tables, ``medians`` (W,) seconds an answer."""
    table = np.asarray(counts, dtype=np.float64)
    judged = table.sum(axis=(1, 2))
    found = []
    ratios = random_ratios(table)
    for worker in np.flatnonzero((ratios > RATIO_MIN) & (judged >= ANSWERS_MIN)):
        agreed = float(np.trace(table[worker]))
        reason = f"Answers look independent of the tasks: {agreed:.0f} of {judged[worker]:.0f} agree with gold or the others."
        found.append(Flag(int(worker), Habit.RANDOM, float(ratios[worker]), RATIO_MIN, reason))
    scores, shares = single_scores(table)
    for worker in np.flatnonzero(scores > DEVIATIONS):
        reason = f"{shares[worker]:.0%} of the answers are the same one, far more than among others."
        found.append(Flag(int(worker), Habit.SINGLE, float(scores[worker]), DEVIATIONS, reason))
    if medians is not None:
        seconds = np.asarray(medians, dtype=np.float64)
        for worker in np.flatnonzero(speed_ranks(seconds) <= FAST):
            rank = float(speed_ranks(seconds)[worker])
            reason = f"Half of the answers took {seconds[worker]:.1f} seconds or less, among the fastest {FAST:.0%}."
            found.append(Flag(int(worker), Habit.FAST, rank, FAST, reason))
    return tuple(sorted(found, key=lambda flag: (flag.worker, flag.habit)))


_MEDIAN_OF_SQUARE = 0.4549
"""The median of the square of a standard normal variable."""


def _random(table: FloatArray) -> FloatArray:
    """Log marginal likelihood (W,) of the answers, if they are drawn from one unknown distribution whatever the class."""
    said, k = table.sum(axis=1), table.shape[2]
    return np.asarray(np.logaddexp(*(_polya(said, np.full(k, each)) for each in (_FLAT, _EVEN))) - np.log(2))


def _as_crowd(table: FloatArray, population: FloatArray, strength: float) -> FloatArray:
    """Log marginal likelihood (W,), if each class has a distribution of its own around the crowd's."""
    return _polya(table, strength * population).sum(axis=1)


def _polya(counts: FloatArray, alpha: FloatArray) -> FloatArray:
    """Log likelihood of sequences with ``counts`` (..., K) under a Dirichlet with parameters ``alpha``."""
    gained = (log_gamma(counts + alpha) - log_gamma(alpha)).sum(axis=-1)
    total = alpha.sum(axis=-1)
    return np.asarray(gained - log_gamma(counts.sum(axis=-1) + total) + log_gamma(total))
