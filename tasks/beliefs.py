"""What the answers to a task add up to, by the engine of its job; read by the acts that judge and review.

A belief is always computed from the answers themselves and the worker parameters of the last refit, so that it can
be computed again: the running evidence that submitting keeps is a preview of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import connection

from qualification import queries as standing
from qualification.inference.answers import FloatArray
from qualification.inference.engine import ENGINES, Engine
from tasks import queries
from tasks.labels.registry import KINDS

ANSWERS = """
  SELECT n.task_id, n.worker_id, n.class_index
  FROM tasks_answer n JOIN tasks_assignment a ON a.id = n.assignment_id JOIN tasks_task t ON t.id = n.task_id
  WHERE n.job_id = %s AND n.task_id = ANY (%s) AND n.class_index IS NOT NULL AND n.round = t.round AND a.used
  ORDER BY n.assignment_id"""

WRITE = """
  INSERT INTO tasks_consensus AS c (task_id, job_id, state, engine, evidence, posterior, label, class_index,
                                    confidence, calibrated, answers, updated_at)
  SELECT x.task_id, %s, x.state, %s, x.evidence::real[], x.posterior::real[], x.label::jsonb, x.class_index,
         (SELECT max(p) FROM unnest(x.posterior::real[]) p), false, x.answers, coalesce(%s, clock_timestamp())
  FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::smallint[], %s::smallint[])
    AS x (task_id, state, evidence, posterior, label, class_index, answers)
  ORDER BY x.task_id
  ON CONFLICT (task_id) DO UPDATE SET state = EXCLUDED.state, engine = EXCLUDED.engine, evidence = EXCLUDED.evidence,
    posterior = EXCLUDED.posterior, label = EXCLUDED.label, class_index = EXCLUDED.class_index,
    confidence = EXCLUDED.confidence, answers = EXCLUDED.answers, updated_at = EXCLUDED.updated_at"""
"""In task order, as submits write them, so that writers wait for each other and never in a circle.

An answer that came in between moves ``answers`` on: a refit leaves such a row alone (see ``only_if_unmoved``).
"""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Of one task: ``evidence`` and ``posterior`` (K,), and how many answers they rest on."""

    task_id: int
    evidence: FloatArray
    posterior: FloatArray
    answers: int


def beliefs_of(job_id: int, engine_name: str, classes: int, task_ids: Collection[int]) -> dict[int, Belief]:
    """The belief about each of these tasks of one job, whether or not it has answers."""
    engine = ENGINES[engine_name]
    scope = queries.scope_of(job_id)
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, [job_id, list(task_ids)])
        answers = cursor.fetchall()
    confusions = standing.confusions_of(scope, {worker_id for _, worker_id, _ in answers})
    shares = prior_for(standing.prior_of(scope), classes)
    said: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for task_id, worker_id, class_index in answers:
        said[task_id].append((worker_id, class_index))
    return {
        task_id: _belief(
            task_id, said.get(task_id, []), engine=engine, confusions=confusions, prior=shares, classes=classes
        )
        for task_id in task_ids
    }


def _belief(
    task_id: int,
    said: list[tuple[int, int]],
    *,
    engine: Engine,
    confusions: Mapping[int, FloatArray],
    prior: FloatArray,
    classes: int,
) -> Belief:
    evidence = np.zeros(classes)
    for worker_id, class_index in said:
        confusion = confusion_for(confusions.get(worker_id), classes)
        evidence = evidence + engine.contribution(confusion, class_index, classes)
    return Belief(task_id, evidence, engine.posterior(evidence, prior), len(said))


def confusion_for(stored: npt.ArrayLike | None, classes: int) -> FloatArray | None:
    """A worker's stored confusion as (K, K); None without one, and where the schema has gained classes since the fit."""
    found = None if stored is None else np.asarray(stored, dtype=np.float64)
    return found.reshape(classes, classes) if found is not None and found.size == classes * classes else None


def prior_for(stored: npt.ArrayLike | None, classes: int) -> FloatArray:
    """The stored class shares (K,); even ones without them, and where the schema has gained classes since the fit."""
    found = None if stored is None else np.asarray(stored, dtype=np.float64)
    return found if found is not None and found.size == classes else np.full(classes, 1 / classes)


def write_beliefs(
    beliefs: Iterable[Belief],
    *,
    job_id: int,
    engine: str,
    schema_id: int,
    resolved: Collection[int] = (),
    contested: Collection[int] = (),
    only_if_unmoved: bool = False,
    at: datetime | None = None,
) -> int:
    """Store beliefs as consensus rows: final for resolved and contested tasks, running for the others.

    A resolved task gets its label. A contested one keeps only its most believed class, beside the distribution.

    ``only_if_unmoved`` leaves out rows that have had another answer since: what a refit computed without it would
    lose it. Returns how many rows were written.
    """
    schema = queries.label_schema(schema_id)
    kind = KINDS[schema.kind]
    columns: list[list[object]] = [[] for _ in range(7)]
    for one in beliefs:
        is_final = one.task_id in resolved or one.task_id in contested
        index = int(one.posterior.argmax()) if is_final and one.answers else None
        label = kind.label_of(schema.definition, index) if index is not None and one.task_id in resolved else None
        row = (
            one.task_id,
            "final" if is_final else "running",
            literal(one.evidence),
            literal(one.posterior),
            None if label is None else msgspec.json.encode(label).decode(),
            index,
            one.answers,
        )
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    statement = WRITE + " WHERE c.answers = EXCLUDED.answers AND c.state = EXCLUDED.state" if only_if_unmoved else WRITE
    with connection.cursor() as cursor:
        cursor.execute(statement, [job_id, engine, at, *columns])
        return int(cursor.rowcount)


def literal(numbers: FloatArray) -> str:
    """A PostgreSQL array literal: arrays of rows of different length travel as text."""
    return "{" + ",".join(map(repr, numbers.tolist())) + "}"
