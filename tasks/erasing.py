"""Erasing a person: what they hold on the line goes back, what they earned is settled or given up, and they are forgotten.

Books, answers, consents and the audit keep the worker's number, which then belongs to nobody. This cannot be undone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts import privacy
from accounts.audit import acting
from accounts.ledger import drafts, money, posting
from accounts.ledger import queries as books
from accounts.ledger.money import Money
from accounts.models import User, Worker
from accounts.queries import instant
from accounts.refusals import Fault, Refusal
from qualification.models import Attempt, Qualification
from tasks.models import Answer, Assignment, Job

log = logging.getLogger(__name__)


class ErasureStopped(Refusal):
    """This account cannot be erased yet: first settle what stands in the way."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What erasing came to: leases given back, documents that the sweep removes, money given up by currency."""

    leases: int
    documents: int
    given_up: tuple[Money, ...]


UNSETTLED = (Assignment.State.SUBMITTED, Assignment.State.ACCEPTED, Assignment.State.SET_ASIDE)

# Tasks are locked before their assignments, in the order of their ids, everywhere.
_LOCK_TASKS = """
  SELECT FROM tasks_task t WHERE t.id IN (
    SELECT a.task_id FROM tasks_assignment a WHERE a.worker_id = %s AND a.state = 'leased') ORDER BY t.id FOR UPDATE"""
_GIVE_BACK = """
  WITH ended AS (
    UPDATE tasks_assignment a SET state = 'returned', ended_at = %s
    WHERE a.worker_id = %s AND a.state = 'leased' RETURNING a.task_id)
  UPDATE tasks_task t SET leased_count = t.leased_count - 1 FROM ended e WHERE t.id = e.task_id"""


def erase_person(
    user: User,
    *,
    addresses: tuple[str, ...] = (),
    give_up_balance: bool = False,
    actor: str,
    at: datetime | None = None,
) -> Erased:
    """Destroy everything that says who this person is, and keep what they did under a number that is nobody's.

    Open leases are given back. Money they earned and are not paid yet, or will earn by answers still under review, is
    refused unless ``give_up_balance``: then it moves to the unclaimed books. ``addresses``: further email addresses.

    Raises ErasureStopped, with a fault for each thing in the way; then nothing has changed.
    """
    with transaction.atomic(), acting(actor):
        worker = Worker.objects.filter(user=user).first()
        if worker is not None:
            with connection.cursor() as cursor:  # the lock that every claim and submit of this worker takes
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [worker.pk])
        balances = [] if worker is None else balances_of(worker.pk)
        faults = [Fault("", sentence) for sentence in privacy.what_stands_in_the_way(user, is_idle=is_idle)]
        if worker is not None and not give_up_balance:
            faults += _money_in_the_way(worker.pk, balances)
        if faults:
            raise ErasureStopped(" ".join(fault.detail for fault in faults), faults=faults)
        leases = 0
        if worker is not None:
            leases = _give_back(worker.pk, instant(at))
            posting.post_many([drafts.give_up_balance(worker.pk, one, actor=actor) for one in balances], at=at)
        number = user.pk
        documents = privacy.forget_person(user, addresses=addresses, at=at)
    log.info("user %s was erased", number)
    return Erased(leases, documents, tuple(balances))


def is_idle(organisation_id: int) -> bool:
    """Whether the organisation has no job that takes or awaits answers, and no money in its wallet or behind a job."""
    jobs = Job.objects.filter(organisation_id=organisation_id)
    if jobs.exclude(state__in=[Job.State.DRAFT, Job.State.CLOSED]).exists():
        return False
    addresses = [drafts.wallet(organisation_id, currency) for currency in sorted(money.MINOR_DIGITS)]
    addresses += [drafts.escrow(pk, currency) for pk, currency in jobs.values_list("pk", "currency")]
    return not any(balance.micros for balance in books.balances(addresses).values())


def balances_of(worker_id: int) -> list[Money]:
    """What the worker has earned and not been paid out, where it is more than nothing, by currency."""
    addresses = [drafts.payable(worker_id, currency) for currency in sorted(money.MINOR_DIGITS)]
    return [balance for balance in books.balances(addresses).values() if balance.micros]


def facts_about(worker_id: int) -> dict[str, Any]:
    """What the line holds about a worker beside their answers: standing, exams, and money earned."""
    qualifications = Qualification.objects.filter(worker_id=worker_id).order_by("pk")
    attempts = Attempt.objects.filter(worker_id=worker_id).order_by("pk")
    return {
        "qualifications": list(
            qualifications.values(
                "domain__path", "level", "source", "reason", "granted_at", "expires_at", "revoked_at", "revoked_reason"
            )
        ),
        "exams": list(attempts.values("exam__name", "state", "answers", "right", "started_at", "finished_at")),
        "earned_and_not_paid_out": [str(balance) for balance in balances_of(worker_id)],
    }


def answers_by(worker_id: int) -> Iterator[dict[str, Any]]:
    """Every assignment of the worker, oldest first, with the answer where there is one; gold looks like any other task."""
    rows = Assignment.objects.filter(worker_id=worker_id).order_by("pk")
    told = rows.values(
        "pk", "state", "price_micros", "leased_at", "submitted_at", "reason", "answer__label", "answer__seconds"
    )
    for row in told.iterator(2_000):
        yield dict(row)


def _money_in_the_way(worker_id: int, balances: list[Money]) -> list[Fault]:
    where = "/give_up_balance"
    faults = [
        Fault(where, f"You have {balance} that was not paid out: have it paid, or give it up.") for balance in balances
    ]
    waiting = Answer.objects.filter(assignment__worker_id=worker_id, assignment__state__in=UNSETTLED).count()
    if waiting:
        faults.append(Fault(where, f"{waiting} of your answers are not paid yet: wait for them, or give up the pay."))
    return faults


def _give_back(worker_id: int, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_TASKS, [worker_id])
        cursor.execute(_GIVE_BACK, [now, worker_id])
        return int(cursor.rowcount)
