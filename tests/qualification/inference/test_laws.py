"""Laws that every engine in the register keeps; a new engine is tested before anyone writes a test for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from qualification.inference.answers import Answers, FloatArray, IntArray
from qualification.inference.engine import ENGINES, Engine, engine_named
from qualification.inference.fit import Fit
from tests.qualification.inference.recordings import a_crowd

every_engine = pytest.mark.parametrize("engine", list(ENGINES.values()), ids=list(ENGINES))


@st.composite
def some_answers(draw: st.DrawFn) -> Answers:
    """Any answers: few or many classes, tasks without answers, workers without answers, gold or none."""
    n_tasks, n_workers, k = draw(st.integers(1, 8)), draw(st.integers(1, 5)), draw(st.integers(2, 4))
    triple = st.tuples(st.integers(0, n_tasks - 1), st.integers(0, n_workers - 1), st.integers(0, k - 1))
    triples = np.array(draw(st.lists(triple, min_size=1, max_size=40)))
    gold = np.array(draw(st.lists(st.integers(-1, k - 1), min_size=n_tasks, max_size=n_tasks)))
    return Answers(triples[:, 0], triples[:, 1], triples[:, 2], n_tasks, n_workers, k, gold)


@every_engine
@given(answers=some_answers())
@settings(deadline=None, max_examples=60)
def test_beliefs_and_worker_rows_are_distributions(engine: Engine, answers: Answers) -> None:
    fit = engine.fit(answers)

    assert fit.posterior.shape == (answers.n_tasks, answers.n_classes)
    assert_allclose(fit.posterior.sum(axis=1), 1)
    assert (fit.posterior >= 0).all()
    assert_allclose(fit.prior.sum(), 1)
    if fit.worker is not None:
        assert fit.worker.shape == (answers.n_workers, answers.n_classes, answers.n_classes)
        assert_allclose(fit.worker.sum(axis=2), 1)
        assert (fit.worker > 0).all()
    assert np.isfinite(fit.log_likelihood)


@every_engine
@given(answers=some_answers())
@settings(deadline=None, max_examples=60)
def test_the_online_path_ends_where_the_fit_ends(engine: Engine, answers: Answers) -> None:
    fit = engine.fit(answers)

    online = believe_online(engine, answers, fit)

    plain = answers.gold < 0
    assert_allclose(online[plain], fit.posterior[plain], atol=1e-9)


@every_engine
@given(answers=some_answers(), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_the_order_of_the_answers_changes_nothing(engine: Engine, answers: Answers, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(answers))
    shuffled = reindexed(answers, order=order)

    assert_array_equal(engine.fit(answers).posterior, engine.fit(shuffled).posterior)


@every_engine
def test_renaming_workers_changes_nothing(engine: Engine) -> None:
    answers, _ = a_crowd(gold=5)
    names = np.random.default_rng(1).permutation(answers.n_workers)
    renamed = reindexed(answers, workers=names)

    before, after = engine.fit(answers), engine.fit(renamed)

    assert_allclose(after.posterior, before.posterior, atol=1e-9)
    if before.worker is not None and after.worker is not None:
        assert_allclose(after.worker[names], before.worker, atol=1e-9)


@every_engine
def test_renaming_tasks_renames_their_beliefs(engine: Engine) -> None:
    answers, _ = a_crowd(gold=5)
    names = np.random.default_rng(2).permutation(answers.n_tasks)
    renamed = reindexed(answers, tasks=names)

    assert_allclose(engine.fit(renamed).posterior[names], engine.fit(answers).posterior, atol=1e-9)


@every_engine
def test_renaming_classes_renames_their_beliefs(engine: Engine) -> None:
    answers, _ = a_crowd(gold=5)
    names = np.array([2, 0, 1])
    gold = np.where(answers.gold >= 0, names[answers.gold], -1)
    renamed = Answers(
        answers.task_index,
        answers.worker_index,
        names[answers.label_index],
        answers.n_tasks,
        answers.n_workers,
        answers.n_classes,
        gold,
    )

    assert_allclose(engine.fit(renamed).posterior[:, names], engine.fit(answers).posterior, atol=1e-9)


@every_engine
def test_gold_wins_over_every_answer(engine: Engine) -> None:
    answers = Answers.of([("t", w, "no") for w in range(50)], classes=["yes", "no"], gold={"t": "yes"})

    assert_array_equal(engine.fit(answers).posterior, [[1.0, 0.0]])


@every_engine
def test_gold_given_to_the_fit_replaces_that_of_the_answers(engine: Engine) -> None:
    answers = Answers.of([(t, w, 0) for t in "tu" for w in range(5) if t == "t" or w == 0], classes=2, gold={"t": 1})

    posterior = engine.fit(answers, gold=[-1, 1]).posterior

    assert posterior[0, 0] > 0.5
    assert_array_equal(posterior[1], [0.0, 1.0])


@every_engine
def test_a_unanimous_task_has_the_class_all_gave(engine: Engine) -> None:
    answers, _ = a_crowd(tasks=40)
    more = [(40, worker, 2) for worker in range(answers.n_workers)]
    triples = list(
        zip(answers.task_index.tolist(), answers.worker_index.tolist(), answers.label_index.tolist(), strict=True)
    )

    posterior = engine.fit(Answers.of(triples + more, classes=3, tasks=range(41))).posterior

    assert posterior[40].argmax() == 2
    assert posterior[40, 2] > 0.95


@every_engine
def test_a_task_without_answers_has_the_prior(engine: Engine) -> None:
    fit = engine.fit(Answers.of([("t", 1, 0)], classes=3, tasks=["t", "idle"]))

    assert_allclose(fit.posterior[1], fit.prior)


@every_engine
def test_no_answers_at_all_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="no answers"):
        engine.fit(Answers.of([], classes=2, tasks=["t"]))


@every_engine
def test_a_fit_says_that_it_converged_and_does_so_alike_twice(engine: Engine) -> None:
    answers, _ = a_crowd(gold=5)

    first, second = engine.fit(answers), engine.fit(answers)

    assert first.converged
    assert first.rounds >= 1
    assert_array_equal(first.posterior, second.posterior)
    assert first.log_likelihood == second.log_likelihood


@every_engine
def test_a_fit_leaves_its_input_alone(engine: Engine) -> None:
    answers, _ = a_crowd(gold=5)
    start = np.full((answers.n_tasks, answers.n_classes), 1 / answers.n_classes)

    engine.fit(answers, start=start)

    assert_array_equal(start, np.full((answers.n_tasks, answers.n_classes), 1 / answers.n_classes))


@every_engine
def test_most_tasks_of_a_decent_crowd_come_out_right(engine: Engine) -> None:
    answers, truth = a_crowd(tasks=400, workers=20, overlap=7, seed=3)

    assert (engine.fit(answers).posterior.argmax(axis=1) == truth).mean() > 0.85


@every_engine
def test_an_unknown_worker_moves_a_belief_toward_the_class_answered(engine: Engine) -> None:
    prior = np.full(4, 0.25)

    belief = engine.posterior(engine.contribution(None, 2, 4), prior)

    assert belief.argmax() == 2
    assert_allclose(engine.default_confusion(4).sum(axis=1), 1)
    assert_allclose(engine.posterior(np.zeros((3, 4)), prior), np.full((3, 4), 0.25))


@every_engine
def test_every_engine_is_found_by_its_name(engine: Engine) -> None:
    assert engine_named(engine.name) is engine
    assert engine.version >= 1


def test_an_engine_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="choose one of dawid_skene, majority"):
        engine_named("oracle")


def believe_online(engine: Engine, answers: Answers, fit: Fit) -> FloatArray:
    """Beliefs built answer by answer with the parameters of a fit."""
    evidence = np.zeros((answers.n_tasks, answers.n_classes))
    for task, worker, label in zip(answers.task_index, answers.worker_index, answers.label_index, strict=True):
        confusion = None if fit.worker is None else fit.worker[worker]
        evidence[task] += engine.contribution(confusion, int(label), answers.n_classes)
    return engine.posterior(evidence, fit.prior)


def reindexed(
    answers: Answers, *, order: IntArray | None = None, tasks: IntArray | None = None, workers: IntArray | None = None
) -> Answers:
    """The same answers in another order, or with tasks or workers under other indexes."""
    order = np.arange(len(answers)) if order is None else order
    tasks = np.arange(answers.n_tasks) if tasks is None else tasks
    workers = np.arange(answers.n_workers) if workers is None else workers
    gold = np.empty(answers.n_tasks, np.intp)
    gold[tasks] = answers.gold
    return Answers(
        tasks[answers.task_index][order],
        workers[answers.worker_index][order],
        answers.label_index[order],
        answers.n_tasks,
        answers.n_workers,
        answers.n_classes,
        gold,
    )
