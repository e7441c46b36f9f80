"""Grading: say of each answer to a hidden gold item whether it was right, soon after and off the response path.

The observation is the evidence behind a worker's accuracy. What a worker is paid does not depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from qualification import observing
from qualification.observing import Seen

DUE = """
  SELECT a.id, a.worker_id, b.domain_id, g.difficulty, g.id, g.accepted, g.class_index, n.label, n.class_index
  FROM tasks_assignment a JOIN tasks_answer n ON n.assignment_id = a.id JOIN tasks_task t ON t.id = a.task_id
  JOIN tasks_bucket b ON b.id = t.bucket_id JOIN qualification_golditem g ON g.id = t.gold_item_id
  WHERE a.id IN (SELECT d.id FROM tasks_assignment d
                 WHERE d.purpose = 'calibration' AND d.graded_at IS NULL AND d.submitted_at IS NOT NULL
                 ORDER BY d.id LIMIT %s)
  ORDER BY a.id FOR UPDATE OF a SKIP LOCKED"""


def grade_gold(*, limit: int = 500, at: datetime | None = None) -> int:
    """Observe up to ``limit`` answers to gold that have not been graded; returns how many. Safe to run twice at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DUE, [limit])
        due = cursor.fetchall()
        if not due:
            return 0
        observing.observe([_seen(row) for row in due], at=at)
        cursor.execute(
            "UPDATE tasks_assignment SET graded_at = coalesce(%s, clock_timestamp()) WHERE id = ANY (%s)",
            [at, [row[0] for row in due]],
        )
    return len(due)


def credit_of(label: Any, accepted: Sequence[Mapping[str, Any]]) -> float:
    """The weight of ``label`` among the accepted labels of a gold item: 1 right, 0 wrong, between for partly right."""
    return max((float(one.get("weight", 1.0)) for one in accepted if one["label"] == label), default=0.0)


def _seen(row: tuple[Any, ...]) -> Seen:
    assignment_id, worker_id, domain_id, difficulty, item_id, accepted, true_class, label, said_class = row
    return Seen(
        worker_id=worker_id,
        domain_id=domain_id,
        difficulty=difficulty,
        source="gold",
        gold_item_id=item_id,
        reference=assignment_id,
        true_class=true_class,
        said_class=said_class,
        credit=credit_of(json.loads(label), json.loads(accepted)),
    )
