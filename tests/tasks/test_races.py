"""Many at once for the same thing: whoever comes out of it, the counts are right."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection

from accounts.refusals import Refusal
from marketplace.management.commands.verify import prove_all
from tasks import claiming, judging, submitting
from tasks.models import Assignment, Job, Task
from tests import build
from tests.bench.race import passed, race
from tests.bench.race_clients import Mishaps
from tests.races import at_once

RUSHES = 20
MANY = Mishaps(repeated=0.05, abandoned=0.05)


def broken() -> list[str]:
    return [proved.proof.name for proved in prove_all() if proved.finding is not None]


def test_of_eight_who_rush_for_three_slots_three_get_one(committed_db: str) -> None:
    job = build.a_live_job(slots=3)
    workers = [build.a_worker().pk for _ in range(8)]

    for _ in range(RUSHES):
        [task] = build.some_tasks(job, 1)
        came = at_once([partial(claiming.claim_tasks, worker) for worker in workers])

        winners = [leases for leases in came if not isinstance(leases, Refusal)]
        assert [[lease.task_id for lease in leases] for leases in winners] == [[task.pk]] * 3
        assert {type(one) for one in came if isinstance(one, Refusal)} == {claiming.NothingToClaim}
        assert Assignment.objects.filter(task=task).count() == 3
    assert broken() == []


def test_a_worker_who_races_themself_gets_each_task_once(committed_db: str) -> None:
    tasks = build.some_tasks(build.a_live_job(slots=3), 20)
    worker = build.a_worker().pk

    came = at_once([partial(claiming.claim_tasks, worker, count=5) for _ in range(8)])

    leased = [lease.task_id for leases in came if not isinstance(leases, Refusal) for lease in leases]
    assert sorted(leased) == sorted(task.pk for task in tasks)


def test_of_eight_submits_of_one_assignment_one_is_the_answer_and_the_rest_repeat_it(committed_db: str) -> None:
    job = build.a_live_job(slots=1)
    worker = build.a_worker().pk
    for _ in range(RUSHES // 4):
        build.some_tasks(job, 1)
        [lease] = claiming.claim_tasks(worker)
        submit = partial(submitting.submit_answer, worker, submitting.Submission(lease.assignment_id, build.CAT))

        came = at_once([submit] * 8)

        states = sorted(one.state for one in came if isinstance(one, submitting.Outcome))
        assert states == ["repeated"] * 7 + ["submitted"]
        assert Task.objects.get(pk=lease.task_id).answer_count == 1
    assert broken() == []


def test_a_lease_is_either_answered_or_returned_never_both(committed_db: str) -> None:
    job = build.a_live_job(slots=1)
    build.some_tasks(job, RUSHES)
    worker = build.a_worker().pk
    ends = set()
    for lease in claiming.claim_tasks(worker, count=RUSHES):
        acts: list[Callable[[], object]] = [
            partial(submitting.submit_answer, worker, submitting.Submission(lease.assignment_id, build.CAT)),
            partial(claiming.return_leases, worker, [lease.assignment_id]),
        ]
        answered, returned = at_once(acts)

        ended = "submitted" if isinstance(answered, submitting.Outcome) else "returned"
        assert returned == (0 if ended == "submitted" else 1)
        assert ended == "submitted" or isinstance(answered, submitting.LeaseExpired)
        assert Assignment.objects.get(pk=lease.assignment_id).state == ended
        ends.add(ended)
    assert ends
    assert broken() == []


def test_two_thousand_abandoned_leases_are_claimable_within_five_seconds_without_a_sweep(committed_db: str) -> None:
    many = 2_000
    job = build.a_live_job(slots=1, lease_seconds=1, budget_micros=many * build.UNIT)
    build.some_tasks(job, many)
    for worker in [build.a_worker().pk for _ in range(many // 100)]:
        assert len(claiming.claim_tasks(worker, count=100)) == 100
    Job.objects.filter(pk=job.pk).update(lease_seconds=1800)

    taken_up = 0
    deadline = time.monotonic() + 20
    fresh = [build.a_worker().pk for _ in range(40)]
    while taken_up < many and time.monotonic() < deadline:
        for worker in fresh:
            with suppress(claiming.NothingToClaim, claiming.TooManyLeases):
                taken_up += len(claiming.claim_tasks(worker, count=100))

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), max(again.leased_at - gone.lease_ends_at) FROM tasks_assignment gone
            JOIN tasks_assignment again ON again.task_id = gone.task_id AND again.id > gone.id"""
        )
        pairs, longest = cursor.fetchone()
    assert (taken_up, pairs) == (many, many)
    assert longest <= timedelta(seconds=5)


@pytest.mark.timeout(180)
def test_processes_that_race_for_slots_over_claim_double_pay_and_lose_nothing(committed_db: str) -> None:
    found = race(committed_db, processes=2, cycles=600, workers=15, seconds_max=60, mishaps=MANY)

    assert passed(found), found
    assert found["cycles"] >= 600
    assert found["repeated"] > 0
    assert found["expired"] > 0


def test_refits_and_submits_of_whole_batches_never_wait_in_a_circle(committed_db: str) -> None:
    job = build.a_live_job(slots=30, budget_micros=1_000 * build.UNIT)
    tasks = build.some_tasks(job, 60)
    for task in tasks[::2]:
        build.an_answer(task)
    workers = [build.a_worker().pk for _ in range(24)]
    begun = _deadlocks()

    def hand_in(worker: int) -> int:
        leases = claiming.claim_tasks(worker, count=60)
        said = [submitting.Submission(lease.assignment_id, build.CAT) for lease in leases]
        return len(submitting.submit_answers(worker, said))

    came: list[int | Refusal] = []
    for start in range(0, len(workers), 6):
        acts: list[Callable[[], int]] = [partial(hand_in, worker) for worker in workers[start : start + 6]]
        acts += [lambda: sum(judging.refit_job(job.pk) for _ in range(4))] * 2
        came += at_once(acts)

    answered = sum(one for one in came if isinstance(one, int))
    assert answered > 200  # a claim passes over what another one holds this very moment
    assert _deadlocks() == begun


def _deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
