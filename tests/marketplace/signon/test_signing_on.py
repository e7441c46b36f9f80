"""Signing up, in and out: by code, by password, with a second factor; from the pages and headless."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import AuditRow, User, Worker
from tests import build
from tests.sign_in import a_factor, sign_in

pytestmark = pytest.mark.django_db
PASSWORD = "a-quiet-river-9"


@pytest.fixture(autouse=True)
def _no_limits_left_over() -> None:
    cache.clear()


def mailed_code() -> str:
    """The code in the last mail."""
    lines = [line.strip() for line in str(mail.outbox[-1].body).splitlines()]
    return str(next(line for line in lines if re.fullmatch(r"[A-Z0-9]{3,}(-[A-Z0-9]{3,})*", line)))


def digits_of(user: User) -> str:
    """What the user's app shows now."""
    secret = Authenticator.objects.get(user=user, type="totp").data["secret"]
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    return str(totp.format_hotp_value(totp.hotp_value(totp.decrypt(secret), counter)))


def somebody(name: str = "Ada") -> User:
    """Somebody with a password and a proved address."""
    user = build.a_user(name, password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def sign_up(client: Client, email: str, then: str = "") -> Any:
    address = "/accounts/signup/" + (f"?next={then}" if then else "")
    return client.post(address, {"email": email, "password1": PASSWORD, "password2": PASSWORD})


def test_what_somebody_changes_on_the_pages_of_signing_in_is_on_record_in_their_name(client: Client) -> None:
    user = somebody()
    told = {"login": user.email, "password": PASSWORD}
    assert client.post("/accounts/login/", told).status_code == 302

    again = {"oldpassword": PASSWORD, "password1": "another-quiet-river-9", "password2": "another-quiet-river-9"}
    assert client.post("/accounts/password/change/", again).status_code == 302

    row = AuditRow.objects.filter(subject="accounts_user", subject_id=user.pk).latest("pk")
    assert ((row.after or {}).get("changed"), row.actor) == (["password"], f"user:{user.pk}")


@pytest.mark.parametrize(("choice", "place"), [(0, "/work/welcome"), (1, "/organisations")])
def test_who_joins_proves_the_address_by_code_and_lands_where_they_chose(
    client: Client, choice: int, place: str
) -> None:
    address = re.findall(r'href="(/accounts/signup/[^"]+)" role="button"', client.get("/join").content.decode())[choice]

    form = client.get(address).content.decode()
    kept = re.search(r'name="next" value="([^"]+)"', form)
    assert kept is not None
    data = {"email": "noor@example.org", "password1": PASSWORD, "password2": PASSWORD, "next": kept[1]}
    asked = client.post("/accounts/signup/", data)
    assert asked.headers["Location"] == "/accounts/confirm-email/"
    assert "_auth_user_id" not in client.session

    done = client.post("/accounts/confirm-email/", {"code": mailed_code()})

    assert done.headers["Location"] == place
    assert EmailAddress.objects.get(email="noor@example.org").verified
    assert "_auth_user_id" in client.session


def test_a_wrong_code_proves_nothing_and_three_end_the_attempt(client: Client) -> None:
    sign_up(client, "noor@example.org")

    for _ in range(3):
        client.post("/accounts/confirm-email/", {"code": "WRONG-1"})
    client.post("/accounts/confirm-email/", {"code": mailed_code()})

    assert not EmailAddress.objects.get(email="noor@example.org").verified
    assert "_auth_user_id" not in client.session


def test_a_known_address_signs_in_by_an_emailed_code(client: Client) -> None:
    user = somebody()

    client.post("/accounts/login/code/", {"email": user.email})
    done = client.post("/accounts/login/code/confirm/", {"code": mailed_code()})

    assert done.status_code == 302
    assert client.session["_auth_user_id"] == str(user.pk)


def test_a_password_alone_does_not_sign_in_whoever_has_a_second_factor(client: Client) -> None:
    user = somebody()
    a_factor(user)

    asked = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert asked.headers["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert "_auth_user_id" not in client.session

    client.post("/accounts/2fa/authenticate/", {"code": digits_of(user)})
    assert client.session["_auth_user_id"] == str(user.pk)


def test_an_emailed_code_alone_does_not_either(client: Client) -> None:
    user = somebody()
    a_factor(user)

    client.post("/accounts/login/code/", {"email": user.email})
    asked = client.post("/accounts/login/code/confirm/", {"code": mailed_code()})

    assert asked.headers["Location"] == "/accounts/2fa/authenticate/"
    assert "_auth_user_id" not in client.session


def test_a_recovery_code_opens_once(client: Client) -> None:
    user = somebody()
    client.force_login(user)
    _set_up_an_app(client, user)
    code = Authenticator.objects.get(user=user, type="recovery_codes").wrap().get_unused_codes()[0]

    for works in (True, False):
        door = Client()
        door.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        door.post("/accounts/2fa/authenticate/", {"code": code})
        assert ("_auth_user_id" in door.session) is works


def test_setting_up_a_factor_asks_for_the_password_again(client: Client) -> None:
    client.force_login(somebody())

    asked = client.get("/accounts/2fa/totp/activate/")

    assert asked.headers["Location"].startswith("/accounts/reauthenticate/")


def test_the_secrets_of_second_factors_are_sealed_at_rest(client: Client) -> None:
    user = somebody()
    client.force_login(user)
    shown = _set_up_an_app(client, user)

    for kept in Authenticator.objects.filter(user=user):
        assert shown not in str(kept.data)
        assert kept.wrap() is not None
    assert totp.decrypt(Authenticator.objects.get(user=user, type="totp").data["secret"]) == shown
    seed = Authenticator.objects.get(user=user, type="recovery_codes").data["seed"]
    assert totp.decrypt(seed) not in seed


def test_one_session_or_all_others_are_ended_from_the_list(client: Client) -> None:
    user, mallory = somebody(), somebody("Mallory")
    others = [Client(), Client(), Client()]
    for door in (client, *others):
        door.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    stranger = Client()
    sign_in(stranger, mallory)
    rows = list(UserSession.objects.filter(user=user).order_by("pk"))
    assert len(rows) == 4
    assert "This one" in client.get("/accounts/sessions/").content.decode()

    stranger.post("/me/sessions/end", {"session": rows[1].pk})
    assert "_auth_user_id" in others[0].session, "another's session is left alone"
    client.post("/me/sessions/end", {"session": rows[1].pk})
    assert [("_auth_user_id" in door.session) for door in (client, *others)] == [True, False, True, True]

    client.post("/accounts/sessions/")
    assert [("_auth_user_id" in door.session) for door in (client, *others)] == [True, False, False, False]


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30])
def test_a_session_that_is_none_is_ended_quietly(client: Client, number: str) -> None:
    client.force_login(somebody())

    assert client.post("/me/sessions/end", {"session": number}).headers["Location"] == "/accounts/sessions/"


def test_the_headless_api_signs_in_with_the_same_second_factor(client: Client) -> None:
    user = somebody()
    a_factor(user)
    base = "/_allauth/browser/v1/auth"

    asked = client.post(f"{base}/login", {"email": user.email, "password": PASSWORD}, content_type="application/json")
    assert asked.status_code == 401
    flows = {flow["id"]: flow for flow in asked.json()["data"]["flows"]}
    assert flows["mfa_authenticate"]["is_pending"]
    done = client.post(f"{base}/2fa/authenticate", {"code": digits_of(user)}, content_type="application/json")

    assert done.status_code == 200
    assert client.session["_auth_user_id"] == str(user.pk)


def test_a_suspended_user_does_not_get_in(client: Client) -> None:
    user = somebody()
    User.objects.filter(pk=user.pk).update(is_active=False)

    answer = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert answer.headers["Location"] == "/accounts/inactive/"
    assert "_auth_user_id" not in client.session


def test_a_user_deactivated_while_signed_in_is_out_on_the_next_request(client: Client) -> None:
    user = somebody()
    sign_in(client, user)
    assert client.get("/api/v1/me").status_code == 200

    User.objects.filter(pk=user.pk).update(is_active=False)

    assert client.get("/api/v1/me").status_code == 401


def test_no_worker_is_made_by_signing_up_alone(client: Client) -> None:
    sign_up(client, "noor@example.org", "/work/welcome")
    client.post("/accounts/confirm-email/", {"code": mailed_code()})

    assert not Worker.objects.filter(user__email="noor@example.org").exists()
    assert 'value="noor"' in client.get("/work/welcome").content.decode()


def _set_up_an_app(client: Client, user: User) -> str:
    """Set an app up on the pages; returns the secret that was shown."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    found = re.search(r'id="authenticator_secret" value="([A-Z2-7]+)"', page)
    assert found is not None
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    code = totp.format_hotp_value(totp.hotp_value(found[1], counter))
    client.post("/accounts/2fa/totp/activate/", {"code": code})
    return found[1]
