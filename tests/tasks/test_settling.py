"""Settling and closing: who is paid what, and what goes back."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.ledger import drafts
from accounts.ledger import queries as books
from accounts.ledger.models import BooksKind
from accounts.ledger.money import Money
from tasks import claiming, closing, judging, publishing, reviewing, settling, submitting
from tasks.models import Assignment, Job, Task
from tests import build
from tests.build import CAT, UNIT
from tests.races import at_once

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def dollars(micros: int) -> Money:
    return Money(micros, "USD")


@pytest.mark.django_db
def test_an_accepted_answer_is_paid_with_the_fee_out_of_escrow_once() -> None:
    job = build.a_live_job(slots=1, price_micros=UNIT, fee_bp=2_000, budget_micros=10 * UNIT)
    [task] = build.some_tasks(job, 1)
    answer = build.an_answer(task)
    reviewing.accept_due()
    fees = books.balance(drafts.platform(BooksKind.FEE_REVENUE, "USD")).micros

    assert [settling.settle_due(), settling.settle_due()] == [1, 0]

    assert Assignment.objects.get(pk=answer.pk).state == "settled"
    assert books.balance(drafts.payable(answer.worker_id, "USD")) == dollars(UNIT)
    assert books.balance(drafts.escrow(job.pk, "USD")) == dollars(10 * UNIT - UNIT * 12 // 10)
    assert books.balance(drafts.platform(BooksKind.FEE_REVENUE, "USD")).micros - fees == UNIT // 5


@pytest.mark.django_db
def test_a_model_is_settled_without_a_transfer_and_its_slot_is_free_money_again() -> None:
    job = build.a_live_job(slots=1, models_allowed=True, price_micros=UNIT, fee_bp=0)
    [task] = build.some_tasks(job, 1)
    build.an_answer(task, worker=build.a_model())
    reviewing.accept_due()

    assert settling.settle_due() == 1

    assert books.balance(drafts.escrow(job.pk, "USD")) == dollars(100 * UNIT)
    assert Job.objects.get(pk=job.pk).reserved_micros == 0


def test_eight_settlers_at_once_pay_each_answer_once(committed_db: str) -> None:
    job = build.a_live_job(slots=2, price_micros=UNIT, fee_bp=0)
    workers = [build.a_worker() for _ in range(2)]
    for task in build.some_tasks(job, 20):
        for worker in workers:
            build.an_answer(task, worker=worker)
    reviewing.accept_due()

    paid = at_once([lambda: sum(settling.settle_due(limit=7) for _ in range(10))] * 8)

    rest = settling.settle_due()  # a settler passes over what another one holds, so some may be left
    assert sum(count for count in paid if isinstance(count, int)) + rest == 40
    assert [books.balance(drafts.payable(worker.pk, "USD")) for worker in workers] == [dollars(20 * UNIT)] * 2


@pytest.mark.django_db
def test_closing_gives_back_what_nobody_can_earn_any_more_and_honours_what_is_out() -> None:
    organisation = build.an_organisation()
    job = build.a_live_job(
        organisation, slots=2, price_micros=UNIT, fee_bp=0, budget_micros=100 * UNIT, engine="majority"
    )
    answered, held, untouched = build.some_tasks(job, 3)
    build.an_answer(answered)
    worker = build.a_worker()
    lease = build.a_lease(held, worker=worker)

    job = closing.close_job(job, actor="user:1")

    states = dict(Task.objects.values_list("pk", "state"))
    assert (job.state, job.reserved_micros, job.funded_micros) == ("closed", 2 * UNIT, 2 * UNIT)
    assert [states[task.pk] for task in (answered, held, untouched)] == ["waiting", "open", "cancelled"]
    assert books.balance(drafts.wallet(organisation.pk, "USD")) == dollars(98 * UNIT)
    submitting.submit_answer(worker.pk, submitting.Submission(lease.pk, CAT))
    judging.judge_waiting()
    reviewing.accept_due()
    assert settling.settle_due() == 2
    assert set(Task.objects.filter(pk__in=[answered.pk, held.pk]).values_list("state", flat=True)) == {"resolved"}
    assert books.balance(drafts.escrow(job.pk, "USD")) == dollars(0)
    with pytest.raises(claiming.JobNotOpen):
        claiming.claim_tasks(build.a_worker().pk, job_id=job.pk)


@pytest.mark.django_db
def test_a_lease_that_runs_out_after_closing_sends_its_money_back_too() -> None:
    organisation = build.an_organisation()
    job = build.a_live_job(organisation, slots=1, lease_seconds=60, price_micros=UNIT, fee_bp=0, budget_micros=UNIT)
    [task] = build.some_tasks(job, 1)
    build.a_lease(task, at=NOW)
    closing.close_job(job, actor="user:1", at=NOW)

    nothing = closing.release_rests(at=NOW)
    claiming.expire_leases(at=NOW + timedelta(seconds=61))
    released = [closing.release_rests(), closing.release_rests()]

    assert (nothing, released) == (0, [1, 0])
    assert Task.objects.get(pk=task.pk).state == "cancelled"
    assert books.balance(drafts.wallet(organisation.pk, "USD")) == dollars(UNIT)


@pytest.mark.django_db
def test_only_a_published_job_is_closed_and_only_once() -> None:
    draft, live = build.a_draft_job(), build.a_live_job()
    closing.close_job(live, actor="user:1")

    for job in (draft, live):
        with pytest.raises(closing.JobAlreadyClosed):
            closing.close_job(job, actor="user:1")
    with pytest.raises(publishing.JobNotInState):
        publishing.pause_job(live)
