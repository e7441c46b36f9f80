"""Settling: pay the answers that reviewing marked, each exactly once (posting rule P4).

The key of a payment is its answer (``pay:{answer}``), so a repeat, a race or a crash between pays once. Work is done
in batches, so that a job's escrow is locked once a batch and not once an answer.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from accounts.ledger import drafts, posting

DUE = """
  SELECT a.id, a.job_id, a.worker_id, a.price_micros, a.fee_micros, j.currency
  FROM tasks_assignment a JOIN tasks_job j ON j.id = a.job_id
  WHERE a.state IN ('accepted', 'set_aside') ORDER BY a.id LIMIT %s FOR UPDATE OF a SKIP LOCKED"""


def settle_due(*, limit: int = 1_000, at: datetime | None = None) -> int:
    """Pay up to ``limit`` accepted or set-aside answers; returns how many. Safe to run twice at once.

    Unpaid work (a model's, or a job without pay) is settled without a transfer.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DUE, [limit])
        due = cursor.fetchall()
        if not due:
            return 0
        posting.post_many(
            [
                drafts.pay_answer(answer_id, job_id, worker_id, pay, fee, currency)
                for answer_id, job_id, worker_id, pay, fee, currency in due
                if pay + fee
            ],
            at=at,
        )
        cursor.execute(
            "UPDATE tasks_assignment SET state = 'settled', ended_at = coalesce(%s, clock_timestamp()) "
            "WHERE id = ANY (%s)",
            [at, [row[0] for row in due]],
        )
    return len(due)
