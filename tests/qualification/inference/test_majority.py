from __future__ import annotations

from numpy.testing import assert_allclose, assert_array_equal

from qualification.inference.answers import Answers
from qualification.inference.majority import Majority


def test_belief_is_the_share_of_the_votes() -> None:
    answers = Answers.of([("t", 1, "a"), ("t", 2, "a"), ("t", 3, "b")], classes=["a", "b", "c"])

    assert_allclose(Majority().fit(answers).posterior, [[2 / 3, 1 / 3, 0]])


def test_classes_that_tie_share_the_belief() -> None:
    answers = Answers.of([("t", 1, 0), ("t", 2, 1)], classes=2)

    assert_array_equal(Majority().fit(answers).posterior, [[0.5, 0.5]])


def test_evidence_is_one_vote_an_answer() -> None:
    assert_array_equal(Majority().contribution(None, 1, 3), [0.0, 1.0, 0.0])
