"""Organisations, who belongs to them, and who runs the platform.

Each organisation has at least one owner: whoever would take away the last one is refused, also when two do it at once.
"""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models import Q

from accounts.models import ApiKey, Membership, Organisation, PlatformRole, User
from accounts.queries import moment
from accounts.refusals import Refusal

PSEUDONYM_KEY_BYTES = 32


class AlreadyMember(Refusal):
    """This person belongs to the organisation already; change their role instead."""


class NotAMember(Refusal):
    """This person does not belong to the organisation."""


class LastOwner(Refusal):
    """An organisation keeps at least one owner: make somebody else an owner first."""


class RoleUnknown(Refusal):
    """There is no such role."""


@transaction.atomic
def found_organisation(user: User, *, name: str) -> Organisation:
    """Found an organisation; ``user`` becomes its owner."""
    organisation = Organisation.objects.create(name=name, pseudonym_key=secrets.token_bytes(PSEUDONYM_KEY_BYTES))
    Membership.objects.create(organisation=organisation, user=user, role=Membership.Role.OWNER)
    return organisation


@transaction.atomic
def add_member(organisation: Organisation, *, user: User, role: str) -> Membership:
    """Let ``user`` act for the organisation as ``role``. Raises AlreadyMember, RoleUnknown."""
    _check_role(role, Membership.Role.values)
    member, new = Membership.objects.get_or_create(organisation=organisation, user=user, defaults={"role": role})
    if not new:
        raise AlreadyMember(role=member.role)
    return member


@transaction.atomic
def change_role(organisation: Organisation, *, user: User, role: str) -> Membership:
    """Give a member another role. Raises NotAMember, RoleUnknown, LastOwner."""
    _check_role(role, Membership.Role.values)
    hold(organisation.pk)
    member = _member(organisation, user)
    if role != Membership.Role.OWNER:
        _refuse_last_owner(member)
    member.role = role
    member.save(update_fields=["role"])
    return member


@transaction.atomic
def remove_member(organisation: Organisation, *, user: User) -> None:
    """End a membership, and with it the organisation's keys that this person made and so may still hold.

    Raises NotAMember, LastOwner.
    """
    hold(organisation.pk)
    member = _member(organisation, user)
    _refuse_last_owner(member)
    keys = ApiKey.objects.filter(organisation=organisation, created_by=user, revoked_at__isnull=True)
    keys.update(revoked_at=moment(None))
    member.delete()


@transaction.atomic
def give_platform_role(user: User, role: str) -> PlatformRole:
    """Give ``user`` a role on the platform; giving it twice changes nothing. An admin may also use the admin pages.

    Raises RoleUnknown.
    """
    _check_role(role, PlatformRole.Role.values)
    given, _ = PlatformRole.objects.get_or_create(user=user, role=role)
    if role == PlatformRole.Role.ADMIN:
        _open_admin_pages(user, may=True)
    return given


@transaction.atomic
def take_platform_role(user: User, role: str) -> None:
    """Take a role on the platform away; nothing happens where it was not held. Raises RoleUnknown."""
    _check_role(role, PlatformRole.Role.values)
    PlatformRole.objects.filter(user=user, role=role).delete()
    if role == PlatformRole.Role.ADMIN:
        _open_admin_pages(user, may=False)


def hold(organisation_id: int) -> None:
    """Lock the organisation's row until the transaction ends: its members change one by one.

    Raises Organisation.DoesNotExist.
    """
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation_id)


def _check_role(role: str, known: list[str]) -> None:
    if role not in known:
        raise RoleUnknown(f"There is no such role; choose one of: {', '.join(known)}.")


def _member(organisation: Organisation, user: User) -> Membership:
    member = Membership.objects.filter(organisation=organisation, user=user).first()
    if member is None:
        raise NotAMember
    return member


def _refuse_last_owner(member: Membership) -> None:
    others = Membership.objects.filter(
        ~Q(pk=member.pk), organisation_id=member.organisation_id, role=Membership.Role.OWNER
    )
    if member.role == Membership.Role.OWNER and not others.exists():
        raise LastOwner


def _open_admin_pages(user: User, *, may: bool) -> None:
    user.is_staff = user.is_superuser = may
    user.save(update_fields=["is_staff", "is_superuser"])
