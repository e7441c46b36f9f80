from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from qualification.inference.rasch import (
    ANSWERS_MIN,
    EXPOSURE_MAX,
    ability_for,
    chance,
    chances_at,
    choose_item,
    estimate_ability,
    estimate_difficulty,
    exposure,
    information,
)

RNG = np.random.default_rng


def test_an_ability_equal_to_the_difficulty_is_right_every_second_time() -> None:
    assert_allclose(chance(1.3, np.array([1.3, 0.3, 2.3])), [0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.e)])
    assert_allclose(chance(np.array([-1e9, 1e9]), 0.0), [0, 1], atol=1e-200)
    assert_allclose(information(1.0, np.array([1.0, 9.0])), [0.25, 0.0], atol=1e-3)


def test_without_answers_the_ability_is_the_prior() -> None:
    ability = estimate_ability([], [], prior=(0.5, 0.8))

    assert ability.mean == pytest.approx(0.5, abs=1e-6)
    assert ability.error == pytest.approx(0.8, abs=1e-6)


def test_the_ability_is_the_mean_of_the_posterior() -> None:
    grid = np.linspace(-12, 12, 200_001)
    right, hard = np.array([1.0, 1.0, 0.0, 0.5]), np.array([-1.0, 0.0, 0.5, 2.0])
    log = -(((grid - 1) / 1.5) ** 2) / 2
    for credit, difficulty in zip(right, hard, strict=True):
        p = 1 / (1 + np.exp(difficulty - grid))
        log += credit * np.log(p) + (1 - credit) * np.log(1 - p)
    belief = np.exp(log) / np.exp(log).sum()
    mean = (belief * grid).sum()

    found = estimate_ability(right, hard)

    assert found.mean == pytest.approx(mean, abs=1e-3)
    assert found.error == pytest.approx(math.sqrt((belief * (grid - mean) ** 2).sum()), abs=2e-3)


def test_answers_make_the_ability_surer_and_most_so_where_it_is_in_doubt() -> None:
    half = [1.0, 0.0] * 10

    fitting, easy = estimate_ability(half, np.full(20, 1.0)), estimate_ability([1.0] * 20, np.full(20, -4.0))

    assert fitting.error < 0.5 < easy.error < 1.5


def test_errors_of_ability_are_as_large_as_they_say() -> None:
    rng = RNG(3)
    hard, able = rng.normal(0, 1, 30), rng.normal(1.0, 1.5, 400)
    found = [estimate_ability((rng.random(30) < chance(one, hard)).astype(float), hard) for one in able]

    scores = [(ability.mean - one) / ability.error for ability, one in zip(found, able, strict=True)]

    assert abs(np.mean(scores)) < 0.15
    assert np.std(scores) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("earned", "hard", "prior"),
    [
        ([1.0], [], (0, 1)),
        ([1.5], [0.0], (0, 1)),
        ([math.nan], [0.0], (0, 1)),
        ([[1.0]], [[0.0]], (0, 1)),
        ([1.0], [0.0], (0, 0)),
    ],
)
def test_an_ability_of_what_makes_no_sense_is_refused(
    earned: list[float], hard: list[float], prior: tuple[float, float]
) -> None:
    with pytest.raises(ValueError, match=r"earned credits are|deviation is"):
        estimate_ability(earned, hard, prior=prior)


def test_difficulties_are_found_again() -> None:
    rng = RNG(0)
    stratum = np.arange(200) % 4
    hard = stratum - 1.5 + rng.normal(0, 0.5, 200)
    item, able = np.repeat(np.arange(200), 60), rng.normal(1, 1, 12_000)
    earned = (rng.random(12_000) < chance(able, hard[item])).astype(float)

    found = estimate_difficulty(item, earned, able, stratum)

    assert np.sqrt(np.mean((found - hard) ** 2)) < 0.35
    # Shrunk rightly: among items that are believed equally hard, the truth is as hard as believed.
    assert np.polyfit(found, hard, 1)[0] == pytest.approx(1.0, abs=0.07)
    within = found - np.array([found[stratum == one].mean() for one in stratum])
    assert np.polyfit(within, hard - found + within, 1)[0] == pytest.approx(1.0, abs=0.15)


def test_an_item_of_few_answers_is_as_hard_as_its_class() -> None:
    answers = [ANSWERS_MIN, ANSWERS_MIN - 1, 0]
    item = np.repeat([0, 1, 2], answers)
    earned = np.concatenate([np.tile([1.0, 0.0], ANSWERS_MIN // 2), np.zeros(ANSWERS_MIN - 1)])

    found = estimate_difficulty(item, earned, np.zeros(len(item)), np.array([0, 0, 0]))

    assert found[1] == found[2] == pytest.approx(found[0], abs=0.05)
    assert found[0] == pytest.approx(0.0, abs=0.05)


def test_a_class_without_a_known_item_is_fitted_as_one_and_one_without_answers_is_nothing() -> None:
    item, earned = np.array([0, 0, 1, 1]), np.array([0.0, 0.0, 0.0, 1.0])

    found = estimate_difficulty(item, earned, np.zeros(4), np.array([0, 0, 1]))

    assert found[0] == found[1] > 0.5
    assert found[2] == 0
    beside = np.repeat([3], 40)
    again = estimate_difficulty(
        np.append(item, beside), np.append(earned, np.tile([1.0, 0.0], 20)), np.zeros(44), np.array([0, 0, 1, 2])
    )
    assert_allclose(again[:3], found)


def test_an_item_that_everybody_gets_right_stays_finite() -> None:
    found = estimate_difficulty(np.zeros(1000, np.intp), np.ones(1000), np.zeros(1000), np.zeros(1, np.intp))

    assert -6 <= found[0] < -3


def test_no_items_have_no_difficulties() -> None:
    nothing = np.zeros(0, np.intp)

    assert estimate_difficulty(nothing, np.zeros(0), np.zeros(0), nothing).shape == (0,)


@pytest.mark.parametrize(("item", "classes"), [([0, 2], [0, 0]), ([-1, 0], [0, 0]), ([0, 1], [0, -1]), ([0], [0, 0])])
def test_answers_to_no_item_are_refused(item: list[int], classes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"out of its range|one entry an answer"):
        estimate_difficulty(np.array(item), np.ones(2), np.zeros(2), np.array(classes))


def test_a_share_of_the_pool_becomes_an_ability() -> None:
    hard = np.array([-2.0, 0.0, 3.0])

    for share in (0.05, 0.7, 0.99):
        assert chance(ability_for(share, hard), hard).mean() == pytest.approx(share)
    assert ability_for(0.7, np.array([1.0])) == pytest.approx(1 + math.log(7 / 3))
    low, high = chances_at((ability_for(0.7, hard), ability_for(0.9, hard)), 3.0)
    assert 0 < low < high < 0.9


@pytest.mark.parametrize(("share", "hard"), [(0.0, [0.0]), (1.0, [0.0]), (0.5, [])])
def test_a_share_that_no_ability_has_is_refused(share: float, hard: list[float]) -> None:
    with pytest.raises(ValueError, match="share lies between"):
        ability_for(share, np.array(hard))


def test_the_most_informative_item_of_the_stratum_that_is_furthest_behind_is_asked() -> None:
    info, stratum = np.array([0.10, 0.25, 0.20, 0.05]), np.array([0, 0, 1, 1])
    none = np.zeros(4)

    assert choose_item(info, none, stratum, np.array([0.5, 0.5]), asked=np.array([3, 2]), rng=RNG(0)) == 2
    assert choose_item(info, none, stratum, np.array([0.5, 0.5]), asked=np.array([2, 3]), rng=RNG(0)) == 1
    # Three in four questions of the first: it is behind although it has more.
    assert choose_item(info, none, stratum, np.array([3.0, 1.0]), asked=np.array([2, 1]), rng=RNG(0)) == 1


def test_strata_and_items_that_are_level_are_drawn_by_lot() -> None:
    info, stratum, level = np.full(4, 0.2), np.array([0, 0, 1, 1]), np.array([1, 1])

    drawn = {choose_item(info, np.zeros(4), stratum, np.ones(2), asked=level, rng=RNG(seed)) for seed in range(40)}

    assert drawn == {0, 1, 2, 3}


def test_an_item_at_its_exposure_limit_is_not_asked_while_there_is_another() -> None:
    info, stratum = np.array([0.25, 0.10, 0.20]), np.array([0, 0, 1])
    first = np.array([1.0, 0.0])

    def chosen(shares: list[float]) -> int:
        return choose_item(info, np.array(shares), stratum, first, asked=np.array([0, 0]), rng=RNG(0))

    assert chosen([EXPOSURE_MAX - 0.01, 0, 0]) == 0
    assert chosen([EXPOSURE_MAX, 0, 0]) == 1
    assert chosen([EXPOSURE_MAX, EXPOSURE_MAX, 0]) == 2
    assert chosen([0.5, 0.4, 0.3]) == 2


def test_what_the_worker_has_seen_is_not_asked() -> None:
    info, stratum, usable = np.array([0.25, 0.10, 0.20]), np.zeros(3, np.intp), np.array([False, True, False])

    def chosen(shares: list[float]) -> int:
        return choose_item(
            info, np.array(shares), stratum, np.ones(1), asked=np.zeros(1, np.intp), rng=RNG(0), usable=usable
        )

    assert chosen([0.0, 0.0, 0.0]) == 1
    assert chosen([0.3, 0.9, 0.3]) == 1
    usable[1] = False
    with pytest.raises(ValueError, match="no item is usable"):
        chosen([0.0, 0.0, 0.0])


def test_quotas_are_kept_and_no_item_is_shown_to_more_than_its_share() -> None:
    rng, stratum, quotas = RNG(1), np.arange(180) % 3, np.array([0.5, 0.3, 0.2])
    info, shown = rng.random(180), np.zeros(180, np.intp)
    for attempts in range(200):
        asked, usable = np.zeros(3, np.intp), np.ones(180, np.bool_)
        for _ in range(20):
            item = choose_item(info, exposure(shown, attempts), stratum, quotas, asked=asked, rng=rng, usable=usable)
            shown[item] += 1
            usable[item] = False
            asked[stratum[item]] += 1
        assert_array_equal(asked, [10, 6, 4])

    assert shown.max() <= EXPOSURE_MAX * 200 + 1


def test_the_first_attempts_may_be_asked_anything() -> None:
    assert_allclose(exposure(np.array([1, 5]), 1), [0.05, 0.25])
    assert_allclose(exposure(np.array([1, 50]), 100), [0.01, 0.5])


@pytest.mark.parametrize(
    ("shares", "quotas", "asked"),
    [([0.0], [1.0], [0]), ([0.0, 0.0], [0.0], [0]), ([0.0, 0.0], [-1.0], [0]), ([0.0, 0.0], [1.0], [0, 0])],
)
def test_a_choice_from_what_does_not_fit_together_is_refused(
    shares: list[float], quotas: list[float], asked: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"one information|quotas are not negative"):
        choose_item(
            np.array([0.1, 0.2]),
            np.array(shares),
            np.zeros(2, np.intp),
            np.array(quotas),
            asked=np.array(asked),
            rng=RNG(0),
        )
