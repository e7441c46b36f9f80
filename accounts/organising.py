"""Organisations, who belongs to them, and who runs the platform.

Each organisation has at least one owner who can sign in, and the platform one admin: whoever would take away the last
one is refused, also when two do it at once. Nobody gives themself a role, and who gives or takes one still holds the
right to when it counts. Who stops being an owner loses the keys that they made for the organisation, since they may
still hold the secrets.
"""

from __future__ import annotations

import secrets

from django.db import transaction

from accounts import seats
from accounts.models import ApiKey, Membership, Organisation, PlatformRole, User
from accounts.queries import moment
from accounts.refusals import Refusal

PSEUDONYM_KEY_BYTES = 32
STAFF = (PlatformRole.Role.ADMIN, PlatformRole.Role.VERIFIER, PlatformRole.Role.SUPPORT)
"""Roles on the platform that open the admin pages; an admin sees all of them, the others what is opened to their role."""


class AlreadyMember(Refusal):
    """This person belongs to the organisation already; change their role instead."""


class NotAMember(Refusal):
    """This person does not belong to the organisation."""


class LastOwner(Refusal):
    """An organisation keeps at least one owner: make somebody else an owner first."""


class RoleUnknown(Refusal):
    """There is no such role."""


class OwnRole(Refusal):
    """Nobody gives themself a role: ask somebody else who may give it."""


@transaction.atomic
def found_organisation(user: User, *, name: str) -> Organisation:
    """Found an organisation; ``user`` becomes its owner."""
    organisation = Organisation.objects.create(name=name, pseudonym_key=secrets.token_bytes(PSEUDONYM_KEY_BYTES))
    Membership.objects.create(organisation=organisation, user=user, role=Membership.Role.OWNER)
    return organisation


@transaction.atomic
def add_member(organisation: Organisation, *, user: User, role: str, given_by: User | None = None) -> Membership:
    """Let ``user`` act for the organisation as ``role``; ``given_by`` is None where the platform itself does it.

    Raises AlreadyMember, RoleUnknown, OwnRole.
    """
    _check_role(role, Membership.Role.values)
    _refuse_own(user, given_by)
    member, new = Membership.objects.get_or_create(organisation=organisation, user=user, defaults={"role": role})
    if not new:
        raise AlreadyMember(role=member.role)
    return member


@transaction.atomic
def change_role(organisation: Organisation, *, user: User, role: str, given_by: User | None = None) -> Membership:
    """Give a member another role. An owner may step down by themself; nobody else changes their own.

    ``given_by`` is an owner or runs the platform. Raises NotAMember, RoleUnknown, LastOwner, OwnRole, NotAnOwner.
    """
    _check_role(role, Membership.Role.values)
    seats.hold_organisation(organisation.pk)
    member = _member(organisation, user)
    if member.role != Membership.Role.OWNER:
        _refuse_own(user, given_by)
    _need_right(organisation, given_by)
    if member.role == Membership.Role.OWNER and role != Membership.Role.OWNER:
        _refuse_last_owner(member)
        _end_keys(member)
    member.role = role
    member.save(update_fields=["role"])
    return member


@transaction.atomic
def transfer_ownership(organisation: Organisation, *, owner: User, to: User) -> Membership:
    """Make ``to``, a member who can sign in, an owner in ``owner``'s place, who becomes a manager; return ``to``'s membership.

    Raises NotAMember, NotAnOwner, OwnRole.
    """
    _refuse_own(to, owner)
    seats.hold_organisation(organisation.pk)
    giver, heir = _member(organisation, owner), _member(organisation, to)
    if giver.role != Membership.Role.OWNER:
        raise seats.NotAnOwner
    if not heir.user.is_active:
        raise NotAMember("This person's account is closed.")
    heir.role, giver.role = Membership.Role.OWNER, Membership.Role.MANAGER
    heir.save(update_fields=["role"])
    giver.save(update_fields=["role"])
    _end_keys(giver)
    return heir


@transaction.atomic
def leave_organisation(organisation: Organisation, *, user: User) -> None:
    """End one's own membership, and with it the organisation's keys that one made. Raises NotAMember, LastOwner."""
    seats.hold_organisation(organisation.pk)
    _end_membership(organisation, user)


@transaction.atomic
def remove_member(organisation: Organisation, *, user: User, removed_by: User | None = None) -> None:
    """End a membership, and with it the organisation's keys that this person made and so may still hold.

    ``removed_by`` is an owner or runs the platform. Raises NotAMember, LastOwner, NotAnOwner.
    """
    seats.hold_organisation(organisation.pk)
    _need_right(organisation, removed_by)
    _end_membership(organisation, user)


@transaction.atomic
def give_platform_role(user: User, role: str, *, given_by: User | None = None) -> PlatformRole:
    """Give ``user`` a role on the platform; giving it twice changes nothing. The roles of `STAFF` open the admin pages.

    ``given_by`` is None where a command does it. Raises RoleUnknown, OwnRole.
    """
    _check_role(role, PlatformRole.Role.values)
    _refuse_own(user, given_by)
    given, _ = PlatformRole.objects.get_or_create(user=user, role=role)
    _open_admin_pages(user, admin=True if role == PlatformRole.Role.ADMIN else None)
    return given


@transaction.atomic
def take_platform_role(user: User, role: str) -> None:
    """Take a role on the platform away; nothing happens where it was not held. Raises RoleUnknown, LastAdmin."""
    _check_role(role, PlatformRole.Role.values)
    if role == PlatformRole.Role.ADMIN:
        seats.keep_an_admin(user)
    PlatformRole.objects.filter(user=user, role=role).delete()
    _open_admin_pages(user, admin=False if role == PlatformRole.Role.ADMIN else None)


def _check_role(role: str, known: list[str]) -> None:
    if role not in known:
        raise RoleUnknown(f"There is no such role; choose one of: {', '.join(known)}.")


def _refuse_own(user: User, given_by: User | None) -> None:
    if given_by is not None and given_by.pk == user.pk:
        raise OwnRole


def _need_right(organisation: Organisation, who: User | None) -> None:
    """Refuse who may not change the members of a held organisation, or may no longer. Raises NotAnOwner."""
    if who is not None and not User.objects.filter(pk=who.pk, is_superuser=True).exists():
        seats.need_owner(organisation.pk, who)


def _member(organisation: Organisation, user: User) -> Membership:
    member = Membership.objects.select_related("user").filter(organisation=organisation, user=user).first()
    if member is None:
        raise NotAMember
    return member


def _refuse_last_owner(member: Membership) -> None:
    others = seats.other_owners(member.organisation_id, member.user_id)
    if member.role == Membership.Role.OWNER and not others.exists():
        raise LastOwner


def _end_membership(organisation: Organisation, user: User) -> None:
    member = _member(organisation, user)
    _refuse_last_owner(member)
    _end_keys(member)
    member.delete()


def _end_keys(member: Membership) -> None:
    keys = ApiKey.objects.filter(
        organisation_id=member.organisation_id, created_by_id=member.user_id, revoked_at__isnull=True
    )
    keys.update(revoked_at=moment(None))


def _open_admin_pages(user: User, *, admin: bool | None) -> None:
    """Open or close the admin pages as the user's roles say; ``admin`` None leaves as it is whether they see all of them."""
    row = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    superuser = row.is_superuser if admin is None else admin
    user.is_superuser = superuser
    user.is_staff = superuser or PlatformRole.objects.filter(user=user, role__in=STAFF).exists()
    user.save(update_fields=["is_staff", "is_superuser"])
