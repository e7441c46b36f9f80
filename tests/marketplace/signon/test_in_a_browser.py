"""Passkeys and apps in a real browser, with a virtual authenticator where the finger would be."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from marketplace.api import ids
from tests import build
from tests.browser import NARROW, Browser, browsing, width
from tests.marketplace.api.client import Api
from tests.sign_in import sign_in

PASSWORD = "a-quiet-river-9"
PAGES = (
    "/join",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/login/code/",
    "/accounts/password/reset/",
)
OWN_PAGES = (
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/sessions/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/3rdparty/",
)


def an_owner() -> User:
    """An owner with a password and a proved address."""
    user = build.a_user("Ada", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    build.an_organisation("North", owner=user)
    return user


def a_virtual_authenticator(page: Page) -> Any:
    """A platform authenticator that always says yes; the session of the protocol it was made in."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def test_a_passkey_is_added_and_signs_in_alone_with_all_its_rights(committed_server: LiveServer) -> None:
    owner = an_owner()
    client = Client()
    session = sign_in(client, owner, second_factor=False)
    with browsing(committed_server.url) as browser:
        page = browser.open("/accounts/2fa/", session=session)
        expect(page.get_by_role("main")).not_to_contain_text("You have a second factor")
        page.get_by_role("button", name="Add a passkey").click()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
        a_virtual_authenticator(page)
        page.get_by_label("Name").fill("My telephone")
        expect(page.get_by_label("Let me sign in with it alone")).to_be_checked()
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("textbox", name="Unused codes")).to_be_visible()

        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign in").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("link", name="Account", exact=True)).to_be_visible()
        expect(page.get_by_role("main")).not_to_contain_text("waits for a second factor")
        page.goto(committed_server.url + "/accounts/2fa/webauthn/")
        expect(page.get_by_role("heading", name="My telephone")).to_be_visible()
        cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
        complaints = list(browser.complaints)

    assert complaints == []
    api = Client()
    api.cookies["sessionid"] = cookies["sessionid"]
    organisation = ids.public("org", owner.memberships.get().organisation_id)
    assert api.get(f"/api/v1/organisations/{organisation}/members").status_code == 200
    assert Authenticator.objects.filter(user=owner, type="webauthn").count() == 1


def test_a_passkey_that_is_not_given_is_told_on_the_page(committed_server: LiveServer) -> None:
    with browsing(committed_server.url) as browser:
        page = browser.open("/accounts/login/")
        page.route("**/2fa/webauthn/login/", lambda route: route.abort())
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert").filter(has_text="The passkey was not used")).to_be_visible()


def test_setting_an_app_up_lifts_the_wait_in_this_session_alone(committed_server: LiveServer) -> None:
    owner = an_owner()
    client = Client()
    session = sign_in(client, owner, second_factor=False)
    organisation = ids.public("org", owner.memberships.get().organisation_id)
    members = f"organisations/{organisation}/members"
    elsewhere = Api(user=owner, second_factor=False)
    with browsing(committed_server.url) as browser:
        page = browser.open("/", session=session, javascript=False)
        page.get_by_role("link", name="Set one up or show it").click()
        page.get_by_role("button", name="Set up an app").click()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
        secret = page.get_by_label("Authenticator secret").input_value()
        counter = next(iter(totp.yield_hotp_counters_from_time()))
        page.get_by_label("Authenticator code").fill(totp.format_hotp_value(totp.hotp_value(secret, counter)))
        page.get_by_role("button", name="Activate").click()
        page.goto(committed_server.url + "/")
        expect(page.get_by_role("main")).not_to_contain_text("waits for a second factor")

    assert client.get(f"/api/v1/{members}").status_code == 200
    assert elsewhere.get(members).status_code == 403


@pytest.mark.parametrize("size", [NARROW, (360, 640)])
def test_no_page_of_signing_on_is_wider_than_a_small_telephone(
    committed_server: LiveServer, size: tuple[int, int]
) -> None:
    owner = an_owner()
    client = Client()
    session = sign_in(client, owner)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    with browsing(committed_server.url) as browser:
        wide = [path for path in PAGES if _width(browser, path, size) > size[0]]
        wide += [path for path in OWN_PAGES if _width(browser, path, size, session) > size[0]]
        complaints = list(browser.complaints)

    assert wide == []
    assert complaints == []


def _width(browser: Browser, path: str, size: tuple[int, int], session: str = "") -> int:
    page = browser.open(path, size=size, session=session)
    found = width(page)
    page.context.close()
    return found
