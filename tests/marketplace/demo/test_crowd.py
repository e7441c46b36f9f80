"""The simulated crowd is as it is described, and follows its generator alone."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from marketplace.demo.crowd import SPECIALISTS, Kind, Person, draw_crowd, say

CLASSES = {"digits": 10, "reviews": 3, "notes": 3}


@pytest.fixture(scope="module")
def crowd() -> tuple[Person, ...]:
    return draw_crowd(CLASSES, np.random.default_rng(0))


def test_fifteen_in_a_hundred_spam_and_six_are_specialists(crowd: tuple[Person, ...]) -> None:
    kinds = Counter(person.kind for person in crowd)

    assert kinds == {Kind.SPAMMER: 6, Kind.SPECIALIST: SPECIALISTS, Kind.GENERALIST: 28}
    assert crowd[6].name == "Simulated worker 07"


def test_every_row_of_every_confusion_is_a_distribution(crowd: tuple[Person, ...]) -> None:
    for person in crowd:
        for slug, size in CLASSES.items():
            confusion = person.confusions[slug]
            assert confusion.shape == (size, size)
            assert (confusion >= 0).all()
            assert confusion.sum(axis=1) == pytest.approx(np.ones(size))
            assert person.accuracy[slug] == pytest.approx(confusion.diagonal().mean())


def test_specialists_can_read_notes_but_for_the_weak_one_and_generalists_cannot(crowd: tuple[Person, ...]) -> None:
    specialists = sorted(person.accuracy["notes"] for person in crowd if person.kind is Kind.SPECIALIST)
    generalists = [person.accuracy["notes"] for person in crowd if person.kind is Kind.GENERALIST]

    assert specialists[0] < 0.8 < specialists[1]
    assert np.mean(generalists) == pytest.approx(0.45, abs=0.08)


def test_a_spammer_says_the_same_whatever_is_asked(crowd: tuple[Person, ...]) -> None:
    for person in crowd:
        if person.kind is Kind.SPAMMER:
            assert all((confusion == confusion[0]).all() for confusion in person.confusions.values())
            assert person.habit in {"any class", "one class"}


def test_answers_are_as_frequent_as_the_confusion_says(crowd: tuple[Person, ...]) -> None:
    person = next(one for one in crowd if one.kind is Kind.GENERALIST)
    rng = np.random.default_rng(1)

    said = [say(person, "reviews", 2, None, rng) for _ in range(20_000)]

    assert np.bincount(said, minlength=3) / len(said) == pytest.approx(person.confusions["reviews"][2], abs=0.015)


def test_a_lure_wins_its_share(crowd: tuple[Person, ...]) -> None:
    person = next(one for one in crowd if one.kind is Kind.GENERALIST)
    rng = np.random.default_rng(1)

    said = [say(person, "reviews", 2, 0, rng) for _ in range(20_000)]

    expected = person.pull + (1 - person.pull) * person.confusions["reviews"][2][0]
    assert said.count(0) / len(said) == pytest.approx(expected, abs=0.015)
    assert person.confusions["reviews"][2].sum() == pytest.approx(1)  # and the matrix stays as it was


def test_the_same_generator_draws_the_same_crowd(crowd: tuple[Person, ...]) -> None:
    again = draw_crowd(CLASSES, np.random.default_rng(0))
    other = draw_crowd(CLASSES, np.random.default_rng(1))

    assert [one.accuracy for one in again] == [one.accuracy for one in crowd]
    assert [one.accuracy for one in other] != [one.accuracy for one in crowd]


def test_a_crowd_too_small_for_its_specialists_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        draw_crowd(CLASSES, np.random.default_rng(0), size=5)
