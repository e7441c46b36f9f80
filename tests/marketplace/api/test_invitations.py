"""Invitations, handing over and leaving, over HTTP; the mail goes out after the commit and tells nobody anything."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import connection

from accounts import inviting, organising
from accounts.models import AuditRow, Invitation, Organisation, User
from accounts.queries import role_in
from marketplace.api import ids, invitations
from tests import build
from tests.marketplace.api.client import Api, with_key

pytestmark = pytest.mark.django_db
ADA = "ada@example.org"


def verified(user: User, email: str = "") -> User:
    """The user, with an address proved."""
    EmailAddress.objects.create(user=user, email=email or user.email, verified=True, primary=not email)
    return user


def address_of(organisation: Organisation) -> str:
    return f"organisations/{ids.public('org', organisation.pk)}"


def owned() -> tuple[Organisation, User, Api]:
    dora = build.a_user("Dora")
    organisation = build.an_organisation("North", owner=dora)
    return organisation, dora, Api(user=dora)


def sent(api: Api, organisation: Organisation, email: str = ADA, role: str = "reviewer") -> Any:
    return api.post(f"{address_of(organisation)}/invitations", {"email": email, "role": role})


def token_in(message: Any) -> str:
    found = re.search(r"/invitations/([A-Za-z0-9._=-]+)", message.body)
    assert found is not None, message.body
    return found[1]


def test_an_invitation_is_mailed_and_whoever_proves_the_address_joins_by_it() -> None:
    organisation, dora, api = owned()
    ada = verified(build.a_user("Ada"), ADA)

    answer = sent(api, organisation)
    [message] = mail.outbox
    joined = Api(user=ada).post("invitations/accept", {"token": token_in(message)})

    assert (answer.status_code, joined.status_code) == (201, 201)
    assert message.to == [ADA]
    assert message.subject == "Dora invites you to North on Touchstone"
    assert "as Reviewer" in message.body
    assert token_in(message) not in answer.content.decode()
    assert joined.json() | {"member": ""} == {
        "member": "",
        "organisation": ids.public("org", organisation.pk),
        "name": "North",
        "role": "reviewer",
    }
    assert role_in(ada, organisation.pk) == "reviewer"
    joins = AuditRow.objects.filter(subject="accounts_membership", action="insert", actor=f"user:{ada.pk}")
    assert joins.count() == 1
    assert Api(user=dora).get(f"{address_of(organisation)}/invitations").json()["results"] == []


def test_a_wrong_address_and_a_wrong_token_are_told_alike() -> None:
    organisation, _, api = owned()
    sent(api, organisation)
    token = token_in(mail.outbox[0])
    unproved = build.a_user("Unproved")
    EmailAddress.objects.create(user=unproved, email=ADA, verified=False)
    callers = (verified(build.a_user("Thief")), unproved)

    told = [Api(user=user).post("invitations/accept", {"token": token}) for user in callers]
    told.append(Api(user=callers[0]).post("invitations/accept", {"token": "no.such"}))

    assert {one.content for one in told} == {told[0].content}
    assert (told[0].status_code, told[0].json()["type"]) == (404, "/problems/no-such-invitation")
    assert organisation.memberships.count() == 1


def test_inviting_answers_the_same_whether_the_address_has_an_account() -> None:
    organisation, _, api = owned()
    known = verified(build.a_user("Known"))

    answers = [sent(api, organisation, email) for email in (known.email, "nobody@example.org")]

    shown = [answer.json() | {"id": "", "email": "", "created_at": "", "expires_at": ""} for answer in answers]
    assert shown[0] == shown[1]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (re.sub(r"\S*(/invitations/|@)\S*", "", str(message.body)) for message in mail.outbox)
    assert first == second


def test_an_invitation_is_listed_and_taken_back_by_its_owner_alone() -> None:
    organisation, _, api = owned()
    address = f"{address_of(organisation)}/invitations"
    made = sent(api, organisation).json()
    listed = api.get(address).json()["results"]
    assert listed == [made]
    assert set(made) == {"id", "email", "role", "invited_by", "created_at", "expires_at"}

    other, _, stranger = owned()
    assert stranger.delete(f"{address}/{made['id']}").status_code == 404
    assert stranger.delete(f"{address_of(other)}/invitations/{made['id']}").status_code == 404
    assert api.delete(f"{address}/{made['id']}").status_code == 204
    assert api.delete(f"{address}/{made['id']}").json()["type"] == "/problems/invitation-ended"
    assert api.get(address).json()["results"] == []


def test_only_a_person_who_manages_members_and_shows_a_second_factor_invites() -> None:
    organisation, dora, _ = owned()
    edo = build.a_user("Edo")
    organising.add_member(organisation, user=edo, role="manager")
    key = with_key(build.an_organisation_key(organisation, ["members"], created_by=dora))

    told = [sent(api, organisation) for api in (Api(user=edo), key, Api(user=dora, second_factor=False))]

    assert [one.status_code for one in told] == [403, 403, 403]
    assert told[2].json()["type"] == "/problems/second-factor-needed"
    assert (Invitation.objects.count(), len(mail.outbox)) == (0, 0)


def test_an_address_that_is_none_is_refused_by_field() -> None:
    organisation, _, api = owned()

    refused = sent(api, organisation, "ada@example")

    assert refused.status_code == 400
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/email"]
    assert mail.outbox == []


def test_a_mail_that_cannot_be_sent_takes_the_invitation_back(monkeypatch: pytest.MonkeyPatch) -> None:
    organisation, _, api = owned()

    def down(*_: object, **__: object) -> int:
        raise ConnectionRefusedError

    monkeypatch.setattr(invitations, "send_mail", down)
    refused = sent(api, organisation)

    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/mail-not-sent")
    assert inviting.pending_of(organisation).count() == 0


def test_the_mail_is_sent_after_the_invitation_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    organisation, _, api = owned()
    open_then: list[int] = []

    def look(*_: object, **__: object) -> int:
        open_then.append(len(connection.savepoint_ids))
        return 1

    monkeypatch.setattr(invitations, "send_mail", look)
    before = len(connection.savepoint_ids)
    sent(api, organisation)

    assert open_then == [before]


def test_a_subject_has_one_line_whatever_the_names_are() -> None:
    organisation, dora, api = owned()
    User.objects.filter(pk=dora.pk).update(name="Dora\nBcc: x@example.org <b>&")
    sent(api, organisation)

    assert mail.outbox[0].subject == "Dora Bcc: x@example.org <b>& invites you to North on Touchstone"
    assert list(mail.outbox[0].recipients()) == [ADA]


def test_nobody_is_added_by_address_any_more() -> None:
    organisation, _, api = owned()
    refused = api.post(f"{address_of(organisation)}/members", {"email": build.a_user().email, "role": "owner"})
    assert refused.status_code == 405


def test_ownership_is_handed_over_and_the_giver_may_then_leave() -> None:
    organisation, dora, api = owned()
    edo = build.a_user("Edo")
    member = organising.add_member(organisation, user=edo, role="finance")
    address = address_of(organisation)
    assert api.post(f"{address}/leave").json()["type"] == "/problems/last-owner"

    changed = api.post(f"{address}/ownership", {"member": ids.public("mem", member.pk)})

    assert (changed.status_code, changed.json()["role"]) == (200, "owner")
    assert role_in(dora, organisation.pk) == "manager"
    assert api.post(f"{address}/leave").status_code == 204
    assert api.get(address).status_code == 404
    actors = AuditRow.objects.filter(subject="accounts_membership", actor=f"user:{dora.pk}")
    assert actors.filter(action="update").count() == 2
    assert actors.filter(action="delete").count() == 1


def test_nobody_hands_over_what_is_not_theirs_or_to_somebody_else_than_a_member() -> None:
    organisation, _, api = owned()
    edo = build.a_user("Edo")
    his = organising.add_member(organisation, user=edo, role="manager")
    elsewhere = build.an_organisation().memberships.get()
    address = f"{address_of(organisation)}/ownership"

    assert Api(user=edo).post(address, {"member": ids.public("mem", his.pk)}).status_code == 403
    assert api.post(address, {"member": ids.public("mem", elsewhere.pk)}).status_code == 404
    mine = organisation.memberships.get(role="owner")
    assert api.post(address, {"member": ids.public("mem", mine.pk)}).json()["type"] == "/problems/own-role"


def test_a_role_taken_holds_from_the_next_request_on() -> None:
    organisation, _, api = owned()
    edo = build.a_user("Edo")
    member = organising.add_member(organisation, user=edo, role="owner")
    his = Api(user=edo)
    address = f"{address_of(organisation)}/members"
    assert his.get(address).status_code == 200

    api.patch(f"{address}/{ids.public('mem', member.pk)}", {"role": "reviewer"})

    assert his.get(address).status_code == 403
    assert his.patch(f"{address}/{ids.public('mem', member.pk)}", {"role": "owner"}).status_code == 403
