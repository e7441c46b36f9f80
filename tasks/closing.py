"""Closing: a job takes no further answers, and what of its money nobody can earn any more goes back (rule P9).

Work in hand is honoured: leases that are out may be answered until they end, and every answer is reviewed and paid.
What is left over after that is released by the sweep, as often as it takes.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.audit import acting
from accounts.ledger import drafts, posting
from accounts.ledger.money import Money
from accounts.refusals import Refusal
from tasks.models import Job


class JobAlreadyClosed(Refusal):
    """The job is closed already, or was never published."""


TAKE_OFF = """
  WITH held AS MATERIALIZED (
    SELECT t.id, t.slots_needed - t.leased_count - t.answer_count AS unused FROM tasks_task t
    WHERE t.job_id = %s AND t.state = 'open' ORDER BY t.id FOR UPDATE)
  UPDATE tasks_task t
  SET slots_needed = t.leased_count + t.answer_count,
      state = CASE WHEN t.leased_count > 0 OR t.gold_item_id IS NOT NULL AND t.answer_count > 0 THEN 'open'
                   WHEN t.answer_count > 0 THEN 'waiting' ELSE 'cancelled' END
  FROM held h WHERE t.id = h.id AND (h.unused > 0 OR t.leased_count = 0 AND t.gold_item_id IS NULL)
  RETURNING h.unused * (t.price_micros + t.fee_micros)"""
"""Slots that nobody holds go; a task with answers is judged on what it has, one without is cancelled."""


def close_job(job: Job, *, actor: str, at: datetime | None = None) -> Job:
    """Close a published job and release what is free of its escrow. Raises JobAlreadyClosed."""
    with acting(actor):
        held = Job.objects.select_for_update(of=("self",)).get(pk=job.pk)
        if held.state not in (Job.State.PILOTING, Job.State.LIVE, Job.State.PAUSED):
            raise JobAlreadyClosed(f"job {held.name} is {held.state}")
        Job.objects.filter(pk=job.pk).update(state=Job.State.CLOSED, closed_at=at or Now())
        _release_free(job.pk, actor, at)
        held.refresh_from_db()
    return held


def release_rests(*, limit: int = 100, at: datetime | None = None) -> int:
    """Release what has become free of closed jobs since they closed; returns how many jobs gave something back."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT j.id FROM tasks_job j WHERE j.state = 'closed' AND (j.funded_micros > j.reserved_micros
              OR EXISTS (SELECT FROM tasks_task t WHERE t.job_id = j.id AND t.state = 'open' AND (t.is_open
                         OR t.leased_count = 0 AND t.gold_item_id IS NULL)))
            ORDER BY j.id LIMIT %s""",
            [limit],
        )
        jobs = [row[0] for row in cursor.fetchall()]
    released = 0
    for job_id in jobs:
        with transaction.atomic():
            Job.objects.select_for_update(of=("self",)).get(pk=job_id)
            released += _release_free(job_id, drafts.PLATFORM, at)
    return released


def _release_free(job_id: int, actor: str, at: datetime | None) -> bool:
    """Take unused slots off the tasks and move what is not reserved back to the wallet. The job's row is held."""
    with connection.cursor() as cursor:
        cursor.execute(TAKE_OFF, [job_id])
        freed = sum(row[0] for row in cursor.fetchall())
    job = Job.objects.get(pk=job_id)
    job.reserved_micros -= freed
    free = job.funded_micros - job.reserved_micros
    if free:
        job.releases_of_rest += 1
        job.funded_micros -= free
        money = Money(free, job.currency)
        posting.post(drafts.release_rest(job_id, job.releases_of_rest, job.organisation_id, money, actor=actor), at=at)
    job.save(update_fields=["reserved_micros", "funded_micros", "releases_of_rest"])
    return bool(free)
