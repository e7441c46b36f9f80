from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qualification.inference.sequential import (
    LevelDecision,
    Progress,
    SequentialTest,
    Verdict,
    calibrated,
    decide,
    decide_level,
    expected_questions,
    fixed,
    pass_probability,
    prospect,
    step,
    wald,
)

STANDARD = calibrated()
SMALL = wald(0.6, 0.9, 0.2, 0.2, 9)
TESTS = [STANDARD, SMALL, wald(0.7, 0.85, 0.05, 0.05, 40), fixed(0.7, 0.9, questions=10, right=7)]


def after(test: SequentialTest, earned: str | list[float]) -> Progress:
    """The progress after answers of these credits, as many as the test takes."""
    progress = Progress()
    for credit in earned:
        progress = step(test, progress, float(credit))
    return progress


def test_a_run_of_right_answers_passes_and_a_run_of_wrong_ones_fails() -> None:
    right, wrong = after(STANDARD, "1" * 90), after(STANDARD, "0" * 90)

    assert decide(STANDARD, Progress()) == Verdict.MORE
    assert (decide(STANDARD, right), right.asked) == (Verdict.PASSED, 12)
    assert (decide(STANDARD, wrong), wrong.asked) == (Verdict.FAILED, 4)


def test_each_answer_adds_its_log_likelihood_ratio() -> None:
    assert after(SMALL, "1").evidence == pytest.approx(math.log(0.9 / 0.6))
    assert after(SMALL, "0").evidence == pytest.approx(math.log(0.1 / 0.4))
    assert after(SMALL, [0.25]).evidence == pytest.approx(0.25 * math.log(0.9 / 0.6) + 0.75 * math.log(0.1 / 0.4))


def test_an_item_of_known_difficulty_counts_by_its_own_chances() -> None:
    hard = step(SMALL, Progress(), 1.0, chances=(0.2, 0.6))

    assert hard.asked == 1
    assert hard.evidence == pytest.approx(math.log(3))
    assert step(SMALL, Progress(), 0.0, chances=(0.2, 0.6)).evidence == pytest.approx(math.log(0.5))


def test_a_late_answer_changes_nothing_in_a_decided_exam() -> None:
    passed = after(STANDARD, "1" * 12)

    assert decide(STANDARD, passed) == Verdict.PASSED
    assert step(STANDARD, passed, 0.0) == passed


@pytest.mark.parametrize("credit", [-0.1, 1.1, math.nan])
def test_a_credit_that_is_no_share_is_refused(credit: float) -> None:
    with pytest.raises(ValueError, match="credit is"):
        step(SMALL, Progress(), credit)


@pytest.mark.parametrize("chances", [(0.0, 0.5), (0.5, 1.0)])
def test_an_item_that_nobody_or_everybody_gets_right_is_refused(chances: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="chances are"):
        step(SMALL, Progress(), 1.0, chances=chances)


@pytest.mark.parametrize("test", TESTS[1:2] + TESTS[3:])
@pytest.mark.parametrize("p", [0.3, 0.6, 0.85])
def test_the_exact_figures_are_those_of_every_possible_run_of_answers(test: SequentialTest, p: float) -> None:
    passing, questions = 0.0, 0.0
    for answers in product((0.0, 1.0), repeat=test.cap):
        progress = after(test, list(answers))
        chance = math.prod(p if right else 1 - p for right in answers)
        passing += chance * (decide(test, progress) == Verdict.PASSED)
        questions += chance * progress.asked

    assert pass_probability(test, p) == pytest.approx(passing)
    assert expected_questions(test, p) == pytest.approx(questions)


def test_the_exact_figures_know_partial_credit() -> None:
    test, chances = wald(0.6, 0.9, 0.2, 0.2, 6), [0.2, 0.3, 0.5]
    passing, questions = 0.0, 0.0
    for answers in product((0, 1, 2), repeat=test.cap):
        progress = after(test, [part / 2 for part in answers])
        chance = math.prod(chances[part] for part in answers)
        passing += chance * (decide(test, progress) == Verdict.PASSED)
        questions += chance * progress.asked

    assert pass_probability(test, chances) == pytest.approx(passing)
    assert expected_questions(test, chances) == pytest.approx(questions)


def test_partial_credit_of_the_same_mean_errs_no_more_than_all_or_nothing() -> None:
    assert pass_probability(STANDARD, [0.15, 0.30, 0.55]) < pass_probability(STANDARD, 0.70)
    assert pass_probability(STANDARD, [0.05, 0.10, 0.85]) > pass_probability(STANDARD, 0.90)


@pytest.mark.parametrize("test", TESTS)
def test_every_exam_ends_by_its_cap(test: SequentialTest) -> None:
    fate = prospect(test, 0.8)

    assert fate.ends.shape == (test.cap,)
    assert fate.ends.sum() == pytest.approx(1)
    assert all(
        decide(test, Progress(test.cap, evidence)) != Verdict.MORE for evidence in (-50.0, 0.0, test.final, 50.0)
    )


@pytest.mark.parametrize("p", [0.7, 0.8, 0.9])
def test_ending_when_the_rest_cannot_matter_changes_no_pass(p: float) -> None:
    quiz = fixed(0.7, 0.9, questions=10, right=7)

    assert pass_probability(quiz, p) == pytest.approx(
        sum(math.comb(10, k) * p**k * (1 - p) ** (10 - k) for k in range(7, 11))
    )
    assert expected_questions(quiz, p) < 9
    assert after(quiz, "0000").asked == 4
    assert decide(quiz, after(quiz, "000")) == Verdict.MORE


def test_a_quiz_says_how_often_it_errs() -> None:
    quiz = fixed(0.7, 0.9, questions=10, right=7)

    assert quiz.alpha == pytest.approx(0.6496, abs=1e-4)
    assert quiz.beta == pytest.approx(0.0128, abs=1e-4)


@pytest.mark.parametrize(
    ("p0", "p1", "alpha", "beta", "cap"),
    [(0.7, 0.9, 0.045, 0.018, 90), (0.7, 0.85, 0.1, 0.1, 60), (0.5, 0.7, 0.05, 0.1, 100), (0.8, 0.95, 0.2, 0.02, 70)],
)
def test_stated_rates_hold_with_truncation(p0: float, p1: float, alpha: float, beta: float, cap: int) -> None:
    test = calibrated(p0, p1, alpha, beta, cap)

    assert pass_probability(test, p0) <= alpha
    assert pass_probability(test, p1) >= 1 - beta


def test_walds_own_boundaries_break_their_rates_once_they_are_truncated() -> None:
    pilot = wald(0.7, 0.85, 0.05, 0.05, 40)

    assert pass_probability(pilot, 0.7) == pytest.approx(0.114, abs=0.001)
    assert pass_probability(pilot, 0.85) == pytest.approx(0.865, abs=0.001)


def test_a_calibrated_exam_asks_fewer_questions_than_one_of_fixed_length_that_errs_as_little() -> None:
    def errs_as_little(questions: int, right: int) -> bool:
        quiz = fixed(0.7, 0.9, questions=questions, right=right)
        return quiz.alpha <= STANDARD.alpha and quiz.beta <= STANDARD.beta

    shortest = next(n for n in range(10, 91) if any(errs_as_little(n, right) for right in range(n // 2, n)))

    assert shortest == 54
    assert max(expected_questions(STANDARD, p) for p in (0.6, 0.7, 0.9, 0.95)) < shortest / 2


def test_the_standard_exam_keeps_the_bars_of_b7() -> None:
    x = np.linspace(0.0025, 0.9975, 200)
    weights = x**7 * (1 - x) ** 1.5 * np.array([pass_probability(STANDARD, float(p)) for p in x])

    assert pass_probability(STANDARD, 0.70) <= 0.10
    assert pass_probability(STANDARD, 0.90) >= 0.98
    assert max(expected_questions(STANDARD, p) for p in (0.60, 0.70, 0.90, 0.95)) <= 28
    assert weights[x >= 0.8].sum() / weights.sum() >= 0.85


def test_too_few_questions_for_the_rates_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no exam of 20 questions tells 0\.7 from 0\.9"):
        calibrated(0.7, 0.9, 0.045, 0.018, 20)


def test_where_only_a_fixed_length_keeps_the_rates_it_is_found() -> None:
    # 7 of 10: P(pass | .5) = .17188 and P(fail | .8) = .12087; ending earlier, or with 9 questions, errs more.
    test = calibrated(0.5, 0.8, 0.1719, 0.1209, 10)

    assert pass_probability(test, 0.5) == pytest.approx(0.17188, abs=1e-5)
    assert pass_probability(test, 0.8) == pytest.approx(1 - 0.12087, abs=1e-5)
    with pytest.raises(ValueError, match="no exam of 9"):
        calibrated(0.5, 0.8, 0.1719, 0.1209, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p0": 0.95}, "p0 is"),
        ({"p1": 1.0}, "p0 is"),
        ({"alpha": -0.1}, "alpha is"),
        ({"beta": 1.1}, "beta 1.1"),
        ({"cap": 0}, "cap is 0"),
        ({"cap": 201}, "cap is 201"),
        ({"low": 0.1}, "low is below 0"),
        ({"high": 0.0}, "high is above 0"),
        ({"final": 99.0}, "not below final"),
        ({"final": -99.0}, "low is below 0 and final"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(STANDARD, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.1), (0.5, 0.1), (0.1, 0.0), (0.1, 0.5)])
def test_errors_that_cannot_be_kept_or_mean_nothing_are_refused(alpha: float, beta: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        calibrated(0.7, 0.9, alpha, beta, 90)


@pytest.mark.parametrize("p", [1.1, [1.0], [0.5, 0.4], [1.2, -0.2], [[0.5, 0.5]], math.nan])
def test_chances_that_are_no_distribution_are_refused(p: float) -> None:
    with pytest.raises(ValueError, match="neither a probability"):
        prospect(STANDARD, p)


LEVELS = [wald(0.6, 0.8, 0.1, 0.1, 40), wald(0.7, 0.9, 0.1, 0.1, 40), wald(0.8, 0.95, 0.1, 0.1, 40)]


def levels_after(earned: str) -> list[Progress]:
    return [after(test, earned) for test in LEVELS]


def test_one_exam_wins_the_highest_level_that_it_passes() -> None:
    assert decide_level(LEVELS, levels_after("")) == LevelDecision(0, ended=False)
    assert decide_level(LEVELS, levels_after("1" * 8)) == LevelDecision(1, ended=False)
    assert decide_level(LEVELS, levels_after("1" * 9)) == LevelDecision(2, ended=False)
    assert decide_level(LEVELS, levels_after("1" * 40)) == LevelDecision(3, ended=True)


def test_an_exam_ends_when_the_next_level_is_lost_and_keeps_what_was_won() -> None:
    assert decide_level(LEVELS, levels_after("0" * 40)) == LevelDecision(0, ended=True)
    assert decide_level(LEVELS, levels_after("1" * 8 + "0" * 8)) == LevelDecision(1, ended=True)


def test_nothing_above_a_failed_level_is_waited_for() -> None:
    failed, undecided = after(LEVELS[0], "0" * 5), Progress()

    assert decide_level(LEVELS, [failed, undecided, undecided]) == LevelDecision(0, ended=True)
    assert decide_level(LEVELS, [after(LEVELS[0], "1" * 9), undecided, failed]) == LevelDecision(1, ended=False)


def test_levels_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="higher p0 and p1"):
        decide_level([LEVELS[1], LEVELS[0]], [Progress(), Progress()])
    with pytest.raises(ValueError, match="one progress for each level"):
        decide_level(LEVELS, [Progress()])
    with pytest.raises(ValueError, match="at least one level"):
        decide_level([], [])


@given(test=st.sampled_from(TESTS), worse=st.floats(0.01, 0.98), more=st.floats(0.001, 0.5))
@settings(deadline=None, max_examples=40)
def test_who_is_better_passes_more_often(test: SequentialTest, worse: float, more: float) -> None:
    better = min(worse + more, 0.999)

    assert pass_probability(test, better) >= pass_probability(test, worse) - 1e-12


@given(test=st.sampled_from(TESTS), earned=st.lists(st.floats(0, 1), max_size=100), place=st.integers(0, 99))
@settings(deadline=None)
def test_a_better_answer_never_turns_a_pass_into_less(test: SequentialTest, earned: list[float], place: int) -> None:
    better = [1.0 if number == place else credit for number, credit in enumerate(earned)]

    if decide(test, after(test, earned)) == Verdict.PASSED:
        assert decide(test, after(test, better)) == Verdict.PASSED
