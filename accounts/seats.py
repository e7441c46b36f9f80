"""Seats that must not be empty or held by two readings at once: the owners of an organisation, the admins of the platform.

Whoever gives, takes or uses such a seat locks it here first and looks under the lock: what a door saw when the request
came in may be over by then.
"""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Membership, Organisation, User
from accounts.refusals import Refusal


class NotAnOwner(Refusal):
    """Only an owner of the organisation can do this."""


class LastAdmin(Refusal):
    """The platform keeps at least one admin: make somebody else one first."""


def hold_organisation(organisation_id: int) -> None:
    """Lock the organisation's row until the transaction ends: its members change one by one.

    References to it are not kept waiting. Raises Organisation.DoesNotExist.
    """
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation_id)


def need_owner(organisation_id: int, user: User) -> None:
    """Refuse who is no owner (any more) of a held organisation. Raises NotAnOwner."""
    owners = Membership.objects.filter(organisation_id=organisation_id, role=Membership.Role.OWNER)
    if not owners.filter(user_id=user.pk).exists():
        raise NotAnOwner


def other_owners(organisation_id: int, user_id: int) -> QuerySet[Membership]:
    """The owners of an organisation who can sign in, beside this user."""
    owners = Membership.objects.filter(organisation_id=organisation_id, role=Membership.Role.OWNER)
    return owners.filter(user__is_active=True).exclude(user_id=user_id)


def keep_an_admin(user: User) -> None:
    """Refuse to lose the last admin who can sign in. Raises LastAdmin where ``user`` is that one.

    Locked in one order: of two admins taken away at once, the second waits here and counts again.
    """
    rows = User.objects.select_for_update(no_key=True).filter(is_superuser=True, is_active=True).order_by("pk")
    if [admin.pk for admin in rows] == [user.pk]:
        raise LastAdmin
