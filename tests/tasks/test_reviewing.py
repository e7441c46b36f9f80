"""Reviewing: accepted by itself, or by a person's word."""

from datetime import UTC, datetime, timedelta

import pytest

from tasks import judging, reviewing, settling
from tasks.models import Assignment, Job, Task
from tests import build
from tests.build import UNIT

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REASON = "The picture plainly shows a dog, see the guidelines."


def test_an_answer_accepts_itself_when_its_review_window_has_passed() -> None:
    [task] = build.some_tasks(build.a_live_job(review_window_seconds=60), 1)
    answer = build.an_answer(task, at=NOW)

    early = reviewing.accept_due(at=NOW + timedelta(seconds=59))
    due = reviewing.accept_due(at=NOW + timedelta(seconds=60))

    assert (early, due) == (0, 1)
    assert Assignment.objects.get(pk=answer.pk).state == "accepted"


def test_a_rejection_needs_a_reason_and_opens_the_slot_again() -> None:
    job = build.a_live_job(slots=1, review_window_seconds=600)
    [task] = build.some_tasks(job, 1)
    answer = build.an_answer(task)
    reserved = Job.objects.get(pk=job.pk).reserved_micros

    with pytest.raises(reviewing.ReviewRefused):
        reviewing.review_answer(answer.pk, Assignment.State.REJECTED, reason="no", actor="user:1")
    row = reviewing.review_answer(answer.pk, Assignment.State.REJECTED, reason=REASON, actor="user:1")

    task = Task.objects.get(pk=task.pk)
    assert (row.state, row.used, row.reason, row.reviewed_by) == ("rejected", False, REASON, "user:1")
    assert (task.state, task.answer_count, task.is_open) == ("open", 0, True)
    assert Job.objects.get(pk=job.pk).reserved_micros == reserved
    assert settling.settle_due() == 0


def test_rejecting_an_answer_to_a_judged_task_frees_its_money() -> None:
    job = build.a_live_job(slots=1, review_window_seconds=600, price_micros=UNIT, fee_bp=1_000)
    [task] = build.some_tasks(job, 1)
    answer = build.an_answer(task)
    judging.judge_waiting()

    reviewing.review_answer(answer.pk, Assignment.State.REJECTED, reason=REASON, actor="user:1")

    assert Task.objects.get(pk=task.pk).slots_needed == 0
    assert Job.objects.get(pk=job.pk).reserved_micros == 0


def test_what_is_set_aside_is_paid_and_keeps_its_slot() -> None:
    job = build.a_live_job(slots=1, review_window_seconds=600)
    [task] = build.some_tasks(job, 1)
    answer = build.an_answer(task)

    reviewing.review_answer(answer.pk, Assignment.State.SET_ASIDE, actor="user:1")

    assert settling.settle_due() == 1
    assert Task.objects.get(pk=task.pk).answer_count == 1


def test_an_answer_is_reviewed_once() -> None:
    [task] = build.some_tasks(build.a_live_job(review_window_seconds=600), 1)
    answer = build.an_answer(task)
    reviewing.review_answer(answer.pk, Assignment.State.ACCEPTED, actor="user:1")

    for verdict in (Assignment.State.ACCEPTED, Assignment.State.REJECTED):
        with pytest.raises(reviewing.NotUnderReview):
            reviewing.review_answer(answer.pk, verdict, reason=REASON, actor="user:1")


def test_a_verdict_that_is_none_is_refused() -> None:
    [task] = build.some_tasks(build.a_live_job(review_window_seconds=600), 1)
    answer = build.an_answer(task)

    with pytest.raises(reviewing.ReviewRefused):
        reviewing.review_answer(answer.pk, Assignment.State.SETTLED, actor="user:1")
