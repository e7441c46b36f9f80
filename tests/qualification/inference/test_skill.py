from __future__ import annotations

import time

import numpy as np
import pytest

from qualification.inference.answers import FloatArray
from qualification.inference.beta import accuracy_after
from qualification.inference.skill import (
    Population,
    Skills,
    fitted_population,
    gold_rates,
    remembered,
    remembered_all,
    skills,
)

TWO_ALIKE = Population((0.8, 0.6), spread=0.1, common=0.8)


def a_world(
    workers: int, cells: int, *, spread: float, common: float, answers: float, seed: int = 0
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Cell means (C,), accuracies, right and wrong (W, C each) of made-up workers."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(0.55, 0.85, cells)
    deviation = np.sqrt(means * (1 - means) * spread * common)
    base = np.clip(means + deviation * rng.normal(size=(workers, 1)), 0.02, 0.98)
    strength = 1 / (spread * (1 - common)) - 1
    accuracies = rng.beta(base * strength, (1 - base) * strength)
    given = rng.poisson(rng.gamma(1.0, answers, (workers, cells)))
    right = rng.binomial(given, accuracies).astype(np.float64)
    return means, accuracies, right, given - right


def test_old_answers_fade_and_never_more_than_a_hundred_count() -> None:
    right, wrong = 0.0, 0.0
    for _ in range(2_000):
        right, wrong = remembered(right, wrong, 1.0)

    assert [right, wrong] == pytest.approx([100.0, 0.0], abs=1e-6)
    assert list(remembered(10.0, 5.0, 0.25)) == pytest.approx([10.15, 5.7])


def test_a_whole_history_at_once_is_the_history_answer_by_answer() -> None:
    rng = np.random.default_rng(3)
    workers, cells, hits = rng.integers(4, size=300), rng.integers(3, size=300), rng.random(300)
    states = {(worker, cell): (0.0, 0.0) for worker in range(4) for cell in range(3)}
    for worker, cell, hit in zip(workers.tolist(), cells.tolist(), hits.tolist(), strict=True):
        states[worker, cell] = remembered(*states[worker, cell], hit)

    right, wrong = remembered_all(workers, cells, hits, shape=(4, 3))

    for (worker, cell), state in states.items():
        assert (right[worker, cell], wrong[worker, cell]) == pytest.approx(state)


def test_a_worker_without_answers_is_the_population() -> None:
    found = skills(np.zeros((1, 2)), np.zeros((1, 2)), TWO_ALIKE)

    assert found.mean[0] == pytest.approx([0.8, 0.6])
    assert found.deviation[0] == pytest.approx(np.sqrt([0.8 * 0.2 * 0.1, 0.6 * 0.4 * 0.1]))


def test_one_cell_is_the_beta_distribution_after_its_answers() -> None:
    found = skills([[17.0]], [[3.0]], Population((0.8,), spread=0.2, common=0.6))
    alone = accuracy_after(17, 3, prior=(3.2, 0.8))

    assert (found.a[0, 0], found.b[0, 0]) == pytest.approx((alone.a, alone.b))
    assert (found.low[0, 0], found.high[0, 0]) == pytest.approx((alone.low, alone.high), abs=1e-9)
    assert found.above(0.8)[0, 0] == pytest.approx(alone.above(0.8), abs=1e-9)


def test_answers_in_one_cell_move_the_others_as_far_as_cells_are_alike() -> None:
    right, wrong = np.array([[40.0, 0.0]]), np.zeros((1, 2))

    alike = skills(right, wrong, TWO_ALIKE)
    apart = skills(right, wrong, Population((0.8, 0.6), spread=0.1, common=0.0))

    assert alike.mean[0, 1] > 0.63
    assert alike.deviation[0, 1] < apart.deviation[0, 1]
    assert apart.mean[0, 1] == pytest.approx(0.6)


def test_faded_answers_are_less_noisy_than_their_weight_says() -> None:
    # For ever faded by 0.99 an answer, the weights sum to 100, but the noise is that of (1 + 0.99) / (1 - 0.99) answers.
    faded = skills([[70.0, 0.0]], [[30.0, 0.0]], TWO_ALIKE, memory=0.99)
    kept = skills([[0.7 * 199, 0.0]], [[0.3 * 199, 0.0]], TWO_ALIKE, memory=1.0)

    assert [faded.a[0, 1], faded.b[0, 1]] == pytest.approx([kept.a[0, 1], kept.b[0, 1]])


def test_a_cells_own_answers_are_not_counted_twice() -> None:
    right, wrong = np.array([[30.0, 0.0]]), np.array([[10.0, 0.0]])

    found = skills(right, wrong, TWO_ALIKE)

    # The prior of the cell with the answers is that of a stranger: 1 / 0.1 - 1 = 9 answers at the mean.
    assert (found.a[0, 0], found.b[0, 0]) == pytest.approx((9 * 0.8 + 30, 9 * 0.2 + 10))


def test_hard_cells_do_not_make_a_worker_look_bad() -> None:
    hard, easy = np.array([[0.0, 36.0]]), np.array([[48.0, 0.0]])

    on_hard = skills(hard, np.array([[0.0, 24.0]]), TWO_ALIKE)
    on_easy = skills(easy, np.array([[12.0, 0.0]]), TWO_ALIKE)

    assert on_hard.mean[0, 0] == pytest.approx(0.8)
    assert on_easy.mean[0, 1] == pytest.approx(0.6)


@pytest.mark.parametrize(("spread", "common"), [(0.12, 0.6), (0.06, 0.8), (0.12, 0.3)])
def test_the_population_is_found_again(spread: float, common: float) -> None:
    means, _, right, wrong = a_world(600, 6, spread=spread, common=common, answers=15)

    found = fitted_population(right, wrong)

    assert found.means == pytest.approx(means, abs=0.03)
    assert found.spread == pytest.approx(spread, rel=0.25)
    assert found.common == pytest.approx(common, abs=0.15)


def test_shrinking_beats_counting_and_the_interval_holds_what_it_says() -> None:
    _, accuracies, right, wrong = a_world(800, 6, spread=0.1, common=0.6, answers=10)
    fixed = (right + 3.2) / (right + wrong + 4)

    found = skills(right, wrong, fitted_population(right, wrong), memory=1.0)

    assert np.mean((found.mean - accuracies) ** 2) < 0.75 * np.mean((fixed - accuracies) ** 2)
    assert 0.86 < np.mean((found.low <= accuracies) & (accuracies <= found.high)) < 0.94


def test_differences_between_cells_are_not_taken_for_differences_between_workers() -> None:
    rng = np.random.default_rng(1)
    given = np.full((500, 2), 30.0)
    right = rng.binomial(30, [0.95, 0.45], size=(500, 2)).astype(np.float64)

    assert fitted_population(right, given - right).spread < 0.02


def test_of_many_cells_a_sample_is_read_that_leaves_none_out() -> None:
    rng = np.random.default_rng(2)
    # 800 workers and 10 cells are twice the sample: taking each second cell would never see the odd ones.
    accuracies = np.where(np.arange(10) % 2 == 0, 0.7, np.where(rng.random((800, 1)) < 0.5, 0.5, 0.9))
    right = rng.binomial(40, accuracies).astype(np.float64)

    spread = fitted_population(right, 40.0 - right).spread

    assert 0.04 < spread < 0.15


def test_without_any_answers_the_population_is_the_usual_one() -> None:
    nobody = fitted_population(np.zeros((3, 2)), np.zeros((3, 2)))

    assert nobody.means == pytest.approx((0.8, 0.8), abs=0.01)
    assert nobody.spread == pytest.approx(1 / 9, abs=0.01)
    assert nobody.common == pytest.approx(0.6)
    assert fitted_population(np.zeros((0, 1)), np.zeros((0, 1))).means == pytest.approx((0.8,), abs=0.01)


def test_cells_are_never_taken_for_quite_the_same() -> None:
    rng = np.random.default_rng(4)
    accuracies = np.broadcast_to(rng.beta(7, 3, size=(400, 1)), (400, 8))
    right = rng.binomial(80, accuracies).astype(np.float64)

    assert fitted_population(right, 80.0 - right).common == 0.95


def test_gold_comes_more_often_where_less_is_known() -> None:
    assert gold_rates([0.0, 0.1, 0.2, 0.9], 50, False) == pytest.approx([0.03, 0.08, 0.13, 0.30])
    assert gold_rates([0.01, 0.01, 0.5], [19, 20, 3], False) == pytest.approx([0.20, 0.035, 0.28])
    assert gold_rates([0.1, 0.1], [50, 3], [True, True]) == pytest.approx([0.23, 0.35])


def test_a_hundred_thousand_workers_fit_into_the_sweep() -> None:
    """A tenth of the workers in a sixth of the time that the sweep has for all; see docs/benchmarks.md for the whole."""
    _, _, right, wrong = a_world(10_000, 20, spread=0.1, common=0.6, answers=10)
    began = time.process_time()

    found = skills(right, wrong, fitted_population(right, wrong))

    assert time.process_time() - began < 10
    assert isinstance(found, Skills)
    assert np.all((found.low < found.mean) & (found.mean < found.high))


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="hit and memory"):
        remembered(1, 1, 1.5)
    with pytest.raises(ValueError, match="hits lie in"):
        remembered_all(np.array([0]), np.array([0]), [-0.1], shape=(1, 1))
    with pytest.raises(ValueError, match="tables of workers by cells"):
        fitted_population([[1.0]], [[-1.0]])
    with pytest.raises(ValueError, match="one mean for each cell"):
        skills([[1.0]], [[1.0]], TWO_ALIKE)
    with pytest.raises(ValueError, match="means and spread"):
        Population((1.0,), 0.1, 0.5)
    with pytest.raises(ValueError, match="it is a share"):
        Population((0.8,), 0.1, 1.5)
