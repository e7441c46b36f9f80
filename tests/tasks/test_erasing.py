"""Erasing: leases go back, money is settled first, two at once cannot both go, and nothing of it can be undone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import transaction

from accounts import blocking, organising, people, vault
from accounts.ledger import drafts
from accounts.ledger import queries as books
from accounts.models import Credential, CredentialType, Membership, PersonKey, User, Worker
from accounts.refusals import Refusal
from tasks import claiming, closing, erasing, reviewing, settling
from tasks.models import Assignment, Task
from tests import build
from tests.guards import violates
from tests.races import at_once


@pytest.mark.django_db
def test_open_leases_go_back_and_their_slots_are_open_again() -> None:
    worker = build.a_worker()
    [task] = build.some_tasks(build.a_live_job(slots=1), 1)
    lease = build.a_lease(task, worker=worker)
    assert worker.user is not None

    erased = erasing.erase_person(worker.user, actor=f"user:{worker.user_id}")

    assert (erased.leases, erased.given_up) == (1, ())
    assert Assignment.objects.get(pk=lease.pk).state == "returned"
    assert Task.objects.get(pk=task.pk).is_open
    assert build.an_answer(task).state == "submitted"


@pytest.mark.django_db
def test_money_is_not_lost_by_accident_and_given_up_on_purpose() -> None:
    worker = build.a_worker()
    [task] = build.some_tasks(build.a_live_job(slots=1, price_micros=70_000), 1)
    build.an_answer(task, worker=worker)
    reviewing.accept_due()
    settling.settle_due()
    user = worker.user
    assert user is not None

    with pytest.raises(erasing.ErasureStopped, match=r"0\.07"), transaction.atomic():
        erasing.erase_person(user, actor="user:1")
    erased = erasing.erase_person(user, give_up_balance=True, actor="user:1")

    assert [one.micros for one in erased.given_up] == [70_000]
    assert books.balance(drafts.payable(worker.pk, "USD")).micros == 0


@pytest.mark.django_db
def test_an_erased_worker_claims_nothing() -> None:
    worker = build.a_worker()
    build.some_tasks(build.a_live_job(), 1)
    assert worker.user is not None
    erasing.erase_person(worker.user, actor="user:1")

    with pytest.raises(Refusal):
        claiming.claim_tasks(worker.pk)
    assert not Assignment.objects.filter(worker=worker).exists()


@pytest.mark.django_db
def test_erasing_is_final() -> None:
    worker = build.a_worker()
    user = worker.user
    assert user is not None
    vault.seal(user.pk, b"a secret", about="x")
    erasing.erase_person(user, actor="user:1")

    rows = Worker.objects.filter(pk=worker.pk)
    with violates("an_erased_worker_stays_erased"):
        rows.update(state="active")
    with violates("an_erased_worker_has_no_name"):
        rows.update(name="Somebody")
    with violates("an_erased_worker_has_no_name"):
        rows.update(user=build.a_user())
    with violates("nothing_is_filed_for_the_erased"):
        Credential.objects.create(worker=worker, type=CredentialType.objects.create(slug="x", name="X", kind="licence"))
    with pytest.raises(vault.PersonErased):
        vault.unseal(user.pk or 0, b"", about="x")


@pytest.mark.django_db
def test_a_key_never_becomes_another() -> None:
    user = build.a_user()
    vault.seal(user.pk, b"a secret", about="x")

    with violates("a_person_key_never_changes"):
        PersonKey.objects.filter(user=user).update(wrapped=b"another")


@pytest.mark.django_db
def test_neither_an_owner_nor_an_admin_is_erased_who_is_the_last_to_sign_in() -> None:
    owner, closed = build.a_user(), build.a_user(is_active=False, is_superuser=True)
    organisation = build.an_organisation(owner=owner)
    organising.add_member(organisation, user=closed, role="owner")
    root = build.a_user(is_superuser=True)

    with pytest.raises(erasing.ErasureStopped, match="last owner"):
        erasing.erase_person(owner, actor=f"user:{owner.pk}")
    with pytest.raises(erasing.ErasureStopped, match="last admin"):
        erasing.erase_person(root, actor=f"user:{root.pk}")


@pytest.mark.django_db
def test_who_is_all_that_is_left_of_an_organisation_without_work_and_money_may_go() -> None:
    owner, member = build.a_user(), build.a_user()
    organisation = build.an_organisation(owner=owner)
    job = build.a_live_job(organisation)
    organising.add_member(organisation, user=member, role="finance")

    def refused() -> bool:
        with pytest.raises(erasing.ErasureStopped, match="last owner"):
            erasing.erase_person(owner, actor=f"user:{owner.pk}")
        return True

    assert refused(), "a member, a job, and money"
    organising.remove_member(organisation, user=member)
    assert refused(), "a job and money"
    closing.close_job(job, actor="user:1")
    assert refused(), "money"
    assert not erasing.is_idle(organisation.pk)

    other = build.an_organisation(owner=member)
    build.a_draft_job(other)
    assert erasing.is_idle(other.pk)
    erasing.erase_person(member, actor=f"user:{member.pk}")
    assert not Membership.objects.filter(organisation=other).exists()


def test_of_two_last_owners_who_leave_at_once_one_stays(committed_db: str) -> None:
    first, second = build.a_user(), build.a_user()
    organisation = build.an_organisation(owner=first)
    organising.add_member(organisation, user=second, role="owner")
    organising.add_member(organisation, user=build.a_user(), role="manager")

    def leave(user: User) -> bool:
        try:
            erasing.erase_person(user, actor=f"user:{user.pk}")
        except erasing.ErasureStopped:
            return False
        return True

    gone = at_once([lambda: leave(first), lambda: leave(second)])

    assert {True, False} == set(gone)
    assert Membership.objects.filter(organisation=organisation, role="owner").count() == 1


def test_a_claim_that_races_the_erasing_leaves_no_lease(committed_db: str) -> None:
    job = build.a_live_job(slots=5)
    build.some_tasks(job, 20)
    for _ in range(5):
        worker = build.a_worker()
        user = worker.user
        assert user is not None

        def claim(worker: Worker = worker) -> None:
            with contextlib.suppress(Refusal):
                claiming.claim_tasks(worker.pk)

        def erase(user: User = user) -> None:
            erasing.erase_person(user, actor="user:1")

        acts: list[Callable[[], None]] = [claim, erase, claim]
        at_once(acts)

        assert Worker.objects.get(pk=worker.pk).state == "erased"
        assert not Assignment.objects.filter(worker_id=worker.pk, state="leased").exists()


@pytest.mark.django_db
def test_why_a_person_was_blocked_is_forgotten_and_that_they_were_is_not() -> None:
    worker = build.a_worker()
    assert worker.user is not None
    standing = blocking.block_worker(worker, reason="Ada was rude.", blocked_by=None)
    lifted = blocking.block_worker(worker, organisation=build.an_organisation(), reason="Ada.", blocked_by=None)
    blocking.lift_block(lifted, reason="Ada said sorry.")

    erasing.erase_person(worker.user, actor="user:1")

    for block in (standing, lifted):
        block.refresh_from_db()
    assert (standing.reason, standing.lifted_reason, standing.lifted_at) == ("erased", "", None)
    assert (lifted.reason, lifted.lifted_reason) == ("erased", "erased")


@pytest.mark.django_db
def test_who_is_no_worker_is_erased_too() -> None:
    user, organisation = build.a_user(), build.an_organisation()
    organising.add_member(organisation, user=user, role="owner")
    key, _ = build.an_organisation_key(organisation, created_by=user)

    erasing.erase_person(user, actor=f"user:{user.pk}")

    assert not User.objects.filter(email=user.email).exists()
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert key.created_by_id is None


def test_the_app_role_cannot_take_an_erased_name_from_the_audit(
    committed_db: str, owner_connection: psycopg.Connection[Any]
) -> None:
    """What the audit holds of a worker never was their name."""
    worker = build.a_worker("Hildegund")
    people.pause_worker(worker)

    found = owner_connection.execute(
        "SELECT count(*) FROM accounts_auditrow WHERE concat(before, after) LIKE '%Hildegund%'"
    )

    assert found.fetchone() == (0,)
