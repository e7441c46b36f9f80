"""Who changed a job or sealed a release is on record (``job_is_audited``, ``release_is_audited``)."""

import pytest

from accounts.models import AuditRow
from tasks import judging, publishing, releasing
from tasks.models import Job
from tests import build

pytestmark = pytest.mark.django_db


def of(subject: str) -> list[tuple[str, str]]:
    """Who did what to rows of this table, oldest first."""
    return list(AuditRow.objects.filter(subject=subject).order_by("pk").values_list("actor", "action"))


def test_publishing_a_job_is_on_record_with_what_changed() -> None:
    job = build.a_draft_job()
    build.money_for(job.organisation, job.budget_micros)

    publishing.publish_job(job, actor="user:7")

    last = AuditRow.objects.filter(subject="tasks_job").latest("pk")
    assert (last.actor, last.action, last.subject_id, last.organisation_id) == (
        "user:7", "update", job.pk, job.organisation_id,
    )  # fmt: skip
    assert last.before is not None
    assert last.after is not None
    assert (last.before["state"], last.after["state"]) == ("draft", "live")


def test_reserving_money_for_slots_is_bookkeeping_and_leaves_no_row() -> None:
    job = build.a_live_job()
    before = len(of("tasks_job"))

    build.some_tasks(job, 2)

    assert Job.objects.get(pk=job.pk).reserved_micros > 0
    assert len(of("tasks_job")) == before


def test_sealing_a_release_is_on_record() -> None:
    job = build.a_live_job(policy="fixed:1")
    (task,) = build.some_tasks(job, 1)
    build.an_answer(task)
    judging.judge_waiting()

    release = releasing.seal_release(job, actor="user:7")

    rows = AuditRow.objects.filter(subject="tasks_release", subject_id=release.pk).order_by("pk")
    assert [row.action for row in rows] == ["insert", "update"]
    assert {row.actor for row in rows} == {"user:7"}
