"""Which question an exam asks next, and what an answer to it is worth: the Rasch model of ability and difficulty.

P(right) = 1 / (1 + exp(difficulty - ability)), both in logits.  Source: Rasch (1960); estimation by expected a posteriori
as in Bock & Mislevy (1982); the sequential test on items of known difficulty as in Reckase (1983).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray, IntArray

ANSWERS_MIN = 30
"""Answers from which an item's own difficulty is used; before, it is its class's."""

EXPOSURE_MAX = 0.25
"""Largest share of attempts that may show an item."""

ATTEMPTS_MIN = 20
"""Exposure is a share of at least this many attempts, so that the first ones may be asked anything."""

LOGIT_MAX = 6.0
"""Abilities and difficulties beyond this tell nothing more: P(right) is 0.002 or 0.998."""

_POINTS = 121
_ROUNDS = 40
_ROUNDS_OF_SHRINKING = 15
_DEVIATION_MIN = 0.05


@dataclass(frozen=True, slots=True)
class Ability:
    """An estimated ability: mean and standard error, in logits."""

    mean: float
    error: float


def chance(ability: float | FloatArray, difficulty: float | FloatArray) -> FloatArray:
    """P(right) of an ability at a difficulty, both in logits; shapes broadcast."""
    apart = np.clip(np.asarray(difficulty, dtype=np.float64) - ability, -500.0, 500.0)
    return np.asarray(1.0 / (1.0 + np.exp(apart)), dtype=np.float64)


def information(ability: float, difficulty: FloatArray) -> FloatArray:
    """What an answer to each item tells of the ability: Fisher information P(1 - P), (n,), at most 0.25."""
    right = chance(ability, difficulty)
    return right * (1 - right)


def estimate_ability(
    earned: npt.ArrayLike, difficulty: npt.ArrayLike, *, prior: tuple[float, float] = (1.0, 1.5)
) -> Ability:
    """The ability shown by ``earned`` (n,), credits of 0 to 1, on items of ``difficulty`` (n,): posterior mean and error.

    ``prior`` is the mean and standard deviation of a normal distribution.  A part of a credit counts as that part of a
    right answer and the rest of a wrong one.  Without answers the prior is returned, cut off at ±LOGIT_MAX.
    Raises ValueError when shapes differ, a credit is outside [0, 1], or the deviation is not positive.
    """
    got, hard = np.asarray(earned, dtype=np.float64), np.asarray(difficulty, dtype=np.float64)
    if got.ndim != 1 or got.shape != hard.shape or not ((got >= 0) & (got <= 1)).all():
        raise ValueError("earned credits are 0 to 1, with one difficulty each")
    if not prior[1] > 0:
        raise ValueError(f"the prior's deviation is {prior[1]}; it is positive")
    grid = np.linspace(-LOGIT_MAX, LOGIT_MAX, _POINTS)
    # log P(right) = -log(1 + exp(b - a)), and log P(wrong) is less by a - b.
    apart = grid[:, None] - hard
    log_belief = (got * apart - np.logaddexp(0.0, apart)).sum(axis=1) - ((grid - prior[0]) / prior[1]) ** 2 / 2
    belief = np.exp(log_belief - log_belief.max())
    belief /= belief.sum()
    mean = float(belief @ grid)
    return Ability(mean, float(np.sqrt(belief @ (grid - mean) ** 2)))


def estimate_difficulty(
    item_index: IntArray, earned: FloatArray, ability: FloatArray, class_index: IntArray
) -> FloatArray:
    """The difficulty of each item in logits, (n_items,), from answers of workers whose ability is known.

    Shapes: ``item_index``, ``earned`` (credits) and ``ability`` (n_answers,), one entry an answer, abilities in logits;
    ``class_index`` (n_items,), the items that are taken to be alike, such as a domain × difficulty.  An item of at least
    ANSWERS_MIN answers has its own, shrunk towards its class's mean; the others have that mean.  How much it is shrunk
    comes from how far items lie from their class's mean (one deviation for all, by expectation-maximisation).  That
    matters: `choose_item` picks the items that are believed to be hard enough, and among those the overestimated ones
    gather unless beliefs are shrunk rightly.  A class in which no item has ANSWERS_MIN answers has the difficulty that fits
    all its answers at once; one without answers has 0, where ability 0 is right every second time.

    Raises ValueError when shapes differ or an index is out of its range.
    """
    n_items = len(class_index)
    if not len(item_index) == len(earned) == len(ability):
        raise ValueError("item_index, earned and ability have one entry an answer")
    if (class_index < 0).any() or (item_index < 0).any() or (item_index >= n_items).any():
        raise ValueError("an index is out of its range")
    n_classes = int(class_index.max()) + 1 if n_items else 0
    pooled, _ = _solve(class_index[item_index], earned, ability, prior=np.zeros(n_classes), deviation=2.0)
    known = np.bincount(item_index, minlength=n_items) >= ANSWERS_MIN
    if not known.any():
        return pooled[class_index]
    counts = np.bincount(class_index[known], minlength=n_classes)
    mean, deviation = pooled, 1.0
    for _ in range(_ROUNDS_OF_SHRINKING):
        own, spread = _solve(item_index, earned, ability, prior=mean[class_index], deviation=deviation)
        sums = np.bincount(class_index[known], own[known], minlength=n_classes)
        mean = np.where(counts > 0, sums / np.maximum(counts, 1), pooled)
        apart = (own - mean[class_index])[known] ** 2 + spread[known]
        deviation = max(float(np.sqrt(apart.mean())), _DEVIATION_MIN)
    return np.where(known, own, mean[class_index])


def ability_for(share: float, difficulty: FloatArray) -> float:
    """The ability that is right on ``share`` of the items of ``difficulty`` (n,) on average, in logits.

    So an exam's p0 and p1, which are said of its whole pool, become abilities.  Raises ValueError unless 0 < share < 1 and
    there is an item.
    """
    if not 0 < share < 1 or not len(difficulty):
        raise ValueError("the share lies between 0 and 1, and there is an item")
    edge = abs(float(np.log(share / (1 - share))))
    low, high = float(difficulty.min()) - edge, float(difficulty.max()) + edge
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle, difficulty).mean() < share else (low, middle)
    return (low + high) / 2


def chances_at(abilities: tuple[float, float], difficulty: float) -> tuple[float, float]:
    """P(right) of one item at the abilities of p0 and p1: the ``chances`` of `sequential.step`.

    Questions that were chosen by difficulty need them.  An adaptive exam asks a good worker hard ones, and the plain share
    of right answers would say little.
    """
    return float(chance(abilities[0], difficulty)), float(chance(abilities[1], difficulty))


def exposure(shown: IntArray, attempts: int) -> FloatArray:
    """The share of attempts that showed each item, (n,), of at least ATTEMPTS_MIN attempts."""
    return np.asarray(shown, dtype=np.float64) / max(attempts, ATTEMPTS_MIN)


def choose_item(
    information: FloatArray,
    exposure: FloatArray,
    stratum: IntArray,
    quotas: FloatArray,
    *,
    asked: IntArray,
    rng: np.random.Generator,
    usable: npt.NDArray[np.bool_] | None = None,
) -> int:
    """The index of the next item to ask.

    Shapes: ``information``, ``exposure`` (shares) and ``stratum`` (n,); ``quotas`` (the shares of the exam that the strata
    shall have) and ``asked`` (questions of each so far) (n_strata,); ``usable`` (n,), False for what the worker has seen.

    Items at EXPOSURE_MAX are not asked.  Of the strata that have others, the one furthest behind its quota comes first,
    ties at random, and of its items the one with the most information.  Only where every usable item is at its limit, the
    least exposed is asked, as an exam that was begun has to go on.

    Raises ValueError when shapes differ, a quota is negative or all are zero, or nothing is usable.
    """
    if not (information.shape == exposure.shape == stratum.shape and quotas.shape == asked.shape):
        raise ValueError("there is one information, exposure and stratum an item, one quota and count a stratum")
    if not ((quotas >= 0).all() and quotas.sum() > 0):
        raise ValueError("quotas are not negative, and some are above 0")
    can = np.ones(len(information), dtype=np.bool_) if usable is None else usable
    if not can.any():
        raise ValueError("no item is usable")
    shuffled = rng.permutation(len(information))
    fresh = shuffled[(can & (exposure < EXPOSURE_MAX))[shuffled]]
    if not len(fresh):
        rest = shuffled[can[shuffled]]
        return int(rest[np.argmin(exposure[rest])])
    behind = quotas / quotas.sum() * (asked.sum() + 1) - asked
    lag = behind[stratum[fresh]]
    first = fresh[lag >= lag.max() - 1e-9]
    # The first of the shuffled items names the stratum, where several are equally far behind.
    own = first[stratum[first] == stratum[first[0]]]
    return int(own[np.argmax(information[own])])


def _solve(
    group: IntArray, earned: FloatArray, ability: FloatArray, *, prior: FloatArray, deviation: float
) -> tuple[FloatArray, FloatArray]:
    """The most likely difficulty of each group and its variance, both (n_groups,), under normal priors.

    By Newton's steps, each at most 1.
    """
    found = np.clip(prior, -LOGIT_MAX, LOGIT_MAX)
    for _ in range(_ROUNDS):
        right = chance(ability, found[group])
        slope = np.bincount(group, right - earned, minlength=len(prior)) - (found - prior) / deviation**2
        bend = np.bincount(group, right * (1 - right), minlength=len(prior)) + 1 / deviation**2
        move = np.clip(slope / bend, -1.0, 1.0)
        found = np.clip(found + move, -LOGIT_MAX, LOGIT_MAX)
        if np.abs(move).max(initial=0.0) < 1e-6:
            break
    return found, 1 / bend
