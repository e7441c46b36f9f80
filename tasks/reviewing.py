"""Reviewing: mark answers accepted, set aside (paid, not used) or rejected; settling finds the marked and pays.

Answers accept themselves once their job's review window has passed. Judging never decides pay, and neither does gold:
a rejection is a person's act, with a reason.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from accounts.refusals import Fault, Refusal
from tasks import beliefs, queries
from tasks.models import Assignment, Job, Task

REASON_MIN, REASON_MAX = 20, 500


class NotUnderReview(Refusal):
    """This answer is not waiting for review."""


class ReviewRefused(Refusal):
    """The review cannot be taken like this."""


def accept_due(*, limit: int = 1_000, at: datetime | None = None) -> int:
    """Accept up to ``limit`` answers whose review window has passed; returns how many. Safe to run twice at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE tasks_assignment SET state = 'accepted' WHERE id IN (
              SELECT a.id FROM tasks_assignment a
              WHERE a.state = 'submitted' AND a.review_ends_at <= coalesce(%s, clock_timestamp())
              ORDER BY a.review_ends_at LIMIT %s FOR UPDATE SKIP LOCKED)""",
            [at, limit],
        )
        return int(cursor.rowcount)


def review_answer(
    assignment_id: int, verdict: Assignment.State, *, reason: str = "", actor: str, at: datetime | None = None
) -> Assignment:
    """Accept, set aside or reject one submitted answer, and let the task's belief follow.

    A rejected answer frees its slot: the task opens again, or, once judged, its money is free again. A set-aside answer
    keeps its slot, since it is paid. Raises NotUnderReview or ReviewRefused.
    """
    if verdict not in (Assignment.State.ACCEPTED, Assignment.State.SET_ASIDE, Assignment.State.REJECTED):
        raise ReviewRefused(faults=[Fault("/verdict", "must be accepted, set_aside or rejected")])
    if len(reason) > REASON_MAX or (verdict == Assignment.State.REJECTED and len(reason.strip()) < REASON_MIN):
        raise ReviewRefused(
            faults=[Fault("/reason", f"must have {REASON_MIN} to {REASON_MAX} characters for a rejection")]
        )
    with transaction.atomic():
        where = Assignment.objects.only("job_id", "task_id").get(pk=assignment_id)
        job = Job.objects.select_for_update(of=("self",)).get(pk=where.job_id)
        task = Task.objects.select_for_update(of=("self",)).get(pk=where.task_id)
        used = verdict == Assignment.State.ACCEPTED
        marked = Assignment.objects.filter(pk=assignment_id, state=Assignment.State.SUBMITTED)
        if marked.update(state=verdict, used=used, reason=reason, reviewed_by=actor) != 1:
            raise NotUnderReview
        if verdict == Assignment.State.REJECTED:
            _free_slot(job, task, assignment_id, at)
        if not used:
            _believe_again(job, task, at)
        return Assignment.objects.get(pk=assignment_id)


def _free_slot(job: Job, task: Task, assignment_id: int, at: datetime | None) -> None:
    """Take the answer off its task: another may be given, or (judged, or gold) the slot's money is free again."""
    task.answer_count -= 1
    if task.state in (Task.State.OPEN, Task.State.WAITING) and job.state != Job.State.CLOSED:
        task.state = Task.State.OPEN
    else:
        task.slots_needed -= 1
        job.reserved_micros -= task.price_micros + task.fee_micros
        job.save(update_fields=["reserved_micros"])
    task.save(update_fields=["answer_count", "state", "slots_needed"])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tasks_assignment SET ended_at = coalesce(%s, clock_timestamp()) WHERE id = %s", [at, assignment_id]
        )


def _believe_again(job: Job, task: Task, at: datetime | None) -> None:
    assert job.schema_id is not None
    assert job.plan is not None
    classes = len(queries.label_schema(job.schema_id).classes)
    if not classes or task.gold_item_id is not None:
        return
    beliefs.write_beliefs(
        beliefs.beliefs_of(job.pk, job.plan.engine, classes, [task.pk]).values(),
        job_id=job.pk,
        engine=job.plan.engine,
        schema_id=job.schema_id,
        resolved=[task.pk] if task.state == Task.State.RESOLVED else [],
        contested=[task.pk] if task.state == Task.State.CONTESTED else [],
        at=at,
    )
