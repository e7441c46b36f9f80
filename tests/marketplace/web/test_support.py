"""Support looks through a user's eyes: what is shown, what stays closed, and that nothing can be changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse

from accounts import impersonating, organising
from accounts.models import Impersonation, Signal, User, Worker
from marketplace.api import ids
from marketplace.web import impersonation
from tests import build
from tests.security import walking
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


def signed_in(user: User, *, second_factor: bool = True) -> Client:
    client = Client()
    sign_in(client, user, second_factor=second_factor)
    return client


def a_supporter() -> User:
    user = build.a_user("Sam")
    organising.give_platform_role(user, "support", given_by=None)
    return user


def look(client: Client, target: User, reason: str = "ticket 7") -> Any:
    return client.post(reverse("support_impersonate"), {"email": target.email, "reason": reason})


def test_support_sees_what_the_user_sees_under_a_banner_and_stops() -> None:
    supporter = a_supporter()
    worker = build.a_worker("Wilma")
    assert worker.user is not None
    client = signed_in(supporter)
    assert look(client, worker.user).status_code == 302

    page = client.get(reverse("work"))

    assert page.status_code == 200
    assert b"You look through the eyes of" in page.content
    assert page.context["user"] == worker.user
    assert b"Earned so far" not in page.content
    assert client.get("/api/v1/me").json()["user"] == ids.public("usr", worker.user.pk)
    stopped = client.post(reverse("support_stop"), follow=True)
    assert b"your own eyes again" in stopped.content
    assert client.get("/api/v1/me").json()["user"] == ids.public("usr", supporter.pk)
    assert not Impersonation.objects.filter(ended_at__isnull=True).exists()


def test_nothing_can_be_changed() -> None:
    worker = build.a_worker("Wilma")
    assert worker.user is not None
    client = signed_in(a_supporter())
    look(client, worker.user)

    assert client.post(reverse("claim")).status_code == 403
    assert client.post(reverse("work")).status_code == 403  # shown for reading
    founding = client.post("/api/v1/organisations", b'{"name": "N"}', "application/json")
    assert (founding.status_code, founding.json()["type"]) == (403, "/problems/not-while-impersonating")
    assert client.post("/api/v1/workers/me/pause").status_code == 403
    assert client.post("/api/v1/workers/me/pause").json()["type"] == "/problems/not-while-impersonating"
    assert client.post(reverse("account_logout")).status_code == 403
    worker.refresh_from_db()
    assert worker.state == "active"
    assert not Signal.objects.filter(worker=worker).exists(), "the supporter's browser is not the worker's"


def test_money_documents_keys_exports_and_the_admin_stay_closed() -> None:
    owner = build.a_user()
    organisation = build.an_organisation(owner=owner)
    client = signed_in(a_supporter())
    look(client, owner)
    public = client.get("/api/v1/organisations").json()["results"][0]["id"]
    assert client.get(reverse("organisations")).status_code == 200
    assert organisation.name.encode() in client.get(reverse("organisations")).content

    for path in (
        f"/api/v1/organisations/{public}/wallet",
        f"/api/v1/organisations/{public}/keys",
        "/api/v1/workers/me/earnings",
        "/api/v1/me/export",
        "/api/v1/audit",
        reverse("audit"),
        reverse("privacy"),
        reverse("privacy_export"),
        reverse("support"),
        reverse("account_email"),
        reverse("mfa_index"),
        reverse("admin:index"),
    ):
        assert client.get(path).status_code == 403, path


MONEY_AND_DOCUMENTS = (
    "wallet", "deposit", "earning", "payout", "report", "release", "credential", "evidence", "document", "key", "private",
    "export", "erase", "privacy", "audit", "client", "token", "support", "admin:", "account", "mfa_", "gold", "answer",
)  # fmt: skip


def test_what_is_shown_exists_and_is_none_of_what_must_stay_closed() -> None:
    there = {address.name for address in walking.addresses()}

    assert impersonation.SHOWN - there == set()
    assert not [name for name in impersonation.SHOWN for word in MONEY_AND_DOCUMENTS if word in name]


def test_a_page_that_would_write_is_stopped_by_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = build.a_worker("Wilma")
    assert worker.user is not None
    client = signed_in(a_supporter())
    look(client, worker.user)

    def writes(request: HttpRequest) -> HttpResponse:
        Worker.objects.filter(pk=worker.pk).update(name="changed")
        return HttpResponse("written")

    request = HttpRequest()
    request.method = "GET"
    request.session = client.session
    request.user = worker.user
    request.impersonation = Impersonation.objects.select_related("target").get(ended_at__isnull=True)  # type: ignore[attr-defined]
    request.resolver_match = type("Match", (), {"view_name": "work"})()
    request.META = {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    middleware = impersonation.ImpersonationMiddleware(lambda _: HttpResponse())

    response = middleware.process_view(request, writes, (), {})

    assert response is not None
    assert response.status_code == 403
    worker.refresh_from_db()
    assert worker.name == "Wilma"
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("off",)


def test_when_the_time_is_over_nothing_is_done_in_the_supporters_own_name() -> None:
    supporter = a_supporter()
    organisation = build.an_organisation(owner=supporter)
    client = signed_in(supporter)
    look(client, build.a_user())
    impersonating.stop_impersonation(supporter)  # as its end does

    response = client.post(reverse("organisation_found"), {"name": "By mistake"})

    assert (response.status_code, response["Location"]) == (302, reverse("support"))
    assert not type(organisation).objects.filter(name="By mistake").exists()
    assert client.get(reverse("organisations")).context["user"] == supporter


def test_only_support_with_a_second_factor_gets_in() -> None:
    target = build.a_user()
    for user in (build.a_user(), build.an_organisation().memberships.get().user):
        client = signed_in(user)
        assert client.get(reverse("support")).status_code == 403
        assert look(client, target).status_code == 403
    weak = signed_in(a_supporter(), second_factor=False)
    assert weak.get(reverse("support")).status_code == 403
    assert look(weak, target).status_code == 403
    assert not Impersonation.objects.exists()
    assert Client().get(reverse("support")).status_code == 302


def test_mistakes_are_shown_beside_their_field() -> None:
    client = signed_in(a_supporter())

    unknown = client.post(reverse("support_impersonate"), {"email": "nobody@example.org", "reason": "why"})
    silent = look(client, build.a_user(), reason=" ")
    staff = look(client, build.a_user(is_staff=True))

    assert (unknown.status_code, silent.status_code, staff.status_code) == (400, 400, 409)
    assert b'id="email-refused"' in unknown.content
    assert b'id="reason-refused"' in silent.content
    assert b'id="email-refused"' in staff.content
