"""Claiming and what keeps a person from it: texts not agreed to, and blocks."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts import blocking, consenting, people
from accounts.models import Block, Organisation, Terms, Worker
from accounts.refusals import NoSuchWorker, Refusal
from tasks import claiming, submitting
from tasks.models import Assignment, Job, WorkerBucket
from tests import build
from tests.races import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_job(organisation: Organisation | None = None, tasks: int = 4, **job: bool) -> Job:
    made = build.a_live_job(organisation, **job)
    build.some_tasks(made, tasks)
    return made


def some_terms(organisation: Organisation | None = None, text: str = "Be honest.") -> Terms:
    kind = "terms" if organisation is None else "nda"
    title = "Terms of work" if organisation is None else "Silence"
    return consenting.publish_terms(organisation=organisation, kind=kind, title=title, text=text, published_by=None)


def buckets_of(worker: Worker) -> int:
    return WorkerBucket.objects.filter(worker=worker).count()


@pytest.mark.django_db
def test_the_platforms_terms_come_before_any_work_and_the_refusal_names_them() -> None:
    job, worker = a_job(), build.a_worker()
    terms = some_terms()

    for job_id in (None, job.pk):
        with pytest.raises(claiming.ConsentMissing, match=r"Terms of work \(version 1\)") as refused:
            claiming.claim_tasks(worker.pk, job_id=job_id)
        assert refused.value.terms == (terms,)
        assert refused.value.facts == {"missing": 1}

    consenting.give_consent(worker, terms)
    assert claiming.claim_tasks(worker.pk)


@pytest.mark.django_db
def test_an_organisations_agreement_closes_its_jobs_alone() -> None:
    north, south = build.an_organisation("North"), build.an_organisation()
    theirs, other = a_job(north), a_job(south)
    nda, worker = some_terms(north), build.a_worker()

    with pytest.raises(claiming.ConsentMissing, match="Silence of North"):
        claiming.claim_tasks(worker.pk, job_id=theirs.pk)
    assert {lease.job_id for lease in claiming.claim_tasks(worker.pk, count=100)} == {other.pk}

    consenting.give_consent(worker, nda)
    assert {lease.job_id for lease in claiming.claim_tasks(worker.pk, count=100)} == {theirs.pk}


@pytest.mark.django_db
def test_a_text_published_after_the_route_was_written_closes_the_next_claim() -> None:
    job, worker = a_job(), build.a_worker()
    claiming.claim_tasks(worker.pk, at=NOW)
    assert buckets_of(worker) == 1

    some_terms(job.organisation)

    with pytest.raises(claiming.ConsentMissing):
        claiming.claim_tasks(worker.pk, job_id=job.pk, at=NOW)
    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(worker.pk, at=NOW)
    assert buckets_of(worker) == 1, "the route is old: the gate itself said no"


@pytest.mark.django_db
def test_a_new_version_is_asked_for_again() -> None:
    worker, first = build.a_worker(), some_terms()
    a_job()
    consenting.give_consent(worker, first)
    claiming.claim_tasks(worker.pk)

    some_terms(text="Be kind too.")

    with pytest.raises(claiming.ConsentMissing, match="version 2"):
        claiming.claim_tasks(worker.pk)


@pytest.mark.django_db
def test_a_model_agrees_to_nothing_and_works() -> None:
    job = a_job(models_allowed=True)
    some_terms()
    some_terms(job.organisation)

    assert claiming.claim_tasks(build.a_model().pk)


@pytest.mark.django_db
def test_a_block_by_an_organisation_closes_its_jobs_with_reason_and_end() -> None:
    north = build.an_organisation("North")
    theirs, other, worker = a_job(north), a_job(), build.a_worker()
    blocking.block_worker(worker, organisation=north, reason="Copied answers.", days=2, blocked_by=None, at=NOW)

    with pytest.raises(claiming.Blocked, match=r"by North until 2026-03-03 12:00 UTC. The reason: Copied") as refused:
        claiming.claim_tasks(worker.pk, job_id=theirs.pk, at=NOW)
    assert refused.value.facts == {"reason": "Copied answers.", "until": "2026-03-03T12:00:00+00:00"}
    assert {lease.job_id for lease in claiming.claim_tasks(worker.pk, count=100, at=NOW)} == {other.pk}


@pytest.mark.django_db
def test_a_block_by_the_platform_closes_everything() -> None:
    job, worker = a_job(), build.a_worker()
    blocking.block_worker(worker, reason="Sold the account.", blocked_by=None)

    for job_id in (None, job.pk):
        with pytest.raises(claiming.Blocked, match="by the platform until it is lifted") as refused:
            claiming.claim_tasks(worker.pk, job_id=job_id)
        assert refused.value.facts == {"reason": "Sold the account.", "until": None}


@pytest.mark.django_db
def test_a_block_ends_by_itself_and_by_being_lifted() -> None:
    job, worker = a_job(), build.a_worker()
    blocking.block_worker(
        worker, organisation=job.organisation, reason="Why.", days=1, blocked_by=None, at=NOW - timedelta(hours=23, minutes=59.5)
    )  # fmt: skip
    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(worker.pk, at=NOW)
    # The route was to hold for a minute, and is written anew when the block ends.
    assert claiming.claim_tasks(worker.pk, at=NOW + timedelta(seconds=31))

    everywhere = blocking.block_worker(worker, reason="Why.", blocked_by=None, at=NOW)
    blocking.lift_block(everywhere, reason="A mistake.", at=NOW + timedelta(seconds=32))
    assert claiming.claim_tasks(worker.pk, at=NOW + timedelta(seconds=33))


@pytest.mark.django_db
def test_a_block_made_after_the_route_was_written_closes_the_next_claim() -> None:
    job, worker = a_job(), build.a_worker()
    claiming.claim_tasks(worker.pk, at=NOW)
    block = Block(person_id=worker.person_id or worker.pk, worker=worker, organisation=job.organisation, reason="Why.")
    block.starts_at = NOW
    block.save()  # by hand, so that nothing tells the route

    with pytest.raises(claiming.Blocked):
        claiming.claim_tasks(worker.pk, job_id=job.pk, at=NOW)
    with pytest.raises(claiming.NothingToClaim):
        claiming.claim_tasks(worker.pk, at=NOW)


@pytest.mark.django_db
def test_a_block_holds_for_the_second_account_of_a_person() -> None:
    a_job()
    first, second = build.a_worker(), build.a_worker()
    Worker.objects.filter(pk=second.pk).update(person_id=first.pk)
    blocking.block_worker(first, reason="Why.", blocked_by=None)

    with pytest.raises(claiming.Blocked):
        claiming.claim_tasks(second.pk)


@pytest.mark.django_db
def test_whoever_is_blocked_may_hand_in_and_give_back_what_is_in_hand() -> None:
    a_job()
    worker = build.a_worker()
    answered, returned = claiming.claim_tasks(worker.pk, count=2)
    blocking.block_worker(worker, reason="Why.", blocked_by=None)

    submitting.submit_answer(worker.pk, submitting.Submission(answered.assignment_id, build.CAT))
    claiming.return_leases(worker.pk, [returned.assignment_id])

    assert set(Assignment.objects.values_list("state", flat=True)) == {"submitted", "returned"}


@pytest.mark.django_db
def test_a_route_leaves_out_what_is_closed() -> None:
    asks, blocks, free = build.an_organisation(), build.an_organisation(), build.an_organisation()
    for organisation in (asks, blocks, free):
        a_job(organisation)
    some_terms(asks)
    worker = build.a_worker()
    blocking.block_worker(worker, organisation=blocks, reason="Why.", blocked_by=None)

    claiming.claim_tasks(worker.pk)

    routed = WorkerBucket.objects.filter(worker=worker).values_list("bucket__job__organisation_id", flat=True)
    assert set(routed) == {free.pk}


@pytest.mark.django_db
def test_the_routes_gate_and_the_claims_gate_say_the_same() -> None:
    organisations = [build.an_organisation() for _ in range(4)]
    worker, blocked_by = build.a_worker(), None
    some_terms(organisations[0])
    agreed = some_terms(organisations[1])
    consenting.give_consent(worker, agreed)
    blocking.block_worker(worker, organisation=organisations[2], reason="Why.", blocked_by=blocked_by)

    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT array_agg(o.id ORDER BY o.id) FILTER (WHERE claim_bar(w, o.id, clock_timestamp()) IS NOT NULL),
                      min(claim_barred(w, clock_timestamp())::text)
               FROM accounts_worker w, accounts_organisation o WHERE w.id = %s""",
            [worker.pk],
        )
        one_by_one, at_once_ = cursor.fetchone()

    assert one_by_one == [organisations[0].pk, organisations[2].pk]
    assert sorted(map(int, at_once_.strip("{}").split(","))) == one_by_one


@pytest.mark.django_db
def test_a_suspended_worker_is_told_why_and_an_erased_one_is_nobody() -> None:
    worker = build.a_worker()
    people.suspend_worker(worker, reason="Shared an account.", actor="system")

    with pytest.raises(claiming.WorkerSuspended, match="Shared an account") as refused:
        claiming.claim_tasks(worker.pk)
    assert refused.value.facts == {"reason": "Shared an account."}

    Worker.objects.filter(pk=worker.pk).update(state="erased", state_reason="", name="", user=None)
    with pytest.raises(NoSuchWorker):
        claiming.claim_tasks(worker.pk)


def test_no_lease_is_given_after_a_block_that_raced_with_the_claim(committed_db: str) -> None:
    job = a_job(tasks=12)
    workers = [build.a_worker() for _ in range(6)]

    def block(worker: Worker) -> Block:
        return blocking.block_worker(worker, organisation=job.organisation, reason="Why.", blocked_by=None)

    told: list[object] = []
    for worker in workers:
        told += at_once([lambda worker=worker: claiming.claim_tasks(worker.pk, job_id=job.pk), lambda worker=worker: block(worker)])  # type: ignore[misc]  # fmt: skip

    made = {one.worker_id: one.starts_at for one in told if isinstance(one, Block)}
    assert len(made) == 6
    late = [lease for lease in Assignment.objects.all() if lease.leased_at > made[lease.worker_id]]
    assert late == []
    assert all(isinstance(one, list | Block | claiming.Blocked) for one in told)
    for worker in workers:
        with pytest.raises(Refusal):
            claiming.claim_tasks(worker.pk, job_id=job.pk)
