"""An invitation is taken once, in time, by whoever proves the address, and only while its sender is an owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.signing import Signer
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import inviting, organising
from accounts.inviting import NoSuchInvitation
from accounts.models import Invitation, Membership, Organisation, User
from accounts.queries import role_in
from tests import build
from tests.guards import violates
from tests.races import at_once

ADA = "ada@example.org"


def invited(
    organisation: Organisation | None = None, *, email: str = ADA, role: str = "reviewer", **more: Any
) -> tuple[Invitation, str]:
    """An invitation by an owner, and its token."""
    organisation = organisation or build.an_organisation()
    return inviting.invite_member(organisation, email=email, role=role, invited_by=owner_of(organisation), **more)


def owner_of(organisation: Organisation) -> User:
    return organisation.memberships.filter(role="owner").order_by("pk")[0].user


def accept(token: str, user: User, *addresses: str, **more: Any) -> Membership:
    return inviting.accept_invitation(token, user=user, addresses=addresses or (ADA,), **more)


@pytest.mark.django_db
def test_whoever_proves_the_address_takes_the_role() -> None:
    organisation, ada = build.an_organisation(), build.a_user()
    invitation, token = invited(organisation, email=" Ada@Example.org ", role="finance")
    assert (invitation.email, list(inviting.pending_of(organisation))) == (ADA, [invitation])

    member = accept(token, ada, "other@example.org", "ADA@example.org")

    assert (member.role, role_in(ada, organisation.pk)) == ("finance", "finance")
    invitation.refresh_from_db()
    assert invitation.accepted_at is not None
    assert invitation.accepted_by == ada
    assert list(inviting.pending_of(organisation)) == []


@pytest.mark.django_db
def test_the_token_is_kept_nowhere() -> None:
    invitation, token = invited()

    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_invitation t WHERE id = %s", [invitation.pk])
        (row,) = cursor.fetchone()

    assert token not in row
    assert token.split(".")[0].encode().hex() not in row


@pytest.mark.django_db
def test_a_stolen_token_opens_nothing_for_another_address() -> None:
    organisation, thief = build.an_organisation(), build.a_user()
    _, token = invited(organisation)

    for addresses in ((), ("thief@example.org",), ("ada@example.org.evil.example",)):
        with pytest.raises(NoSuchInvitation):
            inviting.accept_invitation(token, user=thief, addresses=addresses)
        with pytest.raises(NoSuchInvitation):
            inviting.read_invitation(token, addresses=addresses)

    assert role_in(thief, organisation.pk) is None
    assert list(inviting.pending_of(organisation)) != []


@pytest.mark.django_db
def test_a_token_works_once() -> None:
    organisation, ada, again = build.an_organisation(), build.a_user(), build.a_user()
    _, token = invited(organisation)
    accept(token, ada)

    with pytest.raises(NoSuchInvitation):
        accept(token, again)
    organisation.memberships.filter(user=ada).delete()
    with pytest.raises(NoSuchInvitation):
        accept(token, ada)

    assert organisation.memberships.count() == 1


@pytest.mark.django_db
def test_an_invitation_expires_after_a_week() -> None:
    organisation, ada, start = build.an_organisation(), build.a_user(), timezone.now()
    _, token = invited(organisation, at=start)
    week = start + timedelta(days=7)

    assert inviting.pending_of(organisation, at=week - timedelta(seconds=1)).count() == 1
    assert inviting.pending_of(organisation, at=week).count() == 0
    with pytest.raises(NoSuchInvitation):
        accept(token, ada, at=week)
    assert accept(token, ada, at=week - timedelta(seconds=1)).role == "reviewer"


@pytest.mark.django_db
def test_a_withdrawn_invitation_opens_nothing_and_ends_once() -> None:
    organisation, ada = build.an_organisation(), build.a_user()
    invitation, token = invited(organisation)

    assert inviting.withdraw_invitation(invitation).withdrawn_at is not None
    with pytest.raises(NoSuchInvitation):
        accept(token, ada)
    with pytest.raises(inviting.InvitationEnded):
        inviting.withdraw_invitation(invitation)

    taken, other = invited(organisation)
    accept(other, ada)
    with pytest.raises(inviting.InvitationEnded):
        inviting.withdraw_invitation(taken)
    assert role_in(ada, organisation.pk) == "reviewer"


@pytest.mark.django_db
def test_a_second_invitation_takes_the_place_of_the_first() -> None:
    organisation, ada = build.an_organisation(), build.a_user()
    _, first = invited(organisation, role="owner")
    second, token = invited(organisation, email="ADA@example.org", role="reviewer")

    assert list(inviting.pending_of(organisation)) == [second]
    with pytest.raises(NoSuchInvitation):
        accept(first, ada)
    assert accept(token, ada).role == "reviewer"


@pytest.mark.django_db
@pytest.mark.parametrize("loss", ["removed", "stepped down", "transferred", "closed", "erased"])
def test_an_owner_who_is_one_no_longer_leaves_no_way_back_in(loss: str) -> None:
    dora, edo, ada = build.a_user("Dora"), build.a_user("Edo"), build.a_user("Ada")
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=edo, role="owner")
    _, token = invited(organisation, role="owner")

    if loss == "removed":
        organising.remove_member(organisation, user=dora)
    elif loss == "stepped down":
        organising.change_role(organisation, user=dora, role="manager")
    elif loss == "transferred":
        organising.transfer_ownership(organisation, owner=dora, to=edo)
    elif loss == "closed":
        User.objects.filter(pk=dora.pk).update(is_active=False)
    else:
        User.objects.filter(pk=dora.pk).delete()

    with pytest.raises(NoSuchInvitation):
        accept(token, ada)
    assert list(inviting.pending_of(organisation)) == []


@pytest.mark.django_db
def test_only_an_owner_invites() -> None:
    organisation, edo = build.an_organisation(), build.a_user("Edo")
    organising.add_member(organisation, user=edo, role="manager")

    for user in (edo, build.a_user(), owner_of(build.an_organisation())):
        with pytest.raises(inviting.InviterNotOwner):
            inviting.invite_member(organisation, email="edo.two@example.org", role="owner", invited_by=user)

    assert Invitation.objects.count() == 0


@pytest.mark.django_db
def test_a_member_is_not_invited_and_cannot_raise_themself_by_a_second_address() -> None:
    organisation, edo = build.an_organisation(), build.a_user("Edo")
    organising.add_member(organisation, user=edo, role="reviewer")

    with pytest.raises(inviting.InviteeIsMember):
        invited(organisation, email=edo.email.upper())
    invitation, token = invited(organisation, email="edo.two@example.org", role="owner")
    with pytest.raises(inviting.InviteeIsMember):
        accept(token, edo, "edo.two@example.org")

    assert role_in(edo, organisation.pk) == "reviewer"
    assert list(inviting.pending_of(organisation)) == [invitation]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "a b@example.org", "ada@example.org\nBcc: x@example.org", "a" * 250 + "@x.org"]
)
def test_an_address_that_is_none_is_refused_by_name(email: str) -> None:
    with pytest.raises(inviting.InvitationRefused) as refused:
        invited(email=email)
    assert [fault.pointer for fault in refused.value.faults] == ["/email"]


@pytest.mark.django_db
def test_an_unknown_role_is_refused_by_name() -> None:
    with pytest.raises(inviting.InvitationRefused) as refused:
        invited(role="boss")
    assert [fault.pointer for fault in refused.value.faults] == ["/role"]


@pytest.mark.django_db
def test_one_person_sends_only_so_many_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inviting, "A_DAY_MAX", 2)
    dora, start = build.a_user("Dora"), timezone.now()
    north, south = build.an_organisation(owner=dora), build.an_organisation(owner=dora)
    invited(north, email="a@example.org", at=start)
    invited(south, email="b@example.org", at=start)

    with pytest.raises(inviting.TooManyInvitations):
        invited(south, email="c@example.org", at=start + timedelta(hours=23))
    invited(south, email="c@example.org", at=start + timedelta(hours=25))


@pytest.mark.django_db
def test_inviting_asks_the_database_the_same_whether_the_address_has_an_account() -> None:
    organisation, known = build.an_organisation(), build.a_user()
    asked = []
    for email in (known.email, "nobody@example.org"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            invited(organisation, email=email)
        asked.append([query["sql"].split(" ")[0] for query in queries.captured_queries])

    assert asked[0] == asked[1]


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "ä" * 20, "\ud800", "a.b", "x" * 100_000, "a\0b"])
def test_what_was_never_signed_here_is_turned_away_without_a_query(token: str) -> None:
    with CaptureQueriesContext(connection) as queries, pytest.raises(NoSuchInvitation):
        inviting.read_invitation(token, addresses=[ADA])
    assert len(queries) == 0


@pytest.mark.django_db
def test_a_forged_signature_is_turned_away_even_where_its_digest_is_known() -> None:
    invitation, _ = invited()
    forged = Signer(key="another key", sep=".", salt="accounts.inviting").sign("made-up")
    Invitation.objects.filter(pk=invitation.pk).update(digest=inviting._digest(forged))

    with pytest.raises(NoSuchInvitation):
        inviting.read_invitation(forged, addresses=[ADA])


def test_of_two_who_accept_at_once_one_gets_in(committed_db: str) -> None:
    organisation, first, second = build.an_organisation(), build.a_user(), build.a_user()
    _, token = invited(organisation)

    told = at_once([partial(accept, token, user) for user in (first, second)])

    assert sorted(type(one).__name__ for one in told) == ["Membership", "NoSuchInvitation"]
    assert organisation.memberships.count() == 2


def test_accepting_and_withdrawing_at_once_one_wins(committed_db: str) -> None:
    for _ in range(5):
        organisation, ada = build.an_organisation(), build.a_user()
        invitation, token = invited(organisation)

        acts: list[Callable[[], object]] = [
            partial(accept, token, ada),
            partial(inviting.withdraw_invitation, invitation),
        ]
        told = at_once(acts)

        names = {type(one).__name__ for one in told}
        assert names in ({"Membership", "InvitationEnded"}, {"NoSuchInvitation", "Invitation"})
        assert (role_in(ada, organisation.pk) is None) == ("Invitation" in names)


def test_two_owners_who_invite_one_address_at_once_leave_one_invitation_open(committed_db: str) -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    for _ in range(5):
        organisation = build.an_organisation(owner=dora)
        organising.add_member(organisation, user=edo, role="owner")

        at_once(
            [
                partial(inviting.invite_member, organisation, email=ADA, role="reviewer", invited_by=owner)
                for owner in (dora, edo)
            ]
        )

        assert inviting.pending_of(organisation).count() == 1


def test_what_one_person_sends_at_once_is_counted_one_by_one(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inviting, "A_DAY_MAX", 1)
    dora = build.a_user("Dora")
    houses = [build.an_organisation(owner=dora) for _ in range(2)]

    told = at_once([partial(invited, house) for house in houses])

    assert sorted(type(one).__name__ for one in told) == ["TooManyInvitations", "tuple"]


def a_row(organisation: Organisation, **fields: Any) -> Invitation:
    row: dict[str, Any] = {"email": ADA, "role": "owner", "digest": b"1" * 32, "expires_at": timezone.now()}
    return Invitation.objects.create(organisation=organisation, **row | fields)


@pytest.mark.django_db
def test_one_invitation_a_token() -> None:
    organisation = build.an_organisation()
    a_row(organisation)
    with violates("one_invitation_a_token"):
        a_row(organisation, email="b@example.org")


@pytest.mark.django_db
def test_one_open_invitation_an_address() -> None:
    organisation = build.an_organisation()
    a_row(organisation)
    with violates("one_open_invitation_an_address"):
        a_row(organisation, email="ADA@example.org", digest=b"2" * 32)


@pytest.mark.django_db
def test_the_role_offered_is_known_to_the_database() -> None:
    with violates("invitation_role_is_known"):
        a_row(build.an_organisation(), role="boss")


@pytest.mark.django_db
def test_an_invitation_ends_once() -> None:
    with violates("an_invitation_ends_once"):
        a_row(build.an_organisation(), accepted_at=timezone.now(), withdrawn_at=timezone.now())
