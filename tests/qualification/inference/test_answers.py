from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from qualification.inference.answers import Answers


def test_names_become_indexes_in_the_order_given_and_then_as_they_appear() -> None:
    answers = Answers.of(
        [("t2", "w1", "no"), ("t9", "w2", "yes"), ("t2", "w2", "yes")],
        classes=["yes", "no"],
        tasks=["t1", "t2"],
        gold={"t9": "no"},
    )

    assert answers.tasks == ("t1", "t2", "t9")
    assert answers.workers == ("w1", "w2")
    assert_array_equal(answers.task_index, [1, 2, 1])
    assert_array_equal(answers.label_index, [1, 0, 0])
    assert_array_equal(answers.gold, [-1, -1, 1])
    assert_array_equal(answers.counts(), [[0, 0], [1, 1], [1, 0]])
    assert len(answers) == 3


def test_the_arrays_are_copies_that_nobody_can_write() -> None:
    labels = np.array([0, 1])
    answers = Answers(np.array([0, 1]), np.array([0, 0]), labels, 2, 1, 2)

    labels[0] = 1

    assert answers.label_index[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        answers.label_index[0] = 1


@pytest.mark.parametrize(
    ("task", "worker", "label", "message"),
    [
        ([0, 2], [0, 0], [0, 0], "task_index runs from 0 to 2"),
        ([0, -1], [0, 0], [0, 0], "task_index runs from -1"),
        ([0, 1], [0, 1], [0, 0], "worker_index"),
        ([0, 1], [0, 0], [0, 2], "label_index"),
        ([0], [0, 0], [0, 0], "task_index has shape"),
        ([0.0, 1.0], [0, 0], [0, 0], "expected integers"),
    ],
)
def test_an_index_out_of_place_is_refused(task: list[int], worker: list[int], label: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Answers(np.array(task), np.array(worker), np.array(label), 2, 1, 2)


def test_a_label_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="'maybe' is not one of the 2 classes"):
        Answers.of([("t", "w", "maybe")], classes=["yes", "no"])


def test_gold_for_a_task_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="'u', which is not among the tasks"):
        Answers.of([("t", "w", 0)], classes=2, gold={"u": 0})


def test_one_class_is_no_question() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Answers.of([("t", "w", 0)], classes=1)


def test_a_class_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="class 'a' is named twice"):
        Answers.of([("t", "w", "a")], classes=["a", "a"])
