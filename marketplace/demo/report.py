"""What came of the demo: figures of each job, scored as the replay scores, and of each worker. Pure: facts in, facts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marketplace.demo.content import Posting
from marketplace.demo.crowd import Person
from marketplace.demo.tally import Tally
from marketplace.replay.scoring import Judgement, score
from qualification.inference.beta import accuracy_after
from qualification.inference.stopping import parse_policy

ENGINE = "dawid_skene"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of one job at its end: the API's report, the rows of its release, and where they were written."""

    posting: Posting
    report: Mapping[str, Any]
    released: Sequence[Mapping[str, Any]]
    release_path: str
    content_hash: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """A simulated worker, what they did, and what the site thinks of them.

    ``exam``: how their last sitting ended, if there was one. ``measured``, ``low`` and ``high``: what their ``gold``
    answers show, those of exams included (mean and 90 % interval), and ``drawn`` the accuracy that the demo gave them,
    weighted alike; None without gold.
    """

    name: str
    kind: str
    habit: str
    exam: str
    answers: int
    earned: Decimal
    drawn: float | None
    measured: float | None
    low: float | None
    high: float | None
    gold: int


def job_facts(outcome: Outcome, *, seed: int, books_ok: bool) -> dict[str, Any]:
    """One job with every key of a replay's report, and more."""
    posting, report = outcome.posting, outcome.report
    truth = {item.ref: item.truth for item in posting.tasks}
    judgements = {ref: Judgement("cancelled", None, None) for ref in truth}
    votes: list[tuple[str, int]] = []
    for row in outcome.released:
        judgements[row["external_ref"]] = _judgement(posting, row)
        votes += [(row["external_ref"], posting.names.index(one["label"]["class"])) for one in row["answers"]]
    found = score(judgements, votes, truth, len(posting.names))
    tasks, paid = len(posting.tasks), Decimal(report["paid"])
    paid_for_labels = sum(Decimal(one["paid"] or 0) for row in outcome.released for one in row["answers"])
    return {
        "dataset": posting.slug,
        "name": posting.name,
        "domain": posting.domain,
        "specialists_only": posting.specialists_only,
        "policy": posting.policy,
        "seed": seed,
        "engine": ENGINE,
        "tasks": tasks,
        "tasks_with_truth": found.judged_tasks,
        "answers": len(votes),
        "answers_possible": tasks * parse_policy(posting.policy).answers_max,
        "gold_answers": report["gold_answers"],
        "expert_answers": 0,
        "accuracy": _rounded(found.accuracy),
        "majority_accuracy": _rounded(found.majority_accuracy),
        "delivered_error": None if found.accuracy is None else _rounded(1 - found.accuracy),
        "certified_alpha": None,
        "accuracy_on_gold": _rounded(report["accuracy_on_gold"]),
        "cost_per_task": _rounded(float(paid_for_labels / posting.price) / tasks),
        "labels_per_task": _rounded(len(votes) / tasks),
        "contested": report["contested"],
        "resolved": report["resolved"],
        "ece": _rounded(found.ece),
        "skipped": 0,
        "repeated": 0,
        "price": str(posting.price),
        "paid": str(paid),
        "fee": report["fee"],
        "cost": str(paid + Decimal(report["fee"])),
        "currency": report["currency"],
        "release_path": outcome.release_path,
        "content_hash": outcome.content_hash,
        "seconds": round(outcome.seconds, 3),
        "books_ok": books_ok,
    }


def worker_facts(
    person: Person,
    tally: Tally,
    slugs: Mapping[str, str],
    *,
    standing: Mapping[str, Any],
    earned: str,
) -> WorkerFacts:
    """One worker, from what the demo knows and what the API says of their standing and earnings.

    ``slugs``: the job of each domain, by its path.
    """
    shown = standing["accuracy"]
    gold = sum(one["total"] for one in shown)
    right = sum(one["right"] for one in shown)
    drawn = sum(one["total"] * person.accuracy[slugs[one["path"]]] for one in shown) / gold if gold else None
    known = accuracy_after(right, gold - right) if gold else None
    sat = tally.exams.get(person.number, [""])
    return WorkerFacts(
        name=person.name,
        kind=person.kind.value,
        habit=person.habit,
        exam=sat[-1],
        answers=sum(count for (number, _), count in tally.by_worker.items() if number == person.number),
        earned=Decimal(earned),
        drawn=_rounded(drawn),
        measured=None if known is None else _rounded(known.mean),
        low=None if known is None else _rounded(known.low),
        high=None if known is None else _rounded(known.high),
        gold=int(gold),
    )


def worker_json(facts: WorkerFacts) -> dict[str, Any]:
    """A worker as JSON."""
    names = ("name", "kind", "habit", "exam", "answers", "drawn", "measured", "low", "high", "gold")
    return {**{name: getattr(facts, name) for name in names}, "earned": str(facts.earned)}


def best_and_worst(workers: Sequence[WorkerFacts], count: int = 5) -> tuple[list[WorkerFacts], list[WorkerFacts]]:
    """The ``count`` best and worst by what is measured on gold; whoever met none is in neither."""
    ranked = sorted((one for one in workers if one.measured is not None), key=lambda one: -(one.measured or 0.0))
    best = ranked[:count]
    return best, [one for one in ranked[-count:] if one not in best]


def _judgement(posting: Posting, row: Mapping[str, Any]) -> Judgement:
    """The most believed class of a released task, also where it is contested; of level ones the first."""
    beliefs = row["distribution"]
    if not beliefs:
        return Judgement(row["state"], None, None)
    best = max(posting.names, key=lambda name: beliefs[name])
    return Judgement(row["state"], posting.names.index(best), float(beliefs[best]))


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 6)
