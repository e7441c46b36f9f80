"""Submitting: what an answer writes, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from accounts import keys, people
from accounts.refusals import KeyRevoked, NoSuchWorker
from qualification.inference.engine import ENGINES
from tasks import claiming, judging, publishing, submitting
from tasks.models import Answer, Assignment, Consensus, Task
from tasks.submitting import Submission
from tests import build
from tests.build import CAT, DOG

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_an_answer_is_written_with_its_versions_and_moves_its_task() -> None:
    job = build.a_live_job(slots=2, engine="majority", review_window_seconds=600)
    [task] = build.some_tasks(job, 1)
    worker = build.a_worker()
    [lease] = claiming.claim_tasks(worker.pk, at=NOW)

    outcome = submitting.submit_answer(worker.pk, Submission(lease.assignment_id, DOG, 4.5), at=NOW)

    answer, task = Answer.objects.get(), Task.objects.get(pk=task.pk)
    row = Assignment.objects.get(pk=lease.assignment_id)
    assert outcome.state == "submitted"
    assert (answer.pk, answer.label, answer.class_index, answer.seconds) == (row.pk, DOG, 1, 4.5)
    assert (answer.schema_id, answer.guidelines_id) == (job.schema_id, job.guidelines_id)
    assert (row.state, row.submitted_at, row.review_ends_at) == ("submitted", NOW, NOW + timedelta(minutes=10))
    assert (task.state, task.leased_count, task.answer_count) == ("open", 0, 1)
    assert list(Consensus.objects.get(task=task).evidence or []) == [0, 1]


def test_the_last_answer_asked_for_makes_the_task_wait_for_judging() -> None:
    [task] = build.some_tasks(build.a_live_job(slots=2), 1)

    for _ in range(2):
        build.an_answer(task)

    assert Task.objects.get(pk=task.pk).state == "waiting"


def test_the_posterior_moves_by_the_engine_s_own_arithmetic() -> None:
    job = build.a_live_job(slots=3, engine="dawid_skene")
    [task] = build.some_tasks(job, 1)
    for label in (CAT, DOG, DOG):
        build.an_answer(task, label)

    engine = ENGINES["dawid_skene"]
    evidence = sum((engine.contribution(None, index, 2) for index in (0, 1, 1)), np.zeros(2))
    believed = Consensus.objects.get(task=task)
    assert believed.answers == 3
    assert believed.posterior == pytest.approx(engine.posterior(evidence, np.array([0.5, 0.5])), abs=1e-6)
    assert believed.confidence == pytest.approx(max(believed.posterior or [0]))


def test_after_a_refit_answers_weigh_by_what_their_worker_has_shown() -> None:
    job = build.a_live_job(slots=3, engine="dawid_skene")
    good, other, poor = (build.a_worker() for _ in range(3))
    tasks = build.some_tasks(job, 24)
    for place, task in enumerate(tasks[:23]):
        truth, wrong = (CAT, DOG) if place % 2 else (DOG, CAT)
        build.an_answer(task, truth, worker=good)
        build.an_answer(task, truth, worker=other)
        build.an_answer(task, wrong if place % 3 == 0 else truth, worker=poor)
    judging.refit_job(job.pk)

    [other_task] = build.some_tasks(job, 1)
    build.an_answer(tasks[23], CAT, worker=good)
    build.an_answer(other_task, CAT, worker=poor)

    by_good = Consensus.objects.get(task=tasks[23]).confidence
    by_poor = Consensus.objects.get(task=other_task).confidence
    assert by_good is not None
    assert by_poor is not None
    assert by_good > by_poor + 0.05


def test_the_same_submit_again_is_answered_alike_and_writes_nothing() -> None:
    build.some_tasks(build.a_live_job(slots=1), 1)
    worker = build.a_worker()
    [lease] = claiming.claim_tasks(worker.pk)
    first = submitting.submit_answer(worker.pk, Submission(lease.assignment_id, CAT))

    again = submitting.submit_answer(worker.pk, Submission(lease.assignment_id, CAT))

    assert (first.state, again.state) == ("submitted", "repeated")
    assert Answer.objects.count() == 1
    with pytest.raises(submitting.AlreadyAnswered):
        submitting.submit_answer(worker.pk, Submission(lease.assignment_id, DOG))


def test_a_late_answer_is_refused_and_the_slot_is_not_used_twice() -> None:
    [task] = build.some_tasks(build.a_live_job(slots=1, lease_seconds=60), 1)
    late, quick = build.a_worker(), build.a_worker()
    [old] = claiming.claim_tasks(late.pk, at=NOW)
    after = NOW + timedelta(seconds=60)

    with pytest.raises(submitting.LeaseExpired):
        submitting.submit_answer(late.pk, Submission(old.assignment_id, CAT), at=after)
    [new] = claiming.claim_tasks(quick.pk, at=after)
    submitting.submit_answer(quick.pk, Submission(new.assignment_id, DOG), at=after)
    with pytest.raises(submitting.LeaseExpired):
        submitting.submit_answer(late.pk, Submission(old.assignment_id, CAT), at=after)

    assert Answer.objects.get().label == DOG
    assert Task.objects.get(pk=task.pk).answer_count == 1


def test_nobody_answers_for_another_worker() -> None:
    build.some_tasks(build.a_live_job(), 1)
    [lease] = claiming.claim_tasks(build.a_worker().pk)

    with pytest.raises(submitting.NoSuchAssignment):
        submitting.submit_answer(build.a_worker().pk, Submission(lease.assignment_id, CAT))


@pytest.mark.parametrize(
    "label", [None, [], {}, {"class": "bird"}, {"class": 1}, {"class": "cat", "x": 1}, "cat", {"class": "cat\x00"}]
)
def test_a_label_outside_the_schema_is_refused_naming_the_field(label: Any) -> None:
    build.some_tasks(build.a_live_job(), 1)
    worker = build.a_worker()
    [lease] = claiming.claim_tasks(worker.pk)

    with pytest.raises(submitting.LabelRefused) as refused:
        submitting.submit_answer(worker.pk, Submission(lease.assignment_id, label))

    assert refused.value.faults[0].pointer.startswith("/label")
    assert Answer.objects.count() == 0


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e9])
def test_a_time_that_is_none_is_refused(seconds: float) -> None:
    build.some_tasks(build.a_live_job(), 1)
    worker = build.a_worker()
    [lease] = claiming.claim_tasks(worker.pk)

    with pytest.raises(submitting.LabelRefused):
        submitting.submit_answer(worker.pk, Submission(lease.assignment_id, CAT, seconds))


def test_in_a_batch_each_answer_stands_or_falls_by_itself() -> None:
    build.some_tasks(build.a_live_job(), 3)
    worker = build.a_worker()
    leases = claiming.claim_tasks(worker.pk, count=3)
    batch = [
        Submission(leases[0].assignment_id, CAT),
        Submission(leases[1].assignment_id, {"class": "bird"}),
        Submission(10**12, CAT),
        Submission(leases[2].assignment_id, DOG),
    ]

    outcomes = submitting.submit_answers(worker.pk, batch)

    assert [outcome.state for outcome in outcomes] == ["submitted", "refused", "refused", "submitted"]
    assert isinstance(outcomes[1].refusal, submitting.LabelRefused)
    assert isinstance(outcomes[2].refusal, submitting.NoSuchAssignment)
    assert Answer.objects.count() == 2


def test_an_empty_a_repeated_or_an_endless_batch_is_refused() -> None:
    worker = build.a_worker()

    for ids in ([], [1, 1], range(101)):
        with pytest.raises(submitting.AnswersOutOfRange):
            submitting.submit_answers(worker.pk, [Submission(number, CAT) for number in ids])


def test_a_revoked_key_submits_nothing_but_a_suspended_worker_may_hand_in() -> None:
    build.some_tasks(build.a_live_job(), 1)
    worker = build.a_worker()
    key, _ = build.a_worker_key(worker)
    [lease] = claiming.claim_tasks(worker.pk, key_id=key.pk)
    keys.revoke_key(key)

    with pytest.raises(KeyRevoked):
        submitting.submit_answer(worker.pk, Submission(lease.assignment_id, CAT), key_id=key.pk)
    people.suspend_worker(worker, reason="Under investigation.", actor="system")
    assert submitting.submit_answer(worker.pk, Submission(lease.assignment_id, CAT)).state == "submitted"
    with pytest.raises(NoSuchWorker):
        submitting.submit_answer(10**12, Submission(lease.assignment_id, CAT))


def test_an_answer_to_gold_writes_what_any_answer_writes_and_is_never_judged() -> None:
    domain = build.a_domain()
    job = build.a_live_job(domain=domain)
    [task] = build.gold_tasks(job, build.a_gold_set(domain, items=1), exposure_max=1)

    build.an_answer(task, CAT)

    task = Task.objects.get(pk=task.pk)
    assert (task.state, task.answer_count, task.is_open) == ("open", 1, False)
    assert Consensus.objects.get(task=task).answers == 1
    assert judging.judge_waiting().moved == 0


@pytest.mark.parametrize("engine", ["majority", "dawid_skene"])
def test_a_schema_that_gains_a_class_takes_answers_of_both_versions(engine: str) -> None:
    job = build.a_live_job(slots=4, engine=engine)
    tasks = build.some_tasks(job, 2)
    early, late = build.a_worker(), build.a_worker()
    old = build.a_lease(tasks[0], worker=early)
    for worker in (late, build.a_worker()):
        build.an_answer(tasks[0], DOG, worker=worker)
        build.an_answer(tasks[1], DOG, worker=worker)
    judging.refit_job(job.pk)

    publishing.revise_job(job, publishing.Revision(label_definition=["cat", "dog", "fox"]))
    build.an_answer(tasks[0], {"class": "fox"})
    submitting.submit_answer(early.pk, Submission(old.pk, DOG))
    judging.judge_waiting()

    believed = Consensus.objects.get(task=tasks[0])
    assert believed.label == DOG
    assert len(believed.posterior or []) == 3
    assert judging.refit_job(job.pk)
    assert len(Consensus.objects.get(task=tasks[1]).posterior or []) == 3
