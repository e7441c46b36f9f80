"""Workers come in once, and stop and go on by moves that only one of two can make."""

from functools import partial

import pytest
from django.contrib.auth import authenticate
from django.db import connection

from accounts import keys, people, seats
from accounts.models import AuditRow, User, Worker
from accounts.queries import worker_of
from tests import build
from tests.guards import violates
from tests.races import at_once


@pytest.mark.django_db
def test_a_worker_is_their_own_person_from_the_first_row() -> None:
    worker = build.a_worker()

    worker.refresh_from_db()
    assert worker.person_id == worker.pk
    assert (worker.kind, worker.state) == ("human", "active")
    assert worker.user is not None
    assert worker_of(worker.user) == worker


@pytest.mark.django_db
def test_a_person_cannot_be_unlinked_from_themselves() -> None:
    worker = build.a_worker()

    Worker.objects.filter(pk=worker.pk).update(person_id=None)

    worker.refresh_from_db()
    assert worker.person_id == worker.pk  # worker_is_own_person


@pytest.mark.django_db
def test_one_user_is_one_worker() -> None:
    user = build.a_user()
    build.a_worker(user=user)

    with pytest.raises(people.AlreadyAWorker):
        people.register_worker(user, name="Again")


@pytest.mark.django_db
def test_who_is_no_worker_has_none() -> None:
    assert worker_of(build.a_user()) is None


@pytest.mark.django_db
def test_a_model_is_a_worker_without_a_user() -> None:
    model = people.register_model("reader-2", actor="user:5")

    assert (model.kind, model.user) == ("model", None)
    assert AuditRow.objects.get(subject="accounts_worker", subject_id=model.pk).actor == "user:5"


@pytest.mark.django_db
def test_a_pause_is_the_workers_own_and_ends_by_them() -> None:
    worker = build.a_worker()

    people.pause_worker(worker)
    with pytest.raises(people.WorkerNotInState, match="paused"):
        people.pause_worker(worker)
    people.unpause_worker(worker)

    assert Worker.objects.get(pk=worker.pk).state == "active"


@pytest.mark.django_db
def test_a_suspension_says_why_and_only_staff_ends_it() -> None:
    worker = build.a_worker()

    with pytest.raises(people.ReasonMissing):
        people.suspend_worker(worker, reason="  ", actor="user:1")
    people.suspend_worker(worker, reason="Shared an account.", actor="user:1")
    with pytest.raises(people.WorkerNotInState):
        people.unpause_worker(worker)
    people.resume_worker(worker, actor="user:2")

    rows = AuditRow.objects.filter(subject="accounts_worker", subject_id=worker.pk, action="update").order_by("id")
    assert [(row.actor, (row.after or {})["state"]) for row in rows] == [("user:1", "suspended"), ("user:2", "active")]


@pytest.mark.django_db
def test_a_suspension_reaches_a_paused_worker_too() -> None:
    worker = people.pause_worker(build.a_worker())

    assert people.suspend_worker(worker, reason="Fraud.", actor="user:1").state == "suspended"


@pytest.mark.django_db
def test_a_stale_row_does_not_resume_a_worker() -> None:
    worker = build.a_worker()
    stale = Worker.objects.get(pk=worker.pk)
    people.suspend_worker(worker, reason="Fraud.", actor="user:1")

    with pytest.raises(people.WorkerNotInState):
        people.pause_worker(stale)

    assert Worker.objects.get(pk=worker.pk).state == "suspended"


@pytest.mark.django_db
def test_a_change_of_standing_raises_the_epoch_and_leaves_no_audit() -> None:
    worker = build.a_worker()
    before = AuditRow.objects.count()

    people.standing_changed(worker.pk)

    worker.refresh_from_db()
    assert worker.standing_epoch == 1
    assert AuditRow.objects.count() == before


@pytest.mark.django_db
def test_workers_are_never_removed() -> None:
    worker = build.a_worker()

    with violates("accounts_worker_is_never_removed"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_worker WHERE id = %s", [worker.pk])


@pytest.mark.django_db
def test_a_worker_is_a_human_or_a_model() -> None:
    model = build.a_model()

    with violates("worker_kind_is_known"):
        Worker.objects.filter(pk=model.pk).update(kind="robot")


@pytest.mark.django_db
def test_a_worker_has_one_of_three_states() -> None:
    worker = build.a_worker()

    with violates("worker_state_is_known"):
        Worker.objects.filter(pk=worker.pk).update(state="gone")


@pytest.mark.django_db
def test_a_worker_with_a_user_is_no_model() -> None:
    worker = build.a_worker()

    with violates("a_model_has_no_user"):
        Worker.objects.filter(pk=worker.pk).update(kind="model")


@pytest.mark.django_db
def test_one_user_an_email_whatever_its_case() -> None:
    build.a_user()
    email = User.objects.latest("pk").email

    with violates("one_user_an_email"):
        User.objects.create(email=email.upper())
    assert User.objects.get_by_natural_key(email.upper()).email == email


@pytest.mark.django_db
def test_a_closed_account_neither_signs_in_nor_answers_to_its_key() -> None:
    user = build.a_user(password="a long enough one")
    _, secret = build.a_worker_key(build.a_worker(user=user))
    signed_in = authenticate(username=user.email, password="a long enough one")

    people.deactivate_user(user, actor="user:1")
    assert signed_in == user
    assert authenticate(username=user.email, password="a long enough one") is None
    assert keys.check_secret(secret) is None
    people.activate_user(user, actor="user:2")
    assert keys.check_secret(secret) is not None

    rows = AuditRow.objects.filter(subject="accounts_user", subject_id=user.pk, action="update").order_by("id")
    assert [row.actor for row in rows] == ["user:1", "user:2"]


@pytest.mark.django_db
def test_the_account_of_the_last_admin_is_not_closed() -> None:
    root, deputy = build.a_user(is_superuser=True), build.a_user(is_superuser=True)

    people.deactivate_user(deputy, actor="user:1")
    with pytest.raises(seats.LastAdmin):
        people.deactivate_user(root, actor="user:1")
    people.activate_user(deputy, actor="user:1")
    people.deactivate_user(root, actor="user:1")

    assert list(User.objects.filter(is_superuser=True, is_active=True)) == [deputy]


def test_of_two_admins_whose_accounts_are_closed_at_once_one_stays(committed_db: str) -> None:
    both = [build.a_user(is_superuser=True), build.a_user(is_superuser=True)]

    told = at_once([partial(people.deactivate_user, user, actor="user:1") for user in both])

    assert sorted(type(one).__name__ for one in told) == ["LastAdmin", "User"]


@pytest.mark.django_db
def test_a_user_without_a_password_cannot_sign_in_by_one() -> None:
    assert not build.a_user().has_usable_password()
    assert User.objects.create_superuser("root@example.org", "long enough to be safe").is_superuser


def test_of_two_who_register_at_once_one_gets_it(committed_db: str) -> None:
    user = build.a_user()

    told = at_once([lambda: people.register_worker(user, name="W")] * 2)

    assert sorted(type(one).__name__ for one in told) == ["AlreadyAWorker", "Worker"]


@pytest.mark.django_db
def test_nobody_lifts_their_own_suspension() -> None:
    worker = build.a_worker()
    people.suspend_worker(worker, reason="Copied.", actor="user:0")

    with pytest.raises(people.OwnSuspension):
        people.resume_worker(worker, actor=f"user:{worker.user_id}")

    worker.refresh_from_db()
    assert worker.state == "suspended"
