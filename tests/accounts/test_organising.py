"""Members come and go, an owner stays, and platform roles open what they should."""

from collections.abc import Callable
from functools import partial

import pytest

from accounts import keys, organising, seats
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
    organising.add_member(organisation, user=edo, role="manager")

    with pytest.raises(organising.LastOwner):
        organising.remove_member(organisation, user=dora)
    with pytest.raises(organising.LastOwner):
        organising.change_role(organisation, user=dora, role="manager")
    with pytest.raises(organising.RoleUnknown):
        organising.change_role(organisation, user=dora, role="boss")

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
    organising.add_member(organisation, user=edo, role="owner")
    _, his = build.an_organisation_key(organisation, created_by=edo)
    _, another = build.an_organisation_key(organisation)

    organising.remove_member(organisation, user=edo)

    assert keys.check_secret(his) is None
    assert keys.check_secret(another) is not None


@pytest.mark.django_db
def test_whoever_leaves_by_themself_takes_no_key_along_and_the_last_owner_stays() -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)
    with pytest.raises(organising.LastOwner):
        organising.leave_organisation(organisation, user=dora)
    organising.add_member(organisation, user=edo, role="owner")
    _, his = build.an_organisation_key(organisation, created_by=edo)

    organising.leave_organisation(organisation, user=edo)

    assert role_in(edo, organisation.pk) is None
    assert keys.check_secret(his) is None
    with pytest.raises(organising.NotAMember):
        organising.leave_organisation(organisation, user=edo)


@pytest.mark.django_db
def test_an_owner_whose_account_is_closed_does_not_count_as_the_one_who_stays() -> None:
    dora, gone = build.a_user("Dora"), build.a_user(is_active=False)
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=gone, role="owner")

    with pytest.raises(organising.LastOwner):
        organising.leave_organisation(organisation, user=dora)


@pytest.mark.django_db
def test_who_is_an_owner_no_longer_keeps_no_working_key() -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=edo, role="owner")
    _, hers = build.an_organisation_key(organisation, created_by=dora)
    _, his = build.an_organisation_key(organisation, created_by=edo)

    organising.change_role(organisation, user=edo, role="owner")
    assert keys.check_secret(his) is not None
    organising.change_role(organisation, user=edo, role="manager")
    assert keys.check_secret(his) is None
    organising.transfer_ownership(organisation, owner=dora, to=edo)
    assert keys.check_secret(hers) is None


@pytest.mark.django_db
def test_ownership_is_handed_to_a_member_and_the_giver_stays_as_a_manager() -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=edo, role="finance")

    heir = organising.transfer_ownership(organisation, owner=dora, to=edo)

    assert (heir.user, heir.role) == (edo, "owner")
    assert (role_in(dora, organisation.pk), role_in(edo, organisation.pk)) == ("manager", "owner")


@pytest.mark.django_db
def test_ownership_is_handed_over_only_by_an_owner_and_only_to_another_member_who_can_sign_in() -> None:
    dora, edo, closed = build.a_user("Dora"), build.a_user("Edo"), build.a_user(is_active=False)
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=edo, role="manager")
    organising.add_member(organisation, user=closed, role="manager")

    with pytest.raises(seats.NotAnOwner):
        organising.transfer_ownership(organisation, owner=edo, to=dora)
    with pytest.raises(organising.OwnRole):
        organising.transfer_ownership(organisation, owner=edo, to=edo)
    with pytest.raises(organising.NotAMember):
        organising.transfer_ownership(organisation, owner=dora, to=build.a_user())
    with pytest.raises(organising.NotAMember):
        organising.transfer_ownership(organisation, owner=build.a_user(), to=edo)
    with pytest.raises(organising.NotAMember, match="closed"):
        organising.transfer_ownership(organisation, owner=dora, to=closed)

    assert role_in(dora, organisation.pk) == "owner"


def test_an_owner_who_hands_over_while_the_heir_leaves_is_not_the_last_to_go(committed_db: str) -> None:
    for _ in range(5):
        dora, edo = build.a_user("Dora"), build.a_user("Edo")
        organisation = build.an_organisation(owner=dora)
        organising.add_member(organisation, user=edo, role="manager")

        acts: list[Callable[[], object]] = [
            partial(organising.transfer_ownership, organisation, owner=dora, to=edo),
            partial(organising.leave_organisation, organisation, user=edo),
        ]
        at_once(acts)

        assert Membership.objects.filter(organisation=organisation, role="owner").count() == 1


@pytest.mark.django_db
def test_nobody_raises_themself_in_an_organisation_but_an_owner_may_step_down() -> None:
    dora, edo = build.a_user("Dora"), build.a_user("Edo")
    organisation = build.an_organisation(owner=dora)
    with pytest.raises(organising.OwnRole):
        organising.add_member(organisation, user=edo, role="owner", given_by=edo)
    organising.add_member(organisation, user=edo, role="manager", given_by=dora)

    with pytest.raises(organising.OwnRole):
        organising.change_role(organisation, user=edo, role="owner", given_by=edo)
    assert role_in(edo, organisation.pk) == "manager"
    organising.change_role(organisation, user=edo, role="owner", given_by=dora)
    organising.change_role(organisation, user=dora, role="finance", given_by=dora)
    assert role_in(dora, organisation.pk) == "finance"


@pytest.mark.django_db
def test_who_is_an_owner_no_longer_gives_and_takes_no_roles_and_an_admin_may() -> None:
    dora, edo, root = build.a_user("Dora"), build.a_user("Edo"), build.a_user(is_superuser=True)
    organisation = build.an_organisation(owner=dora)
    organising.add_member(organisation, user=edo, role="manager")

    with pytest.raises(seats.NotAnOwner):
        organising.change_role(organisation, user=dora, role="finance", given_by=edo)
    with pytest.raises(seats.NotAnOwner):
        organising.remove_member(organisation, user=dora, removed_by=edo)
    organising.change_role(organisation, user=edo, role="owner", given_by=root)
    organising.remove_member(organisation, user=dora, removed_by=root)

    assert role_in(edo, organisation.pk) == "owner"


def test_of_three_owners_two_who_put_each_other_down_at_once_do_not_both_succeed(committed_db: str) -> None:
    for _ in range(3):
        dora, edo = build.a_user("Dora"), build.a_user("Edo")
        organisation = build.an_organisation()
        for user in (dora, edo):
            organising.add_member(organisation, user=user, role="owner")

        acts = [
            partial(organising.change_role, organisation, user=one, role="manager", given_by=other)
            for one, other in ((dora, edo), (edo, dora))
        ]

        assert sorted(type(one).__name__ for one in at_once(acts)) == ["Membership", "NotAnOwner"]


@pytest.mark.django_db
def test_nobody_gives_themself_a_role_on_the_platform() -> None:
    fay, gus = build.a_user("Fay"), build.a_user("Gus")
    organising.give_platform_role(fay, "support")

    for role in PlatformRole.Role.values:
        with pytest.raises(organising.OwnRole):
            organising.give_platform_role(fay, role, given_by=fay)
    organising.give_platform_role(gus, "verifier", given_by=fay)

    assert [set(roles_of(fay)), set(roles_of(gus))] == [{"support"}, {"verifier"}]


@pytest.mark.django_db
def test_an_admin_may_use_the_admin_pages_as_long_as_they_are_one() -> None:
    fay = build.a_user("Fay")
    organising.give_platform_role(build.a_user("Root"), "admin")

    organising.give_platform_role(fay, "admin")
    organising.give_platform_role(fay, "admin")
    organising.give_platform_role(fay, "treasurer")
    assert roles_of(fay) == {"admin", "treasurer"}
    assert (fay.is_staff, fay.is_superuser) == (True, True)

    organising.take_platform_role(fay, "admin")
    assert roles_of(fay) == {"treasurer"}
    assert User.objects.filter(pk=fay.pk, is_staff=False, is_superuser=False).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["verifier", "support"])
def test_verifiers_and_support_come_into_the_admin_pages_without_seeing_all_of_them(role: str) -> None:
    user = build.a_user()

    organising.give_platform_role(user, role)
    assert User.objects.filter(pk=user.pk, is_staff=True, is_superuser=False).exists()
    organising.take_platform_role(user, role)
    assert User.objects.filter(pk=user.pk, is_staff=False, is_superuser=False).exists()


@pytest.mark.django_db
def test_an_admin_who_verifies_too_stays_in_the_admin_pages_without_either_role() -> None:
    organising.give_platform_role(build.a_user("Root"), "admin")
    fay = build.a_user("Fay")
    for role in ("admin", "verifier"):
        organising.give_platform_role(fay, role)

    organising.take_platform_role(fay, "admin")
    assert User.objects.filter(pk=fay.pk, is_staff=True, is_superuser=False).exists()
    organising.give_platform_role(fay, "admin")
    organising.take_platform_role(fay, "verifier")
    assert User.objects.filter(pk=fay.pk, is_staff=True, is_superuser=True).exists()


@pytest.mark.django_db
def test_the_last_admin_stays() -> None:
    fay, gus = build.a_user("Fay"), build.a_user("Gus")
    organising.give_platform_role(fay, "admin")
    with pytest.raises(seats.LastAdmin):
        organising.take_platform_role(fay, "admin")
    organising.give_platform_role(gus, "admin")
    User.objects.filter(pk=gus.pk).update(is_active=False)
    with pytest.raises(seats.LastAdmin):
        organising.take_platform_role(fay, "admin")

    organising.take_platform_role(build.a_user(), "admin")
    assert roles_of(fay) == {"admin"}


def test_of_two_admins_who_are_taken_away_at_once_one_stays(committed_db: str) -> None:
    fay, gus = build.a_user("Fay"), build.a_user("Gus")
    for user in (fay, gus):
        organising.give_platform_role(user, "admin")

    told = at_once([partial(organising.take_platform_role, user, "admin") for user in (fay, gus)])

    assert sorted(type(one).__name__ for one in told) == ["LastAdmin", "NoneType"]
    assert PlatformRole.objects.filter(role="admin").count() == 1


@pytest.mark.django_db
def test_a_superuser_is_an_admin_and_a_treasurer_sees_no_admin_pages() -> None:
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
