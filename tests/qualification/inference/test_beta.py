from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualification.inference.beta import accuracy_after, cumulative, quantile


@pytest.mark.parametrize("x", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_the_cumulative_is_right_where_there_is_a_formula(x: float) -> None:
    assert cumulative(1, 1, x) == pytest.approx(x, abs=1e-14)
    assert cumulative(7, 1, x) == pytest.approx(x**7, rel=1e-12)
    assert cumulative(1, 7, x) == pytest.approx(1 - (1 - x) ** 7, rel=1e-12)
    assert cumulative(0.5, 0.5, x) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)), rel=1e-12)


@pytest.mark.parametrize(("a", "b"), [(2, 3), (10, 3), (50, 7), (200, 300)])
def test_the_cumulative_is_the_binomial_tail(a: int, b: int) -> None:
    n = a + b - 1
    tail = sum(math.comb(n, j) * 0.4**j * 0.6 ** (n - j) for j in range(a, n + 1))

    assert cumulative(a, b, 0.4) == pytest.approx(tail, rel=1e-11)


@given(st.floats(1, 5000), st.floats(1, 5000), st.floats(0.001, 0.999))
def test_the_quantile_undoes_the_cumulative(a: float, b: float, p: float) -> None:
    assert cumulative(a, b, quantile(a, b, p)) == pytest.approx(p, abs=1e-9)


def test_the_ends_are_the_ends() -> None:
    assert (quantile(3, 2, 0), quantile(3, 2, 1)) == (0.0, 1.0)
    assert (cumulative(3, 2, -1), cumulative(3, 2, 2)) == (0.0, 1.0)


def test_a_uniform_prior_and_the_published_interval_for_nine_of_ten() -> None:
    accuracy = accuracy_after(9, 1, prior=(1, 1), level=0.95)

    # Beta(10, 2): 2.5 % and 97.5 % points as tabulated.
    assert accuracy.mean == pytest.approx(10 / 12)
    assert accuracy.low == pytest.approx(0.58722, abs=1e-5)
    assert accuracy.high == pytest.approx(0.97717, abs=1e-5)


@pytest.mark.parametrize(("questions", "errors"), [(10, 0), (20, 1), (30, 3), (50, 6)])
def test_the_grant_table_of_ninety_percent_sure_of_eighty_percent(questions: int, errors: int) -> None:
    assert accuracy_after(questions - errors, errors).above(0.8) >= 0.9 - 0.005
    assert accuracy_after(questions - errors - 1, errors + 1).above(0.8) < 0.9


def test_more_evidence_narrows_the_interval() -> None:
    few, many = accuracy_after(8, 2), accuracy_after(800, 200)

    assert many.high - many.low < (few.high - few.low) / 4
    assert few.low < few.mean < few.high


@pytest.mark.parametrize(("right", "wrong", "level"), [(-1, 0, 0.9), (0, float("nan"), 0.9), (1, 1, 1.0), (1, 1, 0.0)])
def test_nonsense_is_refused(right: float, wrong: float, level: float) -> None:
    with pytest.raises(ValueError, match="counts are not negative"):
        accuracy_after(right, wrong, level=level)


def test_parameters_that_are_not_positive_are_refused() -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        cumulative(0, 1, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile(1, 1, 1.5)
