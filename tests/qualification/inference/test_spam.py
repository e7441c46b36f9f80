"""Answers that do not depend on the task are shown, with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from qualification.inference import likeness, spam
from qualification.inference.answers import Answers, FloatArray
from qualification.inference.engine import engine_named
from qualification.inference.spam import Habit
from tests.bench.b9 import of_clickers
from tests.qualification.inference.recordings import a_crowd


def crowd_tables(workers: int = 60, answers: int = 80, classes: int = 4, seed: int = 0) -> FloatArray:
    """Tables (workers, classes, classes) of workers of accuracy Beta(16, 4) on tasks whose class is known."""
    rng = np.random.default_rng(seed)
    table = np.zeros((workers, classes, classes))
    for worker, accuracy in enumerate(rng.beta(16, 4, workers)):
        for true in rng.integers(classes, size=answers):
            right = rng.random() < accuracy
            table[worker, true, true if right else (true + rng.integers(1, classes)) % classes] += 1
    return table


def test_who_answers_by_chance_is_shown_and_nobody_else() -> None:
    table = crowd_tables()
    table[7] = np.random.default_rng(1).multinomial(80, np.full(16, 1 / 16)).reshape(4, 4)
    (flag,) = spam.flags(table)

    assert (flag.worker, flag.habit, flag.limit) == (7, Habit.RANDOM, spam.RATIO_MIN)
    assert flag.score > spam.RATIO_MIN
    assert flag.reason == (
        f"Answers look independent of the tasks: {np.trace(table[7]):.0f} of 80 agree with gold or the others."
    )


def test_few_answers_show_nobody() -> None:
    table = crowd_tables()
    table[7] = 0
    table[7, :3, 3] = 3.5

    assert 0 < table[7].sum() < spam.ANSWERS_MIN
    assert spam.random_ratios(table)[7] > spam.RATIO_MIN
    assert spam.flags(table) == ()


def test_confusing_two_classes_is_not_clicking() -> None:
    table = crowd_tables()
    table[7] = [[10, 10, 0, 0], [10, 10, 0, 0], [0, 0, 20, 0], [0, 0, 0, 20]]

    assert spam.random_ratios(table)[7] < 0


def test_always_wrong_is_not_clicking() -> None:
    table = crowd_tables(classes=2)
    table[7] = [[2, 38], [38, 2]]

    assert spam.random_ratios(table)[7] < 0


def test_clickers_do_not_teach_what_the_crowd_is_like() -> None:
    table = crowd_tables()
    rng = np.random.default_rng(1)
    table[:40] = rng.multinomial(80, np.full(16, 1 / 16), size=40).reshape(40, 4, 4)
    shown = {flag.worker for flag in spam.flags(table) if flag.habit == Habit.RANDOM}

    assert shown == set(range(40))


def test_one_answer_for_everything_is_shown() -> None:
    table = crowd_tables()
    table[7] = 0
    table[7, :, 2] = 20
    found = [flag for flag in spam.flags(table) if flag.habit == Habit.SINGLE]

    assert [flag.worker for flag in found] == [7]
    assert found[0].reason.startswith("100% of the answers are the same one")


def test_a_favourite_answer_is_usual_where_workers_differ_anyway() -> None:
    rng = np.random.default_rng(2)
    said = np.array([rng.multinomial(100, rng.dirichlet([1.5, 1.5])) for _ in range(80)]).astype(float)

    assert spam.single_scores(said)[0].max() < spam.DEVIATIONS
    assert spam.single_scores(np.array([[60.0, 40.0]] * 79 + [[100.0, 0.0]]))[0][-1] > spam.DEVIATIONS
    assert spam.single_scores(np.array([[60.0, 40.0]] * 79 + [[11.0, 0.0]]))[0][-1] == 0


def test_the_fastest_are_shown_with_their_time() -> None:
    seconds = np.linspace(5, 40, 60)
    seconds[3], seconds[9] = 1.2, np.nan
    shown = [flag for flag in spam.flags(crowd_tables(), seconds) if flag.habit == Habit.FAST]

    assert [flag.worker for flag in shown] == [0, 3]
    assert shown[1].reason == "Half of the answers took 1.2 seconds or less, among the fastest 5%."
    assert np.isnan(spam.speed_ranks(seconds)[9])


def test_a_table_grows_by_an_answer_at_a_time() -> None:
    answers, _ = a_crowd(gold=60)
    whole = spam.tables(likeness.scene(answers, engine_named("majority").fit(answers).posterior))
    table = np.zeros((3, 3))
    for task, label in zip(
        answers.task_index[answers.worker_index == 4], answers.label_index[answers.worker_index == 4], strict=True
    ):
        table = spam.added(table, int(label), np.eye(3)[answers.gold[task]])

    assert whole[4] == pytest.approx(table, abs=0.1)
    assert whole.sum() == pytest.approx(len(answers))


def test_an_answer_is_judged_by_gold_or_by_the_others_and_never_by_itself() -> None:
    rows = [(task, worker, task % 2) for task in range(20) for worker in range(4)]
    alone = [(task, 0, task % 2) for task in range(20, 60)]
    answers = Answers.of(rows + alone, classes=2, workers=range(4), gold={0: 1})
    scene = likeness.scene(answers, engine_named("dawid_skene").fit(answers).posterior)
    table = spam.tables(scene)

    # To the tasks that nobody else answered, nothing is known but the class shares.
    assert table[0] - table[1] == pytest.approx(20 * np.repeat(scene.prior[:, None], 2, axis=1), abs=0.2)
    assert table[1, 1, 0] > 0.99


def test_clickers_among_four_classes_are_caught_within_fifteen_gold_answers() -> None:
    found = of_clickers(4, range(3))

    assert found["caught"] >= 0.95
    assert found["others_shown_accuracy_60"] == 0
    assert found["in_rings"] == 0
