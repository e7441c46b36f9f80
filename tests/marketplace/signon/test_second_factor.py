"""What waits for a second factor, and what does not."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import organising
from accounts.models import Membership, User
from marketplace.api import ids, policies
from marketplace.api.refusals import NotAllowed, SecondFactorNeeded
from tests import build
from tests.marketplace.api.client import Api
from tests.sign_in import a_factor, sign_in

pytestmark = pytest.mark.django_db
NEEDED = "/problems/second-factor-needed"


@pytest.fixture(autouse=True)
def _no_limits_left_over() -> None:
    cache.clear()


def an_owner(**known: str) -> tuple[User, str]:
    """An owner, and the public id of what they own."""
    user = build.a_user("Ada", **known)
    return user, ids.public("org", build.an_organisation(owner=user).pk)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "organisations/{org}/members", None),
        ("GET", "organisations/{org}/keys", None),
        ("POST", "organisations/{org}/keys", {"name": "k", "scopes": ["jobs:read"]}),
        ("GET", "audit?organisation={org}", None),
    ],
)
def test_an_owners_powers_wait_for_a_second_factor(method: str, path: str, body: object) -> None:
    user, organisation = an_owner()
    address = path.format(org=organisation)

    withheld = Api(user=user, second_factor=False).send(method, address, body)
    held = Api(user=user).send(method, address, body)

    if "audit" not in path:
        assert (withheld.status_code, withheld.json()["type"]) == (403, NEEDED)
        assert "/accounts/2fa/" in withheld.json()["detail"]
    assert held.status_code in {200, 201}


def test_what_everybody_may_do_waits_for_nothing() -> None:
    user, organisation = an_owner()
    api = Api(user=user, second_factor=False)

    assert api.get(f"organisations/{organisation}").status_code == 200
    assert api.get("jobs").status_code == 200
    assert Api(user=build.a_worker("Ben").user, second_factor=False).get("workers/me").status_code == 200


def test_finance_members_wait_and_managers_do_not() -> None:
    organisation = build.an_organisation()
    found = {}
    for role in (Membership.Role.FINANCE, Membership.Role.MANAGER):
        user = build.a_user()
        organising.add_member(organisation, user=user, role=role)
        found[role] = policies.of_user(user, assured=False)

    with pytest.raises(SecondFactorNeeded):
        found[Membership.Role.FINANCE].need("money:write", organisation.pk)
    found[Membership.Role.MANAGER].need("jobs:write", organisation.pk)
    with pytest.raises(NotAllowed):
        found[Membership.Role.MANAGER].need("money:write", organisation.pk)


def test_platform_roles_wait() -> None:
    user = build.a_user()
    organising.give_platform_role(user, "treasurer")

    with pytest.raises(SecondFactorNeeded):
        policies.of_user(user, assured=False).need_platform(policies.DEPOSITING_ROLES)
    policies.of_user(user, assured=True).need_platform(policies.DEPOSITING_ROLES)
    with pytest.raises(NotAllowed):
        policies.of_user(build.a_user(), assured=False).need_platform(policies.DEPOSITING_ROLES)


def test_withheld_rights_are_not_held_in_lists_either() -> None:
    user, _ = an_owner()

    assert policies.of_user(user, assured=False).with_right("members") == []
    assert len(policies.of_user(user, assured=True).with_right("members")) == 1


def test_a_payout_asks_a_worker_for_a_second_factor_and_a_key_for_a_person() -> None:
    worker = build.a_worker()
    assert worker.user is not None

    policies.need_second_factor(policies.of_user(worker.user, assured=True))
    with pytest.raises(SecondFactorNeeded):
        policies.need_second_factor(policies.of_user(worker.user, assured=False))
    with pytest.raises(NotAllowed):
        policies.need_second_factor(policies.of_key(build.a_worker_key(worker)[0]))


def test_a_site_may_ask_for_none(settings: Settings) -> None:
    settings.MFA_REQUIRED = False
    user, organisation = an_owner()

    assert Api(user=user, second_factor=False).get(f"organisations/{organisation}/members").status_code == 200


def test_a_factor_that_was_removed_counts_no_more() -> None:
    user, organisation = an_owner()
    api = Api(user=user)
    assert api.get(f"organisations/{organisation}/members").status_code == 200

    Authenticator.objects.filter(user=user).delete()

    assert api.get(f"organisations/{organisation}/members").status_code == 403


def test_another_ones_factor_does_not_count() -> None:
    user, organisation = an_owner()
    api = Api(user=user)
    Authenticator.objects.filter(user=user).update(user=build.a_user())

    assert api.get(f"organisations/{organisation}/members").status_code == 403


def test_a_factor_set_up_elsewhere_is_shown_before_it_counts_here(client: Client) -> None:
    user, organisation = an_owner(password="a-quiet-river-9")
    sign_in(client, user, second_factor=False)
    members = f"/api/v1/organisations/{organisation}/members"
    a_factor(user)
    assert client.get(members).status_code == 403
    page = client.get("/organisations").content.decode() if client.get("/organisations").status_code == 200 else ""
    assert not page or "/accounts/2fa/reauthenticate/?next=" in page

    secret = totp.decrypt(Authenticator.objects.get(user=user, type="totp").data["secret"])
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    code = totp.format_hotp_value(totp.hotp_value(secret, counter))
    client.post("/accounts/2fa/reauthenticate/", {"code": code})

    assert client.get(members).status_code == 200


def test_whoever_needs_none_is_not_told_of_one(client: Client) -> None:
    sign_in(client, build.a_user(), second_factor=False)

    assert "waits for a second factor" not in client.get("/").content.decode()


def test_the_admin_is_closed_without_one_and_says_where_to_get_it(client: Client) -> None:
    fay = build.a_user("Fay")
    organising.give_platform_role(fay, "admin")
    sign_in(client, fay, second_factor=False)

    refused = client.get("/admin/", follow=True)
    assert refused.redirect_chain[-1][0] == "/accounts/2fa/"
    a_factor(fay)
    refused = client.get("/admin/", follow=True)
    assert refused.redirect_chain[1][0] == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2F"

    sign_in(client, fay)
    assert client.get("/admin/").status_code == 200
