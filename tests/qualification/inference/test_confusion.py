from __future__ import annotations

import numpy as np
import pytest

from qualification.inference.answers import FloatArray
from qualification.inference.confusion import STRENGTH_MAX, shrunk_confusions

POPULATION = np.array([[0.8, 0.15, 0.05], [0.1, 0.8, 0.1], [0.3, 0.1, 0.6]])


def a_crowd(strength: float, *, workers: int = 300, answers: float = 10.0) -> tuple[FloatArray, FloatArray]:
    """Made-up confusions and counts, (W, K, K) each."""
    rng = np.random.default_rng(6)
    rows = np.array([[rng.dirichlet(strength * row) for row in POPULATION] for _ in range(workers)])
    counts = np.array([[rng.multinomial(rng.poisson(answers), row) for row in worker] for worker in rows])
    return rows, counts.astype(np.float64)


@pytest.mark.parametrize("strength", [3.0, 12.0])
def test_population_and_strength_are_found_again(strength: float) -> None:
    _, counts = a_crowd(strength)

    found = shrunk_confusions(counts)

    assert found.population == pytest.approx(POPULATION, abs=0.05)
    assert found.strength == pytest.approx(strength, rel=0.3)


def test_shrinking_beats_counting() -> None:
    rows, counts = a_crowd(12.0)
    smoothed = (counts + 1 / 3) / (counts + 1 / 3).sum(axis=2, keepdims=True)

    found = shrunk_confusions(counts)

    assert np.mean((found.workers - rows) ** 2) < 0.6 * np.mean((smoothed - rows) ** 2)
    assert found.workers.sum(axis=2) == pytest.approx(1.0)
    assert found.seen.tolist() == counts.sum(axis=2).tolist()


def test_a_worker_without_answers_confuses_what_everybody_does() -> None:
    _, counts = a_crowd(5.0, workers=50)
    counts[7] = 0

    found = shrunk_confusions(counts)

    assert found.workers[7] == pytest.approx(found.population)


def test_nobodys_answers_are_the_usual_confusion() -> None:
    found = shrunk_confusions(np.zeros((2, 2, 2)))

    assert found.population == pytest.approx(np.array([[0.7, 0.3], [0.3, 0.7]]))
    assert found.workers[1] == pytest.approx(found.population)


def test_workers_who_are_all_alike_share_all_strength() -> None:
    assert shrunk_confusions(np.tile(np.array([[80.0, 20.0], [10.0, 90.0]]), (40, 1, 1))).strength > 0.9 * STRENGTH_MAX


@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 3), (1, 1, 1)])
def test_nonsense_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one square table a worker"):
        shrunk_confusions(np.zeros(shape))
