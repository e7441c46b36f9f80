"""Beta distributions by the million: the same as `qualification.inference.beta`, on whole arrays and in NumPy alone."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from qualification.inference.answers import FloatArray

_BLOCK = 16_384
"""Entries worked on at a time: few enough to stay in a processor's cache."""

_SHIFT = 8
_TINY = 1e-300
_FRACTION_MAX = 20_000
_NEWTON_MAX = 100
"""Bounds that are never met: both loops end by convergence."""

_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


def log_gamma(x: npt.ArrayLike) -> FloatArray:
    """The logarithm of Gamma(x) for x > 0, of any shape, to about 1e-13 of max(1, its size).

    Source: Stirling's series, NIST Digital Library of Mathematical Functions 5.11.1, after the recurrence 5.5.1 has
    carried small x to 8 and above.
    """
    values = np.asarray(x, dtype=np.float64)
    small = values < _SHIFT
    product = np.ones_like(values)
    for step in range(_SHIFT):
        product *= np.where(small, values + step, 1.0)
    large = np.where(small, values + _SHIFT, values)
    series = _series(_STIRLING, large) / large
    result: FloatArray = (large - 0.5) * np.log(large) - large + 0.5 * np.log(2 * np.pi) + series - np.log(product)
    return result


def cumulative(a: npt.ArrayLike, b: npt.ArrayLike, x: npt.ArrayLike) -> FloatArray:
    """P(X <= x) for X ~ Beta(a, b); the three broadcast against each other.

    Source: as `qualification.inference.beta.cumulative`.  Raises ValueError unless a and b are positive and finite.
    """
    first, second, at = _parameters(a, b, x)
    result = np.empty(first.size)
    for block in _blocks(first.size):
        one, two, point = first.flat[block], second.flat[block], np.clip(at.flat[block], 0.0, 1.0)
        inside = np.where((point > 0) & (point < 1), point, 0.5)
        below = np.exp(_log_below(one, two, inside, 1 - inside, _log_scale(one, two)))
        result[block] = np.where(point <= 0, 0.0, np.where(point >= 1, 1.0, below))
    return result.reshape(first.shape)


def quantile(a: npt.ArrayLike, b: npt.ArrayLike, p: float) -> FloatArray:
    """The x with P(X <= x) = p for X ~ Beta(a, b); a and b broadcast.  The probability is met to 1e-8 of itself.

    On the log-odds scale the density is log-concave, so the logarithm of the smaller tail is concave there and Newton's
    steps on it converge from any start.  Raises ValueError unless a and b are positive and finite and 0 < p < 1.
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}; it lies strictly between 0 and 1")
    if p > 0.5:
        mirrored: FloatArray = 1.0 - quantile(b, a, 1 - p)
        return mirrored
    first, second, _ = _parameters(a, b, 0.0)
    result = np.empty(first.size)
    for block in _blocks(first.size):
        result[block] = _lower_quantile(first.flat[block], second.flat[block], p)
    return result.reshape(first.shape)


def _lower_quantile(a: FloatArray, b: FloatArray, p: float) -> FloatArray:
    """Newton's steps for p up to 0.5, on one block."""
    log_scale, target = _log_scale(a, b), np.log(p)
    spread = np.sqrt(1 / a + 0.5 / a**2 + 1 / b + 0.5 / b**2)
    odds = (np.log(a + 1) - 0.5 / (a + 1) - 1 / a) - (np.log(b + 1) - 0.5 / (b + 1) - 1 / b)
    odds += NormalDist().inv_cdf(p) * spread
    active = np.arange(len(a))
    for _ in range(_NEWTON_MAX):
        one, two, scale, y = a[active], b[active], log_scale[active], np.clip(odds[active], -650.0, 36.0)
        x, rest = 1 / (1 + np.exp(-y)), 1 / (1 + np.exp(y))
        log_below = _log_below(one, two, x, rest, scale)
        slope = np.exp(np.minimum(scale + one * np.log(x) + two * np.log(rest) - log_below, 700.0))
        error = log_below - target
        odds[active] = y - error / np.maximum(slope, _TINY)
        active = active[np.abs(error) > 1e-8]
        if not len(active):
            break
    quantiles: FloatArray = 1 / (1 + np.exp(-np.clip(odds, -700.0, 700.0)))
    return quantiles


def _log_below(a: FloatArray, b: FloatArray, x: FloatArray, rest: FloatArray, log_scale: FloatArray) -> FloatArray:
    """The logarithm of P(X <= x), also where the probability itself is too small for a number; ``rest`` is 1 - x."""
    flip = x > (a + 1) / (a + b + 2)
    one, two = np.where(flip, b, a), np.where(flip, a, b)
    near, far = np.where(flip, rest, x), np.where(flip, x, rest)
    front = log_scale + one * np.log(near) + two * np.log(far) - np.log(one)
    tail = front + np.log(_fraction(one, two, near))
    below: FloatArray = np.where(flip, np.log1p(-np.exp(np.minimum(tail, -1e-16))), tail)
    return below


def _fraction(a: FloatArray, b: FloatArray, x: FloatArray) -> FloatArray:
    """DLMF 8.17.22 by Lentz's method, for x below the mean."""
    both, c = a + b, np.ones_like(x)
    d = 1.0 / _away_from_zero(1.0 - both * x / (a + 1))
    value = d.copy()
    for m in range(1, _FRACTION_MAX):
        twice = a + 2 * m
        even = m * (b - m) * x / ((twice - 1) * twice)
        odd = -(a + m) * (both + m) * x / (twice * (twice + 1))
        d = 1.0 / _away_from_zero(1.0 + even * d)
        c = _away_from_zero(1.0 + even / c)
        value *= c * d
        d = 1.0 / _away_from_zero(1.0 + odd * d)
        c = _away_from_zero(1.0 + odd / c)
        step = c * d
        value *= step
        if np.all(np.abs(step - 1.0) < 1e-12):
            break
    return value


def _away_from_zero(value: FloatArray) -> FloatArray:
    return np.where(np.abs(value) > _TINY, value, _TINY)


def _log_scale(a: FloatArray, b: FloatArray) -> FloatArray:
    scale: FloatArray = log_gamma(a + b) - log_gamma(a) - log_gamma(b)
    return scale


def _series(terms: tuple[float, ...], x: FloatArray) -> FloatArray:
    """terms[0] + terms[1] / x^2 + terms[2] / x^4 and so on."""
    inverse = 1.0 / (x * x)
    total = np.zeros_like(x)
    for term in reversed(terms):
        total = total * inverse + term
    return total


def _parameters(a: npt.ArrayLike, b: npt.ArrayLike, x: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    first, second, at = np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in (a, b, x)))
    if not (np.all(first > 0) and np.all(second > 0) and np.all(np.isfinite(first)) and np.all(np.isfinite(second))):
        raise ValueError("a and b are positive and finite")
    if np.any(np.isnan(at)):
        raise ValueError("x is a number")
    return first, second, at


def _blocks(size: int) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, size, _BLOCK)]
