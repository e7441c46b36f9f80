"""The admin shows people usefully and changes them only through the acts, in the name of who is signed in."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from accounts import organising
from accounts.models import (
    ApiKey,
    AuditRow,
    Credential,
    CredentialType,
    LinkCase,
    Membership,
    Organisation,
    PlatformRole,
    User,
    Worker,
)
from accounts.queries import role_in, roles_of
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def fay(client: Client) -> User:
    """An admin, signed in with ``client``."""
    fay = build.a_user("Fay")
    organising.give_platform_role(fay, "admin")
    sign_in(client, fay)
    return fay


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def act(client: Client, row: Model, action: str) -> Any:
    """Choose one row in its list and start an action on it."""
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
    return client.post(url, {"action": action, "_selected_action": [row.pk]})


def change_page(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def a_membership() -> Membership:
    return build.an_organisation().memberships.get()


def a_link_case() -> LinkCase:
    """Two workers of whom somebody asks whether they are one person."""
    return LinkCase.objects.create(first=build.a_worker(), second=build.a_worker(), score=0.65, kinds={"device": 1})


ROWS: dict[type[Model], Callable[[], Model]] = {
    User: build.a_user,
    PlatformRole: lambda: organising.give_platform_role(build.a_user(), "support"),
    Organisation: build.an_organisation,
    Membership: a_membership,
    Worker: build.a_worker,
    ApiKey: lambda: build.a_worker_key()[0],
    Credential: build.a_credential,
    CredentialType: build.a_credential_type,
    LinkCase: a_link_case,
    AuditRow: lambda: (build.a_user(), AuditRow.objects.latest("id"))[1],
}


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_every_table_of_people_is_listed_searched_and_shown(model: type[Model], client: Client, fay: User) -> None:
    row = ROWS[model]()
    listing = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    for url in (listing, f"{listing}?q={row.pk}", change_page(row)):
        response = client.get(url)
        assert response.status_code == 200, url


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_nothing_is_deleted_in_the_admin(model: type[Model], client: Client, fay: User) -> None:
    row = ROWS[model]()

    response = client.post(change_page(row).replace("/change/", "/delete/"), {"post": "yes"})

    assert response.status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", [User, Organisation, ApiKey, AuditRow], ids=lambda model: model.__name__)
def test_what_has_no_act_for_it_is_not_edited(model: type[Model], client: Client, fay: User) -> None:
    row = ROWS[model]()

    assert client.post(change_page(row), {"name": "x", "actor": "x"}).status_code == 403
    assert client.get(reverse(f"admin:accounts_{model._meta.model_name}_add")).status_code == 403


def test_a_key_is_shown_without_its_digest(client: Client, fay: User) -> None:
    key, _ = build.a_worker_key()

    page = client.get(change_page(key)).content.decode()

    assert "digest" not in page.lower()
    assert bytes(key.digest).hex() not in page


def test_who_is_no_admin_sees_nothing(client: Client) -> None:
    client.force_login(build.a_user())

    assert client.get(reverse("admin:accounts_worker_changelist")).status_code in {302, 403}


def test_accounts_are_closed_and_opened_by_action(client: Client, fay: User) -> None:
    user = build.a_user()

    act(client, user, "deactivate")
    assert not User.objects.get(pk=user.pk).is_active
    act(client, user, "activate")

    assert User.objects.get(pk=user.pk).is_active
    assert AuditRow.objects.filter(subject="accounts_user", subject_id=user.pk, actor=f"user:{fay.pk}").count() == 2


def test_a_platform_role_is_given_by_its_form_and_taken_by_action(client: Client, fay: User) -> None:
    user = build.a_user()

    client.post(reverse("admin:accounts_platformrole_add"), {"user": user.pk, "role": "admin"})
    assert roles_of(user) == {"admin"}
    assert User.objects.get(pk=user.pk).is_staff
    act(client, PlatformRole.objects.get(user=user), "take")

    assert roles_of(user) == set()
    assert not User.objects.get(pk=user.pk).is_staff


def test_a_member_is_added_changed_and_removed_through_the_acts(client: Client, fay: User) -> None:
    organisation, user = build.an_organisation(), build.a_user()

    client.post(
        reverse("admin:accounts_membership_add"), {"organisation": organisation.pk, "user": user.pk, "role": "reviewer"}
    )
    member = Membership.objects.get(user=user)
    client.post(change_page(member), {"role": "finance"})
    assert role_in(user, organisation.pk) == "finance"
    act(client, member, "remove")

    assert role_in(user, organisation.pk) is None
    rows = AuditRow.objects.filter(subject="accounts_membership", subject_id=member.pk)
    assert {row.actor for row in rows} == {f"user:{fay.pk}"}


def test_a_refusal_is_shown_and_nothing_is_saved(client: Client, fay: User) -> None:
    owner = build.an_organisation().memberships.get()

    refused = client.post(change_page(owner), {"role": "finance"})
    assert refused.status_code == 302
    assert "keeps at least one owner" in said(refused)
    refused = act(client, owner, "remove")

    assert "keeps at least one owner" in said(refused)
    assert Membership.objects.get(pk=owner.pk).role == "owner"


def test_a_model_is_registered_by_the_workers_form(client: Client, fay: User) -> None:
    response = client.post(reverse("admin:accounts_worker_add"), {"name": "reader-7"})

    assert response.status_code == 302
    worker = Worker.objects.get(name="reader-7")
    assert (worker.kind, worker.user) == ("model", None)


def test_a_worker_is_suspended_with_a_reason_and_let_on_by_action(client: Client, fay: User) -> None:
    worker = build.a_worker()

    client.post(change_page(worker), {"suspend_because": ""})
    assert Worker.objects.get(pk=worker.pk).state == "active"
    client.post(change_page(worker), {"suspend_because": "Shared an account.", "name": "somebody else"})
    assert Worker.objects.filter(pk=worker.pk, state="suspended", name=worker.name).exists()
    again = client.post(change_page(worker), {"suspend_because": "Twice."})
    assert "suspended" in said(again)
    act(client, worker, "resume")

    assert Worker.objects.get(pk=worker.pk).state == "active"


def test_a_key_is_revoked_by_action(client: Client, fay: User) -> None:
    key, _ = build.a_worker_key()

    act(client, key, "revoke")

    assert ApiKey.objects.get(pk=key.pk).revoked_at is not None


def test_every_model_of_people_is_registered() -> None:
    assert {model for model in admin.site._registry if model._meta.app_label == "accounts"} == set(ROWS)
