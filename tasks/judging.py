"""Judging: decide which tasks have their label, which need another answer, and which stay contested.

Judging looks at tasks whose answers are in (state ``waiting``); it never decides pay. A further slot exists only
against money that is reserved for it: without it the task ends contested, reason ``budget``.

Refitting estimates a whole job anew: the engine's worker parameters, and with them every task's belief. What a
judged task's label is can still move with a refit, until a release freezes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any, NamedTuple

import numpy as np
from django.db import connection, transaction

from qualification import observing
from qualification.inference.answers import Answers
from qualification.inference.engine import ENGINES
from qualification.inference.stopping import Decision, Outcome, Plan, Reason, decide
from tasks import beliefs, queries
from tasks.beliefs import Belief

REFIT_EVERY = 2_000
"""A job is fitted anew after this many further answers (science.md section 6)."""
REFIT_GROWTH = 0.25
"""... or once its answers have grown by this share, so that small jobs are fitted too."""
REFIT_FIRST = 50
REFIT_CHUNK = 500
"""Beliefs are written this many tasks at a time."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How many tasks one pass of judging moved, and where to."""

    resolved: int = 0
    contested: int = 0
    reopened: int = 0

    @property
    def moved(self) -> int:
        """All of them."""
        return self.resolved + self.contested + self.reopened


class Waiting(NamedTuple):
    """A task to judge, and what its job says about judging."""

    task_id: int
    job_id: int
    state: str
    answer_count: int
    slot_micros: int
    schema_id: int
    engine: str
    plan: Plan
    exhausted: bool


class Verdict(NamedTuple):
    """What becomes of one task: its next state, the slots it gains (or, ``early``, gives back), why it is contested."""

    waiting: Waiting
    state: str
    slots: int = 0
    reason: str = ""
    early: bool = False


WAITING = """
  SELECT t.id, t.job_id, t.state, t.answer_count, t.price_micros + t.fee_micros, j.schema_id, p.engine,
         p.policy, p.overlap, p.threshold, p.answers_max,
         j.state = 'closed' OR t.id = ANY (%(exhausted)s)
           OR coalesce(t.expires_at <= coalesce(%(at)s, clock_timestamp()), false)
  FROM tasks_task t JOIN tasks_job j ON j.id = t.job_id JOIN tasks_qualityplan p ON p.id = j.plan_id
  WHERE t.gold_item_id IS NULL AND (t.id IN (SELECT w.id FROM tasks_task w WHERE w.state = 'waiting' ORDER BY w.id LIMIT %(limit)s)
    OR (t.state = 'open' AND t.leased_count = 0
        AND (t.id = ANY (%(exhausted)s)
             OR t.id IN (SELECT e.id FROM tasks_task e WHERE e.state = 'open' AND e.expires_at IS NOT NULL
                         AND e.expires_at <= coalesce(%(at)s, clock_timestamp()) LIMIT %(limit)s))))
  ORDER BY t.job_id, t.id"""


def judge_waiting(*, limit: int = 500, exhausted: Collection[int] = (), at: datetime | None = None) -> Judged:
    """Judge up to ``limit`` waiting tasks. Safe to run twice at once: a task that moved meanwhile is left alone.

    ``exhausted`` names open tasks that can get no further answers: they are judged on what they have, as are tasks
    whose own time ran out and tasks of closed jobs.
    """
    parameters: dict[str, Any] = {"exhausted": list(exhausted), "limit": limit, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(WAITING, parameters)
        found = [
            Waiting(task_id, job_id, state, answers, micros, schema_id, engine, Plan(*plan), is_exhausted)
            for task_id, job_id, state, answers, micros, schema_id, engine, *plan, is_exhausted in cursor.fetchall()
        ]
    by_job: dict[tuple[int, int, str], list[Waiting]] = defaultdict(list)
    for waiting in found:
        by_job[waiting.job_id, waiting.schema_id, waiting.engine].append(waiting)
    passes = [_judge_job(group, at) for group in by_job.values()]
    return Judged(
        sum(one.resolved for one in passes), sum(one.contested for one in passes), sum(one.reopened for one in passes)
    )


def _judge_job(group: Sequence[Waiting], at: datetime | None) -> Judged:
    """Judge tasks of one job. Locks: the job where slots change hands, then the tasks by id."""
    job_id, schema_id, engine = group[0].job_id, group[0].schema_id, group[0].engine
    classes = len(queries.label_schema(schema_id).classes)
    with transaction.atomic():
        believed = beliefs.beliefs_of(job_id, engine, classes, [one.task_id for one in group])
        verdicts = [_verdict(one, believed[one.task_id]) for one in group]
        if any(verdict.slots or verdict.early for verdict in verdicts):
            free = _hold_free(job_id)
            verdicts = list(_within(verdicts, free))
        kept = _unmoved(verdicts)
        _move_tasks(kept, at)
        spent = sum(verdict.slots * verdict.waiting.slot_micros for verdict in kept)
        if spent:
            _reserve(job_id, spent)
        beliefs.write_beliefs(
            (believed[verdict.waiting.task_id] for verdict in kept),
            job_id=job_id,
            engine=engine,
            schema_id=schema_id,
            resolved={verdict.waiting.task_id for verdict in kept if verdict.state == "resolved"},
            contested={verdict.waiting.task_id for verdict in kept if verdict.state == "contested"},
            at=at,
        )
    states = [verdict.state for verdict in kept]
    return Judged(states.count("resolved"), states.count("contested"), states.count("open"))


def _verdict(waiting: Waiting, belief: Belief) -> Verdict:
    decision: Decision = decide(waiting.plan, belief.posterior, belief.answers, exhausted=waiting.exhausted)
    if decision.outcome == Outcome.MORE:
        return Verdict(waiting, "open", decision.more)
    reason = decision.reason.value if decision.reason else ""
    return Verdict(waiting, decision.outcome.value, reason=reason, early=waiting.state == "open")


def _hold_free(job_id: int) -> int:
    """Lock the job and return what of its escrow is not reserved."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT funded_micros - reserved_micros FROM tasks_job WHERE id = %s FOR UPDATE", [job_id])
        return int(cursor.fetchone()[0])


def _within(verdicts: Iterable[Verdict], free: int) -> Iterable[Verdict]:
    """The same verdicts, with tasks contested (budget) from where the money ends; in task order."""
    for verdict in verdicts:
        cost = verdict.slots * verdict.waiting.slot_micros
        if verdict.slots > 0 and cost > free:
            yield Verdict(verdict.waiting, "contested", reason=Reason.BUDGET.value)
            continue
        free -= cost
        yield verdict


def _unmoved(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Lock the tasks in id order; keep the verdicts whose task is still as it was, with the true count of its slots."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, state, answer_count, leased_count, slots_needed FROM tasks_task WHERE id = ANY (%s) "
            "ORDER BY id FOR UPDATE",
            [[verdict.waiting.task_id for verdict in verdicts]],
        )
        now = {row[0]: row[1:] for row in cursor.fetchall()}
    kept = []
    for verdict in verdicts:
        state, answers, leased, slots = now[verdict.waiting.task_id]
        if state != verdict.waiting.state or answers != verdict.waiting.answer_count or leased:
            continue
        kept.append(verdict._replace(slots=answers - slots) if verdict.early else verdict)
    return kept


def _move_tasks(kept: Sequence[Verdict], at: datetime | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE tasks_task t SET state = x.state, slots_needed = t.slots_needed + x.slots, contested_reason = x.reason,
              judged_at = CASE WHEN x.state = 'open' THEN NULL ELSE coalesce(%s, clock_timestamp()) END
            FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[]) AS x (id, state, slots, reason)
            WHERE t.id = x.id""",
            [
                at,
                [verdict.waiting.task_id for verdict in kept],
                [verdict.state for verdict in kept],
                [verdict.slots for verdict in kept],
                [verdict.reason for verdict in kept],
            ],
        )


def _reserve(job_id: int, micros: int) -> None:
    """Reserve (or free) escrow for slots; CHECK ``slots_are_reserved_against_escrow`` has the last word."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tasks_job SET reserved_micros = reserved_micros + %s WHERE id = %s", [micros, job_id])


def jobs_due_for_refit() -> list[int]:
    """Jobs whose engine learns about workers and whose answers have grown enough since their last fit.

    A closed job is fitted once more, to all its answers, before anybody releases it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT j.id FROM tasks_job j JOIN tasks_qualityplan p ON p.id = j.plan_id
            LEFT JOIN qualification_scopefit f ON f.scope = 'job:' || j.id
            CROSS JOIN LATERAL (
              SELECT count(*) AS answers FROM tasks_answer n
              -- Of the many closed jobs only those are counted that have not had their last fit.
              WHERE n.job_id = j.id AND (j.state <> 'closed' OR coalesce(f.fitted_at < j.closed_at, true))) n
            WHERE p.engine <> 'majority' AND n.answers >= %s AND (
              j.state IN ('piloting', 'live', 'paused')
                AND n.answers >= coalesce(f.answers, 0) + least(%s, greatest(1, coalesce(f.answers, 0) * %s))
              OR j.state = 'closed')
            ORDER BY j.id""",
            [REFIT_FIRST, REFIT_EVERY, REFIT_GROWTH],
        )
        return [row[0] for row in cursor.fetchall()]


EVIDENCE = """
  SELECT n.task_id, n.worker_id, n.class_index, g.class_index, t.state
  FROM tasks_answer n JOIN tasks_assignment a ON a.id = n.assignment_id JOIN tasks_task t ON t.id = n.task_id
  LEFT JOIN qualification_golditem g ON g.id = t.gold_item_id AND g.retired_at IS NULL
  WHERE n.job_id = %s AND n.class_index IS NOT NULL AND n.round = t.round AND a.used
    AND (t.gold_item_id IS NULL OR g.class_index IS NOT NULL)
  ORDER BY n.assignment_id"""


def refit_job(job_id: int, *, at: datetime | None = None) -> bool:
    """Fit the job's engine to all its answers, gold fixed, and write worker parameters and beliefs anew.

    Returns False where there is nothing to fit. Beliefs of tasks that got an answer meanwhile are left as they are.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT j.schema_id, p.engine FROM tasks_job j JOIN tasks_qualityplan p ON p.id = j.plan_id WHERE j.id = %s",
            [job_id],
        )
        schema_id, engine = cursor.fetchone()
        cursor.execute(EVIDENCE, [job_id])
        rows = cursor.fetchall()
    classes = len(queries.label_schema(schema_id).classes)
    if not rows or not classes:
        return False
    answers, task_ids, worker_ids = _as_answers(rows, classes)
    fit = ENGINES[engine].fit(answers)
    ordinary = [task_id for task_id, gold in zip(task_ids, answers.gold, strict=True) if gold < 0]
    state = {row[0]: row[4] for row in rows}
    observing.save_fit(
        queries.scope_of(job_id),
        engine,
        fit.prior,
        {} if fit.worker is None else dict(zip(worker_ids, fit.worker, strict=True)),
        answers=len(rows),
        gold=len(task_ids) - len(ordinary),
        rounds=fit.rounds,
        converged=fit.converged,
        at=at,
    )
    for chunk in batched(sorted(ordinary), REFIT_CHUNK):  # short transactions: submits wait for their rows
        with transaction.atomic():
            beliefs.write_beliefs(
                beliefs.beliefs_of(job_id, engine, classes, chunk).values(),
                job_id=job_id,
                engine=engine,
                schema_id=schema_id,
                resolved={task_id for task_id in chunk if state[task_id] == "resolved"},
                contested={task_id for task_id in chunk if state[task_id] == "contested"},
                only_if_unmoved=True,
                at=at,
            )
    return True


def _as_answers(
    rows: Sequence[tuple[int, int, int, int | None, str]], classes: int
) -> tuple[Answers, list[int], list[int]]:
    """The rows of EVIDENCE as index arrays, with the task and worker ids that the indexes stand for."""
    tasks = {task_id: index for index, task_id in enumerate(dict.fromkeys(row[0] for row in rows))}
    workers = {worker_id: index for index, worker_id in enumerate(dict.fromkeys(row[1] for row in rows))}
    gold = np.full(len(tasks), -1)
    for task_id, _, _, gold_class, _ in rows:
        if gold_class is not None:
            gold[tasks[task_id]] = gold_class
    answers = Answers(
        np.array([tasks[row[0]] for row in rows]),
        np.array([workers[row[1]] for row in rows]),
        np.array([row[2] for row in rows]),
        len(tasks),
        len(workers),
        classes,
        gold,
    )
    return answers, list(tasks), list(workers)
