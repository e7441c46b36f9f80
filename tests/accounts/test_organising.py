"""Members come and go, an owner stays, and platform roles open what they should."""

from functools import partial

import pytest

from accounts import keys, organising
from accounts.models import Membership, Organisation, PlatformRole, User
from accounts.queries import organisations_of, pseudonym_of, role_in, roles_of
from tests import build
from tests.guards import violates
from tests.races import at_once


@pytest.mark.django_db
def test_whoever_founds_an_organisation_owns_it() -> None:
    dora = build.a_user("Dora")

    organisation = organising.found_organisation(dora, name="North")

    assert role_in(dora, organisation.pk) == "owner"
    assert [(one.name, one.role) for one in organisations_of(dora)] == [("North", "owner")]
    assert len(bytes(organisation.pseudonym_key)) == 32


@pytest.mark.django_db
def test_two_organisations_cannot_join_their_workers() -> None:
    north, south, worker = build.an_organisation(), build.an_organisation(), build.a_worker()

    names = {pseudonym_of(north, worker.pk), pseudonym_of(south, worker.pk)}

    assert len(names) == 2
    assert pseudonym_of(Organisation.objects.get(pk=north.pk), worker.pk) in names


@pytest.mark.django_db
def test_a_member_is_added_once_with_a_known_role() -> None:
    organisation, user = build.an_organisation(), build.a_user()

    organising.add_member(organisation, user=user, role="reviewer")
    with pytest.raises(organising.AlreadyMember):
        organising.add_member(organisation, user=user, role="owner")
    with pytest.raises(organising.RoleUnknown, match="owner, manager, reviewer, finance"):
        organising.add_member(organisation, user=build.a_user(), role="boss")

    assert role_in(user, organisation.pk) == "reviewer"


@pytest.mark.django_db
def test_only_a_member_changes_role_or_leaves() -> None:
    organisation, stranger = build.an_organisation(), build.a_user()

    with pytest.raises(organising.NotAMember):
        organising.change_role(organisation, user=stranger, role="manager")
    with pytest.raises(organising.NotAMember):
        organising.remove_member(organisation, user=stranger)


@pytest.mark.django_db
def test_the_last_owner_neither_leaves_nor_steps_down() -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)

    with pytest.raises(organising.LastOwner):
        organising.remove_member(organisation, user=dora)
    with pytest.raises(organising.LastOwner):
        organising.change_role(organisation, user=dora, role="manager")
    with pytest.raises(organising.RoleUnknown):
        organising.change_role(organisation, user=dora, role="boss")

    organising.add_member(organisation, user=edo, role="manager")
    organising.change_role(organisation, user=edo, role="owner")
    organising.remove_member(organisation, user=dora)
    assert role_in(dora, organisation.pk) is None


def test_of_two_owners_who_leave_at_once_one_stays(committed_db: str) -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=edo, role="owner")

    told = at_once([partial(organising.remove_member, organisation, user=user) for user in (dora, edo)])

    assert sorted(type(one).__name__ for one in told) == ["LastOwner", "NoneType"]
    assert Membership.objects.filter(organisation=organisation, role="owner").count() == 1


@pytest.mark.django_db
def test_who_leaves_takes_no_working_key_along() -> None:
    organisation, edo = build.an_organisation(), build.a_user("Edo")
    organising.add_member(organisation, user=edo, role="manager")
    _, his = build.an_organisation_key(organisation, created_by=edo)
    _, another = build.an_organisation_key(organisation)

    organising.remove_member(organisation, user=edo)

    assert keys.check_secret(his) is None
    assert keys.check_secret(another) is not None


@pytest.mark.django_db
def test_an_admin_may_use_the_admin_pages_as_long_as_they_are_one() -> None:
    fay = build.a_user("Fay")

    organising.give_platform_role(fay, "admin")
    organising.give_platform_role(fay, "admin")
    organising.give_platform_role(fay, "verifier")
    assert roles_of(fay) == {"admin", "verifier"}
    assert fay.is_staff

    organising.take_platform_role(fay, "admin")
    assert roles_of(fay) == {"verifier"}
    assert User.objects.filter(pk=fay.pk, is_staff=False, is_superuser=False).exists()


@pytest.mark.django_db
def test_a_superuser_is_an_admin_and_other_roles_open_no_admin_pages() -> None:
    root, treasurer = build.a_user(is_superuser=True), build.a_user()
    organising.give_platform_role(treasurer, "treasurer")
    organising.take_platform_role(treasurer, "support")

    with pytest.raises(organising.RoleUnknown):
        organising.give_platform_role(treasurer, "king")
    with pytest.raises(organising.RoleUnknown):
        organising.take_platform_role(treasurer, "king")

    assert roles_of(root) == {"admin"}
    assert roles_of(treasurer) == {"treasurer"}
    assert not treasurer.is_staff


@pytest.mark.django_db
def test_one_role_a_member() -> None:
    organisation, user = build.an_organisation(), build.a_user()
    organising.add_member(organisation, user=user, role="finance")

    with violates("one_role_a_member"):
        Membership.objects.create(organisation=organisation, user=user, role="owner")


@pytest.mark.django_db
def test_a_members_role_is_known_to_the_database() -> None:
    with violates("member_role_is_known"):
        Membership.objects.create(organisation=build.an_organisation(), user=build.a_user(), role="boss")


@pytest.mark.django_db
def test_one_row_a_platform_role() -> None:
    given = organising.give_platform_role(build.a_user(), "support")

    with violates("one_row_a_platform_role"):
        PlatformRole.objects.create(user=given.user, role="support")


@pytest.mark.django_db
def test_a_platform_role_is_known_to_the_database() -> None:
    with violates("platform_role_is_known"):
        PlatformRole.objects.create(user=build.a_user(), role="king")
