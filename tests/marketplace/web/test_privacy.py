"""The page of privacy: a download, and an end."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts import organising
from accounts.models import User
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    sign_in(client, user)
    return client


def test_the_download_is_an_archive_and_strangers_get_none() -> None:
    response = signed_in(build.a_user()).get(reverse("privacy_export"))

    assert response["Content-Type"] == "application/zip"
    assert b"".join(response.streaming_content)[:2] == b"PK"  # type: ignore[attr-defined]
    assert Client().get(reverse("privacy_export")).status_code == 302


def test_a_wrong_address_is_told_beside_its_field() -> None:
    user = build.a_user()

    page = signed_in(user).post(reverse("privacy_erase"), {"email": "other@example.org"})

    assert page.status_code == 400
    assert b'id="email-refused"' in page.content
    assert User.objects.filter(pk=user.pk).exists()


def test_what_stands_in_the_way_is_listed() -> None:
    user = build.a_user()
    organising.add_member(build.an_organisation("North", owner=user), user=build.a_user(), role="manager")

    page = signed_in(user).post(reverse("privacy_erase"), {"email": user.email})

    assert page.status_code == 409
    assert b"last owner of North" in page.content


def test_the_account_is_erased_and_the_browser_signed_out() -> None:
    worker = build.a_worker("Wanda")
    user = worker.user
    assert user is not None
    client = signed_in(user)
    assert b"Erase my account" in client.get(reverse("privacy")).content

    page = client.post(reverse("privacy_erase"), {"email": user.email}, follow=True)

    assert b"Your account is erased" in page.content
    assert not page.context["user"].is_authenticated
    assert not User.objects.filter(email=user.email).exists()
    worker.refresh_from_db()
    assert worker.state == "erased"
