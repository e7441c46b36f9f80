"""Claiming: who gets which task, and which gate says no."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts import keys, organising, people
from accounts.models import Worker
from accounts.refusals import KeyRevoked, NoSuchWorker, Refusal
from qualification import granting
from qualification.models import Domain
from tasks import claiming, publishing
from tasks.models import Assignment, Bucket, Job, Requirement, RouteEpoch, Task, WorkerBucket, WorkerRoute
from tasks.routing.scoring import BucketFacts, WorkerStanding, order
from tests import build
from tests.guards import violates

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_claim_leases_a_task_at_the_price_it_had_then() -> None:
    job = build.a_live_job(price_micros=50_000, fee_bp=2_000)
    [task] = build.some_tasks(job, 1)
    worker = build.a_worker()

    [lease] = claiming.claim_tasks(worker.pk, at=NOW)
    publishing.revise_job(job, publishing.Revision(price_micros=90_000))

    row = Assignment.objects.get(pk=lease.assignment_id)
    assert (lease.task_id, lease.price_micros, lease.currency) == (task.pk, 50_000, "USD")
    assert json.loads(lease.payload) == task.payload.content
    assert (row.price_micros, row.fee_micros) == (50_000, 10_000)
    assert (row.leased_at, row.lease_ends_at) == (NOW, NOW + timedelta(seconds=1800))
    assert (row.schema_id, row.guidelines_id, row.eligibility_id) == (
        job.schema_id,
        job.guidelines_id,
        job.eligibility_id,
    )


def test_a_worker_gets_each_task_once_and_then_nothing() -> None:
    job = build.a_live_job(slots=3)
    tasks = build.some_tasks(job, 5)
    worker = build.a_worker()

    leases = claiming.claim_tasks(worker.pk, count=3) + claiming.claim_tasks(worker.pk, count=100)

    assert sorted(lease.task_id for lease in leases) == sorted(task.pk for task in tasks)
    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(worker.pk)


def test_a_full_task_is_offered_to_nobody_else() -> None:
    build.some_tasks(build.a_live_job(slots=2), 1)
    for _ in range(2):
        claiming.claim_tasks(build.a_worker().pk)

    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(build.a_worker().pk)


@pytest.mark.parametrize(
    ("gate", "refusal"),
    [
        ("unqualified", claiming.NotQualified),
        ("level too low", claiming.NotQualified),
        ("revoked", claiming.NotQualified),
        ("expired", claiming.NotQualified),
        ("granted by another requester", claiming.NotQualified),
        ("own organisation", claiming.ConflictOfInterest),
        ("model", claiming.ModelNotAllowed),
        ("cap", claiming.CapReached),
        ("paused job", claiming.JobNotOpen),
        ("suspended", claiming.WorkerSuspended),
        ("paused worker", claiming.WorkerPaused),
    ],
)
def test_each_gate_says_which_it_is_and_a_claim_without_a_job_finds_nothing(gate: str, refusal: type[Refusal]) -> None:
    domain = build.a_domain()
    job = build.a_live_job(requirements=((domain.pk, 2),), answers_per_worker_max=1)
    build.some_tasks(job, 3)
    worker = build.a_model() if gate == "model" else build.a_worker()
    _close(gate, worker, domain, job)

    with pytest.raises(refusal):
        claiming.claim_tasks(worker.pk, job_id=job.pk)

    with pytest.raises(Refusal):
        claiming.claim_tasks(worker.pk)
    assert Assignment.objects.filter(worker=worker, state="leased").count() == (1 if gate == "cap" else 0)


def _close(gate: str, worker: Worker, domain: Domain, job: Job) -> None:
    grants: dict[str, dict[str, Any]] = {
        "level too low": {"level": 1},
        "granted by another requester": {"organisation": build.an_organisation()},
    }
    if gate != "unqualified":
        grant = build.a_qualification(worker, domain, **{"level": 2, **grants.get(gate, {})})
    if gate == "revoked":
        [lease] = claiming.claim_tasks(worker.pk, job_id=job.pk)
        assert claiming.return_leases(worker.pk, [lease.assignment_id]) == 1
        granting.revoke_qualification(grant, reason="It was a mistake.", actor="system")
    if gate == "expired":
        granting.revoke_qualification(grant, reason="To be granted for a day.", actor="system")
        past = datetime(2020, 1, 1, tzinfo=UTC)
        build.a_qualification(worker, domain, level=2, at=past, expires_at=past + timedelta(days=1))
    if gate == "own organisation":
        assert worker.user is not None
        organising.add_member(job.organisation, user=worker.user, role="reviewer")
    if gate == "cap":
        claiming.claim_tasks(worker.pk, job_id=job.pk)
    if gate == "paused job":
        publishing.pause_job(job)
    if gate == "suspended":
        people.suspend_worker(worker, reason="A copy of another account.", actor="system")
    if gate == "paused worker":
        people.pause_worker(worker)


def test_a_qualified_worker_passes_and_the_lease_remembers_the_grant() -> None:
    domain = build.a_domain()
    job = build.a_live_job(requirements=((domain.pk, 2),))
    build.some_tasks(job, 1)
    worker = build.a_worker()
    grant = build.a_qualification(worker, domain, level=3)

    [lease] = claiming.claim_tasks(worker.pk)

    assert Assignment.objects.get(pk=lease.assignment_id).grant_id == grant.pk


def test_a_model_works_unpaid_where_it_may() -> None:
    job = build.a_live_job(models_allowed=True)
    build.some_tasks(job, 1)

    [lease] = claiming.claim_tasks(build.a_model().pk)

    assert lease.price_micros == 0


def test_a_revoked_key_claims_nothing() -> None:
    build.some_tasks(build.a_live_job(), 1)
    worker = build.a_worker()
    key, _ = build.a_worker_key(worker)
    other, _ = build.a_worker_key()
    keys.revoke_key(key)

    for wrong in (key.pk, other.pk):
        with pytest.raises(KeyRevoked):
            claiming.claim_tasks(worker.pk, key_id=wrong)


def test_nobody_claims_for_a_worker_that_does_not_exist() -> None:
    with pytest.raises(NoSuchWorker):
        claiming.claim_tasks(10**12)


@pytest.mark.parametrize("count", [0, -1, 101])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(claiming.CountOutOfRange):
        claiming.claim_tasks(build.a_worker().pk, count=count)


def test_no_worker_holds_more_than_two_hundred_leases() -> None:
    build.some_tasks(build.a_live_job(slots=1, budget_micros=1_000 * build.UNIT), 250)
    worker = build.a_worker()

    held = [claiming.claim_tasks(worker.pk, count=100) for _ in range(2)]

    assert [len(leases) for leases in held] == [100, 100]
    with pytest.raises(claiming.TooManyLeases):
        claiming.claim_tasks(worker.pk)


def test_an_expired_lease_is_open_to_the_very_next_claim_without_a_sweep() -> None:
    job = build.a_live_job(slots=1, lease_seconds=60)
    [task] = build.some_tasks(job, 1)
    first, second = build.a_worker(), build.a_worker()
    [old] = claiming.claim_tasks(first.pk, at=NOW)

    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(second.pk, at=NOW + timedelta(seconds=59))
    [new] = claiming.claim_tasks(second.pk, at=NOW + timedelta(seconds=60))

    assert new.task_id == task.pk
    assert Assignment.objects.get(pk=old.assignment_id).state == "expired"
    assert Task.objects.get(pk=task.pk).leased_count == 1


def test_a_returned_task_is_open_again_and_returning_twice_changes_nothing() -> None:
    [task] = build.some_tasks(build.a_live_job(slots=1), 1)
    worker, other = build.a_worker(), build.a_worker()
    [lease] = claiming.claim_tasks(worker.pk)

    assert claiming.return_leases(other.pk, [lease.assignment_id]) == 0
    assert claiming.return_leases(worker.pk, [lease.assignment_id]) == 1
    assert claiming.return_leases(worker.pk, [lease.assignment_id]) == 0

    assert claiming.claim_tasks(other.pk)[0].task_id == task.pk


def test_only_offered_tasks_are_claimed_when_tasks_are_named() -> None:
    tasks = build.some_tasks(build.a_live_job(), 6)
    offered = [tasks[4].pk, tasks[1].pk]

    leases = claiming.claim_tasks(build.a_worker().pk, count=10, only=offered)

    assert sorted(lease.task_id for lease in leases) == sorted(offered)


def test_a_task_whose_time_is_over_is_not_handed_out() -> None:
    [task] = build.some_tasks(build.a_live_job(), 1)
    Task.objects.filter(pk=task.pk).update(expires_at=NOW)

    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(build.a_worker().pk, at=NOW)


def test_hidden_gold_comes_at_about_the_rate_of_the_job_and_looks_like_any_task() -> None:
    from_domain = build.a_domain()
    gold_set = build.a_gold_set(from_domain, items=40)
    job = build.a_live_job(domain=from_domain, gold_share_bp=2_000, slots=1, budget_micros=10_000 * build.UNIT)
    build.some_tasks(job, 300)
    build.gold_tasks(job, gold_set)
    connection.cursor().execute("SELECT setseed(0.4)")

    leases = [lease for _ in range(10) for lease in claiming.claim_tasks(build.a_worker().pk, count=20)]

    gold = Assignment.objects.filter(purpose="calibration").count()
    assert len(leases) == 200
    assert 20 <= gold <= 60
    assert {lease.price_micros for lease in leases} == {job.price_micros}
    assert {tuple(json.loads(lease.payload)) for lease in leases} == {("text",)}


def test_no_gold_is_handed_out_once_the_ordinary_tasks_are_gone() -> None:
    domain = build.a_domain()
    job = build.a_live_job(domain=domain, gold_share_bp=5_000, slots=1, budget_micros=1_000 * build.UNIT)
    build.gold_tasks(job, build.a_gold_set(domain, items=5))

    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(build.a_worker().pk, count=50)


def test_the_order_of_buckets_in_sql_is_the_order_of_the_pure_score() -> None:
    domains = [build.a_domain() for _ in range(3)]
    worker = build.a_worker()
    for level, domain in enumerate(domains[:2], 1):
        build.a_qualification(worker, domain, level=level + 1)
    for priority in (2, 5, 9):
        for domain in domains:
            needs = ((domains[1].pk, 1),) if priority == 5 else ()
            build.some_tasks(build.a_live_job(domain=domain, requirements=needs), 1)
    Bucket.objects.filter(pk__in=list(Bucket.objects.values_list("pk", flat=True)[::2])).update(priority=7)
    RouteEpoch.objects.update(epoch=99)

    claiming.claim_tasks(worker.pk)

    facts = [
        BucketFacts(
            bucket_id=bucket.pk,
            domain_id=bucket.domain_id,
            difficulty=bucket.difficulty,
            priority=bucket.priority,
            waiting_for=bucket.waiting_for,
            specialist=Requirement.objects.filter(eligibility=bucket.job.eligibility_id).exists(),
            opened_seq=bucket.pk,
        )
        for bucket in Bucket.objects.select_related("job__eligibility")
    ]
    pure = order(facts, WorkerStanding({domains[0].pk: 2, domains[1].pk: 3}))
    walked = (
        WorkerBucket.objects.filter(worker=worker).order_by("-score", "bucket_id").values_list("bucket_id", flat=True)
    )
    assert list(walked) == list(pure)
    assert len(pure) == 9


def test_there_is_one_route_epoch() -> None:
    with violates("there_is_one_route_epoch"):
        RouteEpoch.objects.create(id=2)


def test_routes_are_written_again_only_when_something_changed() -> None:
    job = build.a_live_job()
    build.some_tasks(job, 5)
    worker = build.a_worker()
    claiming.claim_tasks(worker.pk, at=NOW)
    WorkerBucket.objects.filter(worker=worker).update(score=-1)

    claiming.claim_tasks(worker.pk, at=NOW + timedelta(seconds=30))
    untouched = WorkerBucket.objects.get(worker=worker).score
    build.some_tasks(build.a_live_job(), 1)
    claiming.claim_tasks(worker.pk, at=NOW + timedelta(seconds=40))

    assert untouched == -1
    assert WorkerBucket.objects.filter(worker=worker, score__gt=0).count() == 2
    assert WorkerRoute.objects.get(worker=worker).epoch == RouteEpoch.objects.get().epoch


def test_a_bucket_put_off_comes_last_and_is_still_looked_into_before_a_refusal() -> None:
    first, second = build.a_live_job(), build.a_live_job()
    build.some_tasks(first, 2)
    [other] = build.some_tasks(second, 1)
    worker = build.a_worker()
    claiming.claim_tasks(worker.pk, at=NOW)
    WorkerBucket.objects.filter(bucket__job=first).update(dry_until=NOW + timedelta(seconds=2))

    came = [claiming.claim_tasks(worker.pk, at=NOW)[0] for _ in range(2)]

    assert came[0].task_id == other.pk
    assert came[1].job_id == first.pk
