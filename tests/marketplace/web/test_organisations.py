"""The pages of organisations: by forms, with refusals in place, and nothing for who does not belong."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts import inviting, organising
from accounts.models import AuditRow, Organisation, User
from accounts.queries import role_in
from marketplace.api import ids
from tests import build
from tests.sign_in import sign_in

pytestmark = pytest.mark.django_db
ADA = "ada@example.org"
ACTS = ("invite", "withdraw", "role", "remove", "transfer", "leave")
PAGES = ("organisation", *(f"organisation_{act}" for act in ACTS), "invitation", "invitation_accept")


@pytest.fixture
def dora(client: Client) -> User:
    """An owner, signed in with a second factor."""
    user = build.a_user("Dora")
    sign_in(client, user)
    return user


@pytest.fixture
def north(dora: User) -> Organisation:
    return build.an_organisation("North", owner=dora)


def page_of(organisation: Organisation, act: str = "") -> str:
    address = f"/organisations/{ids.public('org', organisation.pk)}"
    return f"{address}/{act}" if act else address


def a_browser(user: User, *, second_factor: bool = True) -> Client:
    browser = Client()
    sign_in(browser, user, second_factor=second_factor)
    return browser


def verified(user: User, email: str) -> User:
    EmailAddress.objects.create(user=user, email=email, verified=True)
    return user


def member_id(organisation: Organisation, user: User) -> str:
    return ids.public("mem", organisation.memberships.get(user=user).pk)


def link() -> str:
    found = re.search(r"(/invitations/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def test_an_organisation_is_founded_on_its_page(client: Client, dora: User) -> None:
    assert "You belong to none yet" in client.get("/organisations").content.decode()

    page = client.post("/organisations/found", {"name": " South "}, follow=True)

    assert "South is founded" in page.content.decode()
    assert page.redirect_chain[0][0].startswith("/organisations/org_")
    assert "South" in client.get("/organisations").content.decode()
    assert AuditRow.objects.filter(subject="accounts_organisation", actor=f"user:{dora.pk}").exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\0b", "a\nb", "a\u202eb"])
def test_a_name_that_cannot_be_shown_is_refused_beside_its_field(client: Client, dora: User, name: str) -> None:
    page = client.post("/organisations/found", {"name": name})

    assert page.status_code == 400
    assert 'id="name-refused"' in page.content.decode()
    assert Organisation.objects.count() == 0


def test_an_owner_sees_members_and_open_invitations(client: Client, north: Organisation, dora: User) -> None:
    organising.add_member(north, user=build.a_user("Edo"), role="finance")
    inviting.invite_member(north, email=ADA, role="reviewer", invited_by=dora)

    page = client.get(page_of(north)).content.decode()

    assert all(text in page for text in ("Edo", ADA, "Handing over and leaving", "from Dora"))


def test_others_than_owners_see_their_role_and_no_member(north: Organisation, dora: User) -> None:
    edo = build.a_user("Edo")
    organising.add_member(north, user=edo, role="finance")

    page = a_browser(edo).get(page_of(north)).content.decode()

    assert "Your role: finance" in page
    assert dora.email not in page
    assert "/invite" not in page


def test_an_owner_without_a_second_factor_is_told_where_to_show_one(north: Organisation, dora: User) -> None:
    browser = a_browser(dora, second_factor=False)

    page = browser.get(page_of(north))
    refused = browser.post(page_of(north, "invite"), {"email": ADA, "role": "owner"})

    assert page.status_code == 200
    assert "/accounts/2fa/" in page.content.decode().split('class="note bad"')[1]
    assert refused.status_code == 403
    assert mail.outbox == []


def test_an_invitation_is_sent_followed_and_accepted(client: Client, north: Organisation, dora: User) -> None:
    sent = client.post(page_of(north, "invite"), {"email": ADA, "role": "manager"}, follow=True)
    assert f"An invitation is on its way to {ADA}" in sent.content.decode()
    ada = verified(build.a_user("Ada"), ADA)
    browser = a_browser(ada)

    offer = browser.get(link())
    joined = browser.post(f"{link()}/accept", follow=True)

    assert "Dora invites you to act for North" in offer.content.decode()
    assert "no-store" in offer["Cache-Control"]
    assert "You act for North now" in joined.content.decode()
    assert role_in(ada, north.pk) == "manager"
    again = browser.get(link())
    assert again.status_code == 404
    assert "This invitation cannot be used" in again.content.decode()


def test_a_stranger_sees_the_same_page_whatever_the_link_says(client: Client, north: Organisation) -> None:
    client.post(page_of(north, "invite"), {"email": ADA, "role": "manager"})
    real, made_up = link(), "/invitations/" + "x" * (len(link()) - len("/invitations/"))

    pages = [Client().get(address) for address in (real, made_up)]

    shown = [page.content.decode().replace(address, "") for page, address in zip(pages, (real, made_up), strict=True)]
    assert shown[0] == shown[1]
    assert "North" not in shown[0]
    assert f"/accounts/login/?next={real}" in pages[0].content.decode()


def test_a_stolen_link_is_refused_as_a_wrong_one_is_and_says_what_would_help(
    client: Client, north: Organisation, caplog: pytest.LogCaptureFixture
) -> None:
    client.post(page_of(north, "invite"), {"email": ADA, "role": "owner"})
    thief = verified(build.a_user("Thief"), "thief@example.org")
    browser = a_browser(thief)

    told = [browser.get(link()), browser.get("/invitations/no.such"), browser.post(f"{link()}/accept")]

    assert [page.status_code for page in told] == [404, 404, 404]
    assert all("thief@example.org" in page.content.decode() for page in told)
    assert not any("North" in page.content.decode() for page in told)
    assert role_in(thief, north.pk) is None
    assert link() not in caplog.text


def test_what_is_wrong_with_an_invitation_is_said_beside_the_field(client: Client, north: Organisation) -> None:
    page = client.post(page_of(north, "invite"), {"email": "ada@example", "role": "boss"})

    text = page.content.decode()
    assert page.status_code == 400
    assert "This is not an address that mail can be sent to" in text
    assert "This is none of: owner, manager" in text
    assert 'value="ada@example"' in text


def test_an_invitation_is_taken_back(client: Client, north: Organisation, dora: User) -> None:
    invitation, _ = inviting.invite_member(north, email=ADA, role="reviewer", invited_by=dora)
    form = {"invitation": ids.public("inv", invitation.pk)}

    page = client.post(page_of(north, "withdraw"), form, follow=True).content.decode()

    assert f"The invitation to {ADA} is taken back" in page
    assert "Waiting for an answer" not in page
    assert client.post(page_of(north, "withdraw"), form).status_code == 409


def test_an_owner_changes_a_role_and_removes_a_member(client: Client, north: Organisation) -> None:
    edo = build.a_user("Edo")
    organising.add_member(north, user=edo, role="finance")
    form = {"member": member_id(north, edo)}

    changed = client.post(page_of(north, "role"), form | {"role": "reviewer"}, follow=True)
    assert "Edo is reviewer now" in changed.content.decode()
    assert role_in(edo, north.pk) == "reviewer"
    removed = client.post(page_of(north, "remove"), form, follow=True)
    assert "Edo is a member no longer" in removed.content.decode()
    assert role_in(edo, north.pk) is None


def test_the_last_owner_is_told_why_they_stay(client: Client, north: Organisation, dora: User) -> None:
    refused = client.post(page_of(north, "leave"))
    down = client.post(page_of(north, "role"), {"member": member_id(north, dora), "role": "manager"})

    assert (refused.status_code, down.status_code) == (409, 409)
    assert "The last owner stays" in refused.content.decode()
    assert role_in(dora, north.pk) == "owner"


def test_ownership_is_handed_over_and_then_one_may_leave(client: Client, north: Organisation, dora: User) -> None:
    edo = build.a_user("Edo")
    organising.add_member(north, user=edo, role="manager")

    handed = client.post(page_of(north, "transfer"), {"member": member_id(north, edo)}, follow=True)
    assert "Edo owns it now in your place" in handed.content.decode()
    left = client.post(page_of(north, "leave"), follow=True)

    assert left.redirect_chain == [("/organisations", 302)]
    assert "You have left North" in left.content.decode()
    assert (role_in(dora, north.pk), role_in(edo, north.pk)) == (None, "owner")


def test_who_manages_no_members_changes_none_and_raises_nobody(north: Organisation, dora: User) -> None:
    edo = build.a_user("Edo")
    gus = build.a_user("Gus")
    organising.add_member(north, user=edo, role="manager")
    organising.add_member(north, user=gus, role="finance")
    invitation, _ = inviting.invite_member(north, email=ADA, role="reviewer", invited_by=dora)
    browser = a_browser(edo)
    forms = {
        "invite": {"email": "edo.two@example.org", "role": "owner"},
        "role": {"member": member_id(north, gus), "role": "owner"},
        "remove": {"member": member_id(north, dora)},
        "transfer": {"member": member_id(north, edo)},
        "withdraw": {"invitation": ids.public("inv", invitation.pk)},
    }

    told = {act: browser.post(page_of(north, act), form).status_code for act, form in forms.items()}

    assert told == dict.fromkeys(forms, 403)
    assert (role_in(edo, north.pk), role_in(dora, north.pk)) == ("manager", "owner")
    assert inviting.pending_of(north).get() == invitation


@pytest.mark.parametrize("act", ["", *ACTS])
def test_an_organisation_of_others_is_not_there(client: Client, dora: User, act: str) -> None:
    elsewhere = build.an_organisation("Elsewhere")
    for address in (page_of(elsewhere, act), f"/organisations/no-such/{act}".rstrip("/")):
        response = client.post(address) if act else client.get(address)
        assert response.status_code == 404


def test_a_member_or_an_invitation_of_another_organisation_is_not_there(client: Client, north: Organisation) -> None:
    elsewhere = build.an_organisation()
    owner = elsewhere.memberships.get().user
    invitation, _ = inviting.invite_member(elsewhere, email=ADA, role="reviewer", invited_by=owner)
    member = {"member": member_id(elsewhere, owner), "role": "finance"}

    assert [client.post(page_of(north, act), member).status_code for act in ("role", "remove", "transfer")] == [404] * 3
    taken = client.post(page_of(north, "withdraw"), {"invitation": ids.public("inv", invitation.pk)})
    assert taken.status_code == 404


@pytest.mark.parametrize("name", PAGES)
def test_a_stranger_is_sent_to_sign_in(name: str, north: Organisation) -> None:
    what = ids.public("org", north.pk) if name.startswith("organisation") else "no.such"
    address = reverse(name, args=[what])

    response = Client().get(address) if name in {"organisation", "invitation"} else Client().post(address)

    assert response.status_code == (200 if name == "invitation" else 302)
    if response.status_code == 302:
        assert response["Location"].startswith("/accounts/login/?next=/organisations")


def test_forms_need_the_csrf_token(north: Organisation, dora: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    sign_in(browser, dora)
    assert browser.post(page_of(north, "invite"), {"email": ADA, "role": "owner"}).status_code == 403
    assert mail.outbox == []
