from __future__ import annotations

import math

import numpy as np
import pytest

from qualification.inference.prediction import predicted_shares


def test_the_number_of_right_ones_is_beta_binomial() -> None:
    # Beta(1, 1) makes every number of right ones equally likely: of 0 to 9, any nine hold 90 %.
    said = predicted_shares([1.0], [1.0], [9], drift=0.0)

    assert said.mean[0] == 0.5
    assert said.high[0] - said.low[0] == pytest.approx(8 / 9)


def test_the_interval_is_the_shortest_that_holds_the_level() -> None:
    a, b, n = 18.0, 4.0, 30
    said = predicted_shares([a], [b], [n], drift=0.0)

    def log_beta(one: float, two: float) -> float:
        return math.lgamma(one) + math.lgamma(two) - math.lgamma(one + two)

    chance = [math.comb(n, k) * math.exp(log_beta(a + k, b + n - k) - log_beta(a, b)) for k in range(n + 1)]
    low, high = round(said.low[0] * n), round(said.high[0] * n)
    held = sum(chance[low : high + 1])
    assert held == pytest.approx(0.9, abs=max(chance) / 2)
    assert min(chance[low], chance[high]) >= max(chance[low - 1], chance[high + 1] if high < n else 0.0)


def test_what_is_predicted_comes_true_as_often_as_it_says() -> None:
    rng = np.random.default_rng(8)
    accuracies = rng.beta(12, 3, 4_000)
    seen, later = rng.binomial(20, accuracies), rng.integers(20, 120, 4_000)
    observed = rng.binomial(later, accuracies) / later

    said = predicted_shares(12.0 + seen, 3.0 + 20 - seen, later, drift=0.0)

    assert np.mean((said.low <= observed) & (observed <= said.high)) == pytest.approx(0.9, abs=0.015)


def test_drift_widens_what_much_evidence_had_narrowed() -> None:
    still = predicted_shares([800.0], [200.0], [2_000], drift=0.0)
    moving = predicted_shares([800.0], [200.0], [2_000], drift=0.05)

    assert moving.high[0] - moving.low[0] > 2 * (still.high[0] - still.low[0])
    assert moving.mean[0] == still.mean[0] == pytest.approx(0.8)


def test_a_continuum_takes_over_without_a_step() -> None:
    said = predicted_shares([40.0, 40.0], [10.0, 10.0], [5_000, 5_001])

    assert said.low[0] == pytest.approx(said.low[1], abs=0.01)
    assert said.high[0] == pytest.approx(said.high[1], abs=0.01)


def test_order_and_company_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    a, b, n = rng.uniform(1, 30, 60), rng.uniform(1, 10, 60), rng.integers(1, 400, 60)
    together = predicted_shares(a, b, n)

    for place in (0, 17, 59):
        alone = predicted_shares(a[[place]], b[[place]], n[[place]])
        assert (alone.low[0], alone.high[0]) == (together.low[place], together.high[place])


def test_drift_without_bounds_leaves_nothing_known() -> None:
    said = predicted_shares([90.0], [10.0], [50], drift=2.0)

    assert (said.low[0], said.high[0]) in {(1.0, 1.0), (0.0, 1.0)}


@pytest.mark.parametrize(
    ("a", "answers", "level", "drift", "match"),
    [
        ([1.0], [0], 0.9, 0.0, "whole numbers"),
        ([1.0], [2.5], 0.9, 0.0, "whole numbers"),
        ([0.0], [5], 0.9, 0.0, "positive"),
        ([1.0], [5], 1.0, 0.0, "level"),
        ([1.0], [5], 0.9, -0.1, "drift"),
    ],
)
def test_nonsense_is_refused(a: list[float], answers: list[float], level: float, drift: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        predicted_shares(a, [1.0], answers, level=level, drift=drift)
