"""Every rule that the database keeps for the line, broken on purpose: as the app, through the ORM or by SQL.

Rules of the claim's own tables stand in test_claiming.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from tasks import judging, releasing
from tasks.models import (
    Answer,
    Assignment,
    Batch,
    Bucket,
    Consensus,
    Eligibility,
    Guidelines,
    Job,
    LabelSchema,
    Payload,
    QualityPlan,
    Release,
    ReleaseFile,
    Requirement,
    Task,
)
from tests import build
from tests.guards import violates


@pytest.fixture
def task() -> Task:
    """A task of a live job."""
    [task] = build.some_tasks(build.a_live_job(slots=2), 1)
    return task


UPDATES: list[tuple[str, type[Any], dict[str, Any]]] = [
    ("job_state_is_known", Job, {"state": "open"}),
    ("job_difficulty_in_band", Job, {"difficulty": 6}),
    ("job_price_is_not_negative", Job, {"price_micros": -1}),
    ("job_budget_is_not_negative", Job, {"budget_micros": -1}),
    ("job_fee_is_at_most_the_price", Job, {"fee_bp": 10_001}),
    ("job_gold_share_is_at_most_half", Job, {"gold_share_bp": 5_001}),
    ("slots_are_reserved_against_escrow", Job, {"reserved_micros": F("funded_micros") + 1}),
    ("job_lease_is_a_second_to_a_week", Job, {"lease_seconds": 0}),
    ("a_published_job_is_complete", Job, {"plan": None}),
    ("batch_state_is_known", Batch, {"state": "done"}),
    ("batch_priority_in_band", Batch, {"priority": 10}),
    ("bucket_waits_for_someone_known", Bucket, {"waiting_for": "godot"}),
    ("bucket_difficulty_in_band", Bucket, {"difficulty": 0}),
    ("task_state_is_known", Task, {"state": "done"}),
    ("task_waits_for_someone_known", Task, {"waiting_for": "godot"}),
    ("a_task_is_never_overbooked", Task, {"leased_count": 3}),
    ("a_task_is_never_overbooked", Task, {"answer_count": -1}),
    ("task_price_is_not_negative", Task, {"fee_micros": -1}),
    ("a_judged_task_says_when", Task, {"state": "resolved"}),
    ("a_contested_task_says_why", Task, {"contested_reason": "tie"}),
    ("assignment_state_is_known", Assignment, {"state": "lost"}),
    ("an_answered_assignment_says_when", Assignment, {"submitted_at": None}),
    ("a_lease_ends_after_it_starts", Assignment, {"lease_ends_at": F("leased_at")}),
    ("what_is_set_aside_is_not_used", Assignment, {"state": "set_aside"}),
    ("a_rejection_has_a_reason", Assignment, {"state": "rejected", "used": False}),
    ("consensus_state_is_known", Consensus, {"state": "sure"}),
    ("confidence_is_a_probability", Consensus, {"confidence": 1.1}),
    ("consensus_answers_are_not_negative", Consensus, {"answers": -1}),
]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "model", "change"), UPDATES, ids=[f"{rule}-{n}" for n, (rule, _, _) in enumerate(UPDATES)]
)
def test_a_row_that_breaks_a_rule_is_refused(task: Task, rule: str, model: type[Any], change: dict[str, Any]) -> None:
    build.an_answer(task)

    with violates(rule):
        assert model.objects.update(**change)


FROZEN: list[dict[str, Any]] = [
    {"price_micros": 1},
    {"fee_micros": 1},
    {"person_id": 1},
    {"round": 1},
    {"purpose": "expert"},
    {"leased_at": F("leased_at") - timedelta(seconds=1)},
    {"grant_id": 1},
    {"worker_id": 1},
]


@pytest.mark.django_db
@pytest.mark.parametrize("change", FROZEN, ids=[next(iter(change)) for change in FROZEN])
def test_the_terms_of_an_assignment_are_frozen(task: Task, change: dict[str, Any]) -> None:
    build.a_lease(task)

    with violates("assignment_terms_are_frozen"):
        Assignment.objects.update(**change)


@pytest.mark.django_db
def test_negative_prices_purposes_and_times_are_refused_at_the_claim(task: Task) -> None:
    lease = build.a_lease(task)
    row = {
        field.attname: getattr(lease, field.attname) for field in Assignment._meta.concrete_fields if field.name != "id"
    }
    for rule, change in (
        ("assignment_price_is_not_negative", {"price_micros": -1, "person_id": -1}),
        ("assignment_purpose_is_known", {"purpose": "fun", "person_id": -1}),
        ("one_answer_a_person", {}),
    ):
        with violates(rule):
            Assignment.objects.create(**{**row, **change})


@pytest.mark.django_db
def test_an_assignment_that_has_ended_stays_ended(task: Task) -> None:
    lease = build.a_lease(task)
    Assignment.objects.filter(pk=lease.pk).update(state="returned")

    with violates("assignment_ends_once"):
        Assignment.objects.filter(pk=lease.pk).update(state="leased")


@pytest.mark.django_db
def test_an_answer_takes_no_negative_time(task: Task) -> None:
    answer = build.an_answer(task)
    with violates("answer_seconds_are_not_negative"):
        _negative_seconds(answer)


def _negative_seconds(answer: Assignment) -> None:
    given = Answer.objects.get(pk=answer.pk)
    Answer.objects.create(
        assignment_id=answer.pk + 10_000,
        job_id=given.job_id,
        task_id=given.task_id,
        worker_id=given.worker_id,
        label=given.label,
        seconds=-1,
        schema_id=given.schema_id,
        guidelines_id=given.guidelines_id,
        submitted_at=given.submitted_at,
    )


@pytest.mark.django_db
def test_what_is_counted_once_is_counted_once(task: Task) -> None:
    job = Job.objects.get(pk=task.job_id)
    batch, bucket = Batch.objects.get(pk=task.batch_id), Bucket.objects.get(pk=task.bucket_id)
    again: list[tuple[str, Callable[[], Any]]] = [
        ("one_schema_a_version", lambda: LabelSchema.objects.create(job=job, version=1, kind="x", definition={})),
        ("one_guideline_a_version", lambda: Guidelines.objects.create(job=job, version=1, text="x")),
        ("one_eligibility_a_version", lambda: Eligibility.objects.create(job=job, version=1)),
        ("one_plan_a_version", lambda: QualityPlan.objects.create(job=job, version=1)),
        ("one_batch_a_number", lambda: Batch.objects.create(job=job, number=batch.number)),
        (
            "one_bucket_a_kind",
            lambda: Bucket.objects.create(
                job=job, domain_id=bucket.domain_id, difficulty=bucket.difficulty, priority=bucket.priority
            ),
        ),
        ("one_task_an_external_ref", lambda: _copy(task, external_ref=task.external_ref)),
        (
            "one_task_a_payload",
            lambda: Payload.objects.create(
                task=_copy(task, external_ref=None), job=job, content={}, content_hash=task.payload.content_hash
            ),
        ),
    ]
    for rule, act in again:
        with violates(rule):
            act()


def _eligibility(job: Job) -> int:
    assert job.eligibility_id is not None
    return job.eligibility_id


def _copy(task: Task, **change: Any) -> Task:
    return Task.objects.create(
        job_id=task.job_id,
        batch_id=task.batch_id,
        bucket_id=task.bucket_id,
        price_micros=1,
        fee_micros=0,
        slots_needed=1,
        queue_key=1,
        **change,
    )


@pytest.mark.django_db
def test_plans_and_requirements_that_ask_the_impossible_are_refused(task: Task) -> None:
    job = Job.objects.get(pk=task.job_id)
    wrong: list[tuple[str, Callable[[], Any]]] = [
        ("policy_is_known", lambda: QualityPlan.objects.create(job=job, version=9, policy="luck")),
        ("plan_asks_one_to_its_most", lambda: QualityPlan.objects.create(job=job, version=9, overlap=4, answers_max=3)),
        ("a_threshold_belongs_to_confidence", lambda: QualityPlan.objects.create(job=job, version=9, threshold=0.9)),
        (
            "threshold_is_a_probability",
            lambda: QualityPlan.objects.create(job=job, version=9, policy="confidence", threshold=1.0),
        ),
        (
            "answers_per_worker_allow_one",
            lambda: Eligibility.objects.create(job=job, version=9, answers_per_worker_max=0),
        ),
        (
            "required_level_in_band",
            lambda: Requirement.objects.create(eligibility_id=_eligibility(job), domain_id=job.domain_id, level_min=6),
        ),
    ]
    for rule, act in wrong:
        with violates(rule):
            act()
    Requirement.objects.create(eligibility_id=_eligibility(job), domain_id=job.domain_id, level_min=1)
    with violates("one_requirement_a_domain"):
        Requirement.objects.create(eligibility_id=_eligibility(job), domain_id=job.domain_id, level_min=1)


@pytest.mark.django_db
def test_releases_are_numbered_whole_and_sealed(task: Task) -> None:
    job = Job.objects.get(pk=task.job_id)
    for _ in range(2):
        build.an_answer(task)
    judging.judge_waiting()
    release = releasing.seal_release(job, actor="user:1")
    file = release.files.order_by("pk")[0]

    with violates("release_is_sealed"):
        Release.objects.filter(pk=release.pk).update(content_hash="0" * 64)
    with violates("releasefile_is_append_only"):
        ReleaseFile.objects.filter(pk=file.pk).update(name="x")
    with violates("one_release_a_number"):
        Release.objects.create(job=job, number=release.number)
    with violates("a_sealed_release_is_whole"):
        Release.objects.create(job=job, number=99, state="sealed")
    with violates("one_release_file_a_name"):
        ReleaseFile.objects.create(release=release, name=file.name, sha256="", size=0, content=b"")
    with violates("a_release_file_has_its_size"):
        ReleaseFile.objects.create(release=release, name="x", sha256="", size=1, content=b"")


APPEND_ONLY = ["answer", "labelschema", "guidelines", "eligibility", "requirement", "qualityplan", "payload"]
"""answer_is_append_only, labelschema_is_append_only, guidelines_is_append_only, eligibility_is_append_only,
requirement_is_append_only, qualityplan_is_append_only, payload_is_append_only"""
KEPT = [
    "tasks_job",
    "tasks_batch",
    "tasks_bucket",
    "tasks_task",
    "tasks_assignment",
    "tasks_release",
    "accounts_worker",
]
"""tasks_job_is_never_removed, tasks_batch_is_never_removed, tasks_bucket_is_never_removed, tasks_task_is_never_removed,
tasks_assignment_is_never_removed, tasks_release_is_never_removed, accounts_worker_is_never_removed"""
FULL = ["answer", "assignment", "task", "job", "release", "releasefile", "payload"]
"""tasks_answer_is_never_emptied, tasks_assignment_is_never_emptied, tasks_task_is_never_emptied, tasks_job_is_never_emptied,
tasks_release_is_never_emptied, tasks_releasefile_is_never_emptied, tasks_payload_is_never_emptied"""


def _full_line(task: Task) -> None:
    job = Job.objects.get(pk=task.job_id)
    Requirement.objects.create(eligibility_id=_eligibility(job), domain_id=build.a_domain().pk, level_min=1)
    judging.judge_waiting(exhausted=[task.pk])
    releasing.seal_release(job, actor="user:1")


@pytest.mark.django_db
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_evidence_is_never_edited_or_removed(task: Task, table: str) -> None:
    build.an_answer(task)
    _full_line(task)

    column = {"payload": "content_hash", "requirement": "level_min", "answer": "seconds"}.get(table, "version")
    for statement in (f"UPDATE tasks_{table} SET {column} = {column}", f"DELETE FROM tasks_{table}"):
        with violates(f"{table}_is_append_only"), connection.cursor() as cursor:
            cursor.execute(statement)
            assert cursor.rowcount


@pytest.mark.django_db
@pytest.mark.parametrize("table", KEPT)
def test_rows_that_hot_tables_refer_to_are_never_removed(task: Task, table: str) -> None:
    build.an_answer(task)
    _full_line(task)

    with violates(f"{table}_is_never_removed"), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("table", FULL)
def test_tables_of_evidence_are_never_emptied_even_by_their_owner(
    committed_db: str, owner_connection: psycopg.Connection[Any], table: str
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation) as refused:
        owner_connection.execute(f"TRUNCATE tasks_{table} CASCADE")

    assert refused.value.diag.constraint_name is not None
    assert refused.value.diag.constraint_name.endswith("_is_never_emptied")


@pytest.mark.django_db
def test_guards_are_errors_of_integrity_to_django(task: Task) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).delete()
