"""What came out of a replay, read from the database, and the report that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from marketplace.replay.dataset import Dataset
from marketplace.replay.scoring import Judgement, Score, score
from marketplace.replay.script import Script
from marketplace.replay.staging import PRICE_MICROS, Posted
from qualification.inference.stopping import parse_policy

JUDGEMENTS = """
  SELECT t.id, t.state, c.class_index, c.confidence FROM tasks_task t LEFT JOIN tasks_consensus c ON c.task_id = t.id
  WHERE t.job_id = %s AND t.gold_item_id IS NULL"""
VOTES = """
  SELECT n.task_id, n.class_index FROM tasks_answer n JOIN tasks_task t ON t.id = n.task_id
  WHERE n.job_id = %s AND t.gold_item_id IS NULL"""
PAID = """
  SELECT count(*) FILTER (WHERE a.purpose = 'calibration'),
         coalesce(sum(a.price_micros) FILTER (WHERE a.purpose <> 'calibration' AND a.state = 'settled'), 0)::bigint
  FROM tasks_assignment a WHERE a.job_id = %s AND a.submitted_at IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Results:
    """Of one replay: its score, and how many answers of which kind there were; ``paid_micros`` for gold not counted."""

    score: Score
    answers: int
    gold_answers: int
    contested: int
    paid_micros: int


def read_results(dataset: Dataset, posted: Posted) -> Results:
    """Read and score what the job's tasks came to."""
    with connection.cursor() as cursor:
        cursor.execute(JUDGEMENTS, [posted.job.pk])
        judgements = {posted.item_of[row[0]]: Judgement(row[1], row[2], row[3]) for row in cursor.fetchall()}
        cursor.execute(VOTES, [posted.job.pk])
        votes = [(posted.item_of[task_id], class_index) for task_id, class_index in cursor.fetchall()]
        cursor.execute(PAID, [posted.job.pk])
        gold_answers, paid_micros = cursor.fetchone()
    return Results(
        score=score(judgements, votes, dataset.truth, dataset.classes),
        answers=len(votes),
        gold_answers=gold_answers,
        contested=sum(one.state == "contested" for one in judgements.values()),
        paid_micros=paid_micros,
    )


def report(
    dataset: Dataset, script: Script, results: Results, *, policy: str, engine: str, seed: int
) -> dict[str, Any]:
    """The replay as JSON, without ``seconds`` and ``books_ok``, which only the command knows.

    Costs are in units of one crowd answer, gold apart. Without experts, what is delivered is what the crowd said.
    """
    tasks, found = len(script.tasks), results.score
    return {
        "dataset": dataset.name,
        "policy": policy,
        "seed": seed,
        "engine": engine,
        "tasks": tasks,
        "tasks_with_truth": found.judged_tasks,
        "answers": results.answers,
        "answers_possible": script.answers_possible(parse_policy(policy).answers_max),
        "gold_answers": results.gold_answers,
        "expert_answers": 0,
        "accuracy": _rounded(found.accuracy),
        "majority_accuracy": _rounded(found.majority_accuracy),
        "delivered_error": None if found.accuracy is None else _rounded(1 - found.accuracy),
        "certified_alpha": None,
        "cost_per_task": _rounded(results.paid_micros / PRICE_MICROS / tasks),
        "labels_per_task": _rounded(results.answers / tasks),
        "contested": results.contested,
        "ece": _rounded(found.ece),
        "skipped": dataset.skipped,
        "repeated": dataset.repeated,
    }


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 6)
