"""Settling: pay the answers that reviewing marked, each exactly once (posting rule P4).

The key of a payment is its answer (``pay:{answer}``), so a repeat, a race or a crash between pays once. Work is done
in batches, so that a job's escrow is locked once a batch and not once an answer.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from accounts.ledger import drafts, posting

DUE = """
  SELECT a.id, a.job_id, a.worker_id, a.price_micros, a.fee_micros, j.currency,
         t.price_micros + t.fee_micros - a.price_micros - a.fee_micros
  FROM tasks_assignment a JOIN tasks_job j ON j.id = a.job_id JOIN tasks_task t ON t.id = a.task_id
  WHERE a.state IN ('accepted', 'set_aside') ORDER BY a.id LIMIT %s"""

TAKE = """
  UPDATE tasks_assignment SET state = 'settled', ended_at = coalesce(%s, clock_timestamp()) WHERE id IN (
    SELECT a.id FROM tasks_assignment a WHERE a.id = ANY (%s) AND a.state IN ('accepted', 'set_aside')
    ORDER BY a.id FOR UPDATE SKIP LOCKED)
  RETURNING id"""


def settle_due(*, limit: int = 1_000, at: datetime | None = None) -> int:
    """Pay up to ``limit`` accepted or set-aside answers; returns how many. Safe to run twice at once.

    Unpaid work (a model's, or a job without pay) is settled without a transfer. Where the price locked at the claim
    is below what its slot reserved, the rest of the reservation is free again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DUE, [limit])
        due = {row[0]: row for row in cursor.fetchall()}
        if not due:
            return 0
        cheaper = sorted({row[1] for row in due.values() if row[6]})
        if cheaper:  # jobs are locked before assignments, everywhere
            cursor.execute("SELECT FROM tasks_job WHERE id = ANY (%s) ORDER BY id FOR UPDATE", [cheaper])
        cursor.execute(TAKE, [at, list(due)])
        taken = [due[assignment_id] for (assignment_id,) in cursor.fetchall()]
        posting.post_many(
            [
                drafts.pay_answer(answer_id, job_id, worker_id, pay, fee, currency)
                for answer_id, job_id, worker_id, pay, fee, currency, _ in taken
                if pay + fee
            ],
            at=at,
        )
        for job_id in cheaper:
            rest = sum(row[6] for row in taken if row[1] == job_id)
            cursor.execute("UPDATE tasks_job SET reserved_micros = reserved_micros - %s WHERE id = %s", [rest, job_id])
    return len(taken)
