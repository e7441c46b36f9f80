from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from qualification.inference.answers import Answers
from qualification.inference.dawid_skene import DawidSkene
from tests.qualification.inference.recordings import a_crowd


def test_the_first_round_by_hand() -> None:
    answers = Answers.of([("t", "w", 0), ("u", "w", 0), ("u", "v", 1)], classes=2)

    fit = DawidSkene(accuracy=0.7, strength=1.0, rounds_max=1).fit(answers)

    # Votes: t = (1, 0), u = (.5, .5).  Worker w said 0 with soft truth (1.5, .5); v said 1 with (.5, .5).
    assert fit.worker is not None
    assert_allclose(fit.prior, [2.5 / 4, 1.5 / 4])
    assert_allclose(fit.worker[0], [[2.2 / 2.5, 0.3 / 2.5], [0.8 / 1.5, 0.7 / 1.5]])
    assert_allclose(fit.worker[1], [[0.7 / 1.5, 0.8 / 1.5], [0.3 / 1.5, 1.2 / 1.5]])
    t = np.array([2.5 * 0.88, 1.5 * 0.8 / 1.5])
    assert_allclose(fit.posterior[0], t / t.sum())
    assert not fit.converged


def test_the_likelihood_is_that_of_answers_and_gold_by_hand() -> None:
    answers = Answers.of([("t", "w", 0), ("u", "w", 0)], classes=2, gold={"t": 1})

    fit = DawidSkene(rounds_max=1).fit(answers)

    assert fit.worker is not None
    said = fit.prior * fit.worker[0][:, 0]
    assert fit.log_likelihood == pytest.approx(np.log(said[1]) + np.log(said.sum()))


def test_the_one_good_worker_beats_two_who_always_say_the_same() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=200)
    triples = [(t, "good", int(truth[t])) for t in range(200)]
    triples += [(t, lazy, 0) for t in range(200) for lazy in ("lazy", "lazier")]

    posterior = DawidSkene().fit(Answers.of(triples, classes=2, gold={t: int(truth[t]) for t in range(10)})).posterior

    assert (posterior.argmax(axis=1) == truth).mean() == 1.0


def test_gold_turns_a_crowd_that_is_wrong_together() -> None:
    truth = np.random.default_rng(1).integers(2, size=100)
    inverted = [(t, w, 1 - int(truth[t])) for t in range(100) for w in range(3)]
    answers = Answers.of(inverted, classes=2, gold={t: int(truth[t]) for t in range(60)})

    posterior = DawidSkene().fit(answers).posterior

    assert (posterior.argmax(axis=1) == truth).all()


def test_a_worker_without_answers_gets_the_default_confusion() -> None:
    fit = DawidSkene().fit(Answers.of([("t", "w", 0)], classes=3, workers=["w", "idle"]))

    assert fit.worker is not None
    assert_allclose(fit.worker[1], DawidSkene().default_confusion(3))


def test_what_is_known_from_elsewhere_counts_as_answers_seen() -> None:
    answers = Answers.of([("t", "expert", 0), ("t", "novice", 1)], classes=2)
    seen = np.zeros((2, 2, 2))
    seen[0] = [[50, 0], [0, 50]]

    assert DawidSkene().fit(answers, prior_workers=seen).posterior[0, 0] > 0.8
    assert_allclose(DawidSkene().fit(answers).posterior[0], [0.5, 0.5])


def test_a_warm_start_takes_fewer_rounds_to_the_same_end() -> None:
    answers, _ = a_crowd(tasks=300, gold=5)
    engine = DawidSkene(tolerance=1e-6)
    cold = engine.fit(answers)

    warm = engine.fit(answers, start=cold.posterior)

    assert warm.rounds < cold.rounds / 10
    assert_allclose(warm.posterior, cold.posterior, atol=1e-4)


def test_tasks_new_since_the_last_fit_begin_from_their_votes() -> None:
    answers, _ = a_crowd(tasks=300, gold=5)
    start = np.full((300, 3), np.nan)

    fit = DawidSkene().fit(answers, start=start)

    assert_allclose(fit.posterior, DawidSkene().fit(answers).posterior)


def test_rounds_that_run_out_are_reported() -> None:
    answers, _ = a_crowd(tasks=300)

    fit = DawidSkene(rounds_max=2).fit(answers)

    assert fit.rounds == 2
    assert not fit.converged


def test_the_likelihood_rises_from_round_to_round() -> None:
    answers, _ = a_crowd(tasks=200, gold=10)

    steps = [DawidSkene(strength=1e-6, rounds_max=n).fit(answers).log_likelihood for n in range(1, 12)]

    # Estimates are posterior means, also of the class shares, so a round may lose what the priors gain.
    assert np.diff(steps).min() > -0.01
    assert steps[-1] > steps[0]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"start": np.zeros((1, 2))}, "start has shape"),
        ({"prior_workers": np.zeros((1, 2, 2))}, "prior_workers"),
        ({"prior_workers": np.full((2, 2, 2), np.nan)}, "prior_workers"),
        ({"gold": np.array([0])}, "gold has shape"),
        ({"gold": np.array([0, 2])}, "gold runs from"),
    ],
)
def test_wrong_shapes_are_refused(what: dict[str, np.ndarray], message: str) -> None:
    answers = Answers.of([("t", "w", 0), ("u", "v", 1)], classes=2)

    with pytest.raises(ValueError, match=message):
        DawidSkene().fit(answers, **what)


def test_more_parameters_than_memory_allows_are_refused() -> None:
    answers = Answers.of([("t", w, 0) for w in range(300)], classes=1000)

    with pytest.raises(ValueError, match="use 'majority'"):
        DawidSkene().fit(answers)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="accuracy"):
        DawidSkene(accuracy=1.0)
    with pytest.raises(ValueError, match="rounds_max"):
        DawidSkene(rounds_max=0)


def test_a_hundred_thousand_answers_take_less_than_seconds() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(5, size=20_000)
    task = np.repeat(np.arange(20_000), 5)
    label = np.where(rng.random(100_000) < 0.7, truth[task], rng.integers(5, size=100_000))
    answers = Answers(task, rng.integers(500, size=100_000), label, 20_000, 500, 5)

    started = time.perf_counter()
    fit = DawidSkene().fit(answers)

    assert fit.converged
    assert time.perf_counter() - started < 5
