from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualification.inference.stopping import Decision, Outcome, Plan, Reason, decide, parse_policy

FIXED = parse_policy("fixed:3")
SURE = parse_policy("confidence:0.9:2:4")


def test_a_policy_is_read_from_its_text_and_written_back() -> None:
    assert parse_policy("fixed:5") == Plan("fixed", 5, None, 5)
    assert parse_policy("confidence:0.95:3:7") == Plan("confidence", 3, 0.95, 7)
    assert str(parse_policy("fixed:5")) == "fixed:5"
    assert str(parse_policy("confidence:0.95:3:7")) == "confidence:0.95:3:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no policy ''"),
        ("best:3", "choose one of fixed, confidence"),
        ("fixed", "not fixed:K"),
        ("fixed:0", "between 1 and 1000"),
        ("fixed:1001", "between 1 and 1000"),
        ("fixed:-1", "not a whole number"),
        ("fixed:٣", "not a whole number"),
        ("fixed:3:4", "not fixed:K"),
        ("confidence:0.9:3", "THRESHOLD:LEAST:MOST"),
        ("confidence:nan:3:7", "not a threshold"),
        ("confidence:1e-1:3:7", "not a threshold"),
        ("confidence:0.5:3:7", "above 0.5"),
        ("confidence:1.1:3:7", "above 0.5"),
        ("confidence:0.9:5:3", "between overlap 5"),
    ],
)
def test_a_policy_that_says_nothing_clear_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_policy(text)


def test_a_plan_cannot_contradict_itself() -> None:
    with pytest.raises(ValueError, match="no threshold"):
        Plan("fixed", 3, 0.9, 3)
    with pytest.raises(ValueError, match="no threshold"):
        Plan("fixed", 3, None, 4)
    with pytest.raises(ValueError, match="no policy"):
        Plan("certified", 3, None, 3)


def test_fixed_asks_for_what_is_missing_and_then_resolves() -> None:
    assert decide(FIXED, [0.5, 0.5], 0) == Decision(Outcome.MORE, None, 0.0, more=3)
    assert decide(FIXED, [1.0, 0.0], 2) == Decision(Outcome.MORE, 0, 1.0, more=1)
    assert decide(FIXED, [0.3, 0.7], 3) == Decision(Outcome.RESOLVED, 1, 0.7)
    assert decide(FIXED, [0.3, 0.7], 4) == Decision(Outcome.RESOLVED, 1, 0.7)


def test_fixed_resolves_a_tie_as_the_lowest_class_and_says_so() -> None:
    assert decide(FIXED, [0.2, 0.4, 0.4], 3) == Decision(Outcome.RESOLVED, 1, 0.4, tied=True)


def test_a_tie_is_seen_through_the_rounding_of_32_bit_floats() -> None:
    stored = np.array([0.5 - 1e-7, 0.5 + 1e-7]).astype(np.float32)
    assert stored[0] != stored[1]

    assert decide(FIXED, stored.astype(np.float64), 3).tied


def test_fixed_judges_on_what_there_is_when_no_more_can_be_had() -> None:
    assert decide(FIXED, [0.3, 0.7], 1, exhausted=True).outcome == Outcome.RESOLVED


def test_confidence_resolves_at_the_threshold_but_not_before_the_least_answers() -> None:
    assert decide(SURE, [0.95, 0.05], 1) == Decision(Outcome.MORE, 0, 0.95, more=1)
    assert decide(SURE, [0.95, 0.05], 2) == Decision(Outcome.RESOLVED, 0, 0.95)
    assert decide(SURE, [0.8, 0.2], 2) == Decision(Outcome.MORE, 0, 0.8, more=1)
    assert decide(SURE, [float(np.float32(0.9)), 0.1], 2).outcome == Outcome.RESOLVED


def test_confidence_is_contested_at_the_most_answers() -> None:
    assert decide(SURE, [0.8, 0.2], 4) == Decision(Outcome.CONTESTED, 0, 0.8, reason=Reason.ANSWERS_MAX)
    assert decide(SURE, [0.5, 0.5], 4) == Decision(Outcome.CONTESTED, 0, 0.5, tied=True, reason=Reason.TIE)


def test_confidence_is_contested_when_no_more_can_be_had() -> None:
    assert decide(SURE, [0.8, 0.2], 2, exhausted=True).reason == Reason.EXHAUSTED
    assert decide(SURE, [0.8, 0.2], 1, exhausted=True).reason == Reason.EXHAUSTED
    assert decide(SURE, [0.95, 0.05], 1, exhausted=True).outcome == Outcome.RESOLVED


@pytest.mark.parametrize("plan", [FIXED, SURE])
def test_no_answers_and_none_to_be_had_is_contested(plan: Plan) -> None:
    assert decide(plan, [0.5, 0.5], 0, exhausted=True) == Decision(
        Outcome.CONTESTED, None, 0.0, reason=Reason.NO_ANSWERS
    )


@pytest.mark.parametrize("posterior", [[], [0.2, 0.2], [float("nan"), 1.0], [[1.0]]])
def test_a_belief_that_is_no_distribution_is_refused(posterior: list[float]) -> None:
    with pytest.raises(ValueError, match="not a distribution"):
        decide(FIXED, posterior, 1)


@given(
    plan=st.sampled_from([FIXED, SURE, parse_policy("confidence:1:1:9"), parse_policy("fixed:1")]),
    weights=st.lists(st.integers(0, 20), min_size=2, max_size=5).filter(any),
    answers=st.integers(0, 12),
    exhausted=st.booleans(),
)
def test_every_task_comes_to_an_end(plan: Plan, weights: list[int], answers: int, exhausted: bool) -> None:
    posterior = np.array(weights) / sum(weights)

    decision = decide(plan, posterior, answers, exhausted=exhausted)

    assert (decision.outcome == Outcome.MORE) == (decision.more > 0)
    assert (decision.outcome == Outcome.CONTESTED) == (decision.reason is not None)
    assert answers + decision.more <= max(plan.answers_max, answers)
    if exhausted or answers >= plan.answers_max:
        assert decision.outcome != Outcome.MORE
