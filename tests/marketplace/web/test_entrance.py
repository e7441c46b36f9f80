"""Signing in and up, in the site's own look."""

import pytest
from django.core import mail
from django.test import Client

from tests import build

pytestmark = pytest.mark.django_db

OPEN = (
    "login/",
    "signup/",
    "password/reset/",
    "password/reset/done/",
    "password/reset/key/done/",
    "inactive/",
)
MINE = (
    "logout/",
    "email/",
    "password/change/",
    "password/set/",
    "reauthenticate/",
    "2fa/",
    "2fa/totp/activate/",
    "2fa/webauthn/add/",
    "2fa/recovery-codes/generate/",
    "sessions/",
    "3rdparty/",
)


@pytest.mark.parametrize("path", OPEN)
def test_every_open_page_wears_the_sites_look(client: Client, path: str) -> None:
    page = client.get(f"/accounts/{path}").content.decode()

    assert '<div class="narrow card">' in page
    assert "touchstone.css" in page


@pytest.mark.parametrize("path", MINE)
def test_every_page_of_ones_own_account_wears_it_too(client: Client, path: str) -> None:
    client.force_login(build.a_user(password=None if path == "password/set/" else "a-quiet-river-9"))

    assert ' card">' in client.get(f"/accounts/{path}", follow=True).content.decode()


def test_a_wrong_password_is_told_beside_the_form(client: Client) -> None:
    build.a_user("Ada", password="a-quiet-river-9")

    page = client.post("/accounts/login/", {"login": "ada@example.org", "password": "wrong-river-9"})

    assert "errorlist" in page.content.decode()


def test_a_forgotten_password_is_mended_by_mail(client: Client) -> None:
    user = build.a_user(password="a-quiet-river-9")

    client.post("/accounts/password/reset/", {"email": user.email})
    link = next(word for word in mail.outbox[0].body.split() if "/password/reset/key/" in word)
    path = "/" + link.partition("//")[2].partition("/")[2]
    form = client.get(path, follow=True)
    done = client.post(form.redirect_chain[-1][0], {"password1": "a-loud-river-8", "password2": "a-loud-river-8"})

    assert done.status_code == 302
    assert client.login(email=user.email, password="a-loud-river-8")


def test_a_page_that_is_not_there_says_so_in_the_same_look(client: Client) -> None:
    page = client.get("/nowhere")

    assert page.status_code == 404
    assert "There is nothing here" in page.content.decode()
