"""What is known of an accuracy after some right and wrong answers: a Beta distribution, its mean and its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

PRIOR = (3.2, 0.8)
"""Pseudo-counts right and wrong before anything is seen: mean 0.8, worth four answers."""

_TINY = 1e-300
_STEPS_MAX = 100_000
"""A bound that is never met: both loops end by convergence."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """A measured accuracy: Beta(a, b), its mean, and the equal-tailed interval [low, high] that holds ``level`` of it."""

    a: float
    b: float
    level: float
    low: float
    mean: float
    high: float

    def above(self, threshold: float) -> float:
        """P(accuracy > threshold)."""
        return 1.0 - cumulative(self.a, self.b, threshold)


def accuracy_after(right: float, wrong: float, *, prior: tuple[float, float] = PRIOR, level: float = 0.9) -> Accuracy:
    """The accuracy after ``right`` and ``wrong`` answers (counts, or weights when older answers are discounted).

    Model: accuracy ~ Beta(prior), answers independent given it, so it is Beta(prior + counts) afterwards.
    Raises ValueError on negative counts, a prior that is not positive, or a level outside (0, 1).
    """
    if not (right >= 0 and wrong >= 0 and prior[0] > 0 and prior[1] > 0 and 0 < level < 1):
        raise ValueError("counts are not negative, the prior is positive, and the level lies in (0, 1)")
    a, b = prior[0] + right, prior[1] + wrong
    tail = (1 - level) / 2
    return Accuracy(a, b, level, low=quantile(a, b, tail), mean=a / (a + b), high=quantile(a, b, 1 - tail))


def cumulative(a: float, b: float, x: float) -> float:
    """P(X <= x) for X ~ Beta(a, b): the regularised incomplete beta function I_x(a, b), to about 1e-10 for counts in the thousands.

    Source: the continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, evaluated by Lentz's
    method on the side of the mean where it converges fast.  Raises ValueError unless a and b are positive and finite.
    """
    if not (0 < a < math.inf and 0 < b < math.inf) or math.isnan(x):
        raise ValueError("a and b are positive and finite, and x is a number")
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _lower_tail(b, a, 1 - x, math.log(x))
    return _lower_tail(a, b, x, math.log1p(-x))


def quantile(a: float, b: float, p: float) -> float:
    """The x in [0, 1] with P(X <= x) = p for X ~ Beta(a, b), by Newton's steps, halved where they leave the bracket.

    Raises ValueError unless p lies in [0, 1].
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p is {p}; a probability lies between 0 and 1")
    if p in (0, 1):
        return float(p)
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    low, high, x = 0.0, 1.0, a / (a + b)
    for _ in range(_STEPS_MAX):
        error = cumulative(a, b, x) - p
        low, high = (x, high) if error < 0 else (low, x)
        density = math.exp(log_scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))
        guess = x - error / density if density > 0 else low
        before, x = x, guess if low < guess < high else (low + high) / 2
        if abs(x - before) <= 1e-14 * x or not 0 < x < 1:
            break
    return x


def _lower_tail(a: float, b: float, x: float, log_rest: float) -> float:
    """I_x(a, b) for x below the mean; ``log_rest`` is log(1 - x), exact also where x is tiny."""
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * log_rest
    front = math.exp(log_front) / a
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / _away_from_zero(1.0 + even * d)
        c = _away_from_zero(1.0 + even / c)
        value *= c * d
        d = 1.0 / _away_from_zero(1.0 + odd * d)
        c = _away_from_zero(1.0 + odd / c)
        step = c * d
        value *= step
        if abs(step - 1.0) < 1e-15:
            break
    return front * value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
