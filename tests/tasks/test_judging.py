"""Judging: when a label stands, when another answer is bought, and when nothing stands."""

from datetime import UTC, datetime, timedelta

import pytest

from qualification.models import ScopeFit, SkillFit
from tasks import closing, judging, reviewing
from tasks.models import Assignment, Consensus, Job, Task
from tests import build
from tests.build import CAT, DOG, UNIT

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_fixed_plan_resolves_on_its_answers() -> None:
    [task] = build.some_tasks(build.a_live_job(slots=3, engine="majority"), 1)
    for label in (CAT, DOG, CAT):
        build.an_answer(task, label)

    judged = judging.judge_waiting(at=NOW)

    task = Task.objects.get(pk=task.pk)
    believed = Consensus.objects.get(task=task)
    assert judged == judging.Judged(resolved=1)
    assert (task.state, task.judged_at) == ("resolved", NOW)
    assert (believed.state, believed.label, believed.class_index) == ("final", CAT, 0)
    assert believed.posterior == pytest.approx([2 / 3, 1 / 3])
    assert judging.judge_waiting().moved == 0


def test_a_confident_task_stops_early_and_an_unsure_one_buys_another_answer() -> None:
    job = build.a_live_job(policy="confidence:0.9:2:4", engine="majority", price_micros=UNIT, fee_bp=0)
    sure, unsure = build.some_tasks(job, 2)
    for task, label in ((sure, CAT), (sure, CAT), (unsure, CAT), (unsure, DOG)):
        build.an_answer(task, label)
    before = Job.objects.get(pk=job.pk).reserved_micros

    judged = judging.judge_waiting()

    assert judged == judging.Judged(resolved=1, reopened=1)
    assert Task.objects.get(pk=sure.pk).state == "resolved"
    again = Task.objects.get(pk=unsure.pk)
    assert (again.state, again.slots_needed, again.is_open) == ("open", 3, True)
    assert Job.objects.get(pk=job.pk).reserved_micros == before + UNIT


def test_a_task_that_stays_unsure_is_contested_and_keeps_its_distribution() -> None:
    [task] = build.some_tasks(build.a_live_job(policy="confidence:0.9:2:3", engine="majority"), 1)
    for label in (CAT, DOG):
        build.an_answer(task, label)
    judging.judge_waiting()
    build.an_answer(task, DOG)

    judging.judge_waiting()

    task = Task.objects.get(pk=task.pk)
    believed = Consensus.objects.get(task=task)
    assert (task.state, task.contested_reason) == ("contested", "answers_max")
    assert (believed.state, believed.label, believed.class_index) == ("final", None, 1)
    assert believed.posterior == pytest.approx([1 / 3, 2 / 3])


def test_without_budget_for_another_answer_the_task_ends_contested() -> None:
    job = build.a_live_job(
        policy="confidence:0.9:2:4", engine="majority", price_micros=UNIT, fee_bp=0, budget_micros=5 * UNIT
    )
    tasks = build.some_tasks(job, 2)
    for task in tasks:
        build.an_answer(task, CAT)
        build.an_answer(task, DOG)

    judged = judging.judge_waiting()

    states = [(task.state, task.contested_reason) for task in Task.objects.filter(job=job).order_by("pk")]
    assert judged == judging.Judged(contested=1, reopened=1)
    assert states == [("open", ""), ("contested", "budget")]
    assert Job.objects.get(pk=job.pk).reserved_micros == 5 * UNIT


def test_an_exhausted_task_is_judged_on_what_it_has_and_its_slots_are_free_again() -> None:
    job = build.a_live_job(slots=5, engine="majority", price_micros=UNIT, fee_bp=0)
    some, none = build.some_tasks(job, 2)
    build.an_answer(some, DOG)

    judging.judge_waiting(exhausted=[some.pk, none.pk])

    some, none = Task.objects.get(pk=some.pk), Task.objects.get(pk=none.pk)
    assert (some.state, some.slots_needed) == ("resolved", 1)
    assert (none.state, none.contested_reason, none.slots_needed) == ("contested", "no_answers", 0)
    assert Job.objects.get(pk=job.pk).reserved_micros == UNIT


def test_a_task_whose_time_ran_out_is_judged_without_anybody_asking() -> None:
    [task] = build.some_tasks(build.a_live_job(slots=3, engine="majority"), 1)
    build.an_answer(task, CAT, at=NOW)
    Task.objects.filter(pk=task.pk).update(expires_at=NOW + timedelta(hours=1))

    early = judging.judge_waiting(at=NOW)
    late = judging.judge_waiting(at=NOW + timedelta(hours=1))

    assert (early.moved, late) == (0, judging.Judged(resolved=1))


def test_a_task_with_a_lease_out_is_not_judged_as_exhausted() -> None:
    job = build.a_live_job(slots=2)
    [task] = build.some_tasks(job, 1)
    build.an_answer(task)
    build.a_lease(task)

    assert judging.judge_waiting(exhausted=[task.pk]).moved == 0
    assert Task.objects.get(pk=task.pk).state == "open"


def test_what_was_set_aside_does_not_count() -> None:
    job = build.a_live_job(slots=3, engine="majority", review_window_seconds=3600)
    [task] = build.some_tasks(job, 1)
    answers = [build.an_answer(task, label) for label in (CAT, DOG, DOG)]
    judging.judge_waiting()

    for answer in answers[1:]:
        reviewing.review_answer(answer.pk, Assignment.State.SET_ASIDE, actor="user:1")

    believed = Consensus.objects.get(task=task)
    assert (believed.label, believed.answers) == (CAT, 1)
    assert believed.posterior == pytest.approx([1, 0])


def test_a_refit_holds_gold_fixed_and_stores_what_it_learnt_of_each_worker() -> None:
    domain = build.a_domain()
    job = build.a_live_job(domain=domain, slots=3)
    good, poor = build.a_worker(), build.a_worker()
    gold = build.gold_tasks(job, build.a_gold_set(domain, items=20))
    for place, task in enumerate(gold):
        truth, wrong = (DOG, CAT) if place % 2 else (CAT, DOG)
        build.an_answer(task, truth, worker=good)
        build.an_answer(task, wrong, worker=poor)

    assert judging.refit_job(job.pk)

    scope = ScopeFit.objects.get(scope=f"job:{job.pk}")
    right = {fit.worker_id: fit.confusion[0] for fit in SkillFit.objects.filter(scope=scope.scope)}
    assert (scope.answers, scope.gold) == (40, 20)
    assert right[good.pk] > 0.85
    assert right[poor.pk] < 0.3
    assert not Consensus.objects.filter(task__in=gold, state="final").exists()


def test_a_refit_does_not_overwrite_a_belief_that_moved_meanwhile() -> None:
    job = build.a_live_job(slots=4)
    tasks = build.some_tasks(job, 2)
    for task in tasks:
        build.an_answer(task, CAT)
    Consensus.objects.filter(task=tasks[0]).update(answers=2, evidence=[9, 9])

    judging.refit_job(job.pk)

    assert Consensus.objects.get(task=tasks[0]).evidence == [9, 9]
    assert Consensus.objects.get(task=tasks[1]).evidence != [9, 9]


def test_a_job_without_answers_cannot_be_fitted_and_is_not_due() -> None:
    job = build.a_live_job()

    assert judging.refit_job(job.pk) is False
    assert judging.jobs_due_for_refit() == []


def test_a_job_is_due_for_a_refit_when_its_answers_have_grown() -> None:
    job = build.a_live_job(slots=1, budget_micros=1_000 * UNIT)
    worker = build.a_worker()
    for task in build.some_tasks(job, judging.REFIT_FIRST):
        build.an_answer(task, worker=worker)

    before = judging.jobs_due_for_refit()
    judging.refit_job(job.pk)

    assert (before, judging.jobs_due_for_refit()) == ([job.pk], [])


def test_a_closed_job_is_fitted_once_more_to_all_its_answers() -> None:
    job = build.a_live_job(slots=1, budget_micros=1_000 * UNIT)
    worker = build.a_worker()
    tasks = build.some_tasks(job, judging.REFIT_FIRST + 1)
    for task in tasks[:-1]:
        build.an_answer(task, worker=worker)
    judging.refit_job(job.pk)
    build.an_answer(tasks[-1], worker=worker)
    before = judging.jobs_due_for_refit()

    closing.close_job(job, actor="user:1")
    due = judging.jobs_due_for_refit()
    judging.refit_job(job.pk)

    assert (before, due, judging.jobs_due_for_refit()) == ([], [job.pk], [])
