from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualification.inference import beta
from qualification.inference.beta_arrays import cumulative, log_gamma, quantile

SIZES = np.geomspace(1e-6, 1e6, 97)


def test_the_logarithm_of_gamma_is_the_standard_librarys() -> None:
    expected = np.array([math.lgamma(size) for size in SIZES])

    assert np.max(np.abs(log_gamma(SIZES) - expected) / np.maximum(1, np.abs(expected))) < 1e-12


def test_arrays_give_what_single_numbers_give() -> None:
    rng = np.random.default_rng(5)
    a, b, x = np.exp(rng.uniform(-1, 6, 400)), np.exp(rng.uniform(-1, 6, 400)), rng.random(400)

    singly = [beta.cumulative(*three) for three in zip(a.tolist(), b.tolist(), x.tolist(), strict=True)]
    assert cumulative(a, b, x) == pytest.approx(singly, abs=1e-11)
    for p in (0.05, 0.5, 0.95):
        ends = [beta.quantile(one, two, p) for one, two in zip(a.tolist(), b.tolist(), strict=True)]
        assert quantile(a, b, p) == pytest.approx(ends, abs=1e-9)


@given(st.floats(0.05, 1e5), st.floats(0.05, 1e5), st.sampled_from([0.001, 0.05, 0.5, 0.9, 0.999]))
def test_the_quantile_undoes_the_cumulative_also_at_the_extremes(a: float, b: float, p: float) -> None:
    end = quantile(np.array([a]), np.array([b]), p)

    near = (end[0] > 1e-12) & (end[0] < 1 - 1e-12)
    assert not near or cumulative(np.array([a]), np.array([b]), end)[0] == pytest.approx(p, abs=1e-5)
    assert 0 <= end[0] <= 1


def test_shapes_broadcast_and_more_than_a_block_is_taken() -> None:
    assert cumulative(np.ones((3, 1)), np.ones(4), 0.25).shape == (3, 4)
    many = quantile(np.full(40_000, 3.0), np.full(40_000, 2.0), 0.05)

    assert np.ptp(many) == 0
    assert many[0] == pytest.approx(beta.quantile(3, 2, 0.05), abs=1e-9)


def test_the_ends_are_the_ends() -> None:
    assert cumulative(3, 2, np.array([-1.0, 0.0, 1.0, 2.0])).tolist() == [0, 0, 1, 1]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        cumulative(0.0, 1.0, 0.5)
    with pytest.raises(ValueError, match="x is a number"):
        cumulative(1.0, 1.0, math.nan)
    with pytest.raises(ValueError, match="strictly between"):
        quantile(1.0, 1.0, 1.0)
