"""Accounts elsewhere: what they assert is filed for workers, and never opens somebody else's account."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.socialaccount.internal.flows.login import complete_login
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from accounts import credentials
from accounts.models import Credential, CredentialType, User, Worker
from tests import build
from tests.architecture.tree import ROOT

pytestmark = pytest.mark.django_db
UID = "0000-0002-1825-0097"
RECORD = {
    "orcid-identifier": {"path": UID, "uri": f"https://orcid.example/{UID}"},
    "person": {"name": {"given-names": {"value": "Ada"}, "family-name": {"value": "Example"}}},
}


@pytest.fixture(autouse=True)
def _a_client_of_orcid(settings: Settings) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = {"orcid": {"APP": {"client_id": "c", "secret": "s"}}}


@pytest.fixture
def orcid() -> CredentialType:
    return CredentialType.objects.create(
        slug="orcid", name="ORCID iD", kind="identity", number_check="orcid", evidence_required=False
    )


def shown_elsewhere(user: User | None, *, connect: bool = False) -> Any:
    """Come back from ORCID as somebody signed in here, or as nobody."""
    request = RequestFactory().get("/accounts/orcid/login/callback/")
    request.session = SessionStore()
    request.user = user or AnonymousUser()
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    login = SocialLogin(user=User(), account=SocialAccount(provider="orcid", uid=UID, extra_data=RECORD))
    login.state = {"process": "connect"} if connect else {}
    with context.request_context(request):
        return complete_login(request, login)


def a_worker_who_connected() -> Worker:
    worker = build.a_worker("Ada")
    user = worker.user
    assert user is not None
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    SocialAccount.objects.create(user=user, provider="orcid", uid=UID, extra_data=RECORD)
    return worker


def test_connecting_files_what_is_asserted(orcid: CredentialType) -> None:
    worker = build.a_worker("Ada")
    shown_elsewhere(worker.user, connect=True)

    filed = Credential.objects.get(worker=worker)
    assert (filed.type, filed.source, filed.state) == (orcid, "provider", "filed")
    details = credentials.details_of(filed)
    assert details["number"].replace("-", "") == UID.replace("-", "")
    assert details["claims"]["asserted"] == RECORD
    assert details["holder"] == "Ada Example"


def test_signing_in_with_it_files_it_once(orcid: CredentialType) -> None:
    worker = a_worker_who_connected()

    for _ in range(2):
        assert shown_elsewhere(None).status_code == 302

    assert Credential.objects.filter(worker=worker).count() == 1


def test_nothing_is_filed_without_a_type_of_its_name_or_a_worker(orcid: CredentialType) -> None:
    shown_elsewhere(build.a_user(), connect=True)
    assert not Credential.objects.exists()

    SocialAccount.objects.all().delete()
    CredentialType.objects.filter(pk=orcid.pk).update(active=False)
    a_worker_who_connected()
    shown_elsewhere(None)
    assert not Credential.objects.exists()


def test_an_account_of_another_is_not_taken_over() -> None:
    a_worker_who_connected()
    mallory = build.a_user("Mallory")

    shown_elsewhere(mallory, connect=True)

    assert not SocialAccount.objects.filter(user=mallory).exists()


def test_a_provider_is_offered_where_the_environment_names_its_client() -> None:
    ask = "import marketplace.settings as s; print(sorted(s.SOCIALACCOUNT_PROVIDERS), s.SECURE_CSP['form-action'])"
    given = {
        "ORCID_CLIENT_ID": "c",
        "ORCID_HOST": "sandbox.orcid.example",
        "OIDC_CLIENT_ID": "d",
        "OIDC_SERVER_URL": "https://id.example.org/realms/x",
    }
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=ROOT, env=os.environ | given, capture_output=True, text=True, check=True
    )

    assert "['openid_connect', 'orcid']" in done.stdout
    assert "https://sandbox.orcid.example" in done.stdout
    assert "https://id.example.org'" in done.stdout
