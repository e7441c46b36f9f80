"""The demo's figures, from made-up releases and standings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from marketplace.demo.content import NOTES, REVIEWS, Item, Posting
from marketplace.demo.crowd import Kind, Person
from marketplace.demo.report import Outcome, WorkerFacts, best_and_worst, job_facts, worker_facts, worker_json
from marketplace.demo.tally import Tally

REPORT = {
    "contested": 1, "resolved": 2, "gold_answers": 4, "accuracy_on_gold": 0.75, "paid": "0.30", "fee": "0.03", "currency": "USD",
}  # fmt: skip


def a_posting() -> Posting:
    return replace(
        REVIEWS, tasks=tuple(Item(f"r{n}", {"text": str(n)}, str(n), truth) for n, truth in enumerate((0, 1, 2)))
    )


def a_row(
    ref: str, beliefs: tuple[float, float, float], said: tuple[str, ...], state: str = "resolved"
) -> dict[str, Any]:
    return {
        "external_ref": ref,
        "state": state,
        "distribution": dict(zip(REVIEWS_CLASSES, beliefs, strict=True)),
        "answers": [{"worker": f"w{n}", "label": {"class": one}, "paid": "0.03"} for n, one in enumerate(said)],
    }


REVIEWS_CLASSES = ("positive", "neutral", "negative")
ROWS = [
    a_row("r0", (0.9, 0.05, 0.05), ("positive", "positive")),
    a_row("r1", (0.7, 0.2, 0.1), ("positive", "neutral")),
    a_row("r2", (0.2, 0.3, 0.5), ("negative", "neutral"), "contested"),
]


def test_a_job_is_scored_as_a_replay_is() -> None:
    facts = job_facts(Outcome(a_posting(), REPORT, ROWS, "out/reviews", "hash", 12.5), seed=3, books_ok=True)

    assert facts["accuracy"] == pytest.approx(2 / 3, abs=1e-6)  # the contested one counts by its most believed class
    assert facts["majority_accuracy"] == pytest.approx((1 + 0.5 + 0.5) / 3, abs=1e-6)
    assert facts["delivered_error"] == pytest.approx(1 / 3, abs=1e-6)
    assert (facts["tasks"], facts["answers"], facts["answers_possible"]) == (3, 6, 15)
    assert (facts["labels_per_task"], facts["cost_per_task"]) == (2, 2)
    assert (facts["paid"], facts["fee"], facts["cost"]) == ("0.30", "0.03", "0.33")
    assert (facts["seed"], facts["seconds"], facts["books_ok"]) == (3, 12.5, True)
    assert not facts["specialists_only"]


def test_a_task_that_is_missing_from_the_release_counts_as_wrong() -> None:
    facts = job_facts(Outcome(a_posting(), REPORT, ROWS[:1], "", "", 1.0), seed=0, books_ok=True)

    assert facts["accuracy"] == pytest.approx(1 / 3, abs=1e-6)


def a_person(number: int = 1) -> Person:
    return Person(number, Kind.GENERALIST, {"reviews": 0.9, "notes": 0.5}, {}, 0.2)


def test_a_worker_is_measured_over_all_gold_and_what_was_drawn_is_weighted_alike() -> None:
    tally = Tally(by_worker=Counter({(1, "reviews"): 5, (2, "reviews"): 9}), exams={1: ["failed", "failed"]})
    shown = [{"path": REVIEWS.domain, "right": 9.0, "total": 10}, {"path": NOTES.domain, "right": 4.0, "total": 10}]
    slugs = {REVIEWS.domain: "reviews", NOTES.domain: "notes"}

    facts = worker_facts(a_person(), tally, slugs, standing={"accuracy": shown}, earned="0.15")

    assert (facts.answers, facts.gold, facts.exam, facts.earned) == (5, 20, "failed", Decimal("0.15"))
    assert facts.drawn == pytest.approx(0.7)
    assert facts.low is not None
    assert facts.high is not None
    assert facts.measured is not None
    assert facts.low < 0.65 < facts.measured < 0.75 < facts.high
    assert worker_json(facts)["earned"] == "0.15"


def test_a_worker_without_gold_is_not_measured_and_not_ranked() -> None:
    facts = worker_facts(a_person(), Tally(), {}, standing={"accuracy": []}, earned="0.00")

    assert (facts.measured, facts.drawn) == (None, None)
    assert best_and_worst([facts]) == ([], [])


def test_the_best_come_first_the_worst_last_and_nobody_twice() -> None:
    def measured(share: float) -> WorkerFacts:
        return WorkerFacts(str(share), "", "", "", 1, Decimal(0), None, share, None, None, 1)

    best, worst = best_and_worst([measured(share) for share in (0.2, 0.9, 0.5)], count=2)

    assert ([one.measured for one in best], [one.measured for one in worst]) == ([0.9, 0.5], [0.2])
