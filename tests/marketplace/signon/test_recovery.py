"""Who has lost every second factor is let back in by whoever runs the server, and is told."""

from __future__ import annotations

from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import AuditRow
from tests import build
from tests.sign_in import a_factor, sign_in

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough one"


def test_without_a_factor_the_password_is_enough_again_and_the_person_is_told() -> None:
    cache.clear()
    user = build.a_user("Ada", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    a_factor(user)
    here, elsewhere = Client(), Client()
    told = {"login": user.email, "password": PASSWORD}
    UserSession.objects.create(user=user, session_key=sign_in(elsewhere, user), ip="192.0.2.1", user_agent="")
    assert elsewhere.get("/me").status_code == 200
    assert here.post("/accounts/login/", told)["Location"] == "/accounts/2fa/authenticate/"
    said = StringIO()

    call_command("forget_factors", user.email.upper(), stdout=said)

    assert "Second factors removed: 1." in said.getvalue()
    assert not Authenticator.objects.filter(user=user).exists()
    assert elsewhere.get("/me").status_code == 302
    assert Client().post("/accounts/login/", told)["Location"] != "/accounts/2fa/authenticate/"
    assert [(one.to, one.subject) for one in mail.outbox] == [([user.email], "Your second factors were removed")]
    row = AuditRow.objects.get(subject="mfa_authenticator", action="delete")
    assert row.actor == "command:forget_factors"


def test_who_is_not_known_is_named() -> None:
    with pytest.raises(CommandError, match="Nobody"):
        call_command("forget_factors", "nobody@example.org")
