from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from qualification.inference.agreement import (
    agreement_shares,
    expected_calibration_error,
    krippendorff_alpha,
    mean_pairwise_agreement,
)


def test_the_share_of_agreeing_pairs_by_hand() -> None:
    counts = [[3, 0], [2, 1], [1, 1], [1, 0], [0, 0]]

    assert_allclose(agreement_shares(counts), [1, 1 / 3, 0, np.nan, np.nan])
    assert mean_pairwise_agreement(counts) == pytest.approx(4 / 9)
    assert mean_pairwise_agreement([[1, 0]]) is None


def test_alpha_of_two_observers_by_hand() -> None:
    # Ten units, two answers each.  Agreed: six 0 and one 1; three units are split.
    counts = [[2, 0]] * 6 + [[0, 2]] + [[1, 1]] * 3

    # Observed: 3 units x 2 ordered pairs / (2 - 1) = 6.  Classes: 15 and 5 of 20; expected pairs 400 - 250 = 150.
    assert krippendorff_alpha(counts) == pytest.approx(1 - 19 * 6 / 150)


def test_alpha_with_missing_answers_by_hand() -> None:
    # The unit with one answer cannot be paired and does not count, not even in the class totals.
    counts = [[3, 0, 0], [1, 2, 0], [0, 0, 2], [0, 1, 0]]

    # Units of 3, 3, 2.  Observed: unit 2 has 2*1*2 = 4 unequal ordered pairs / 2 = 2.
    # Classes: 4, 2, 2 of 8; expected pairs 64 - 24 = 40.
    assert krippendorff_alpha(counts) == pytest.approx(1 - 7 * 2 / 40)


def test_alpha_of_the_textbook_example_with_four_observers() -> None:
    # Krippendorff's 12 units by 4 observers with missing data; nominal alpha is given as 0.743.
    rows = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    counts = np.array([[sum(row[unit] == c for row in rows) for c in range(1, 6)] for unit in range(12)])

    assert krippendorff_alpha(counts) == pytest.approx(0.743, abs=5e-4)


def test_full_agreement_is_one_and_agreement_on_nothing_but_one_class_is_not_measurable() -> None:
    assert krippendorff_alpha([[2, 0], [0, 2]]) == 1.0
    assert krippendorff_alpha([[2, 0], [3, 0]]) is None
    assert krippendorff_alpha([[1, 0], [0, 1]]) is None


def test_counts_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="table of tasks by classes"):
        krippendorff_alpha([[-1, 2]])


def test_calibration_error_by_hand() -> None:
    confidence = [0.9] * 10 + [0.6] * 10
    correct = [1] * 7 + [0] * 3 + [1] * 6 + [0] * 4

    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.1)
    assert expected_calibration_error([1.0, 1.0], [1, 1]) == 0.0


def test_the_order_of_items_does_not_move_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.choice([0.5, 0.7, 0.9, 1.0], size=203)
    correct = (rng.random(203) < confidence).astype(float)
    order = rng.permutation(203)

    before = expected_calibration_error(confidence, correct)

    assert expected_calibration_error(confidence[order], correct[order]) == pytest.approx(before)


@pytest.mark.parametrize(("confidence", "correct", "bins"), [([], [], 10), ([0.5], [1, 0], 10), ([0.5], [1], 0)])
def test_calibration_of_nothing_is_refused(confidence: list[float], correct: list[float], bins: int) -> None:
    with pytest.raises(ValueError, match="lists of one length"):
        expected_calibration_error(confidence, correct, bins=bins)
