"""What a worker's next answers will look like: an interval that the share of right ones can be held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray
from qualification.inference.beta_arrays import log_gamma

LEVEL = 0.9

DRIFT = 0.03
"""By how much (one standard deviation, for a worker at 50 %) accuracy on the next tasks differs from that on the last:
people change a little, and so does the difficulty of what comes."""

_EXACT_MAX = 5_000
"""More answers than that are as good as a continuum: shares are then told to 1 in 5,000."""

_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Prediction:
    """The share of right ones among the next answers: expected, and the interval [low, high]; all (n,)."""

    low: FloatArray
    mean: FloatArray
    high: FloatArray


def predicted_shares(
    a: npt.ArrayLike, b: npt.ArrayLike, answers: npt.ArrayLike, *, level: float = LEVEL, drift: float = DRIFT
) -> Prediction:
    """Predict the share of right ones among the next ``answers`` (n,) whole numbers, for accuracies Beta(a, b), (n,) each.

    Model: the accuracy of the next answers has the mean of Beta(a, b) and its variance plus ``drift`` squared, scaled by
    mean (1 - mean) / (1 / 4), and again a Beta distribution; the number of right ones is then beta-binomial.  Low and
    high are shares that can occur: the likeliest numbers are taken until their probability is as near to ``level`` as
    whole numbers allow, which for few answers is a little less or more.

    Raises ValueError on fewer than one answer, a level outside (0, 1), or a negative drift.
    """
    first, second, counts = np.broadcast_arrays(*(np.asarray(one, dtype=np.float64) for one in (a, b, answers)))
    if first.ndim != 1 or not np.all((counts >= 1) & (counts == np.floor(counts))):
        raise ValueError("a, b and answers are lists of one length, and answers are whole numbers of at least 1")
    if not (np.all(first > 0) and np.all(second > 0) and 0 < level < 1 and drift >= 0):
        raise ValueError("a and b are positive, the level lies in (0, 1), and the drift is not negative")
    mean = first / (first + second)
    strength = 1 / (1 / (first + second + 1) + 4 * drift**2) - 1
    # So much drift that nothing is known leaves a uniform-like prior, never a negative strength.
    strength = np.maximum(strength, 1e-3)
    low, high = np.empty(len(mean)), np.empty(len(mean))
    many = counts > _EXACT_MAX
    # The same variance of the share, spread over fewer answers.
    share = (1 / counts[many] + (1 - 1 / counts[many]) / (strength[many] + 1)) * _EXACT_MAX
    strength[many] = (_EXACT_MAX - 1) / np.maximum(share - 1, 1e-6) - 1
    counts = np.where(many, _EXACT_MAX, counts)
    order = np.argsort(counts, kind="stable")
    while len(order):
        size = max(1, int(_ENTRIES // (counts[order[0]] + 1)))
        size = max(1, min(size, int(_ENTRIES // (counts[order[min(size, len(order)) - 1]] + 1))))
        rows, order = order[:size], order[size:]
        low[rows], high[rows] = _likeliest(
            mean[rows] * strength[rows], (1 - mean[rows]) * strength[rows], counts[rows], level
        )
    return Prediction(low, mean, high)


def _likeliest(a: FloatArray, b: FloatArray, answers: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """The ends of the likeliest shares, for some rows at once."""
    right = np.arange(int(answers.max()) + 1, dtype=np.float64)
    alpha, beta, n = a[:, None], b[:, None], answers[:, None]
    wrong = np.maximum(n - right, 0.0)
    log_chance = log_gamma(alpha + right) + log_gamma(beta + wrong) - log_gamma(right + 1) - log_gamma(wrong + 1)
    chance = np.exp(log_chance - log_chance.max(axis=1, keepdims=True))
    chance[right[None, :] > n] = 0.0
    chance /= chance.sum(axis=1, keepdims=True)
    likely = np.argsort(-chance, axis=1, kind="stable")
    held = np.cumsum(np.take_along_axis(chance, likely, axis=1), axis=1)
    taken = 1 + np.argmin(np.abs(held - level), axis=1)
    inside = np.zeros(chance.shape, dtype=bool)
    np.put_along_axis(inside, likely, np.arange(len(right)) < taken[:, None], axis=1)
    first = np.argmax(inside, axis=1)
    last = len(right) - 1 - np.argmax(inside[:, ::-1], axis=1)
    return first / answers, last / answers
